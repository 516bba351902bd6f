"""A look that acts judges the market again by what it did, and tells all that either judgement has to tell."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.operator.plan_cases import deployment, gate, running, without_bot
from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.caches import Caches
from kabobagool_operator.facts import Observed
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.labels import FINALIZER
from kabobagool_operator.observe import Sight
from kabobagool_operator.plan_types import Action, Notice
from kabobagool_operator.policy import Policy
from kabobagool_operator.reconcile import Reconciler


class World:
    """Everything around a reconciler: what it sees comes from the test, what it tells is kept. Doing anything changes what is seen."""

    def __init__(self, *seen: Observed) -> None:
        self.seen = list(seen)
        self.done: list[Action] = []
        self.told: list[Notice] = []
        self.written: list[Status] = []
        self.clock = VirtualClock()
        self.caches = Caches(lambda name, *, by_us: None)

    def observe(self, market: ArbMarket, now: datetime) -> Sight:
        return Sight(observed=self.seen[0])

    def looked_at(self, name: str, row: Any) -> None:
        """Nobody waits for a turn here."""

    async def carry_out(self, actions: Iterable[Action], *about: Any) -> tuple[Action, ...]:
        done = tuple(actions)
        self.done += done
        if done:
            self.seen.pop(0)
        return done

    async def tidy_up(self, *about: Any) -> None:
        """Nothing is out of order."""

    async def post(self, market: Metadata, notices: Iterable[Notice]) -> None:
        self.told += notices

    async def write(self, market: Metadata, before: Status, after: Status) -> float | None:
        self.written.append(after)
        return None

    def suspended_in_a_drain(self, position: dict[str, str]) -> None:
        at = datetime.fromtimestamp(self.clock.now_ms() // 1000 - 120, UTC).isoformat().replace("+00:00", "Z")
        status = {"phase": "Draining", "position": position, "drain": {"startedAt": at, "deadline": at}}
        metadata = {"name": "rain", "namespace": "bots", "uid": "1", "resourceVersion": "1", "generation": 1, "finalizers": [FINALIZER]}
        body = {"metadata": metadata, "spec": {"market": {"slug": "rain"}, "suspend": True}, "status": status}
        self.caches.put(ARB_MARKET, {"apiVersion": ARB_MARKET.api_version, "kind": ARB_MARKET.name, **body})

    async def look(self) -> None:
        me: Any = self
        parts = dict.fromkeys(("observer", "hands", "writer", "fleet", "resolver", "refusals"), me)
        await Reconciler(caches=self.caches, policy=Policy(), clock=self.clock, rng=random.Random(1), **parts).look("rain")


async def test_what_is_left_is_told_though_the_last_of_the_bot_goes_within_the_very_look_that_ends_it() -> None:
    bot_is_told = running(deployment=deployment(replicas=1), gate=gate(None))
    world = World(bot_is_told, without_bot(deployment=deployment(replicas=0, ready=False)))
    world.suspended_in_a_drain({"yesShares": "12", "noShares": "0", "summary": "12/0"})
    await world.look()
    assert world.done == [Action.SCALE_TO_ZERO]
    assert world.written[-1].drain is None, "no later look knows that anything ended"
    assert [notice.reason for notice in world.told] == ["PositionLeft"]
    assert "12 YES and 0 NO are still owned" in world.told[0].message
