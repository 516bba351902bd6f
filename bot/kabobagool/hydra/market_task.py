"""One market of the fleet as a supervised task: its bot, started again when it fails, until it is told to leave.

Whatever ends a bot unexpectedly stops this market with a reason and costs the others nothing. `market_supervisor.py` makes one of these
for each market and asks it what to show.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.domain.position import EMPTY, Position
from kabobagool.engine.bot import Bot
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.snapshot import RuntimeSnapshot, snapshot_before_start
from kabobagool.execution.journal import JournalError
from kabobagool.feed.backoff import Backoff
from kabobagool.hydra.fleet_snapshot import MarketRow
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

FIRST_RESTART_S: Final = 1.0
LONGEST_RESTART_S: Final = 300.0
STEADY_S: Final = 600.0
"""A bot that ran this long is forgiven its earlier failures."""

OpenBot = Callable[[Market, PositionTracker | None], Awaitable[Bot]]
"""Makes a bot that is ready to run; the tracker is what an earlier bot of this process owned."""


class Phase(StrEnum):
    """Where a market is in its life with the fleet; also a metric label."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(slots=True)
class Counts:
    """What bots of a market counted before they failed, so that a restart does not make the fleet forget."""

    edges_seen: int = 0
    edges_acted_on: int = 0
    edges_rejected: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)

    def add(self, bot: RuntimeSnapshot) -> None:
        """Count what this bot counted."""
        self.edges_seen += bot.edges_seen
        self.edges_acted_on += bot.edges_acted_on
        self.edges_rejected.update(bot.edges_rejected)
        self.orders.update(bot.orders)

    def merge(self, other: "Counts") -> None:
        """Count what others counted."""
        self.edges_seen += other.edges_seen
        self.edges_acted_on += other.edges_acted_on
        self.edges_rejected.update(other.edges_rejected)
        self.orders.update(other.orders)


class MarketTask:
    """A market, its bot and the reason for whatever is wrong with it. `redact` takes secrets out of error texts."""

    def __init__(
        self, market: Market, *, open_bot: OpenBot, clock: Clock, rng: random.Random, redact: Callable[[str], str], mode: str
    ) -> None:
        self.bot: Bot | None = None
        self.phase = Phase.STARTING
        self.trouble: str | None = None
        self.restarts = 0
        self.earlier = Counts()
        self.level = True
        """Whether its last bot left no leg naked, as far as can be said; only meaningful while none runs."""
        self.leaving_because: str | None = None
        self._market = market
        self._open_bot = open_bot
        self._clock = clock
        self._redact = redact
        self._mode = mode
        self._stop = asyncio.Event()
        self._backoff = Backoff(lowest_s=FIRST_RESTART_S, highest_s=LONGEST_RESTART_S, rng=rng)
        self._restart_at_s = 0.0

    @property
    def market(self) -> Market:
        """The market as known now."""
        return self.bot.market if self.bot else self._market

    @property
    def position(self) -> Position:
        """What is held, as far as is known."""
        return self.bot.engine.tracker.position if self.bot else EMPTY

    @property
    def alive(self) -> bool:
        """Whether its bot runs."""
        return self.phase in (Phase.RUNNING, Phase.LEAVING)

    def leave(self, why: str) -> None:
        """Open nothing new, finish the hedges, then end. The first reason counts."""
        if self.leaving_because is None:
            self.leaving_because = why
            self._stop.set()
            if self.bot is not None:
                self.bot.engine.stopping = True  # now, not when the bot wakes: nothing may be begun in between
            if self.phase is Phase.RUNNING:
                self.phase = Phase.LEAVING

    def holds_something(self) -> bool:
        """Whether shares are held or may come; unknown, and so assumed, before the first bot has looked."""
        return self.bot.holds_something() if self.bot else self._mode == "live"

    async def run(self) -> None:
        """Trade until told to leave. Raises nothing but cancellation.

        Told so while it waits for a restart, one more bot looks after what the failed one may have left naked.
        """
        try:
            while not await self._trades_to_its_end() and not self._stop.is_set():
                await self._wait_for_restart()
                if self._stop.is_set() and self.level:
                    break
        except asyncio.CancelledError:
            self.level = not (self.bot.engine.may_be_naked() if self.bot else self._mode == "live")
            raise
        finally:
            self.phase = Phase.GONE

    def row(self, *, halted: bool) -> MarketRow:
        """The market as the fleet's page shows it."""
        waiting = self.phase is Phase.WAITING
        return MarketRow(
            bot=self.bot.snapshot() if self.bot else snapshot_before_start(self._market, mode=self._mode, at_ms=self._clock.now_ms()),
            phase=self.phase.value,
            halted=halted,
            restarts=self.restarts,
            trouble=self.trouble,
            restart_in_s=round(max(self._restart_at_s - self._clock.monotonic(), 0.0), 1) if waiting else None,
        )

    async def _trades_to_its_end(self) -> bool:
        """Run one bot; whether it ended because it was told to, and not by a failure."""
        started_s = self._clock.monotonic()
        try:
            await self._trade()
        except Exception as e:
            self._failed(e, ran_s=self._clock.monotonic() - started_s)
            return False
        return True

    async def _trade(self) -> None:
        self.phase = Phase.STARTING
        bot = await self._open_bot(self._market, self.bot.engine.tracker if self.bot else None)
        if self.bot is not None:
            self.earlier.add(self.bot.snapshot())
        self.bot = bot
        self.phase = Phase.LEAVING if self._stop.is_set() else Phase.RUNNING
        self.level = await bot.run(self._stop)

    def _failed(self, error: Exception, *, ran_s: float) -> None:
        if ran_s >= STEADY_S:
            self._backoff.settled()
        self.restarts += 1
        self.level = not (self.bot and self.bot.engine.may_be_naked())
        self.trouble = self._redact(first_cause(error))
        details = None if isinstance(error, VenueError | JournalError) else error
        log.error("market stopped", extra={"market": self._market.slug, "reason": self.trouble}, exc_info=details)

    async def _wait_for_restart(self) -> None:
        pause_s = self._backoff.next_delay_s()
        self._restart_at_s = self._clock.monotonic() + pause_s
        self.phase = Phase.WAITING
        waking = {asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self._clock.sleep(pause_s))}
        try:
            await asyncio.wait(waking, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waking:
                waiter.cancel()


def first_cause(error: BaseException) -> str:
    """What went wrong in one line: of a group, its first member."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
