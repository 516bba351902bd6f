"""One look at one market: load, observe, plan, apply, report, requeue. Level-triggered: what happened before does not matter.

The work queue calls `Reconciler.look` with a name whenever something about the market may have changed, and when its time has come. A look
that raises is taken again after a pause.
"""

import logging
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from kabobagool.clock import Clock
from kabobagool_operator.apply_plan import Hands
from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.caches import Caches, SeenMarket
from kabobagool_operator.facts import Observed
from kabobagool_operator.fleet import Fleet
from kabobagool_operator.observe import Observer, Sight
from kabobagool_operator.plan import plan, plan_unreadable
from kabobagool_operator.plan_types import Action, Plan
from kabobagool_operator.policy import Policy
from kabobagool_operator.refusals import Refusals
from kabobagool_operator.report import status_of, status_of_unreadable
from kabobagool_operator.resolver import Resolver
from kabobagool_operator.status_writer import StatusWriter
from kabobagool_operator.turns import row_of_look

log = logging.getLogger(__name__)

SPREAD: Final = 0.1
"""Looks that nothing calls for are taken a tenth earlier or later, so that a fleet that was made at once is not looked at at once."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A market as it is and what it calls for. `market` is None when its spec cannot be read."""

    metadata: Metadata
    status: Status
    market: ArbMarket | None
    sight: Sight
    plan: Plan
    now: datetime

    def said(self) -> Status:
        """The status that belongs to it."""
        if self.market is None:
            return status_of_unreadable(self.metadata, self.status, self.sight.observed, self.plan, self.now)
        return status_of(self.market, self.sight.observed, self.plan, self.now)


class Reconciler:
    """Looks at markets, several at a time but never twice at one."""

    def __init__(
        self,
        *,
        caches: Caches,
        observer: Observer,
        hands: Hands,
        writer: StatusWriter,
        fleet: Fleet,
        resolver: Resolver,
        refusals: Refusals,
        policy: Policy,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self._caches = caches
        self._observer = observer
        self._hands = hands
        self._writer = writer
        self._fleet = fleet
        self._resolver = resolver
        self._refusals = refusals
        self._policy = policy
        self._clock = clock
        self._rng = rng

    async def look(self, name: str) -> float | None:
        """Look at one market; seconds until the next look at the latest, None when there is no such market any more."""
        found = self._caches.markets.get(name)
        if found is None:
            self._forget(name)
            return None
        try:
            judged = self._judge(found)
        except Exception:
            self._fleet.looked_at(name, None)  # what breaks us over one market must not hold up the turns of the others
            raise
        await self._writer.post(judged.metadata, judged.plan.notices)
        done = await self._hands.carry_out(judged.plan.actions, judged.metadata, judged.sight)
        await self._hands.tidy_up(judged.metadata, judged.status, judged.sight)
        _tell(judged, done)
        return await self._report(name, judged, done)

    def _judge(self, found: SeenMarket) -> Judged:
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        status, metadata = found.status, found.metadata
        market = None if found.brief is None else found.brief.model_copy(update={"status": status})
        sight = self._observer.observe_unreadable(metadata.name, now) if market is None else self._observer.observe(market, now)
        self._fleet.looked_at(metadata.name, row_of_look(market, sight))
        made = self._plan(found, market, status, sight.observed, now)
        return Judged(metadata=metadata, status=status, market=market, sight=sight, plan=made, now=now)

    def _plan(self, found: SeenMarket, market: ArbMarket | None, status: Status, observed: Observed, now: datetime) -> Plan:
        if market is not None:
            return plan(market, observed, self._policy, now)
        problem = found.problem or ArbMarketError("it cannot be read")
        return plan_unreadable(found.metadata, status, problem, observed, self._policy, now)

    async def _report(self, name: str, judged: Judged, done: tuple[Action, ...]) -> float | None:
        """Say how things are after what was done; a market that was let go has nothing more to say."""
        if Action.REMOVE_FINALIZER in done:
            return judged.plan.requeue_after_s
        found = self._caches.markets.get(name)
        if done and found is not None:
            judged = self._judge(found)
            await self._writer.post(judged.metadata, judged.plan.notices)  # a farewell that is over is told now or never
        wait_s = await self._writer.write(judged.metadata, judged.status, judged.said())
        return self._spread(judged.plan.requeue_after_s, wait_s)

    def _spread(self, requeue_after_s: float | None, wait_s: float | None) -> float | None:
        spread_s = None if requeue_after_s is None else requeue_after_s * self._rng.uniform(1 - SPREAD, 1 + SPREAD)
        return min((seconds for seconds in (spread_s, wait_s) if seconds is not None), default=None)

    def _forget(self, name: str) -> None:
        for part in (self._fleet, self._resolver, self._writer):
            part.forget(name)
        self._refusals.clear(name)


def _tell(judged: Judged, done: tuple[Action, ...]) -> None:
    if done:
        log.info(
            "a market was acted on",
            extra={
                "market": judged.metadata.name,
                "generation": judged.metadata.generation,
                "actions": [action.value for action in done],
                "phase": judged.plan.phase.value,
            },
        )
