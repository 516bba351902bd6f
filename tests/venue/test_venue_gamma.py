import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.venue.venue_servers import Answer, ManualClock, Seen, reading, scripted_server

from kabobagool.domain.market import NO_FEE, FeeSchedule, Market
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import (
    MarketAmbiguous,
    MarketNotFound,
    MarketNotTradable,
    UnsupportedMarket,
    combine,
    find_market,
    first_obstacle,
    read_market,
    resolve_market,
)
from kabobagool.venue.reader import HttpStatusError, ResponseError
from kabobagool.venue.rows import MarketInfo

CONDITION, SLUG = "0x" + "c" * 64, "will-it-rain"
YES, NO = "7132", "4921"
ITEM: dict[str, Any] = {
    "id": "519589",
    "question": "Will it rain?",
    "conditionId": CONDITION,
    "slug": SLUG,
    "endDate": "2026-12-01T12:00:00Z",
    "outcomes": '["Up", "Down"]',
    "clobTokenIds": f'["{YES}", "{NO}"]',
    "active": True,
    "closed": False,
    "archived": False,
    "enableOrderBook": True,
    "acceptingOrders": True,
    "umaResolutionStatus": "",
    "negRisk": False,
    "version": "v1",
    "orderMinSize": 5,
    "orderPriceMinTickSize": 0.01,
    "secondsDelay": None,
    "feesEnabled": True,
    "feeType": "weather_fees",
    "feeSchedule": {"rate": 0.05, "exponent": 1, "takerOnly": True, "rebateRate": 0.25},
    "volume": "101887.832649",
    "volumeNum": 101887.832649,
    "volume24hr": 1200.5,
    "liquidityNum": 9384.9344,
}
INFO = MarketInfo(
    condition_id=CONDITION,
    tokens=(YES, NO),
    tick_size=10,
    min_order_shares=6_000_000,
    fee=FeeSchedule(50_000),
    neg_risk=False,
    accepting_orders=True,
    taker_delay_ms=0,
)
CLOB: dict[str, Any] = {
    "t": [{"t": YES}, {"t": NO}],
    "mts": 0.001,
    "mos": 6,
    "nr": True,
    "ao": False,
    "fd": {"r": 0.05, "e": 1},
}
MISSING = object()


def item(**fields: object) -> dict[str, Any]:
    return {key: value for key, value in (ITEM | fields).items() if value is not MISSING}


def listing(*items: dict[str, Any]) -> Answer:
    return Answer(200, {"markets": list(items), "next_cursor": "abc"})


def only_when_closed(closed: dict[str, Any]) -> Any:
    def answer(seen: Seen) -> Answer:
        return listing(closed) if ("closed", "true") in seen.query else listing()

    return answer


