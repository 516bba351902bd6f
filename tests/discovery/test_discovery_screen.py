"""The look at the books and the exchange's confirmation, against a server that answers as the venue does."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.discovery.catalogue_examples import condition_id, entry
from tests.venue.venue_servers import Answer, ManualClock, Seen, reading, scripted_server

from kabobagool.discovery.book_screen import Screened, pair_cost, screen
from kabobagool.discovery.confirm import confirm, objection_to
from kabobagool.discovery.reasons import Reason, Rejection, Tally
from kabobagool.domain.market import Market
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.gamma import GammaMarket, read_market
from kabobagool.venue.reader import HttpStatusError, RetryPolicy
from kabobagool.venue.rows import BookSummary

ONCE = RetryPolicy(attempts=1)
LIMIT = 10_200


def market(number: int = 1, **fields: Any) -> GammaMarket:
    return read_market(entry(number, **fields))


def summary(token: str, *asks: tuple[int, int]) -> BookSummary:
    return BookSummary(
        asset_id=token,
        condition_id="",
        timestamp_ms=0,
        bids=[(100, 5)],
        asks=list(asks),
        tick_size=None,
        min_order_shares=None,
        neg_risk=False,
        hash="",
    )


def books(found: GammaMarket, yes: list[tuple[int, int]], no: list[tuple[int, int]]) -> dict[str, BookSummary]:
    return {found.tokens[0]: summary(found.tokens[0], *yes), found.tokens[1]: summary(found.tokens[1], *no)}


@settings(deadline=None)
@given(st.lists(st.integers(1, 9999), min_size=1), st.lists(st.integers(1, 9999), min_size=1))
def test_the_pair_costs_the_best_ask_of_each_side_wherever_it_stands_in_the_list(yes: list[int], no: list[int]) -> None:
    found = market()
    cost = pair_cost(found, books(found, [(price, 1) for price in yes], [(price, 1) for price in no]), limit=LIMIT)
    assert cost == (min(yes) + min(no) if min(yes) + min(no) <= LIMIT else Reason.PAIR_COST_TOO_HIGH)


def test_a_pair_at_the_limit_passes_and_one_tick_above_does_not() -> None:
    found = market()
    assert pair_cost(found, books(found, [(5200, 1)], [(5000, 1)]), limit=LIMIT) == LIMIT
    assert pair_cost(found, books(found, [(5201, 1)], [(5000, 1)]), limit=LIMIT) is Reason.PAIR_COST_TOO_HIGH


def test_a_side_without_sellers_or_with_empty_levels_only_is_no_pair() -> None:
    found = market()
    assert pair_cost(found, books(found, [], [(5000, 1)]), limit=LIMIT) is Reason.BOOK_ONE_SIDED
    assert pair_cost(found, books(found, [(5000, 1)], [(4000, 0)]), limit=LIMIT) is Reason.BOOK_ONE_SIDED


def test_a_market_without_one_of_its_books_has_no_order_book() -> None:
    found = market()
    one = {found.tokens[0]: summary(found.tokens[0], (5000, 1))}
    assert pair_cost(found, one, limit=LIMIT) is Reason.NO_ORDER_BOOK
    assert pair_cost(found, {}, limit=LIMIT) is Reason.NO_ORDER_BOOK


def wire_book(token: str, ask: str) -> dict[str, Any]:
    levels = [{"price": "0.99", "size": "10"}, {"price": ask, "size": "10"}]
    return {"asset_id": token, "market": "0xm", "timestamp": "1", "bids": [], "asks": levels, "hash": "h"}


def all_books(seen: Seen) -> Answer:
    return Answer(200, [wire_book(each["token_id"], "0.505") for each in json.loads(seen.body)])


async def screened(
    script: Any, markets: list[GammaMarket], limit: int | None = LIMIT
) -> tuple[list[Screened], list[Rejection], list[Seen]]:
    rejections: list[Rejection] = []
    async with scripted_server({"/books": script}) as server, reading(policy=ONCE) as reader:
        clob = ClobReader(reader, server.url, clock=ManualClock())
        passed = await screen(clob, markets, limit=limit, tally=Tally(rejections.append))
        return passed, rejections, server.requests


async def test_many_books_are_asked_for_at_once_and_no_request_is_larger_than_the_venue_takes() -> None:
    markets = [market(number) for number in range(1, 121)]
    passed, _, requests = await screened(all_books, markets)
    assert [each.market for each in passed] == markets
    assert {each.pair_cost for each in passed} == {10_100}
    assert [len(json.loads(request.body)) for request in requests] == [100, 100, 40]


async def test_a_broken_reply_costs_its_own_batch_and_no_other() -> None:
    turn = iter((Answer(200, [{"asset_id": "1", "bids": "many"}]), None))

    def answer(seen: Seen) -> Answer:
        return next(turn) or all_books(seen)

    markets = [market(number) for number in range(1, 61)]
    passed, rejections, _ = await screened(answer, markets)
    assert [each.market for each in passed] == markets[50:]
    assert {rejection.reason for rejection in rejections} == {Reason.BOOK_UNREADABLE}


async def test_without_a_limit_no_book_is_asked_for() -> None:
    passed, _, requests = await screened(all_books, [market()], limit=None)
    assert (passed, requests) == ([Screened(market(), None)], [])


INFO: dict[str, Any] = {
    "t": [{"t": str(10**70 + 1)}, {"t": str(2 * 10**70 + 1)}],
    "mts": 0.001,
    "mos": 6,
    "nr": False,
    "ao": True,
    "fd": {"r": 0.03, "e": 1},
}


async def confirmed(answer: Answer, found: GammaMarket | None = None) -> Market | Reason:
    path = f"/clob-markets/{condition_id(1)}"
    async with scripted_server({path: answer}) as server, reading(policy=ONCE) as reader:
        return await confirm(ClobReader(reader, server.url, clock=ManualClock()), found or market())


async def test_a_confirmed_market_has_the_exchanges_tick_and_size_and_the_catalogues_name() -> None:
    made = await confirmed(Answer(200, INFO))
    assert isinstance(made, Market)
    assert (made.slug, made.tick_size, made.min_order_shares) == ("will-number-1-happen", 10, 6_000_000)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(200, INFO | {"ao": False}), Reason.NOT_ACCEPTING_ORDERS),
        (Answer(200, INFO | {"itode": True}), Reason.TAKER_DELAY),
        (Answer(200, INFO | {"fd": {"r": "a lot"}}), Reason.FEE_UNKNOWN),
        (Answer(200, INFO | {"t": [{"t": "5"}, {"t": "6"}]}), Reason.TOKENS),
        (Answer(200, "<html>"), Reason.UNCONFIRMED),
        (Answer(404, {"error": "market not found"}), Reason.NO_ORDER_BOOK),
        (Answer(500, "oops"), Reason.UNCONFIRMED),
    ],
)
async def test_what_the_exchange_says_otherwise_is_the_reason(answer: Answer, reason: Reason) -> None:
    assert await confirmed(answer) is reason


@pytest.mark.parametrize("status", [403, 429])
async def test_a_refusal_that_is_about_us_is_no_verdict_on_the_market(status: int) -> None:
    with pytest.raises(HttpStatusError):
        await confirmed(Answer(status, "no"))


async def test_a_described_market_that_can_be_traded_has_nothing_against_it() -> None:
    made = await confirmed(Answer(200, INFO))
    assert isinstance(made, Market)
    assert objection_to(made) is None
