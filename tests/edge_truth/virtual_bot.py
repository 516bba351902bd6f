"""A whole bot on a virtual venue: put together as the command does it, watched as an auditor would.

Every view the feed publishes is looked at twice: by a naive observer who believes any two asks, and by the strategy. What either of them
saw below a dollar, and every order with its end, goes into a log whose hash says whether two runs were the same.
"""

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.engine_rig import Listener, WatchedJournal
from tests.support.virtual_venue import VirtualAccount, VirtualExecution, VirtualVenue, WiredFeed, market_of, run_dry

from kabobagool.domain.book import PairView
from kabobagool.domain.edge import Policy
from kabobagool.domain.money import PRICE_ONE
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.order_flow import OrderFlow
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution.settlement import SettlementTracker
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.feed.settings import FeedSettings
from kabobagool.gate.memory import MemoryGate
from kabobagool.venue import rows

GATE_INTERVAL_S = 0.5
FETCH_S = 0.1
"""How long a read of the books over REST takes."""
FEED = FeedSettings(start_jitter_s=0.0, check_s=10.0)
"""The watchdog looks seldom: the paper exchange never falls silent by itself, and whatever is distrusted wakes it at once."""


class VirtualBot:
    """Feed, engine, journal and settlement of one market, and the hands that move them: `run_until` and `settle`."""

    def __init__(self, venue: VirtualVenue, journal: WatchedJournal, policy: Policy) -> None:
        self.venue, self.journal = venue, journal
        self.execution = VirtualExecution(venue)
        self.counters, self.tracker, self.listener = FeedCounters(), PositionTracker(), Listener()
        self.naive_edges = 0
        self.log = hashlib.sha256()
        self._tasks: list[asyncio.Task[None]] = []
        self._buffer = ConflatingPriceBuffer(self.counters)
        clock = venue.clock
        self.strategy = KabobagoolStrategy(policy=policy, clock=clock, wake=lambda: self._buffer.publish(self.feed.view))
        self.feed = self._wired_feed()
        self.unknown = UnknownOrders(execution=self.execution, journal=journal, clock=clock)
        self.settlement = SettlementTracker(
            market=self.feed.view.market,
            reader=VirtualAccount(venue),
            clock=clock,
            on_change=lambda change: self.engine.take_over(change, now_ms=clock.now_ms()),
        )
        self.engine = self._engine()
        self.engine.on_booked = self.settlement.book
        clock.settle = self.settle

    @classmethod
    @asynccontextmanager
    async def running(cls, venue: VirtualVenue, *, journal_path: Path, policy: Policy | None = None) -> AsyncIterator["VirtualBot"]:
        """A bot at work until the block ends. A part of it that died is the caller's failure."""
        journal = await WatchedJournal.open(journal_path, clock=venue.clock)
        assert isinstance(journal, WatchedJournal)
        await journal.claim(venue.market.condition_id)
        bot = cls(venue, journal, policy or Policy())
        bot.start()
        try:
            yield bot
        finally:
            await bot.stop()

    def start(self) -> None:
        """Let the parts run whenever the loop turns."""
        parts = (self.engine.run(), self.feed.run(), self.settlement.run())
        self._tasks = [asyncio.get_running_loop().create_task(part) for part in parts]

    async def stop(self) -> None:
        """End all parts. AssertionError when one of them had ended by itself."""
        await self.unknown.close()
        ended = [task for task in self._tasks if task.done()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.journal.close()
        for task in ended:
            raise AssertionError("a part of the bot died") from task.exception()

    async def run_until(self, until_ms: int) -> None:
        """Let venue time pass, one event after the other."""
        await self.settle()
        while (due_ms := self.venue.next_ms()) is not None and due_ms <= until_ms:
            self.venue.clock.move_to_ms(due_ms)
            for events in self.venue.happenings():
                self.venue.publish(events)
                await self.settle()
            if self.venue.clock.wake_due():
                await self.settle()
        self.venue.clock.move_to_ms(until_ms)

    async def settle(self) -> None:
        """Let everything happen that can happen now, the journal's thread included."""
        await run_dry()
        while self.journal.busy:
            await self.journal.open_orders("")  # the thread does one thing after the other: this waits for all before it
            await run_dry()

    def unfinished(self) -> bool:
        """Whether an order's end or its settlement is still to come."""
        return bool(self.unknown.open or self.settlement.pending)

    def seen_and_counted(self) -> tuple[int, int]:
        """Edges the strategy saw, and those it accounted for as acted on or rejected: the same number."""
        truth = self.strategy.truth
        return truth.seen, truth.acted_on + sum(truth.rejected.values())

    def note(self, *facts: object) -> None:
        """Add to the log of the run."""
        self.log.update(repr((self.venue.clock.now_ms(), *facts)).encode())

    def _on_view(self, view: PairView) -> None:
        asks = view.yes.best_ask + view.no.best_ask
        self.strategy.on_view(view)
        if asks < PRICE_ONE:  # a book without a snapshot asks a dollar
            self.naive_edges += 1
            self.note(view.yes.best_ask, view.no.best_ask, self.strategy.pending, sorted(self.strategy.truth.rejected.items()))

    def _wired_feed(self) -> WiredFeed:
        listed = self.venue.market
        info = rows.market_info(self.venue.read_market(), condition_id=listed.condition_id, endpoint="/clob-markets")
        feed = WiredFeed(
            url="ws://virtual",
            market=market_of(listed, info),
            clock=self.venue.clock,
            rng=random.Random(self.venue.seed),
            fetch_books=self._fetch_books,
            on_view=self._on_view,
            settings=FEED,
            counters=self.counters,
        )
        feed.wired_to = self.venue.venue
        return feed

    async def _fetch_books(self, tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
        await self.venue.clock.sleep(FETCH_S)
        return rows.book_summaries(self.venue.read_books(tokens), "/books")

    def _engine(self) -> MarketEngine:
        clock, execution, journal = self.venue.clock, self.execution, self.journal
        return MarketEngine(
            view=self.feed.view,
            strategy=self.strategy,
            buffer=self._buffer,
            tracker=self.tracker,
            flow=OrderFlow(execution=execution, journal=journal, clock=clock, on_outcome=lambda *said: self.engine.on_reply(*said)),
            unknown=self.unknown,
            gate=MemoryGate.from_min_interval(GATE_INTERVAL_S, clock),
            cooldown=Cooldown(base_s=0.5, max_s=30.0, backoff=2.0),
            clock=clock,
            observer=self.listener,
        )
