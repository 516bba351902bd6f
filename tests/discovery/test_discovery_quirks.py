"""Everything odd that the venue's catalogue is known to do, through the real crawl: nothing stumbles, is lost or is guessed."""

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.discovery.catalogue_examples import DOLLAR, MISSING, NOW_MS, ScriptedPages, condition_id, entry, page_body, page_reply
from tests.support.paper import Scene, ScriptedBooks, paper_exchange_server
from tests.venue.venue_servers import ManualClock, reading

from kabobagool.clock import SystemClock
from kabobagool.discovery.catalogue import Listing
from kabobagool.discovery.crawl import CatalogueCrawl, Stop
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import discover
from kabobagool.discovery.reasons import Reason, Rejection, Tally
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.gamma import GammaMarket
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import HttpReply
from paper_exchange.app import ServeOptions

WANTED = Criteria(min_volume=1000 * DOLLAR, max_markets=2)
YES, NO = str(10**70 + 1), str(2 * 10**70 + 1)
TIGHT: list[Scene] = [(0, [("0.50", 100)], [("0.51", 100)])]


def crawl_of(*replies: HttpReply, criteria: Criteria = WANTED, tally: Tally | None = None) -> CatalogueCrawl:
    reader = Reader(ScriptedPages(*replies), clock=ManualClock(), rng=random.Random(1))
    return CatalogueCrawl(reader, "http://gamma", criteria=criteria, now_ms=NOW_MS, tally=tally or Tally(), wall_ms=lambda: NOW_MS)


async def judged(**fields: Any) -> GammaMarket | Reason:
    """What becomes of one entry that is ordinary but for these fields."""
    tally = Tally()
    crawl = crawl_of(page_reply([entry(1, **fields)]), tally=tally)
    await crawl.run()
    kept, reasons = crawl.shortlist.best_first(), list(tally.counts.elements())
    assert len(kept) + len(reasons) == 1
    return kept[0] if kept else reasons[0]


@pytest.mark.parametrize("labels", ['["Over", "Under"]', '["Up", "Down"]', '["Kickers", "Rovers"]', '["No", "Yes"]'])
async def test_the_first_outcome_is_yes_whatever_it_is_called(labels: str) -> None:
    market = await judged(outcomes=labels)
    assert isinstance(market, GammaMarket)
    assert market.tokens == (YES, NO)
    assert f'["{market.outcomes[0]}", "{market.outcomes[1]}"]' == labels


@pytest.mark.parametrize("version", ["v1", None, MISSING])
async def test_only_the_version_decides_which_token_ids_count(version: object) -> None:
    market = await judged(version=version, positionIds=["7", "8"])
    assert isinstance(market, GammaMarket)
    assert market.tokens == (YES, NO)


@pytest.mark.parametrize("fields", [{"clobTokenIds": None}, {"clobTokenIds": f'["{YES}", "{NO}"]'}])
async def test_the_second_version_is_left_out_by_name_even_with_ids_of_the_first(fields: dict[str, Any]) -> None:
    assert await judged(version="v2", positionIds=["7", "8"], **fields) is Reason.VERSION


@pytest.mark.parametrize(("tick", "expected"), [(0.1, 1000), (0.01, 100), (0.005, 50), (0.0025, 25), (0.001, 10), (1e-4, 1), ("0.01", 100)])
async def test_every_tick_size_of_the_venue_is_read_exactly(tick: object, expected: int) -> None:
    market = await judged(orderPriceMinTickSize=tick)
    assert isinstance(market, GammaMarket)
    assert market.tick_size == expected


async def test_order_limits_that_the_catalogue_leaves_out_are_left_to_the_exchange() -> None:
    market = await judged(orderMinSize=MISSING, orderPriceMinTickSize=MISSING, secondsDelay=MISSING)
    assert isinstance(market, GammaMarket)
    assert (market.tick_size, market.min_order_shares, market.taker_delay_ms) == (None, None, 0)


async def test_a_market_past_its_end_that_still_takes_orders_is_left_out() -> None:
    assert await judged(endDate="2025-11-04T00:00:00Z", acceptingOrders=True, active=True, closed=False) is Reason.PAST_ITS_END


@pytest.mark.parametrize("status", ["proposed", "disputed", "resolved"])
async def test_a_resolution_under_way_means_there_is_no_book(status: str) -> None:
    assert await judged(umaResolutionStatus=status) is Reason.RESOLVING


async def test_prices_of_the_catalogue_decide_nothing() -> None:
    market = await judged(bestBid=0.1, bestAsk=0.2, spread=0.1, lastTradePrice=0.9, outcomePrices='["0.01", "0.02"]')
    assert isinstance(market, GammaMarket)


