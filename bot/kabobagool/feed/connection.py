"""A connection to the market channel that is kept: dialled, read, pinged, doubted, left and dialled again.

What it feeds is a matter of its two kinds: `market_feed.py` feeds one market, `shared_socket.py` many. Whatever ends a connection, every
book it fed reads 1.0 before anything else happens.
"""

import asyncio
import logging
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Final, Protocol, TypeVar, TypeVarTuple

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.backoff import Backoff
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.freshness import Action, Reconnect, Resnapshot
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import MarketEvent, MessageError, decode_frame

FetchBooks = Callable[[Sequence[str]], Awaitable[Sequence[BookSnapshotLike]]]
"""Reads the books of these tokens over REST; may raise anything and may hang."""
Wanted = Sequence[tuple[str, ResnapshotReason]]
Ending = Coroutine[None, None, ReconnectReason]

PING: Final = "PING"
PONG: Final = b"PONG"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class FeedTap(Protocol):
    """Told of everything a connection hears before anything is made of it, so that it can be written down (`replay/recorder.py`).

    Called on the event loop with the venue's milliseconds; must return at once and must not raise.
    """

    def joined(self, socket: str, market: Market, now_ms: int) -> None:
        """This connection feeds the market from now on."""

    def left(self, condition_id: str, now_ms: int) -> None:
        """The market is fed no more."""

    def connected(self, socket: str, now_ms: int) -> None:
        """The connection stands; nothing was heard on it yet."""

    def lost(self, socket: str, now_ms: int) -> None:
        """The connection ended: no book it fed is believed any more."""

    def renewed(self, condition_id: str, now_ms: int) -> None:
        """One market is subscribed anew: for it alone it is as if the connection had been lost."""

    def frame(self, socket: str, frame: bytes, now_ms: int) -> None:
        """A frame, as it came."""

    def books(self, books: Sequence[BookSnapshotLike], asked_ms: int, now_ms: int) -> None:
        """What REST, asked at `asked_ms`, answered."""


