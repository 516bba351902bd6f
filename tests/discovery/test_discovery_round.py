"""Whole rounds: against the paper exchange over real sockets, and against a scripted venue for what it would never do."""

from typing import Any

import pytest
from tests.discovery.catalogue_examples import NOW_MS, condition_id, entry
from tests.support.paper import PaperServer, Scene, ScriptedBooks, paper_exchange_server
from tests.venue.venue_servers import Answer, ManualClock, Seen, reading, scripted_server

from kabobagool.clock import SystemClock
from kabobagool.discovery.crawl import Stop
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import Round, discover
from kabobagool.discovery.reasons import Reason, Rejection
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import HttpStatusError, RetryPolicy

MICRO = 1_000_000
TIGHT: list[Scene] = [(0, [("0.50", 100)], [("0.51", 100)])]
WIDE: list[Scene] = [(0, [("0.30", 100)], [("0.51", 100)])]
ONE_SIDED: list[Scene] = [(0, [("0.50", 100)], [])]


def made(slug: str, dollars: int, scenes: Any = TIGHT, **fields: Any) -> ScriptedBooks:
    return ScriptedBooks(yes=scenes, slug=slug, volume_24h=dollars * MICRO, **fields)


async def look(paper: PaperServer, criteria: Criteria, **more: Any) -> Round:
    async with reading(policy=RetryPolicy(attempts=1)) as reader:
        clob = ClobReader(reader, paper.urls["clob"], clock=ManualClock())
        now_ms = paper.clock.now_ms()
        return await discover(reader, clob, paper.urls["gamma"], criteria=criteria, now_ms=now_ms, wall_ms=SystemClock().now_ms, **more)


def slugs(result: Round) -> list[str]:
    return [found.market.slug for found in result.found]


async def test_a_round_finds_the_best_markets_and_has_a_reason_for_every_other() -> None:
    markets = [
        made("small", 10),
        made("good", 5_000),
        made("better", 9_000),
        made("third", 4_000),
        made("wide", 50_000, WIDE),
        made("one-sided", 40_000, ONE_SIDED),
        made("delayed", 30_000, taker_delay_ms=3_000),
        made("other", 60_000, version="v2"),
        made("long", 70_000, ends_after_ms=10**10),
        made("short", 80_000, ends_after_ms=60_000),
    ]
    criteria = Criteria(min_volume=1000 * MICRO, min_duration_ms=300_000, max_markets=2, spawn_pair_cost=10_200)
    rejections: list[Rejection] = []
    async with paper_exchange_server(*markets) as paper:
        result = await look(paper, criteria, on_reject=rejections.append)
    assert slugs(result) == ["better", "good"]
    assert [found.pair_cost for found in result.found] == [10_100, 10_100]
    assert {rejection.slug: rejection.reason for rejection in rejections} == {
        "small": Reason.VOLUME_TOO_LOW,
        "third": Reason.OVER_MAX_MARKETS,
        "wide": Reason.PAIR_COST_TOO_HIGH,
        "one-sided": Reason.BOOK_ONE_SIDED,
        "delayed": Reason.TAKER_DELAY,
        "other": Reason.VERSION,
        "long": Reason.ENDS_TOO_LATE,
        "short": Reason.ENDS_TOO_SOON,
    }
    assert sum(result.rejected.values()) + len(result.found) == result.progress.seen == len(markets)
    assert (result.stopped, result.cache_age_s in (0, 1)) == (Stop.END_OF_CATALOGUE, True)


async def test_more_markets_than_a_page_are_read_page_by_page() -> None:
    async with paper_exchange_server(*(made(f"market-{number}", 2_000 + number) for number in range(130))) as paper:
        result = await look(paper, Criteria(max_markets=3, patterns=("market-1?", "market-12?")))
    assert slugs(result) == ["market-129", "market-128", "market-127"]
    assert (result.progress.pages, result.progress.seen) == (2, 130)


async def test_without_the_screen_a_wide_market_is_found_too_and_its_price_is_not_made_up() -> None:
    async with paper_exchange_server(made("wide", 5_000, WIDE)) as paper:
        result = await look(paper, Criteria())
    assert [(found.market.slug, found.pair_cost) for found in result.found] == [("wide", None)]