def test_a_market_is_read_with_all_its_quirks() -> None:
    market = read_market(ITEM)
    assert (market.condition_id, market.slug, market.question) == (CONDITION, SLUG, "Will it rain?")
    assert (market.outcomes, market.tokens) == (("Up", "Down"), (YES, NO))
    assert (market.tick_size, market.min_order_shares, market.taker_delay_ms) == (100, 5_000_000, 0)
    assert market.fee == FeeSchedule(50_000)
    assert market.end_ms == 1_796_126_400_000
    assert (market.volume_24h, market.volume, market.liquidity) == (1_200_500_000, 101_887_832_649, 9_384_934_400)
    assert market.accepting_orders
    assert first_obstacle(market) is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outcomes": ["Yes", "No"]}, {"outcomes": ("Yes", "No")}),
        ({"outcomes": MISSING}, {"outcomes": ("Yes", "No")}),
        ({"outcomes": '["Over", "Over"]'}, {"outcomes": ("Over", "Over")}),
        ({"clobTokenIds": [NO, YES]}, {"tokens": (NO, YES)}),
        ({"version": MISSING}, {"slug": SLUG}),
        ({"version": None}, {"slug": SLUG}),
        ({"negRisk": None, "closed": None, "active": None, "acceptingOrders": None}, {"neg_risk": False, "closed": False, "active": True}),
        ({"secondsDelay": 3}, {"taker_delay_ms": 3000}),
        ({"secondsDelay": 0.25}, {"taker_delay_ms": 250}),
        ({"endDate": MISSING}, {"end_ms": None}),
        ({"endDate": "soon"}, {"end_ms": None}),
        ({"endDate": "2026-12-01"}, {"end_ms": 1_796_083_200_000}),
        ({"endDate": "2026-12-01T13:00:00+01:00"}, {"end_ms": 1_796_126_400_000}),
        ({"orderMinSize": None, "orderPriceMinTickSize": None}, {"min_order_shares": None, "tick_size": None}),
        ({"orderMinSize": "5", "orderPriceMinTickSize": "0.0025"}, {"min_order_shares": 5_000_000, "tick_size": 25}),
        ({"orderPriceMinTickSize": Decimal("1E-4")}, {"tick_size": 1}),
        ({"feeSchedule": None, "feesEnabled": False}, {"fee": NO_FEE}),
        ({"feeSchedule": MISSING, "feesEnabled": MISSING}, {"fee": NO_FEE}),
        ({"feeSchedule": {"rate": 0.05, "exponent": 1}, "feesEnabled": False}, {"fee": NO_FEE}),
        ({"feeSchedule": {"rate": "a lot", "exponent": 1}}, {"fee": None}),
        ({"feeSchedule": {"rate": 0.25, "exponent": 2}}, {"fee": FeeSchedule(250_000, 2)}),
        ({"volume24hr": None, "volumeNum": None, "liquidityNum": "?"}, {"volume_24h": 0, "volume": 101_887_832_649, "liquidity": 0}),
        ({"events": [{"negRiskAugmented": True}]}, {"augmented": True}),
        ({"events": [None, {"negRiskAugmented": None}]}, {"augmented": False}),
        ({"events": "none"}, {"augmented": False}),
    ],
)
def test_missing_null_and_doubly_written_fields_are_understood(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    market = read_market(item(**fields))
    assert {name: getattr(market, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"version": "v2"}, "version"),
        ({"version": 3}, "version"),
        ({"outcomes": '["A", "B", "C"]'}, "outcomes"),
        ({"outcomes": "[]"}, "outcomes"),
        ({"outcomes": 7}, "outcomes"),
        ({"clobTokenIds": MISSING}, "tokens"),
        ({"clobTokenIds": ""}, "tokens"),
        ({"clobTokenIds": "null"}, "tokens"),
        ({"clobTokenIds": "[1, 2]"}, "tokens"),
        ({"clobTokenIds": f'["{YES}"]'}, "tokens"),
        ({"clobTokenIds": [YES, YES]}, "tokens"),
        ({"clobTokenIds": [YES, ""]}, "tokens"),
    ],
)
def test_a_market_of_another_kind_is_refused_by_name(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedMarket, match=SLUG) as caught:
        read_market(item(**fields))
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("field", "value"), [("conditionId", MISSING), ("clobTokenIds", "[not json"), ("orderPriceMinTickSize", "fine"), ("orderMinSize", -5)]
)
def test_rubbish_in_the_catalogue_names_the_field(field: str, value: object) -> None:
    with pytest.raises(ResponseError, match=field):
        read_market(item(**{field: value}))


@pytest.mark.parametrize(
    ("fields", "reason", "advice"),
    [
        ({"closed": True}, "closed", "redeem"),
        ({"archived": True}, "archived", "another market"),
        ({"active": False}, "inactive", "try again"),
        ({"enableOrderBook": False}, "no_order_book", "CLOB"),
        ({"umaResolutionStatus": "proposed"}, "resolving", "wait for the payout"),
        ({"negRiskOther": True}, "catch_all", "named outcome"),
    ],
)
def test_a_market_that_is_not_open_says_why_and_what_to_do(fields: dict[str, Any], reason: str, advice: str) -> None:
    obstacle = first_obstacle(read_market(item(**fields)))
    assert isinstance(obstacle, MarketNotTradable)
    assert obstacle.reason == reason
    assert SLUG in str(obstacle)
    assert advice in str(obstacle)


async def test_a_market_is_found_by_its_slug() -> None:
    async with scripted_server({f"/markets/slug/{SLUG}": Answer(200, ITEM)}) as server, reading() as reader:
        assert (await find_market(reader, server.url + "/", slug=SLUG)).condition_id == CONDITION


