"""The crawl: what it asks, when it stops, what it keeps, and what it costs on a catalogue as large as the venue's."""

import random
import time
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.discovery.catalogue_examples import (
    DOLLAR,
    MISSING,
    NOW_MS,
    ScriptedPages,
    condition_id,
    entry,
    large_pages,
    page_reply,
)
from tests.venue.venue_servers import ManualClock

from kabobagool.discovery.catalogue import as_market, read_page
from kabobagool.discovery.crawl import CatalogueCrawl, Stop
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.freshness import CacheAge, reply_age_s
from kabobagool.discovery.reasons import Reason, Rejection, Tally
from kabobagool.discovery.shortlist import Shortlist
from kabobagool.venue.reader import Reader, ResponseError
from kabobagool.venue.transport import HttpReply

SMALL = Criteria(min_volume=1000 * DOLLAR, max_markets=2)
WALL_MS = 1_795_305_600_000


class Walk:
    """A crawl over scripted pages and everything it said."""

    def __init__(self, *replies: HttpReply, criteria: Criteria = SMALL, **more: Any) -> None:
        self.pages = ScriptedPages(*replies)
        self.rejections: list[Rejection] = []
        self.tally = Tally(self.rejections.append)
        reader = Reader(self.pages, clock=ManualClock(), rng=random.Random(1))
        self.crawl = CatalogueCrawl(
            reader, "http://gamma/", criteria=criteria, now_ms=NOW_MS, tally=self.tally, wall_ms=lambda: WALL_MS, **more
        )

    @property
    def kept(self) -> list[str]:
        return [market.condition_id for market in self.crawl.shortlist.best_first()]

    @property
    def reasons(self) -> dict[str, Reason]:
        return {rejection.condition_id: rejection.reason for rejection in self.rejections}


def silent_crawl(*, max_markets: int) -> CatalogueCrawl:
    """One that is handed its pages and that nobody listens to."""
    reader = Reader(ScriptedPages(), clock=ManualClock(), rng=random.Random(1))
    criteria = Criteria(max_markets=max_markets)
    return CatalogueCrawl(reader, "http://gamma", criteria=criteria, now_ms=NOW_MS, tally=Tally(), wall_ms=lambda: WALL_MS)


def descending(*volumes: float, first: int = 1, **fields: Any) -> list[dict[str, Any]]:
    return [entry(first + index, volume24hr=volume, **fields) for index, volume in enumerate(volumes)]


async def test_it_asks_for_the_most_traded_first_a_hundred_at_a_time_and_follows_the_cursor() -> None:
    walk = Walk(page_reply(descending(9000), "second"), page_reply(descending(8000, first=2)))
    assert await walk.crawl.run() is Stop.END_OF_CATALOGUE
    first, second = walk.pages.asked
    assert first == {"limit": "100", "closed": "false", "order": "volume24hr", "ascending": "false"}
    assert second == first | {"after_cursor": "second"}
    assert walk.kept == [condition_id(1), condition_id(2)]


async def test_a_short_page_with_a_cursor_is_not_the_last() -> None:
    walk = Walk(page_reply([], "more"), page_reply(descending(9000)))
    assert await walk.crawl.run() is Stop.END_OF_CATALOGUE
    assert walk.kept == [condition_id(1)]


async def test_it_stops_at_the_first_page_that_is_wholly_below_the_least_volume() -> None:
    walk = Walk(page_reply(descending(9000, 999), "second"), page_reply(descending(998, 3, first=3), "third"))
    assert await walk.crawl.run() is Stop.BELOW_MIN_VOLUME
    assert len(walk.pages.asked) == 2
    assert walk.tally.counts == {Reason.VOLUME_TOO_LOW: 3}


async def test_it_stops_when_the_shortlist_is_full_but_gives_the_rest_of_the_page_a_reason() -> None:
    walk = Walk(page_reply(descending(*range(9000, 8988, -1)), "second"))
    assert await walk.crawl.run() is Stop.ENOUGH_CANDIDATES
    assert len(walk.kept) == SMALL.shortlist_size == 10
    assert walk.reasons == {condition_id(11): Reason.OVER_MAX_MARKETS, condition_id(12): Reason.OVER_MAX_MARKETS}


async def test_asked_for_the_whole_catalogue_it_goes_to_the_end() -> None:
    walk = Walk(page_reply(descending(*range(9000, 8988, -1)), "second"), page_reply(descending(5, first=50)))
    assert await walk.crawl.run(whole=True) is Stop.END_OF_CATALOGUE
    assert walk.reasons[condition_id(50)] is Reason.VOLUME_TOO_LOW


