import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.venue.venue_clob_examples import CONDITION, MARKET, NO, ORDER, TRADE, YES, clob_of
from tests.venue.venue_servers import NOW_MS, Answer, Seen, json_reply, reading, scripted_server

from kabobagool.domain.market import NO_FEE, FeeSchedule
from kabobagool.venue import rows
from kabobagool.venue.clob import VersionError
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import HttpStatusError, ResponseError
from kabobagool.venue.rows import BookSummary, MarketInfo


def market_of(**fields: object) -> MarketInfo:
    message = {key: value for key, value in (MARKET | fields).items() if value is not ...}
    return rows.market_info(json_reply(json.dumps(message).encode()), condition_id=CONDITION, endpoint="/clob-markets/0xc")


@pytest.mark.parametrize("body", [{"version": 2}, "2", {"version": "2"}])
async def test_the_version_we_sign_for_passes(body: Any) -> None:
    async with scripted_server({"/version": Answer(200, body)}) as server, reading() as reader:
        clob = clob_of(reader, server)
        assert await clob.version() == 2
        await clob.assert_version()


async def test_another_version_is_an_error_that_says_what_to_do() -> None:
    async with scripted_server({"/version": Answer(200, {"version": 3})}) as server, reading() as reader:
        with pytest.raises(VersionError, match=r"version 3.*version 2.*update the bot"):
            await clob_of(reader, server).assert_version()


async def test_a_version_that_is_none_is_not_taken_for_ours() -> None:
    async with scripted_server({"/version": Answer(200, {"ok": True})}) as server, reading() as reader:
        with pytest.raises(ResponseError, match="/version: field version"):
            await clob_of(reader, server).assert_version()


@pytest.mark.parametrize("body", ["1795305600", str(NOW_MS), {"timestamp": 1_795_305_600}, '"1795305600"'])
async def test_the_venues_clock_is_in_milliseconds_whatever_it_says(body: Any) -> None:
    async with scripted_server({"/time": Answer(200, body)}) as server, reading() as reader:
        assert await clob_of(reader, server).server_time_ms() // 1000 == 1_795_305_600


async def test_a_market_is_read_with_its_fee() -> None:
    async with scripted_server({f"/clob-markets/{CONDITION}": Answer(200, MARKET)}) as server, reading() as reader:
        info = await clob_of(reader, server, credentials=None).market_info(CONDITION)
    assert info == MarketInfo(
        condition_id=CONDITION,
        tokens=(YES, NO),
        tick_size=100,
        min_order_shares=5_000_000,
        fee=FeeSchedule(50_000, 1),
        neg_risk=False,
        accepting_orders=True,
        taker_delay_ms=0,
    )


@pytest.mark.parametrize(
    ("details", "fee"),
    [
        (..., NO_FEE),
        (None, NO_FEE),
        ({"r": 0, "e": 0}, NO_FEE),
        ({"r": 0}, NO_FEE),
        ({"r": "0.07", "e": "1"}, FeeSchedule(70_000, 1)),
        ({"r": 0.25, "e": 2.0, "to": True}, FeeSchedule(250_000, 2)),
        ({"r": 0.05}, None),
        ({"e": 1}, None),
        ({}, None),
        ({"r": 0.05, "e": 1.5}, None),
        ({"r": 0.05, "e": 0}, None),
        ({"r": 0.05, "e": 99}, None),
        ({"r": -0.05, "e": 1}, None),
        ({"r": 1.5, "e": 1}, None),
        ({"r": 0.00000001, "e": 1}, None),
        ({"r": "high", "e": 1}, None),
        ({"r": 0.05, "e": "one"}, None),
        ("0.05", None),
        ([0.05, 1], None),
    ],
)
def test_a_fee_that_is_not_understood_is_unknown_and_never_zero(details: object, fee: FeeSchedule | None) -> None:
    assert market_of(fd=details).fee == fee


def test_what_the_exchange_does_not_say_is_left_open() -> None:
    info = market_of(t=None, mos=..., nr=None, ao=..., itode=None)
    assert (info.tokens, info.min_order_shares, info.neg_risk, info.accepting_orders, info.taker_delay_ms) == ((), None, False, None, 0)


def test_a_market_that_delays_takers_has_a_delay() -> None:
    assert market_of(itode=True).taker_delay_ms == rows.UNKNOWN_DELAY_MS > 0


