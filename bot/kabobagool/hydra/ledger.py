"""The books of the fleet: what the markets that left have brought, and the sums over all that are and were.

`market_supervisor.py` enters every market that leaves, and its payout when the venue tells it; the page and the report read the totals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from kabobagool.domain.market import Market
from kabobagool.domain.money import Micros, format_micros
from kabobagool.domain.position import Position
from kabobagool.hydra.fleet_snapshot import MarketRow, RetiredMarket, Totals
from kabobagool.hydra.market_task import Counts, MarketTask
from kabobagool.hydra.payouts import Payout

KEPT: Final = 200
"""So many markets that left are shown; the sums remember all of them."""


@dataclass(slots=True)
class Left:
    """A market that left. `payout` is what its shares paid, None while that is not known."""

    market: Market
    position: Position
    reason: str
    at_ms: int
    payout: Micros | None = None

    @property
    def profit(self) -> Micros | None:
        """What the market brought in the end; None while its payout is not known."""
        return None if self.payout is None else self.payout - self.position.spent

    def shown(self) -> RetiredMarket:
        """For the page."""
        position = self.position
        return RetiredMarket(
            market=self.market.slug,
            condition_id=self.market.condition_id,
            question=self.market.question,
            reason=self.reason,
            at_ms=self.at_ms,
            pairs=format_micros(position.pairs),
            imbalance=format_micros(position.imbalance),
            spent=format_micros(position.spent),
            fees=format_micros(position.fees),
            payout=None if self.payout is None else format_micros(self.payout),
            profit=None if self.profit is None else format_micros(self.profit),
        )


@dataclass(slots=True)
class FleetLedger:
    """Markets that left, latest last, and what all of them together counted."""

    left: list[Left] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    fills: int = 0
    spent: Micros = 0
    fees: Micros = 0
    paid_out: Micros = 0

    def enter(self, task: MarketTask, *, reason: str, at_ms: int, payout: Payout | None = None) -> Left:
        """Close the books of a market that is gone."""
        left = Left(task.market, task.position, reason, at_ms)
        self.counts.merge(task.earlier)
        if task.bot is not None:
            last = task.bot.snapshot()
            self.counts.add(last)
            self.fills += last.fills
        self.spent += left.position.spent
        self.fees += left.position.fees
        if payout is not None:
            left.payout = left.position.payout(payout)
            self.paid_out += left.payout
        self.left = [*self.left[-(KEPT - 1) :], left]
        return left

    def totals(self, tasks: Sequence[MarketTask], rows: Sequence[MarketRow]) -> Totals:
        """The sums with the markets that are still there, and what each of them shows."""
        counts = Counts()
        for part in (self.counts, *(task.earlier for task in tasks)):
            counts.merge(part)
        for row in rows:
            counts.add(row.bot)
        positions = [task.position for task in tasks]
        return Totals(
            markets=len(tasks),
            pairs=format_micros(sum(position.pairs for position in positions)),
            spent=format_micros(self.spent + sum(position.spent for position in positions)),
            fees=format_micros(self.fees + sum(position.fees for position in positions)),
            locked_profit=format_micros(sum(position.locked_profit for position in positions)),
            paid_out=format_micros(self.paid_out),
            edges_seen=counts.edges_seen,
            edges_acted_on=counts.edges_acted_on,
            edges_rejected=dict(sorted(counts.edges_rejected.items())),
            orders=dict(sorted(counts.orders.items())),
            fills=self.fills + sum(row.bot.fills for row in rows),
        )