async def test_a_venue_that_does_not_sort_is_read_to_the_end_and_still_the_most_traded_are_kept() -> None:
    shuffled = descending(*([5, 9000] * 6))
    walk = Walk(
        page_reply(shuffled, "second"), page_reply(descending(1, 2, 1, 2, first=20), "third"), page_reply(descending(50_000, first=40))
    )
    assert await walk.crawl.run() is Stop.END_OF_CATALOGUE
    assert walk.kept[0] == condition_id(40)
    assert not walk.crawl.progress.sorted


async def test_a_few_markets_that_moved_while_the_page_was_made_do_not_make_it_unsorted() -> None:
    volumes = [9000 - index for index in range(30)]
    volumes[10], volumes[11] = volumes[11], volumes[10]
    walk = Walk(page_reply(descending(*volumes), "second"))
    assert await walk.crawl.run() is Stop.ENOUGH_CANDIDATES


@pytest.mark.parametrize("cursors", [["again", "again"], ["one", "two", "one"]])
async def test_a_cursor_that_leads_back_ends_the_crawl(cursors: list[str]) -> None:
    walk = Walk(*(page_reply(descending(9000 - index, first=index), cursor) for index, cursor in enumerate(cursors)))
    assert await walk.crawl.run() is Stop.CURSOR_REPEATS
    assert len(walk.pages.asked) == len(cursors)


async def test_a_catalogue_without_end_is_left_at_the_page_limit() -> None:
    replies = [page_reply(descending(9000 - index, first=index), f"cursor-{index}") for index in range(9)]
    walk = Walk(*replies, max_pages=4)
    assert await walk.crawl.run() is Stop.PAGE_LIMIT
    assert len(walk.pages.asked) == 4


async def test_rubbish_is_counted_and_everything_else_is_judged_as_if_it_were_not_there() -> None:
    rubbish: list[Any] = [None, 7, "text", [], {}, {"conditionId": 5}, entry(90, conditionId="../evil"), entry(91, conditionId=MISSING)]
    walk = Walk(page_reply([*rubbish, *descending(9000, 8000)]), criteria=Criteria(max_markets=2))
    await walk.crawl.run()
    assert walk.kept == [condition_id(1), condition_id(2)]
    assert walk.tally.counts[Reason.UNREADABLE] + walk.tally.counts[Reason.END_UNKNOWN] == len(rubbish)
    assert walk.tally.counts[Reason.UNREADABLE] == 6


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"outcomes": '["A","B","C"]'}, Reason.OUTCOMES),
        ({"clobTokenIds": "[]"}, Reason.TOKENS),
        ({"clobTokenIds": '["5","5"]'}, Reason.TOKENS),
        ({"outcomes": "not json"}, Reason.UNREADABLE),
        ({"orderPriceMinTickSize": "a tick"}, Reason.UNREADABLE),
    ],
)
async def test_what_the_strict_reading_refuses_is_rejected_with_its_word(fields: dict[str, Any], reason: Reason) -> None:
    walk = Walk(page_reply(descending(9000, **fields)))
    await walk.crawl.run()
    assert (walk.kept, walk.reasons) == ([], {condition_id(1): reason})


async def test_a_market_that_moves_to_the_next_page_while_reading_is_kept_once() -> None:
    walk = Walk(page_reply(descending(9000, 8000), "second"), page_reply(descending(8000, 7000, first=2)))
    await walk.crawl.run()
    assert walk.kept == [condition_id(1), condition_id(2), condition_id(3)]
    assert walk.tally.counts == {Reason.LISTED_TWICE: 1}


async def test_a_page_that_is_none_is_an_error_and_not_the_end_of_the_catalogue() -> None:
    walk = Walk(page_reply(descending(9000), "second"), HttpReply(200, {}, b"<html>busy</html>"))
    with pytest.raises(ResponseError, match="/markets/keyset"):
        await walk.crawl.run()


async def test_every_page_is_told() -> None:
    told: list[tuple[int, int, int]] = []
    pages = [page_reply(descending(9000, 8000), "second"), page_reply(descending(7000, first=3))]
    walk = Walk(*pages, on_page=lambda progress: told.append((progress.pages, progress.seen, progress.candidates)))
    await walk.crawl.run()
    assert told == [(1, 2, 2), (2, 3, 3)]