async def test_a_watched_market_that_is_outranked_is_still_found_and_comes_first() -> None:
    async with paper_exchange_server(*(made(f"market-{number}", 9_000 - number) for number in range(20))) as paper:
        watched = paper.exchange.markets[19].condition_id
        result = await look(paper, Criteria(max_markets=2), watched=[watched])
    assert slugs(result) == ["market-19", "market-0"]
    assert result.verdicts == {}


async def test_a_watched_market_that_no_longer_qualifies_or_was_never_there_has_its_verdict() -> None:
    async with paper_exchange_server(made("low", 10), made("good", 9_000)) as paper:
        low = paper.exchange.markets[0].condition_id
        result = await look(paper, Criteria(min_volume=1000 * MICRO), watched=[low, condition_id(5)])
    assert slugs(result) == ["good"]
    assert result.verdicts == {low: Reason.VOLUME_TOO_LOW, condition_id(5): Reason.NOT_LISTED}


def info_of(number: int) -> Answer:
    tokens = [{"t": str(10**70 + number)}, {"t": str(2 * 10**70 + number)}]
    return Answer(200, {"t": tokens, "mts": 0.01, "mos": 5, "ao": True, "fd": {"r": 0.03, "e": 1}})


async def scripted_round(script: dict[str, Any], *, count: int, criteria: Criteria) -> tuple[Round, list[Seen]]:
    listing = {"markets": [entry(number, volume24hr=9000 - number) for number in range(1, count + 1)]}
    async with (
        scripted_server({"/markets/keyset": Answer(200, listing)} | script) as server,
        reading(policy=RetryPolicy(attempts=1)) as reader,
    ):
        clob = ClobReader(reader, server.url, clock=ManualClock())
        result = await discover(reader, clob, server.url, criteria=criteria, now_ms=NOW_MS, wall_ms=lambda: NOW_MS)
        return result, server.requests


async def test_only_as_many_markets_are_confirmed_as_are_wanted_and_the_next_one_takes_a_refused_ones_place() -> None:
    script = {f"/clob-markets/{condition_id(number)}": info_of(number) for number in (2, 3, 4)}
    result, requests = await scripted_round(script, count=6, criteria=Criteria(max_markets=2))
    assert [found.market.condition_id for found in result.found] == [condition_id(2), condition_id(3)]
    assert result.rejected == {Reason.NO_ORDER_BOOK: 1, Reason.OVER_MAX_MARKETS: 3}
    assert len([request for request in requests if request.path.startswith("/clob-markets/")]) == 3


async def test_one_market_the_exchange_cannot_describe_does_not_spoil_the_round() -> None:
    script = {f"/clob-markets/{condition_id(1)}": Answer(500, "oops"), f"/clob-markets/{condition_id(2)}": info_of(2)}
    result, _ = await scripted_round(script, count=2, criteria=Criteria())
    assert [found.market.condition_id for found in result.found] == [condition_id(2)]
    assert result.rejected == {Reason.UNCONFIRMED: 1}


async def test_an_exchange_that_describes_nothing_ends_the_round_instead_of_emptying_the_fleet() -> None:
    script = {f"/clob-markets/{condition_id(number)}": Answer(500, "oops") for number in range(1, 20)}
    with pytest.raises(VenueError, match="would not describe 5 candidates in a row"):
        await scripted_round(script, count=19, criteria=Criteria())


async def test_a_catalogue_that_is_down_is_an_error_and_not_an_empty_round() -> None:
    with pytest.raises(HttpStatusError, match="503"):
        await scripted_round({"/markets/keyset": Answer(503, "busy")}, count=1, criteria=Criteria())


async def test_a_watched_market_does_not_lose_its_place_to_one_with_more_volume() -> None:
    async with paper_exchange_server(made("more", 9_000), made("watched", 5_000)) as paper:
        watched = paper.exchange.markets[1].condition_id
        result = await look(paper, Criteria(max_markets=1), watched=[watched])
    assert slugs(result) == ["watched"]
    assert result.rejected == {Reason.OVER_MAX_MARKETS: 1}
