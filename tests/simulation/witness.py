"""What really happened, as somebody saw it who stands between the bots and the venue: every order, every leave, every reply.

The invariants judge by this and by the exchange's own ledger. What a bot believes is only ever compared with it. `process.py` puts a
`LifeJudge` and a `WatchedGate` into each life.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.ports import OrderJudge

from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.outcome import Delayed, OrderOutcome, Unknown
from kabobagool.execution.client import SignedOrder
from kabobagool.gate.interface import Answer, Exposure, Granted, LeasedGate, Priority

if TYPE_CHECKING:
    from tests.simulation.process import Life
    from tests.simulation.world import World


@dataclass(slots=True, eq=False)
class Grant:
    """Leave that a life's gate gave: `cost` orders from `leaves_us` on. `used` counts the orders that left on it."""

    life: "Life"
    market: str
    cost: int
    notional: int
    priority: Priority
    asked_us: int
    answered_us: int
    leaves_us: int
    used: int = 0
    given_back: bool = False


@dataclass(slots=True, eq=False)
class SentOrder:
    """An order that left a process: from which intent (None when its disk knows of none), and what that process heard of it."""

    life: "Life"
    order_hash: str
    market: str
    plan: OrderPlan
    at_us: int
    intent_id: str | None
    place: int
    purpose: Purpose | None
    pair_cost: int
    grant: Grant | None
    outcome: OrderOutcome | None = None
    heard_us: int | None = None

    @property
    def first(self) -> bool:
        """Whether it is the first of its intent."""
        return self.place == 0

    @property
    def known_end(self) -> bool:
        """Whether its process knows what became of it."""
        return self.outcome is not None and not isinstance(self.outcome, Delayed | Unknown)


class Witness:
    """All orders and grants of a world, in the order in which they happened."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.orders: list[SentOrder] = []
        self.by_hash: dict[str, SentOrder] = {}
        self.grants: list[Grant] = []

    def of_market(self, market: str) -> list[SentOrder]:
        """The market's orders, oldest first."""
        return [order for order in self.orders if order.market == market]


class LifeJudge(OrderJudge):
    """Writes one life's orders down, and has the invariants look at each as it leaves."""

    def __init__(self, witness: Witness, life: "Life") -> None:
        self._witness, self._life = witness, life

    def leaves(self, signed: SignedOrder) -> None:
        """An order leaves now."""
        world, market = self._witness.world, signed.market.condition_id
        row = world.journal_row(self._life.host, signed.order_hash)
        sent = SentOrder(
            life=self._life,
            order_hash=signed.order_hash,
            market=market,
            plan=signed.plan,
            at_us=world.clock.now_us,
            intent_id=row.intent_id if row else None,
            place=row.place if row else 0,
            purpose=Purpose(row.purpose) if row else None,
            pair_cost=row.pair_cost if row else 0,
            grant=self._grant(market, first=row is None or row.place == 0),
        )
        world.order_leaves(sent)
        self._witness.orders.append(sent)
        self._witness.by_hash[signed.order_hash] = sent

    def heard(self, order_hash: str, outcome: OrderOutcome) -> None:
        """The process knows this reply."""
        sent = self._witness.by_hash[order_hash]
        sent.outcome, sent.heard_us = outcome, self._witness.world.clock.now_us
        self._witness.world.note(self._life.name, "heard", order_hash[:10], outcome)

    def looked_up(self, order_hash: str, outcome: OrderOutcome | None) -> None:
        """The process knows what the venue says of an order."""
        sent = self._witness.by_hash.get(order_hash)
        if sent is not None and sent.life is self._life and outcome is not None:
            sent.outcome, sent.heard_us = outcome, self._witness.world.clock.now_us
        self._witness.world.note(self._life.name, "looked up", order_hash[:10], outcome)

    def _grant(self, market: str, *, first: bool) -> Grant | None:
        """The leave on which an order leaves: the last one of its life and market that is not used up."""
        for grant in reversed(self._witness.grants):
            if grant.life is self._life and grant.market == market and not grant.given_back:
                fits = grant.used < grant.cost and (grant.used == 0 or not first)
                grant.used += fits
                return grant if fits else None
        return None


class WatchedGate:
    """A life's gate, with every leave it gives written down."""

    def __init__(self, gate: LeasedGate, life: "Life") -> None:
        self._gate, self._life = gate, life
        self._given: dict[int, Grant] = {}

    async def acquire(self, *, market: str, cost: int, notional: int, priority: Priority, **rest: Any) -> Answer:
        """Ask."""
        world = self._life.world
        asked_us = world.clock.now_us
        answer = await self._gate.acquire(market=market, cost=cost, notional=notional, priority=priority, **rest)
        if isinstance(answer, Granted) and self._life.alive:
            now_us = world.clock.now_us
            grant = Grant(self._life, market, cost, notional, priority, asked_us, now_us, now_us + round(answer.wait_s * 1e6))
            self._given[id(answer)] = grant
            world.witness.grants.append(grant)
            world.note(self._life.name, "granted", cost, priority.name, round(answer.wait_s, 6))
        return answer

    def give_back(self, granted: Granted, **what: Any) -> None:
        """Give back."""
        grant = self._given.pop(id(granted), None)
        if grant is not None:
            grant.given_back = True
        self._gate.give_back(granted, **what)

    def set_exposure(self, market: str, exposure: Exposure) -> None:
        """Tell."""
        self._life.told[market] = self._life.world.clock.now_us
        self._gate.set_exposure(market, exposure)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._gate, name)