class FeedConnection(ABC):
    """Everything about a connection but what to subscribe to and which desk an event belongs to."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        clock: Clock,
        rng: random.Random,
        fetch_books: FetchBooks,
        settings: FeedSettings,
        counters: FeedCounters,
        tap: FeedTap | None = None,
    ) -> None:
        self._name = name
        self._url = url
        self._clock = clock
        self._rng = rng
        self._fetch_books = fetch_books
        self._settings = settings
        self._counters = counters
        self._tap = tap
        self._backoff = Backoff(lowest_s=settings.backoff_min_s, highest_s=settings.backoff_max_s, rng=rng)
        self._wake = asyncio.Event()
        self._unreadable = 0
        self._last_frame_ms = clock.now_ms()
        self._flowing_since_ms: int | None = None

    @abstractmethod
    def _desks(self) -> Sequence[MarketDesk]:
        """The markets of this connection as of now."""

    @abstractmethod
    async def _greet(self, socket: ClientConnection) -> None:
        """Subscribe a fresh connection."""

    @abstractmethod
    def _on_events(self, events: Sequence[MarketEvent], now_ms: int) -> None:
        """Hand every desk its share of one frame."""

    @abstractmethod
    def _check(self) -> Action:
        """Ask the watchdogs."""

    @abstractmethod
    def _on_books(self, books: Sequence[BookSnapshotLike], wanted: Wanted, asked_ms: int, now_ms: int) -> None:
        """Hand every desk its share of what REST answered."""

    @abstractmethod
    def _on_defect(self, desk: MarketDesk, error: Exception) -> None:
        """Whoever looks at this desk raised."""

    async def run(self) -> None:
        """Connect again and again until cancelled. A malformed URL or proxy is raised."""
        await self._clock.sleep(self._start_delay_s())
        while True:
            reason, asked_s = await self._connect_once()
            self._counters.reconnects[reason] += 1
            if reason is ReconnectReason.SILENCE:  # the market was quiet for minutes and REST agreed: no fault to wait out
                self._backoff.settled()
            delay_s = self._backoff.next_delay_s(asked_s=asked_s)
            _log.warning("market feed %s left its connection (%s), next in %.2f s", self._name, reason, delay_s)
            await self._clock.sleep(delay_s)

    def _start_delay_s(self) -> float:
        return self._rng.uniform(0.0, self._settings.start_jitter_s)

    async def _connect_once(self) -> tuple[ReconnectReason, float]:
        """Why the connection ended, and how many seconds the venue asked us to stay away."""
        try:
            async with self._connection() as socket:
                self._counters.connects += 1
                return await self._converse(socket), 0.0
        except InvalidStatus as e:
            return ReconnectReason.CONNECT_FAILED, _retry_after_s(e)
        except (OSError, InvalidHandshake, ConnectionClosed) as e:
            _log.info("market feed %s: %s: %s", self._name, type(e).__name__, e)
            return ReconnectReason.CONNECT_FAILED, 0.0

    def _connection(self) -> connect:
        settings = self._settings
        return connect(
            self._url,
            proxy=settings.proxy_url,
            max_size=settings.max_frame_bytes,
            open_timeout=settings.open_timeout_s,
            close_timeout=settings.close_timeout_s,
            ping_interval=None,  # the venue's liveness is text PING and, above all, events
            compression=None,
        )

    async def _converse(self, socket: ClientConnection) -> ReconnectReason:
        """Read, ping and watch until one of them gives up; the books are distrusted before the socket is closed politely."""
        self._begin()
        tasks = [asyncio.create_task(part) for part in self._parts(socket)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reasons = [task.result() for task in tasks if task in done]
            return reasons[0]
        finally:
            for task in tasks:
                task.cancel()
            self._note_flow()
            self._lose_connection()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _parts(self, socket: ClientConnection) -> tuple[Ending, ...]:
        return self._read(socket), self._ping(socket), self._watch_freshness()

    def _begin(self) -> None:
        now_ms = self._clock.now_ms()
        self._last_frame_ms = now_ms
        self._unreadable = 0
        self._flowing_since_ms = None
        if self._tap is not None:
            self._tap.connected(self._name, now_ms)
        for desk in self._desks():
            desk.begin(now_ms)

    def _lose_connection(self) -> None:
        """Every view is worthless before the first of them is shown to anybody."""
        if self._tap is not None:
            self._tap.lost(self._name, self._clock.now_ms())
        desks = self._desks()
        for desk in desks:
            desk.reset()
        for desk in desks:
            self._tend(desk, desk.publish)

    def _tend(self, desk: MarketDesk, act: Callable[[*_Ts], bool], *arguments: *_Ts) -> None:
        """Let one desk do something that may show its view, unless another one's strategy removed it a moment ago."""
        if desk.retired:
            return
        try:
            if act(*arguments):
                self._wake.set()
        except Exception as e:
            self._on_defect(desk, e)

    async def _read(self, socket: ClientConnection) -> ReconnectReason:
        try:
            await self._greet(socket)
            while True:
                reason = self._on_frame(await socket.recv(decode=False))
                if reason is not None:
                    return reason
        except ConnectionClosed:
            return ReconnectReason.CLOSED

    def _on_frame(self, frame: bytes) -> ReconnectReason | None:
        """The hot path: decode, apply, publish. Only a connection that talks rubbish is to be left."""
        now_ms = self._clock.now_ms()
        self._last_frame_ms = now_ms
        if frame == PONG:
            return None
        self._counters.frames += 1
        if self._tap is not None:
            self._tap.frame(self._name, frame, now_ms)
        try:
            events = decode_frame(frame)
        except MessageError as e:
            return self._on_unreadable(e, now_ms)
        self._unreadable = 0
        self._counters.events += len(events)
        self._on_events(events, now_ms)
        if self._flowing_since_ms is None:
            self._note_flow()
        return None

    def _on_unreadable(self, error: MessageError, now_ms: int) -> ReconnectReason | None:
        """What could not be read may have been a delta of any book, so none is believed any more."""
        _log.warning("market feed %s: %s", self._name, error)
        self._counters.decode_errors += 1
        self._unreadable += 1
        for desk in self._desks():
            self._tend(desk, desk.distrust, ResnapshotReason.UNREADABLE, now_ms)
        return ReconnectReason.UNREADABLE if self._unreadable >= self._settings.unreadable_limit else None

    async def _ping(self, socket: ClientConnection) -> ReconnectReason:
        try:
            while True:
                await self._clock.sleep(self._settings.ping_s)
                await socket.send(PING)
        except ConnectionClosed:
            return ReconnectReason.CLOSED

    async def _watch_freshness(self) -> ReconnectReason:
        while True:
            self._wake.clear()
            self._note_flow()
            match self._check():
                case Reconnect(reason):
                    return reason
                case Resnapshot(wanted):
                    await self._resnapshot(wanted)
                case None:
                    await self._wait_for_a_call(self._pause_s())

    def _pause_s(self) -> float:
        """Until something can be due that nobody will call for; what is due within one look and the next is read in one go."""
        now_ms = self._clock.now_ms()
        due_ms = min((desk.next_look_ms(now_ms) for desk in self._desks()), default=now_ms)
        return max((due_ms - now_ms) / 1000, self._settings.check_s)

    async def _wait_for_a_call(self, seconds: float) -> None:
        """Until somebody wakes the watchdog, or so many seconds of the clock have passed."""
        alarm = asyncio.ensure_future(self._clock.sleep(seconds))
        alarm.add_done_callback(lambda slept: None if slept.cancelled() else self._wake.set())
        try:
            await self._wake.wait()
        finally:
            alarm.cancel()

    def _note_flow(self) -> None:
        """Events that kept coming for a while are the only proof that connecting again at once would be welcome."""
        last_ms = max((desk.last_data_ms for desk in self._desks()), default=0)
        if self._flowing_since_ms is None and last_ms:
            self._flowing_since_ms = last_ms
        elif self._flowing_since_ms is not None and last_ms - self._flowing_since_ms >= self._settings.steady_s * 1000:
            self._backoff.settled()

    async def _resnapshot(self, wanted: Wanted) -> None:
        for _, reason in wanted:
            self._counters.resnapshots[reason] += 1
        asked_ms = self._clock.now_ms()
        books = await self._fetch([token for token, _ in wanted])
        now_ms = self._clock.now_ms()
        if self._tap is not None:
            self._tap.books(books, asked_ms, now_ms)
        self._on_books(books, wanted, asked_ms, now_ms)

    async def _fetch(self, tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
        try:
            return await self._within(self._settings.fetch_timeout_s, self._fetch_books(tokens))
        except Exception as e:
            self._counters.rest_failures += 1
            _log.warning("market feed %s: books over REST: %s: %s", self._name, type(e).__name__, e)
            return ()

    async def _within(self, seconds: float, awaitable: Awaitable[_T]) -> _T:
        """The awaitable's result. TimeoutError when that many seconds of the clock pass first."""
        work = asyncio.ensure_future(awaitable)
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((work, timer), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise TimeoutError(f"no answer within {seconds} s")
            return work.result()
        finally:
            work.cancel()
            timer.cancel()


def _retry_after_s(refusal: InvalidStatus) -> float:
    """Seconds the venue asked for in whole numbers, 0 when it did not."""
    text = refusal.response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
