"""Keeps one market's view true: connect, subscribe, apply, doubt, and start over.

One `MarketFeed` is one socket and one view. The engine hands in `on_view` (usually `ConflatingPriceBuffer.publish`) and runs
`run()` as a task that ends only by cancellation or by a defect, never quietly: whatever ends a connection, both books read
1.0 before anything else happens.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.apply import Applied, BookSnapshotLike, FrameApplier
from kabobagool.feed.backoff import ReconnectBackoff
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.freshness import FreshnessWatch, Reconnect, Resnapshot
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import MessageError, decode_frame

FetchBooks = Callable[[Sequence[str]], Awaitable[Sequence[BookSnapshotLike]]]
OnView = Callable[[PairView], None]

PING: Final = "PING"
PONG: Final = b"PONG"

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


def subscribe_frame(tokens: Sequence[str]) -> str:
    """The text that subscribes a fresh connection to the books of these tokens."""
    return msgspec.json.encode({"type": "market", "assets_ids": list(tokens), "custom_feature_enabled": True}).decode()


class MarketFeed:
    """The view of one market and the connection that keeps it.

    `fetch_books` reads books of the given tokens over REST; it may raise anything and may hang. `on_view` is called on the
    event loop after every whole frame that changed something and must return at once; what it raises ends `run`.
    """

    def __init__(
        self,
        *,
        url: str,
        market: Market,
        clock: Clock,
        rng: random.Random,
        fetch_books: FetchBooks,
        on_view: OnView,
        settings: FeedSettings,
        counters: FeedCounters,
    ) -> None:
        self._url = url
        self._clock = clock
        self._rng = rng
        self._fetch_books = fetch_books
        self._on_view = on_view
        self._settings = settings
        self._counters = counters
        self._tokens = market.tokens
        self._view = PairView(market)
        self._applier = FrameApplier(self._view, counters)
        self._backoff = ReconnectBackoff(settings=settings, rng=rng)
        self._watch = self._new_watch()
        self._wake = asyncio.Event()
        self._unreadable = 0
        self._flowing_since_ms: int | None = None

    @property
    def view(self) -> PairView:
        """The view as of the last whole frame; always the same object."""
        return self._view

    async def run(self) -> None:
        """Connect again and again until cancelled. A malformed URL or proxy and a defect in `on_view` are raised."""
        await self._clock.sleep(self._rng.uniform(0.0, self._settings.start_jitter_s))
        while True:
            reason, asked_s = await self._connect_once()
            self._counters.reconnects[reason] += 1
            if reason is ReconnectReason.SILENCE:  # the market was quiet for minutes and REST agreed: no fault to wait out
                self._backoff.settled()
            delay_s = self._backoff.next_delay_s(asked_s=asked_s)
            _log.warning("market feed %s left its connection (%s), next in %.2f s", self._view.market.slug, reason, delay_s)
            await self._clock.sleep(delay_s)

    async def _connect_once(self) -> tuple[ReconnectReason, float]:
        """Why the connection ended, and how many seconds the venue asked us to stay away."""
        try:
            async with self._connection() as socket:
                self._counters.connects += 1
                return await self._converse(socket), 0.0
        except InvalidStatus as e:
            return ReconnectReason.CONNECT_FAILED, _retry_after_s(e)
        except (OSError, InvalidHandshake, ConnectionClosed) as e:
            _log.info("market feed %s: %s: %s", self._view.market.slug, type(e).__name__, e)
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
        """Read, ping and watch until one of the three gives up; the books are distrusted before the socket is closed politely."""
        self._watch = self._new_watch()
        self._unreadable = 0
        self._flowing_since_ms = None
        work = (self._read(socket), self._ping(socket), self._watch_freshness())
        tasks = [asyncio.create_task(part) for part in work]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            reasons = [task.result() for task in tasks if task in done]
            return reasons[0]
        finally:
            for task in tasks:
                task.cancel()
            self._lose_connection()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _lose_connection(self) -> None:
        self._applier.reset()
        self._publish()

    async def _read(self, socket: ClientConnection) -> ReconnectReason:
        try:
            await socket.send(subscribe_frame(self._tokens))
            while True:
                reason = self._on_frame(await socket.recv(decode=False))
                if reason is not None:
                    return reason
        except ConnectionClosed:
            return ReconnectReason.CLOSED

    def _on_frame(self, frame: bytes) -> ReconnectReason | None:
        """The hot path: decode, apply, publish. Only a connection that talks rubbish is to be left."""
        now_ms = self._clock.now_ms()
        self._watch.last_frame_ms = now_ms
        if frame == PONG:
            return None
        self._counters.frames += 1
        try:
            events = decode_frame(frame)
        except MessageError as e:
            return self._on_unreadable(e, now_ms)
        self._unreadable = 0
        self._counters.events += len(events)
        self._take_in(self._applier.apply(events, received_ms=now_ms), now_ms)
        return None

    def _on_unreadable(self, error: MessageError, now_ms: int) -> ReconnectReason | None:
        """What could not be read may have been a delta, so neither book is believed any more."""
        _log.warning("market feed %s: %s", self._view.market.slug, error)
        self._counters.decode_errors += 1
        self._unreadable += 1
        self._take_in(self._applier.distrust_all(ResnapshotReason.UNREADABLE), now_ms)
        return ReconnectReason.UNREADABLE if self._unreadable >= self._settings.unreadable_limit else None

    def _take_in(self, applied: Applied, now_ms: int) -> None:
        if applied.resnapshot:
            self._watch.want(applied.resnapshot, now_ms=now_ms)
            self._wake.set()
        if applied.changed:
            self._publish()

    def _publish(self) -> None:
        self._counters.ticks += 1
        self._on_view(self._view)

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
            match self._check():
                case Reconnect(reason):
                    return reason
                case Resnapshot(wanted):
                    await self._resnapshot(wanted)
                case None:
                    with suppress(TimeoutError):
                        await self._within(self._settings.check_s, self._wake.wait())

    def _check(self) -> Reconnect | Resnapshot | None:
        now_ms = self._clock.now_ms()
        self._note_flow()
        if self._view.resolved:  # nothing more will come, and nothing more is needed
            return self._watch.check((), now_ms=now_ms)
        broken_since_ms = self._applier.mirror_broken_since_ms
        return self._watch.check(self._applier.tracks, now_ms=now_ms, mirror_broken_since_ms=broken_since_ms)

    def _note_flow(self) -> None:
        """Events that kept coming for a while are the only proof that connecting again at once would be welcome."""
        last_ms = max(track.last_data_ms for track in self._applier.tracks)
        if self._flowing_since_ms is None and last_ms:
            self._flowing_since_ms = last_ms
        elif self._flowing_since_ms is not None and last_ms - self._flowing_since_ms >= self._settings.steady_s * 1000:
            self._backoff.settled()

    async def _resnapshot(self, wanted: tuple[tuple[str, ResnapshotReason], ...]) -> None:
        tokens = [token for token, _ in wanted]
        for _, reason in wanted:
            self._counters.resnapshots[reason] += 1
        asked_ms = self._clock.now_ms()
        snapshots = await self._fetch(tokens)
        now_ms = self._clock.now_ms()
        applied, verdicts = self._applier.apply_rest(snapshots, received_ms=now_ms)
        self._watch.fetched(verdicts, tokens=tokens, asked_ms=asked_ms, now_ms=now_ms)
        self._take_in(applied, now_ms)

    async def _fetch(self, tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
        try:
            return await self._within(self._settings.fetch_timeout_s, self._fetch_books(tokens))
        except Exception as e:
            self._counters.rest_failures += 1
            _log.warning("market feed %s: books over REST: %s: %s", self._view.market.slug, type(e).__name__, e)
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

    def _new_watch(self) -> FreshnessWatch:
        return FreshnessWatch(self._tokens, settings=self._settings, now_ms=self._clock.now_ms())


def _retry_after_s(refusal: InvalidStatus) -> float:
    """Seconds the venue asked for in whole numbers, 0 when it did not."""
    text = refusal.response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