async def test_watched_markets_are_looked_up_by_id_among_the_open_and_then_among_the_closed() -> None:
    walk = Walk(page_reply([entry(1, volume24hr=2000), entry(9)]), page_reply([entry(2, closed=True)]))
    found = await walk.crawl.look_up([condition_id(1), condition_id(2), condition_id(3)])
    assert [market.condition_id for market in found] == [condition_id(1)]
    assert [asked["closed"] for asked in walk.pages.asked] == ["false", "true"]
    assert walk.reasons == {condition_id(2): Reason.CLOSED, condition_id(3): Reason.NOT_LISTED}


async def test_the_oldest_page_tells_how_old_the_catalogue_is() -> None:
    walk = Walk(page_reply(descending(9000), "second", {"age": "17"}), page_reply(descending(8000, first=2), "", {"age": "250"}))
    await walk.crawl.run()
    assert walk.crawl.cache_age.oldest_s == 250


@pytest.mark.parametrize(
    ("headers", "age_s"),
    [
        ({"age": "120"}, 120),
        ({"age": "0", "date": "Sun, 22 Nov 2026 00:00:00 GMT"}, 0),
        ({"date": "Sat, 21 Nov 2026 23:58:20 GMT"}, 100),
        ({"date": "Sun, 22 Nov 2026 00:00:09 GMT"}, 0),
        ({}, None),
        ({"age": "-3"}, None),
        ({"age": "soon", "date": "yesterday"}, None),
        ({"age": "²"}, None),
    ],
)
def test_age_is_the_caches_word_or_else_the_date_against_our_clock(headers: dict[str, str], age_s: int | None) -> None:
    assert reply_age_s(headers, wall_ms=WALL_MS) == age_s


def test_replies_that_say_nothing_leave_the_age_unknown() -> None:
    age = CacheAge()
    age.saw({}, wall_ms=WALL_MS)
    assert age.oldest_s is None


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50)), max_size=60), st.integers(1, 8))
def test_the_shortlist_holds_the_most_traded_and_each_market_once(offers: list[tuple[int, int]], size: int) -> None:
    shortlist, gone = Shortlist(size), []
    volumes: dict[str, int] = {}
    for number, dollars in offers:
        market = as_market(read_page(page_reply([entry(number, volume24hr=dollars)])).listings[0])
        if market.condition_id in volumes:
            continue
        volumes[market.condition_id] = market.volume_24h
        pushed_out = shortlist.offer(market)
        gone += [pushed_out.condition_id] if pushed_out else []
        if market.condition_id in shortlist:
            assert shortlist.offer(market) is None
    kept = [market.volume_24h for market in shortlist.best_first()]
    assert kept == sorted(volumes.values(), reverse=True)[:size]
    assert {market.condition_id for market in shortlist.best_first()} == set(volumes) - set(gone)


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from([None, 5, "x", {}, *range(100, 130)]), max_size=8), min_size=1, max_size=4))
def test_everything_seen_is_a_candidate_or_has_exactly_one_reason(pages: list[list[Any]]) -> None:
    walk = Walk(criteria=Criteria(max_markets=1))
    for page in pages:
        entries = [entry(item, volume24hr=item * 7 % 31) if isinstance(item, int) and item >= 100 else item for item in page]
        walk.crawl.take(read_page(page_reply(entries)))
    assert walk.crawl.progress.seen == sum(map(len, pages))
    assert len(walk.kept) + sum(walk.tally.counts.values()) == walk.crawl.progress.seen
    assert Counter(rejection.reason for rejection in walk.rejections) == walk.tally.counts


def test_memory_stays_flat_however_large_the_catalogue_is() -> None:
    crawl = silent_crawl(max_markets=4)
    held = []
    tracemalloc.start()
    try:
        for index, body in enumerate(large_pages(3_000)):
            crawl.take(read_page(HttpReply(200, {}, body)))
            if index in (9, 29):
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert crawl.progress.seen == 3_000
    assert held[1] - held[0] < 100_000


def test_a_catalogue_of_eighty_thousand_is_parsed_and_filtered_in_seconds() -> None:
    """A tenth of it, at a tenth of three seconds and as much again for a busy machine."""
    crawl = silent_crawl(max_markets=20)
    used_s = 0.0
    for body in large_pages(8_000):
        started = time.process_time()
        crawl.take(read_page(HttpReply(200, {}, body)))
        used_s += time.process_time() - started
    assert crawl.progress.seen == 8_000
    assert used_s < 0.6