@pytest.mark.parametrize("answer", [Answer(404, {"error": "not found"}), Answer(200, "null"), Answer(200, []), Answer(200, "")])
async def test_a_slug_nobody_knows_is_not_found(answer: Answer) -> None:
    async with scripted_server({f"/markets/slug/{SLUG}": answer}) as server, reading() as reader:
        with pytest.raises(MarketNotFound, match=rf"{SLUG}.*check the spelling"):
            await find_market(reader, server.url, slug=SLUG)


async def test_a_slug_cannot_leave_its_place_in_the_path() -> None:
    async with scripted_server({}) as server, reading() as reader:
        with pytest.raises(MarketNotFound):
            await find_market(reader, server.url, slug="../../orders?x=1")
    assert server.requests[0].path == "/markets/slug/../../orders?x=1"
    assert server.requests[0].query == []


@pytest.mark.parametrize("wrapped", [True, False])
async def test_a_market_is_found_by_its_condition_id_whatever_the_wrapper(wrapped: bool) -> None:
    found = listing(ITEM) if wrapped else Answer(200, [ITEM])
    async with scripted_server({"/markets/keyset": found}) as server, reading() as reader:
        market = await find_market(reader, server.url, condition_id=CONDITION.upper().replace("0X", "0x"))
    assert market.slug == SLUG
    assert [seen.query[0][0] for seen in server.requests] == ["condition_ids"]


async def test_a_filter_the_venue_ignored_does_not_bring_a_wrong_market() -> None:
    async with scripted_server({"/markets/keyset": listing(item(conditionId="0xother"))}) as server, reading() as reader:
        with pytest.raises(MarketNotFound, match=CONDITION):
            await find_market(reader, server.url, condition_id=CONDITION)


async def test_a_closed_market_is_found_so_that_it_can_be_called_closed() -> None:
    script = {"/markets/keyset": only_when_closed(item(closed=True)), f"/clob-markets/{CONDITION}": Answer(200, CLOB)}
    async with scripted_server(script) as server, reading() as reader:
        clob = ClobReader(reader, server.url, clock=ManualClock())
        with pytest.raises(MarketNotTradable) as caught:
            await resolve_market(reader, clob, server.url, condition_id=CONDITION)
    assert caught.value.reason == "closed"
    assert [seen.path for seen in server.requests] == ["/markets/keyset"] * 2


async def test_a_market_is_found_by_its_two_tokens() -> None:
    async with scripted_server({"/markets/keyset": listing(ITEM)}) as server, reading() as reader:
        assert (await find_market(reader, server.url, tokens=(YES, NO))).slug == SLUG
    assert server.requests[0].query == [("clob_token_ids", YES), ("clob_token_ids", NO)]


async def test_tokens_the_wrong_way_round_or_of_two_markets_are_explained() -> None:
    other = item(slug="other", conditionId="0xd", clobTokenIds=["1", "2"])
    async with scripted_server({"/markets/keyset": [listing(ITEM), listing(ITEM), listing(ITEM, other)]}) as server, reading() as reader:
        with pytest.raises(MarketAmbiguous, match="wrong way round: 'Up' is 7132"):
            await find_market(reader, server.url, tokens=(NO, YES))
        with pytest.raises(MarketAmbiguous, match="not the two outcomes of one market"):
            await find_market(reader, server.url, tokens=(YES, "1"))
        with pytest.raises(MarketAmbiguous, match=r"fits 2 markets.*will-it-rain, other"):
            await find_market(reader, server.url, tokens=(YES, "1"))


@pytest.mark.parametrize(
    "description", [{}, {"slug": SLUG, "condition_id": CONDITION}, {"tokens": [YES]}, {"tokens": [YES, NO], "slug": SLUG}]
)
async def test_a_market_is_described_in_exactly_one_way(description: dict[str, Any]) -> None:
    async with scripted_server({}) as server, reading() as reader:
        with pytest.raises(MarketAmbiguous, match="exactly one of"):
            await find_market(reader, server.url, **description)
    assert server.requests == []