async def test_volumes_are_ranked_as_numbers_also_where_they_are_written_as_text() -> None:
    entries = [entry(1, volume24hr="9999.5"), entry(2, volume24hr=10_000), entry(3, volume24hr="100000"), entry(4, volume24hr=1e4)]
    crawl = crawl_of(page_reply(entries))
    await crawl.run(whole=True)
    assert [market.condition_id for market in crawl.shortlist.best_first()] == [condition_id(number) for number in (3, 2, 4, 1)]


async def test_markets_the_venue_was_asked_to_leave_out_are_left_out_here() -> None:
    odd = ({"closed": True}, {"active": False}, {"archived": True}, {"acceptingOrders": False}, {"enableOrderBook": False})
    reasons = [await judged(**fields) for fields in odd]
    assert reasons == [Reason.CLOSED, Reason.INACTIVE, Reason.ARCHIVED, Reason.NOT_ACCEPTING_ORDERS, Reason.NO_ORDER_BOOK]


NO_IDS = [["0x1"], {"id": "0x1"}, 7, True, None, "", "0x12", "0x" + "z" * 64]


@pytest.mark.parametrize("value", NO_IDS)
async def test_a_condition_id_that_is_none_costs_its_own_entry_only(value: object) -> None:
    tally = Tally()
    crawl = crawl_of(page_reply([entry(1, conditionId=value), entry(2)]), tally=tally)
    assert await crawl.run() is Stop.END_OF_CATALOGUE
    assert [market.condition_id for market in crawl.shortlist.best_first()] == [condition_id(2)]
    assert tally.counts == {Reason.UNREADABLE: 1}


@pytest.mark.parametrize("value", NO_IDS)
async def test_a_look_up_is_not_disturbed_by_what_nobody_asked_for(value: object) -> None:
    crawl = crawl_of(page_reply([entry(1, conditionId=value), entry(2), entry(3)]))
    assert [market.condition_id for market in await crawl.look_up([condition_id(2)])] == [condition_id(2)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(sorted(Listing.__struct_encode_fields__)), json_values, max_size=6), max_size=6))
async def test_whatever_types_the_fields_have_everything_else_is_judged_as_before(damages: list[dict[str, Any]]) -> None:
    rejections: list[Rejection] = []
    damaged = [entry(number, **damage) for number, damage in enumerate(damages, 100)]
    crawl = crawl_of(HttpReply(200, {}, page_body([*damaged, entry(1)])), criteria=Criteria(max_markets=20), tally=Tally(rejections.append))
    await crawl.run()
    assert condition_id(1) in crawl.shortlist
    assert len(crawl.shortlist) + len(rejections) == len(damaged) + 1


async def test_a_generated_catalogue_with_every_quirk_is_judged_to_its_last_entry() -> None:
    """Over real HTTP. The reasons are counted against what the catalogue says of itself, one quirk at a time."""
    size, rejections = 640, list[Rejection]()
    own = ScriptedBooks(yes=TIGHT, slug="own", volume_24h=10**12, ends_after_ms=10 * 3_600_000)
    criteria = Criteria(max_duration_ms=2_000 * 3_600_000, max_markets=size)
    async with paper_exchange_server(own, options=ServeOptions(catalogue=size)) as paper, reading() as reader:
        clob = ClobReader(reader, paper.urls["clob"], clock=ManualClock())
        found = await discover(
            reader,
            clob,
            paper.urls["gamma"],
            criteria=criteria,
            now_ms=paper.clock.now_ms(),
            wall_ms=SystemClock().now_ms,
            whole=True,
            on_reject=rejections.append,
        )
    assert [each.market.slug for each in found.found] == ["own"]
    assert (found.progress.seen, len(rejections), found.stopped) == (size + 1, size, Stop.END_OF_CATALOGUE)
    counts = Counter(rejection.reason for rejection in rejections)
    usual = size // 64
    expected = {
        Reason.VERSION: usual,
        Reason.TOKENS: 2 * usual,
        Reason.OUTCOMES: usual,
        Reason.CLOSED: usual,
        Reason.ARCHIVED: usual,
        Reason.INACTIVE: usual,
        Reason.NOT_ACCEPTING_ORDERS: usual,
        Reason.RESOLVING: usual,
        Reason.CATCH_ALL: usual,
        Reason.TAKER_DELAY: 2 * usual,
        Reason.END_UNKNOWN: 2 * usual,
        Reason.PAST_ITS_END: usual,
        Reason.UNREADABLE: usual,
    }
    assert {reason: counts[reason] for reason in expected} == expected
    assert counts[Reason.NO_ORDER_BOOK] == size - sum(expected.values())


async def test_hexadecimal_ids_become_the_numbers_that_the_exchange_knows() -> None:
    market = await judged(clobTokenIds=f'["{int(YES):#x}", "{int(NO):#X}"]')
    assert isinstance(market, GammaMarket)
    assert market.tokens == (YES, NO)
