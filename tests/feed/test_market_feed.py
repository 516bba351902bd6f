"""The whole feed against a real socket server, on a clock fifty times faster than the wall."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from tests.feed.feed_examples import (
    MARKET,
    MICRO,
    NEVER_S,
    NO,
    NOON_MS,
    YES,
    Message,
    Venue,
    VirtualClock,
    book_message,
    change,
    eventually,
    first_books,
    mirrored,
    price_change,
    resolution,
    rest_book,
    tick_change,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import BookEvent

SETTINGS = FeedSettings(start_jitter_s=0.0, close_timeout_s=0.2)
PATIENT = replace(SETTINGS, first_snapshot_s=1e4, silence_s=1e4, dead_s=1e5)
"""Nothing happens by itself in this one."""


class Rig:
    """A running feed and everything it has shown."""

    def __init__(self, venue: Venue, settings: FeedSettings, clock: Clock | None = None) -> None:
        self.venue = venue
        self.counters = FeedCounters()
        self.shown: list[tuple[int, int, int, bool]] = []
        self.feed = MarketFeed(
            url=venue.url,
            market=MARKET,
            clock=clock or SystemClock(rate=50),
            rng=random.Random(7),
            fetch_books=venue.fetch_books,
            on_view=self._show,
            settings=settings,
            counters=self.counters,
        )

    @property
    def view(self) -> PairView:
        return self.feed.view

    @property
    def both_known(self) -> bool:
        return self.view.yes.has_snapshot and self.view.no.has_snapshot

    def _show(self, view: PairView) -> None:
        self.shown.append((view.yes.best_ask, view.no.best_ask, view.generation, view.frame_open))

    def left(self, reason: ReconnectReason) -> Callable[[], bool]:
        return lambda: self.counters.reconnects[reason] > 0


@asynccontextmanager
async def running(venue: Venue, settings: FeedSettings = PATIENT) -> AsyncIterator[Rig]:
    rig = Rig(venue, settings)
    task = asyncio.create_task(rig.feed.run())
    try:
        yield rig
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError), result


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """Dumps both books on subscribing and answers PING."""
    async with Venue() as it:
        yield it


async def test_the_subscription_is_the_venues_and_the_first_books_make_a_view(venue):
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        assert venue.subscriptions == [{"type": "market", "assets_ids": [YES, NO], "custom_feature_enabled": True}]
        assert (rig.view.yes.best_ask, rig.view.no.best_ask) == (5000, 5200)
        assert (rig.counters.frames, rig.counters.events, rig.counters.connects) == (1, 2, 1)


async def test_ping_goes_out_as_text_and_its_answer_is_no_event(venue):
    async with running(venue) as rig:
        await eventually(lambda: venue.pings >= 3)
        assert rig.counters.frames == 1
        assert rig.counters.decode_errors == 0


async def test_a_half_applied_frame_is_never_shown(venue):
    """YES first, then NO, in one frame: between the two the sum of asks would look like 0.92."""
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        for number in range(1, 60):
            ask, size = (4000, MICRO) if number % 2 else (4000, 0)
            best_ask = 4000 if number % 2 else 5000
            await venue.say(mirrored("SELL", ask, size, (3900 if size else 4800, best_ask), at=NOON_MS + number))
            await venue.say(*first_books(at=NOON_MS + number))
        await eventually(lambda: rig.counters.frames == 119)
        assert not any(frame_open for *_, frame_open in rig.shown)
        assert min(yes + no for yes, no, *_ in rig.shown) >= PRICE_ONE


async def test_a_lost_connection_is_shown_at_once_and_prices_read_one_until_both_books_are_back(venue):
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        venue.first = first_books(at=NOON_MS + 100)[:1]
        await venue.hang_up()
        await eventually(lambda: (PRICE_ONE, PRICE_ONE, 1, False) in rig.shown)
        await eventually(lambda: rig.view.yes.has_snapshot)
        assert not rig.both_known
        assert rig.view.no.best_ask == PRICE_ONE
        await venue.say(first_books(at=NOON_MS + 101)[1])
        await eventually(lambda: rig.both_known)
        assert rig.view.generation == 1
        assert rig.counters.reconnects[ReconnectReason.CLOSED] == 1


async def test_a_missing_first_book_is_read_over_rest():
    async with Venue(first=first_books()[:1]) as venue, running(venue, replace(PATIENT, first_snapshot_s=5)) as rig:
        venue.books = {NO: rest_book(NO, at=NOON_MS)}
        await eventually(lambda: rig.both_known)
        assert list(venue.fetched) == [(NO,)]
        assert rig.counters.resnapshots[ResnapshotReason.FIRST_SNAPSHOT] == 1
        assert rig.view.no.best_ask == 5200


async def test_a_socket_that_only_pongs_is_checked_over_rest_and_left_when_rest_knows_better(venue):
    async with running(venue, replace(SETTINGS, silence_s=10)) as rig:
        await eventually(lambda: rig.both_known)
        venue.books = {token: rest_book(token, at=NOON_MS + 50, book=([(3000, MICRO)], [(7000, MICRO)])) for token in (YES, NO)}
        await eventually(rig.left(ReconnectReason.DISAGREEMENT))
        assert set(venue.fetched[0]) == {YES, NO}
        assert rig.counters.rest_disagreements == 2
        assert venue.pings >= 1
        await eventually(lambda: rig.counters.connects == 2 and rig.both_known)


async def test_a_socket_that_only_pongs_is_left_in_the_end_even_when_rest_agrees(venue):
    venue.books = {token: rest_book(token, at=NOON_MS) for token in (YES, NO)}
    async with running(venue, replace(SETTINGS, silence_s=2, silence_limit=2)) as rig:
        for _ in range(8):
            rig.feed._backoff.next_delay_s()
        await eventually(rig.left(ReconnectReason.SILENCE))
        assert rig.feed._backoff.next_delay_s() <= 1.0, "a market that was only quiet is not punished with a long pause"
        assert rig.counters.resnapshots[ResnapshotReason.SILENCE] == 4
        assert rig.counters.rest_disagreements == 0


async def test_rest_that_fails_hangs_or_answers_nonsense_is_counted_and_survived(venue):
    attempts = iter(["refused", "hangs"])

    async def fetch_books(tokens: Sequence[str]) -> list[BookEvent]:
        attempt = next(attempts, "empty")
        if attempt == "refused":
            raise OSError("no route")
        if attempt == "hangs":
            await asyncio.sleep(3600)
        return []

    venue.first = []
    venue.fetch_books = fetch_books
    async with running(venue, replace(PATIENT, first_snapshot_s=1)) as rig:
        await eventually(rig.left(ReconnectReason.NO_SNAPSHOT))
        assert rig.counters.rest_failures == 2


async def test_a_contradicted_book_is_read_again_at_once(venue):
    async with running(venue, replace(PATIENT, check_s=1e4)) as rig:
        await eventually(lambda: rig.both_known)
        venue.books = {YES: rest_book(YES, at=NOON_MS + 9)}
        await venue.say(price_change(change(YES, "BUY", 4900, MICRO, (4600, 5000)), at=NOON_MS + 5))
        await eventually(lambda: venue.fetched == [(YES,)] and rig.both_known)
        assert (PRICE_ONE, 5200, 0, False) in rig.shown
        assert rig.counters.resnapshots[ResnapshotReason.BEST_MISMATCH] == 1
        assert rig.counters.connects == 1


async def test_a_tick_size_change_is_followed_by_fresh_books_of_both(venue):
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        venue.books = {token: rest_book(token, at=NOON_MS + 9, tick_size="0.001") for token in (YES, NO)}
        await venue.say(tick_change(YES))
        await venue.say(tick_change(NO))
        await eventually(lambda: rig.both_known and rig.view.tick_is_current and rig.view.market.tick_size == 10)
        assert (PRICE_ONE, PRICE_ONE, 0, False) in rig.shown


async def test_duplicates_and_stragglers_do_not_move_prices_back(venue):
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        older = mirrored("BUY", 4900, MICRO, (4900, 5000), at=NOON_MS + 5)
        newer = mirrored("BUY", 4950, MICRO, (4950, 5000), at=NOON_MS + 6)
        for message in (older, newer, newer, older, *first_books()):
            await venue.say(message)
        await eventually(lambda: rig.counters.frames == 7)
        assert (rig.view.yes.best_bid, rig.view.no.best_ask) == (4950, 5050)
        assert rig.counters.stale_snapshots == 2


async def test_one_unreadable_frame_costs_the_books_and_a_few_cost_the_connection(venue):
    venue.books = {token: rest_book(token, at=NOON_MS) for token in (YES, NO)}
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
        await venue.say_text('{"event_type": "price_change", "market": 7')
        await eventually(lambda: rig.counters.decode_errors == 1)
        assert (PRICE_ONE, PRICE_ONE, 0, False) in rig.shown
        await eventually(lambda: rig.both_known)
        assert rig.counters.connects == 1
        await venue.say(mirrored("BUY", 4900, MICRO, (4900, 5000), at=NOON_MS + 5))
        for _ in range(3):
            await venue.say_text("INVALID OPERATION")
        await eventually(rig.left(ReconnectReason.UNREADABLE))
        assert rig.counters.decode_errors == 4
        await eventually(lambda: rig.both_known and rig.counters.connects == 2)


async def test_a_frame_beyond_the_limit_ends_the_connection_and_not_the_feed(venue):
    async with running(venue, replace(PATIENT, max_frame_bytes=4096)) as rig:
        await eventually(lambda: rig.both_known)
        await venue.say_text("[" + " " * 5000 + "]")
        await eventually(rig.left(ReconnectReason.CLOSED))
        await eventually(lambda: rig.counters.connects == 2 and rig.both_known)


async def test_a_connection_without_even_a_pong_is_dead():
    async def deaf(_: Venue, socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with Venue(greet=deaf) as venue, running(venue, replace(PATIENT, dead_s=30)) as rig:
        await eventually(rig.left(ReconnectReason.DEAD))


async def test_a_resolved_market_is_not_suspected_of_silence(venue):
    async with running(venue, replace(SETTINGS, silence_s=1, silence_limit=1)) as rig:
        await eventually(lambda: rig.both_known)
        await venue.say(resolution())
        await eventually(lambda: rig.view.resolved)
        fetched = len(venue.fetched)
        await asyncio.sleep(0.15)
        assert len(venue.fetched) == fetched
        assert rig.counters.connects == 1


async def test_a_venue_that_closes_at_once_is_not_dialled_in_a_tight_loop():
    """On a clock that jumps: what counts is how long the feed decided to sleep between its attempts."""

    async def close(_: Venue, socket: ServerConnection) -> None:
        await socket.close()

    clock = VirtualClock()
    async with Venue(greet=close) as venue:
        rig = Rig(venue, replace(SETTINGS, ping_s=NEVER_S, check_s=NEVER_S, dead_s=1e12), clock)
        task = asyncio.create_task(rig.feed.run())
        await eventually(lambda: rig.counters.reconnects[ReconnectReason.CLOSED] >= 12)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    pauses = clock.sleeps[1:]
    assert all(0.25 <= pause <= 30 for pause in pauses)
    assert min(pauses[7:]) >= 15


async def test_events_for_a_moment_do_not_excuse_a_connection_that_ends_soon():
    """A venue that dumps its books, says a little more and hangs up is as much of a loop as one that only hangs up."""

    async def talk_and_close(venue: Venue, socket: ServerConnection) -> None:
        await socket.recv()
        await venue.say(*first_books())
        await asyncio.sleep(0.03)
        await venue.say(*first_books())
        await asyncio.sleep(0.03)
        await socket.close()

    async with Venue(greet=talk_and_close) as venue, running(venue) as rig:
        await eventually(lambda: rig.counters.connects >= 5)
        assert rig.feed._backoff.next_delay_s() > 2


async def test_a_quiet_connection_that_pongs_is_not_dead(venue):
    async with running(venue, replace(PATIENT, dead_s=30)) as rig:
        await eventually(lambda: venue.pings >= 5)
        assert rig.counters.reconnects == dict.fromkeys(ReconnectReason, 0)


async def test_a_connection_that_delivered_for_a_while_is_replaced_quickly(venue):
    async with running(venue, replace(PATIENT, steady_s=5)) as rig:
        for _ in range(4):
            rig.feed._backoff.next_delay_s()
        await eventually(lambda: rig.both_known)
        for number in range(1, 16):
            await venue.say(mirrored("BUY", 4600, number * MICRO, (4800, 5000), at=NOON_MS + number))
            await asyncio.sleep(0.02)
        await venue.hang_up()
        await eventually(rig.left(ReconnectReason.CLOSED))
        assert rig.feed._backoff.next_delay_s() <= 1.0


async def test_an_unreachable_venue_is_tried_again(venue):
    async with Venue() as gone:
        pass
    async with running(gone) as rig:
        await eventually(lambda: rig.counters.reconnects[ReconnectReason.CONNECT_FAILED] >= 3)
        assert rig.counters.connects == 0


async def test_a_refusal_with_retry_after_is_honoured():
    def refuse(connection: ServerConnection, request: Request) -> Response:
        return Response(429, "Too Many Requests", Headers({"Retry-After": "77"}), b"")

    async def never(socket: ServerConnection) -> None:
        raise AssertionError("nobody gets in")

    clock = VirtualClock()
    async with serve(never, "127.0.0.1", 0, process_request=refuse) as server:
        venue = Venue()
        venue.port = server.sockets[0].getsockname()[1]
        rig = Rig(venue, SETTINGS, clock)
        task = asyncio.create_task(rig.feed.run())
        await eventually(lambda: rig.counters.reconnects[ReconnectReason.CONNECT_FAILED] >= 2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert 77 in clock.sleeps


async def test_a_defect_in_the_strategy_is_loud_and_leaves_no_price_behind(venue):
    rig = Rig(venue, PATIENT)

    def broken(view: PairView) -> None:
        if view.generation == 0 and view.no.has_snapshot:
            raise ZeroDivisionError("strategy")

    rig.feed._on_view = broken
    with pytest.raises(ZeroDivisionError, match="strategy"):
        await asyncio.wait_for(rig.feed.run(), 20)
    assert rig.view.yes.best_ask == PRICE_ONE


async def test_a_cancelled_feed_leaves_no_price_behind(venue):
    async with running(venue) as rig:
        await eventually(lambda: rig.both_known)
    assert (rig.view.yes.best_ask, rig.view.no.best_ask) == (PRICE_ONE, PRICE_ONE)
    assert rig.shown[-1][:2] == (PRICE_ONE, PRICE_ONE)


async def test_a_busy_strategy_sees_the_latest_view_and_the_feed_does_not_wait_for_it(venue):
    rig = Rig(venue, PATIENT)
    buffer = ConflatingPriceBuffer(rig.counters)
    rig.feed._on_view = buffer.publish
    task = asyncio.create_task(rig.feed.run())
    await buffer.wait()
    last: Message = {}
    for number in range(1, 51):
        last = book_message(YES, [(4000 + number, MICRO)], [(9000, MICRO)], at=NOON_MS + number)
        await venue.say(last)
    await eventually(lambda: rig.counters.frames == 51)
    assert (await buffer.wait()).yes.best_bid == 4050
    assert rig.counters.conflated == 49
    assert rig.counters.ticks == 51
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