async def test_a_listing_that_is_none_names_the_field() -> None:
    async with scripted_server({"/markets/keyset": Answer(200, {"oops": 1})}) as server, reading() as reader:
        with pytest.raises(ResponseError, match="markets"):
            await find_market(reader, server.url, condition_id=CONDITION)


async def test_a_resolved_market_takes_from_the_exchange_what_the_catalogue_may_have_old() -> None:
    script = {f"/markets/slug/{SLUG}": Answer(200, ITEM), f"/clob-markets/{CONDITION}": Answer(200, CLOB)}
    async with scripted_server(script) as server, reading() as reader:
        market = await resolve_market(reader, ClobReader(reader, server.url, clock=ManualClock()), server.url, slug=SLUG)
    assert market == Market(
        condition_id=CONDITION,
        slug=SLUG,
        question="Will it rain?",
        outcomes=("Up", "Down"),
        tokens=(YES, NO),
        tick_size=10,
        min_order_shares=6_000_000,
        fee=FeeSchedule(50_000),
        neg_risk=True,
        accepting_orders=False,
        taker_delay_ms=0,
        end_ms=1_796_126_400_000,
    )


async def test_a_market_the_exchange_does_not_have_yet_is_an_error_of_that_read() -> None:
    async with scripted_server({f"/markets/slug/{SLUG}": Answer(200, ITEM)}) as server, reading() as reader:
        with pytest.raises(HttpStatusError, match=f"/clob-markets/{CONDITION}: HTTP 404"):
            await resolve_market(reader, ClobReader(reader, server.url, clock=ManualClock()), server.url, slug=SLUG)


@pytest.mark.parametrize(
    ("exchange", "catalogue", "agreed"),
    [
        (FeeSchedule(70_000), FeeSchedule(50_000), FeeSchedule(70_000)),
        (FeeSchedule(70_000), NO_FEE, FeeSchedule(70_000)),
        (FeeSchedule(70_000), None, FeeSchedule(70_000)),
        (NO_FEE, NO_FEE, NO_FEE),
        (NO_FEE, FeeSchedule(50_000), None),
        (NO_FEE, None, None),
        (None, FeeSchedule(50_000), None),
        (None, NO_FEE, None),
    ],
)
def test_a_fee_on_which_exchange_and_catalogue_contradict_each_other_is_unknown(
    exchange: FeeSchedule | None, catalogue: FeeSchedule | None, agreed: FeeSchedule | None
) -> None:
    found = dataclasses.replace(read_market(ITEM), fee=catalogue)
    assert combine(found, dataclasses.replace(INFO, fee=exchange)).fee == agreed


def test_what_the_exchange_leaves_open_comes_from_the_catalogue() -> None:
    found = read_market(item(acceptingOrders=False, secondsDelay=3))
    market = combine(found, dataclasses.replace(INFO, min_order_shares=None, accepting_orders=None, tokens=()))
    assert (market.min_order_shares, market.accepting_orders, market.taker_delay_ms) == (5_000_000, False, 3000)


def test_a_minimum_nobody_names_and_tokens_that_differ_stop_the_market() -> None:
    with pytest.raises(ResponseError, match="minimum order size"):
        combine(read_market(item(orderMinSize=None)), dataclasses.replace(INFO, min_order_shares=None))
    with pytest.raises(UnsupportedMarket, match="different tokens"):
        combine(read_market(ITEM), dataclasses.replace(INFO, tokens=(YES, "1")))


def test_the_exchange_may_list_the_tokens_in_another_order() -> None:
    assert combine(read_market(ITEM), dataclasses.replace(INFO, tokens=(NO, YES))).tokens == (YES, NO)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.text(max_size=8) | st.just('["1","2"]'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["rate", "exponent", "x"]), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*ITEM, "events", "negRiskOther"]), values, max_size=6))
def test_no_object_of_the_catalogue_raises_anything_but_a_venue_error(damage: dict[str, Any]) -> None:
    try:
        market = read_market(ITEM | damage)
    except VenueError:
        return
    obstacle = first_obstacle(market)
    assert obstacle is None or obstacle.reason
    assert json.dumps(dataclasses.asdict(market))