@pytest.mark.parametrize(("field", "value"), [("mts", None), ("mts", 0), ("mts", "x"), ("mts", ...), ("mos", "many"), ("nr", "yes")])
def test_rubbish_in_a_market_names_endpoint_and_field(field: str, value: object) -> None:
    with pytest.raises(ResponseError, match=f"/clob-markets/0xc.*{field}"):
        market_of(**{field: value})


async def test_a_market_without_a_book_is_a_404() -> None:
    async with scripted_server({}) as server, reading() as reader:
        with pytest.raises(HttpStatusError) as caught:
            await clob_of(reader, server).market_info(CONDITION)
    assert caught.value.status == 404


@pytest.mark.parametrize("identifier", ["", "../orders", "0x", "0xzz", f"{CONDITION}?a=b", f"{CONDITION}0"])
async def test_an_id_that_is_none_never_reaches_the_venue(identifier: str) -> None:
    async with scripted_server({}) as server, reading() as reader:
        clob = clob_of(reader, server)
        for asked in (clob.market_info(identifier), clob.order(identifier)):
            with pytest.raises(VenueError, match="not a 0x hex id"):
                await asked
    assert server.requests == []


async def test_books_are_asked_in_bounded_batches_and_read_as_integers() -> None:
    def answer(seen: Seen) -> Answer:
        asked = [entry["token_id"] for entry in json.loads(seen.body)]
        assert len(asked) <= 100
        book = {"market": CONDITION, "timestamp": str(NOW_MS), "bids": [{"price": ".47", "size": "10.5"}], "asks": [], "hash": "h"}
        return Answer(200, [book | {"asset_id": token, "tick_size": "0.01", "min_order_size": "5", "neg_risk": True} for token in asked])

    tokens = [str(number) for number in range(150)]
    async with scripted_server({"/books": answer}) as server, reading() as reader:
        books = await clob_of(reader, server).books(tokens)
    assert [book.asset_id for book in books] == tokens
    assert books[0] == BookSummary(
        asset_id="0",
        condition_id=CONDITION,
        timestamp_ms=NOW_MS,
        bids=[(4700, 10_500_000)],
        asks=[],
        tick_size=100,
        min_order_shares=5_000_000,
        neg_risk=True,
        hash="h",
    )
    assert [seen.method for seen in server.requests] == ["POST", "POST"]


async def test_no_tokens_need_no_request() -> None:
    async with scripted_server({}) as server, reading() as reader:
        assert await clob_of(reader, server).books([]) == []
    assert server.requests == []


async def test_a_bare_book_is_a_book_and_a_broken_one_names_the_field() -> None:
    bare = rows.book_summaries(json_reply(b'[{"asset_id": "1", "bids": null}]'), "/books")
    assert (bare[0].bids, bare[0].tick_size, bare[0].min_order_shares, bare[0].timestamp_ms) == ([], None, None, 0)
    with pytest.raises(ResponseError, match="/books: field asks"):
        rows.book_summaries(json_reply(b'[{"asset_id": "1", "asks": [{"price": "7", "size": "1"}]}]'), "/books")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0.5", "BUY", "MATCHED"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from([MARKET, TRADE, ORDER, TRADE["maker_orders"][0]]), st.data())
def test_no_reply_whatsoever_raises_anything_but_a_venue_error(good: dict[str, Any], data: st.DataObject) -> None:
    damage = data.draw(st.dictionaries(st.sampled_from(sorted(good)), values, max_size=4))
    body = json.dumps(good | damage).encode()
    wrapped = json.dumps({"data": [good | damage], "next_cursor": data.draw(values)}).encode()
    cut = data.draw(st.integers(0, len(body)))
    for reply in (json_reply(body), json_reply(body[:cut]), json_reply(wrapped), json_reply(b"[" + body + b"]")):
        for read in (
            lambda r: rows.market_info(r, condition_id=CONDITION, endpoint="/m"),
            lambda r: rows.trade_page(r, owner="our-key", address="", endpoint="/t"),
            lambda r: rows.order_row(r, "/o"),
            lambda r: rows.book_summaries(r, "/b"),
            lambda r: rows.balance(r, "/a"),
        ):
            try:
                read(reply)
            except VenueError:
                continue
