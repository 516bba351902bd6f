"""One bot: the feed, the engine and everything around them for one market, started, supervised and stopped together.

Built by `trading/market_bot.py`; run alone by `cli/run.py`, beside others by `hydra/`. If any part dies the whole bot ends with that part's
error, because a bot that is half alive is the one that nobody notices.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from kabobagool.clock import Clock
from kabobagool.domain.fees import fee_of_one_share
from kabobagool.domain.market import Market
from kabobagool.domain.money import MICROS_PER_PRICE, Micros, format_micros
from kabobagool.engine.audit import Audit
from kabobagool.engine.foresight import Foresight
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.memory import Memory
from kabobagool.engine.purse import PurseKeeper
from kabobagool.engine.snapshot import RuntimeSnapshot, position_snapshot, price_text
from kabobagool.execution.settlement import SettlementTracker
from kabobagool.feed.counters import FeedCounters
from kabobagool.telemetry.health import HealthReason, HealthReport, judge_health
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

MARKET_CHECK_S: Final = 30.0


class RunningFeed(Protocol):
    """Keeps the view of the bot's market true while it runs; ends only by cancellation or by a defect."""

    async def run(self) -> None:
        """Feed until cancelled."""
        ...


@dataclass(slots=True, kw_only=True)
class Bot:
    """The parts of one market's bot. `memory`, `settlement` and `audit` are None in a dry run, which owns nothing."""

    engine: MarketEngine
    feed: RunningFeed
    counters: FeedCounters
    clock: Clock
    live: bool
    staleness_threshold_s: float
    drain_timeout_s: float
    accepting_orders: Callable[[], Awaitable[bool | None]]
    memory: Memory | None
    settlement: SettlementTracker | None
    audit: Audit | None = None
    keeper: PurseKeeper | None = None
    """Counts the wallet's money, where no one else does."""
    foresight: Foresight | None = None
    """Has likely orders signed ahead, where the client can."""
    market_check_s: float = MARKET_CHECK_S
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    _engine_task: asyncio.Task[None] | None = None

    @property
    def market(self) -> Market:
        """The market as known now."""
        return self.engine.market

    async def run(self, stop: asyncio.Event) -> bool:
        """Trade until `stop` is set, then finish hedging. Whether no leg is left naked. Raises what the first failing part raised."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part, name=name) for name, part in self._parts()]
                self._engine_task = tasks[0]
                await stop.wait()
                level = await self.engine.hedge_before_stop(timeout_s=self.drain_timeout_s)
                for task in tasks:
                    task.cancel()
            return level
        finally:
            await self.close()

    async def close(self) -> None:
        """Let go of everything, last opened first."""
        await self.engine.unknown.close()
        while self.closers:
            await self.closers.pop()()

    def snapshot(self) -> RuntimeSnapshot:
        """Everything one may ask of this bot, now."""
        engine, view = self.engine, self.engine.view
        valid = view.yes.has_snapshot and view.no.has_snapshot
        truth = engine.strategy.truth
        return RuntimeSnapshot(
            market=self.market.slug,
            condition_id=self.market.condition_id,
            question=self.market.question,
            mode="live" if self.live else "dry_run",
            state=engine.state().value,
            reasons=tuple(engine.degraded) + ((self.memory.trouble,) if self.memory and self.memory.trouble else ()),
            at_ms=self.clock.now_ms(),
            ask_yes=price_text(view.yes.best_ask, valid=view.yes.has_snapshot),
            ask_no=price_text(view.no.best_ask, valid=view.no.has_snapshot),
            pair_cost=price_text(view.yes.best_ask + view.no.best_ask, valid=valid),
            pair_cost_after_fees=None if (cost := self.pair_cost_micros()) is None else format_micros(cost),
            feed_age_s=self.feed_age_s(),
            connected=valid,
            position=position_snapshot(engine.tracker.position),
            unsettled_orders=self.unsettled_orders(),
            frozen_orders=tuple(engine.unknown.open),
            last_fill_ms=engine.tracker.last_fill_ms,
            frames=self.counters.frames,
            ticks=engine.strategy.ticks,
            decisions=engine.strategy.decisions,
            edges_seen=truth.seen,
            edges_acted_on=truth.acted_on,
            edges_rejected={str(reason): count for reason, count in sorted(truth.rejected.items())},
            orders=dict(sorted(engine.outcomes.items())),
            fills=engine.tracker.fills(),
            naked=engine.strategy.naked,
            cooldown_s=round(engine.cooldown.remaining(self.clock.monotonic()), 3),
        )

    def health(self) -> HealthReport:
        """Whether this bot deserves to live."""
        alive = self._engine_task is not None and not self._engine_task.done()
        details = {"state": self.engine.state().value, "market": self.market.slug}
        if self.engine.view.resolved:  # nothing more will be heard of a market that has ended
            return HealthReport(reasons=() if alive else (HealthReason.ENGINE_DEAD,), feed_age_s=self.feed_age_s(), details=details)
        return judge_health(
            feed_age_s=self.feed_age_s(), staleness_threshold_s=self.staleness_threshold_s, engine_alive=alive, details=details
        )

    def pair_cost_micros(self) -> Micros | None:
        """Micro-dollars one share of each would cost now at the best asks, fees included; None while that is not known."""
        view, fee = self.engine.view, self.market.fee
        if fee is None or not (view.yes.has_snapshot and view.no.has_snapshot):
            return None
        asks = (view.yes.best_ask, view.no.best_ask)
        return sum(ask * MICROS_PER_PRICE + fee_of_one_share(fee, ask) for ask in asks)

    def unsettled_orders(self) -> int:
        """How many filled orders the chain has not confirmed yet."""
        return len(self.engine.tracker.unsettled())

    def holds_something(self) -> bool:
        """Whether shares are held, or may be by orders whose end or settlement is not known."""
        tracker = self.engine.tracker
        position = tracker.position
        return bool(position.yes.shares or position.no.shares or tracker.unsettled() or self.engine.is_busy())

    def feed_age_s(self) -> float | None:
        """Seconds since the older leg was last heard of, None while a book has no snapshot."""
        yes, no = self.engine.view.yes, self.engine.view.no
        if not (yes.has_snapshot and no.has_snapshot):
            return None
        return max(self.clock.now_ms() - min(yes.received_ms, no.received_ms), 0) / 1000

    def _parts(self) -> list[tuple[str, Coroutine[None, None, None]]]:
        parts: list[tuple[str, Coroutine[None, None, None]]] = [
            ("engine", self.engine.run()),
            ("feed", self.feed.run()),
            ("market", self._watch_market()),
        ]
        if self.memory is not None:
            parts.append(("memory", self.memory.run()))
        if self.settlement is not None:
            parts.append(("settlement", self.settlement.run()))
        if self.audit is not None:
            parts.append(("audit", self.audit.run()))
        if self.keeper is not None:
            parts.append(("purse", self.keeper.run()))
        if self.foresight is not None:
            parts.append(("foresight", self.foresight.run()))
        return parts

    async def _watch_market(self) -> None:
        """Notice a market that stops accepting orders: the socket does not always say so."""
        while True:
            await self.clock.sleep(self.market_check_s)
            try:
                accepting = await self.accepting_orders()
            except VenueError as e:
                log.warning("could not ask whether the market accepts orders", extra={"error": str(e)})
                continue
            view = self.engine.view
            if accepting is not None and accepting != view.market.accepting_orders:
                log.info("market accepts orders" if accepting else "market accepts no orders any more")
                view.market = replace(view.market, accepting_orders=accepting)
