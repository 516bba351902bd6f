"""The judge: asks every promise about every order as it leaves, about the state of things every few seconds, and at the end.

The promises are in `promises_orders.py` and `promises_state.py`, one readable function each. A promise that is broken is noted once.
"""

from typing import TYPE_CHECKING

from tests.simulation.facts import fee_of, newest_cost
from tests.simulation.promises_orders import ORDER_PROMISES
from tests.simulation.promises_state import END_PROMISES, LOOK_PROMISES, StatePromise, a_program_ends_for_a_reason
from tests.simulation.witness import SentOrder

from paper_exchange.ledger import LedgerError

if TYPE_CHECKING:
    from tests.simulation.process import Life
    from tests.simulation.world import World


class Bench:
    """Where the judge of one world sits. `ends`: when programs of a host ended by themselves, milliseconds from the beginning."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.open_orders: dict[str, list[SentOrder]] = {}
        self.ends: dict[int, list[int]] = {}
        self._said: set[str] = set()

    def order_leaves(self, order: SentOrder) -> None:
        """An order is about to reach the venue."""
        for promise in ORDER_PROMISES:
            complaint = promise(self.world, order)
            if complaint is not None:
                self._complain(promise.__name__, complaint)

    def look(self) -> None:
        """Look at everything, and first of all whether the exchange, by whose books everybody is judged, made or lost money itself."""
        try:
            self.world.venue.exchange.ledger.check()
        except LedgerError as e:
            self._complain("the_exchange_keeps_its_own_books", str(e))
        self._ask(LOOK_PROMISES)

    def at_the_end(self) -> None:
        """Everything is over: look, and ask how it ended."""
        self.look()
        self._ask(END_PROMISES)

    def ended_by_itself(self, life: "Life", error: Exception | None) -> None:
        """A program ended, and nobody had asked it to."""
        if not self.world.has_rival(life.host):
            self.ends.setdefault(life.host.index, []).append(self.world.elapsed_ms)
        complaint = a_program_ends_for_a_reason(self.world, life, error)
        if complaint is not None:
            self._complain(a_program_ends_for_a_reason.__name__, complaint)

    def can_hedge(self, market: str) -> bool:
        """Whether the missing half of a naked leg was for sale at the end of the last edge, within what it may lose."""
        world, listed = self.world, self.world.listed(market)
        finale = world.finale(market)
        if finale is None:
            return False
        trades, imbalance = world.ledger.good(market), world.ledger.holding(market).imbalance
        heavy, surplus = (0 if imbalance > 0 else 1), abs(imbalance) // 1_000_000 * 1_000_000
        price = finale[1 + (1 - heavy)]
        cost = newest_cost(trades, heavy, surplus) + price * surplus // 10_000 + fee_of(listed, price, surplus)
        return cost - surplus <= world.settings.orphan_loss_cap_micros

    def _ask(self, promises: tuple[StatePromise, ...]) -> None:
        for promise in promises:
            for complaint in promise(self.world):
                self._complain(promise.__name__, complaint)

    def _complain(self, promise: str, complaint: str) -> None:
        if promise not in self._said:
            self._said.add(promise)
            self.world.broken(promise, complaint)
