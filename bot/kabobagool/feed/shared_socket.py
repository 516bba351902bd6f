"""One connection that feeds many markets, which come and go while it is read.

`multiplex_feed.py` decides which market goes where. A market is hurt alone wherever that can be told: its strategy's exception, a book
that REST contradicts or a token that fell silent costs the others nothing, as long as the connection proves with them that it lives.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from kabobagool.clock import Clock
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.connection import Ending, FeedConnection, FeedTap, FetchBooks, Wanted
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.fan_out import FanOut
from kabobagool.feed.freshness import Action, Reconnect, Resnapshot
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.reasons import ReconnectReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.feed.subscriptions import PendingChanges, greeting
from kabobagool.venue.messages import MarketEvent

OnDefect = Callable[[MarketDesk, Exception], None]


class SharedSocket(FeedConnection):
    """A connection, the desks it feeds, and what the venue has yet to be told about them."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        clock: Clock,
        rng: random.Random,
        fetch_books: FetchBooks,
        on_defect: OnDefect,
        settings: FeedSettings,
        counters: FeedCounters,
        tap: FeedTap | None = None,
    ) -> None:
        super().__init__(name=name, url=url, clock=clock, rng=rng, fetch_books=fetch_books, settings=settings, counters=counters, tap=tap)
        self.start_delay_s = 0.0
        self._report_defect = on_defect
        self._fan_out = FanOut(counters)
        self._pending = PendingChanges()
        self._greeted = asyncio.Event()
        self._news = asyncio.Event()

    @property
    def markets(self) -> int:
        """How many it feeds."""
        return len(self._fan_out)

    @property
    def has_room(self) -> bool:
        """Whether one more market may be added."""
        return 2 * (self.markets + 1) <= self._settings.max_ids_a_socket

    def add(self, desk: MarketDesk) -> None:
        """Feed this market from now on; its first books are awaited from this moment."""
        now_ms = self._clock.now_ms()
        if self._tap is not None:
            self._tap.joined(self._name, desk.view.market, now_ms)
        desk.begin(now_ms)
        self._fan_out.add(desk)
        self._pending.join(desk.tokens)
        self._news.set()
        self._wake.set()

    def discard(self, desk: MarketDesk) -> None:
        """Feed this market no more: its prices read 1.0 and it is never shown again."""
        if self._tap is not None:
            self._tap.left(desk.condition_id, self._clock.now_ms())
        self._fan_out.discard(desk)
        self._pending.leave(desk.tokens)
        self._news.set()
        desk.retire()

    def _start_delay_s(self) -> float:
        return self.start_delay_s

    def _desks(self) -> Sequence[MarketDesk]:
        return self._fan_out.desks

    def _parts(self, socket: ClientConnection) -> tuple[Ending, ...]:
        return *super()._parts(socket), self._speak(socket)

    def _begin(self) -> None:
        super()._begin()
        self._greeted.clear()

    async def _greet(self, socket: ClientConnection) -> None:
        tokens = [token for desk in self._desks() for token in desk.tokens]
        self._pending.clear()
        for frame in greeting(tokens, most=self._settings.max_ids_a_frame):
            await socket.send(frame)
        self._greeted.set()

    async def _speak(self, socket: ClientConnection) -> ReconnectReason:
        """Tell the venue what changed; never before it was greeted."""
        try:
            await self._greeted.wait()
            while True:
                await self._news.wait()
                self._news.clear()
                for frame in self._pending.frames(most=self._settings.max_ids_a_frame):
                    await socket.send(frame)
        except ConnectionClosed:
            return ReconnectReason.CLOSED

    def _on_events(self, events: Sequence[MarketEvent], now_ms: int) -> None:
        for desk, share in self._fan_out.shares(events):
            self._tend(desk, desk.take_in, share, now_ms)

    def _on_books(self, books: Sequence[BookSnapshotLike], wanted: Wanted, asked_ms: int, now_ms: int) -> None:
        answers = self._fan_out.books(books)
        for desk, tokens in self._fan_out.asked(token for token, _ in wanted).items():
            self._tend(desk, desk.take_in_books, answers.get(desk, ()), tokens, asked_ms, now_ms)

    def _on_defect(self, desk: MarketDesk, error: Exception) -> None:
        self._report_defect(desk, error)

    def _check(self) -> Action:
        """What all markets want read, in one go; or the end of the connection, when what ails a market is not its own."""
        now_ms = self._clock.now_ms()
        wanted: list[Wanted] = []
        for desk in self._desks():
            match desk.check(now_ms=now_ms, last_frame_ms=self._last_frame_ms):
                case Resnapshot(tokens):
                    wanted.append(tokens)
                case Reconnect(reason) as leave:
                    if not self._is_its_own(desk, reason, now_ms):
                        return leave
                    self._resubscribe(desk, now_ms)
                case None:
                    pass
        return Resnapshot(tuple(entry for tokens in wanted for entry in tokens)) if wanted else None

    def _is_its_own(self, ailing: MarketDesk, reason: ReconnectReason, now_ms: int) -> bool:
        """Whether it is this market that ails, for another one proves that the connection can do what it fails to do here."""
        if reason is ReconnectReason.DEAD:
            return False
        others = (desk for desk in self._desks() if desk is not ailing)
        if reason is ReconnectReason.NO_SNAPSHOT:
            return any(desk.last_data_ms for desk in others)
        span_ms = int(self._settings.silence_s * 1000)
        return any(desk.flowed_within(span_ms, now_ms=now_ms) for desk in others)

    def _resubscribe(self, desk: MarketDesk, now_ms: int) -> None:
        """For this market it is as if the connection had been lost and found again."""
        self._counters.resubscribed += 1
        if self._tap is not None:
            self._tap.renewed(desk.condition_id, now_ms)
        desk.reset()
        desk.begin(now_ms)
        self._pending.renew(desk.tokens)
        self._news.set()
        self._tend(desk, desk.publish)
