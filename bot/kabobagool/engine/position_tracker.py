"""What this market's orders brought in, order by order, until each is settled.

A reply says what an order traded, but only settlement makes it true: a trade may still fail. So the position is never edited; it is added
up from one entry an order, and an entry is replaced by what the venue's trade rows say, or removed when its trades failed. The engine
books here, `execution/settlement.py` corrects here.
"""

from dataclasses import dataclass

from msgspec.structs import replace

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import Micros
from kabobagool.domain.position import EMPTY, Fill, Position, position_of, surplus_cost_of
from kabobagool.execution.fills import FillStatus, OrderFill


@dataclass(frozen=True, slots=True)
class Entry:
    """One order's effect. `settled` once every trade of it is CONFIRMED."""

    fill: Fill
    settled: bool
    booked_ms: int


class PositionTracker:
    """The position of one market as the sum of its orders' fills."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._failed: set[str] = set()
        self.position: Position = EMPTY
        self.last_fill_ms: int | None = None

    def book(self, order_hash: str, fill: Fill, *, now_ms: int, settled: bool = False) -> None:
        """Enter or correct what an order traded. Booking the same order twice counts once."""
        known = self._entries.get(order_hash)
        if known is not None and known.settled and not settled:
            return  # the venue's final word was heard already
        self._entries[order_hash] = Entry(fill, settled, known.booked_ms if known else now_ms)
        if known is None:
            self.last_fill_ms = max(now_ms, self.last_fill_ms or 0)
        self._add_up()

    def take_over(self, change: OrderFill, *, now_ms: int) -> None:
        """Enter what settlement or reconciliation says of an order: exact amounts, or that its trades failed."""
        if change.status is FillStatus.FAILED:
            self.remove(change.order_hash)
        else:
            self.book(change.order_hash, change.fill, now_ms=now_ms, settled=change.status is FillStatus.CONFIRMED)

    def remove(self, order_hash: str) -> Fill | None:
        """Take back an order whose trades failed; the fill it had, or None when there was none."""
        entry = self._entries.pop(order_hash, None)
        self._failed.add(order_hash)
        self._add_up()
        return entry.fill if entry else None

    def knows(self, order_hash: str) -> bool:
        """Whether the order has an entry, or had one whose trades failed."""
        return order_hash in self._entries or order_hash in self._failed

    def unsettled(self) -> dict[str, Entry]:
        """Entries that settlement has not confirmed yet."""
        return {order_hash: entry for order_hash, entry in self._entries.items() if not entry.settled}

    def settled_shares(self, outcome: Outcome) -> Micros:
        """Shares of an outcome that are surely there to be sold: confirmed buys less every sale."""
        total = 0
        for entry in self._entries.values():
            if entry.fill.outcome is not outcome:
                continue
            if entry.fill.side is Side.SELL:
                total -= entry.fill.shares
            elif entry.settled:
                total += entry.fill.shares
        return total

    def fills(self) -> int:
        """How many orders traded."""
        return len(self._entries)

    def _add_up(self) -> None:
        fills = [entry.fill for entry in sorted(self._entries.values(), key=lambda entry: entry.booked_ms)]
        position = position_of(fills)
        if position.imbalance:
            cost = surplus_cost_of(fills, position.heavy, abs(position.imbalance))
            position = replace(position, surplus_cost=cost)
        self.position = position
