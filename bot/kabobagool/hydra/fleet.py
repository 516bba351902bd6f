"""The fleet as others may see and stop it: the `FleetDesk` behind the page, the status, the metrics and the halts.

`market_supervisor.py` changes what is in here; the server (`task_health.py`) only asks.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kabobagool.domain.money import format_dollars, format_micros
from kabobagool.domain.position import Position
from kabobagool.feed.counters import FeedCounters
from kabobagool.gate.interface import WALLET
from kabobagool.hydra.fleet_snapshot import FeedView, FleetSnapshot
from kabobagool.hydra.ledger import FleetLedger
from kabobagool.hydra.market_task import MarketTask, Phase
from kabobagool.hydra.rounds import DiscoveryRounds
from kabobagool.settings_checks import at_the_venue
from kabobagool.telemetry.health import HealthReason, HealthReport
from kabobagool.trading.session import TradingSession

log = logging.getLogger(__name__)

FAILED_ROUNDS: Final = 3
"""So many rounds of discovery in a row without an answer make a fleet without markets unhealthy."""


@dataclass(slots=True, kw_only=True)
class Fleet:
    """The markets by condition id and what they share. `sockets` tells how many markets each connection feeds."""

    session: TradingSession
    rounds: DiscoveryRounds
    counters: FeedCounters
    sockets: Callable[[], tuple[int, ...]]
    started_ms: int
    profile: str | None = None
    state: str = "starting"
    tasks: dict[str, MarketTask] = field(default_factory=dict)
    ledger: FleetLedger = field(default_factory=FleetLedger)

    async def snapshot(self) -> FleetSnapshot:
        """The fleet now."""
        halts = await self.session.gate.halts()
        halted = {halt.scope for halt in halts}
        tasks = list(self.tasks.values())
        rows = tuple(task.row(halted=task.market.condition_id in halted or WALLET in halted) for task in tasks)
        settings = self.session.settings
        return FleetSnapshot(
            at_ms=self.session.clock.now_ms(),
            started_ms=self.started_ms,
            profile=self.profile,
            mode=self.session.mode,
            play_money=not at_the_venue(settings.host),
            wallet=(settings.proxy_address or settings.signer_address) if self.session.live else None,
            state=self.state,
            markets=rows,
            retired=tuple(left.shown() for left in self.ledger.left),
            totals=self.ledger.totals(tasks, rows),
            discovery=self.rounds.view(),
            feed=self._feed_view(),
            halts=halts,
        )

    def health(self) -> HealthReport:
        """Whether this process deserves to live: about what all markets share, never about one of many."""
        running = [task.bot for task in self.tasks.values() if task.bot and task.alive and not task.bot.engine.view.resolved]
        ages = [age for bot in running if (age := bot.feed_age_s()) is not None]
        reasons = list(self._complaints(waiting_for_prices=bool(running) and not ages, youngest_s=min(ages, default=0.0)))
        details = {"state": self.state, "markets": len(self.tasks), "discovery": self.rounds.trouble or "ok"}
        return HealthReport(reasons=tuple(reasons), feed_age_s=round(min(ages), 3) if ages else None, details=details)

    def _complaints(self, *, waiting_for_prices: bool, youngest_s: float) -> Sequence[HealthReason]:
        threshold_s = self.session.settings.health_price_staleness_threshold_ms / 1000
        long_enough = self.session.clock.now_ms() - self.started_ms > threshold_s * 1000
        complaints = (
            (waiting_for_prices and long_enough, HealthReason.NO_PRICES_YET),
            (youngest_s > threshold_s, HealthReason.PRICES_STALE),
            (bool(self.tasks) and all(task.phase is Phase.WAITING for task in self.tasks.values()), HealthReason.ENGINE_DEAD),
            (not self.tasks and self.rounds.failures >= FAILED_ROUNDS, HealthReason.DISCOVERY_FAILS),
        )
        return [reason for applies, reason in complaints if applies]

    def prices(self) -> Mapping[str, int | None]:
        """The pair cost after fees of every market in millionths of a dollar."""
        return {condition_id: task.bot.pair_cost_micros() if task.bot else None for condition_id, task in self.tasks.items()}

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a market, or of all. KeyError for a market that is not there."""
        if scope != WALLET and scope not in self.tasks:
            raise KeyError(scope)
        await self.session.gate.halt(scope=scope, who=who, why=why)
        log.warning("halted", extra={"scope": scope, "who": who, "why": why})

    async def resume(self, *, scope: str, who: str) -> None:
        """Lift a halt."""
        await self.session.gate.resume(scope=scope)
        log.warning("resumed", extra={"scope": scope, "who": who})

    def positions_left(self) -> list[str]:
        """A sentence for every market that still owns something, for whoever stops the fleet."""
        held = [(task.market.slug, task.position) for task in self.tasks.values()]
        held += [(left.market.slug, left.position) for left in self.ledger.left if left.payout is None]
        return [_sentence(slug, position) for slug, position in held if position.yes.shares or position.no.shares]

    def _feed_view(self) -> FeedView:
        counters = self.counters
        return FeedView(
            sockets=self.sockets(),
            frames=counters.frames,
            events=counters.events,
            conflated=counters.conflated,
            connects=counters.connects,
            reconnects={reason.value: count for reason, count in counters.reconnects.items() if count},
        )


def _sentence(slug: str, position: Position) -> str:
    naked = f", {format_micros(abs(position.imbalance))} {position.heavy.name} without a partner" if position.imbalance else ""
    return f"{slug}: {format_micros(position.pairs)} pairs{naked}, {format_dollars(position.spent)} spent"
