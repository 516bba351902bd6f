"""What is owned of one market, and what it is worth whatever happens.

A pair of YES and NO pays exactly one dollar in every outcome (also when a market resolves 50/50), so the worst case is known at any moment:
`locked_profit` is that guaranteed payout, less everything that was ever paid, fees included. The tracker in `engine/` rebuilds a `Position`
from fills; nothing edits one in place.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import force_setattr

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO, Micros, average_price_micros


class Fill(msgspec.Struct, frozen=True):
    """Shares that changed hands in one order: `dollars` without the `fee`."""

    outcome: Outcome
    side: Side
    shares: Micros
    dollars: Micros
    fee: Micros


class Leg(msgspec.Struct, frozen=True):
    """All dealings in one outcome. `fees` are those of buys and sales together."""

    bought: Micros = 0
    cost: Micros = 0
    sold: Micros = 0
    proceeds: Micros = 0
    fees: Micros = 0

    @property
    def shares(self) -> Micros:
        """Shares held now."""
        return self.bought - self.sold

    @property
    def average_cost_micros(self) -> Micros:
        """Micro-dollars paid per share bought, without fees, rounded up; 0 before the first buy."""
        return average_price_micros(self.cost, self.bought)

    def plus(self, fill: Fill) -> "Leg":
        """This leg after one more fill."""
        if fill.side is Side.BUY:
            return Leg(self.bought + fill.shares, self.cost + fill.dollars, self.sold, self.proceeds, self.fees + fill.fee)
        return Leg(self.bought, self.cost, self.sold + fill.shares, self.proceeds + fill.dollars, self.fees + fill.fee)


class Position(msgspec.Struct, frozen=True):
    """Both legs of a market. `imbalance` and `spent` follow from them; they are kept because every decision reads them.

    `imbalance`: shares of YES beyond those of NO, negative when NO is heavy. `spent`: dollars that left the wallet less those that came
    back, fees included. `surplus_cost`: what the shares without a partner cost,
    where that is known better than by the average.
    """

    yes: Leg = Leg()
    no: Leg = Leg()
    surplus_cost: Micros | None = None
    imbalance: Micros = 0
    spent: Micros = 0

    def __post_init__(self) -> None:
        yes, no = self.yes, self.no
        force_setattr(self, "imbalance", yes.shares - no.shares)
        force_setattr(self, "spent", yes.cost + no.cost - yes.proceeds - no.proceeds + yes.fees + no.fees)

    def cost_of_surplus(self, shares: Micros) -> Micros:
        """Dollars, fees included, that `shares` of the naked surplus cost, rounded up: by `surplus_cost`, else by the leg's average."""
        if self.surplus_cost is not None:
            return -(-self.surplus_cost * shares // abs(self.imbalance))
        heavy = self.leg(self.heavy)
        return -(-(heavy.cost + heavy.fees) * shares // heavy.bought) if heavy.bought else 0

    def leg(self, outcome: Outcome) -> Leg:
        """The outcome's leg."""
        return self.no if outcome else self.yes

    def plus(self, fill: Fill) -> "Position":
        """This position after one more fill; the order of fills does not matter."""
        if fill.outcome:
            return Position(self.yes, self.no.plus(fill))
        return Position(self.yes.plus(fill), self.no)

    @property
    def heavy(self) -> Outcome:
        """The outcome of which more is held (YES when level)."""
        return Outcome.YES if self.imbalance >= 0 else Outcome.NO

    @property
    def pairs(self) -> Micros:
        """Complete pairs held, in millionths."""
        return min(self.yes.shares, self.no.shares)

    @property
    def fees(self) -> Micros:
        """All fees paid."""
        return self.yes.fees + self.no.fees

    @property
    def locked_profit(self) -> Micros:
        """Dollars this position gains in the worst outcome.

        The payout of its pairs less all that was spent. Negative while a leg is naked.
        """
        return self.pairs - self.spent

    @property
    def naked_cost(self) -> Micros:
        """Dollars, fees included, that the shares without a partner cost; 0 when level."""
        return self.cost_of_surplus(abs(self.imbalance)) if self.imbalance else 0

    @property
    def result(self) -> Micros:
        """Dollars made so far, losses negative: payout of the pairs less all that was spent, naked shares counted at their cost."""
        return self.locked_profit + self.naked_cost

    @property
    def pair_cost_micros(self) -> Micros:
        """Average micro-dollars a pair cost so far, without fees; 0 while a side is empty."""
        if not (self.yes.bought and self.no.bought):
            return 0
        return self.yes.average_cost_micros + self.no.average_cost_micros

    def payout(self, micros_per_share: tuple[Micros, Micros]) -> Micros:
        """Dollars paid at resolution, for a payout per share of YES and NO."""
        return (self.yes.shares * micros_per_share[0] + self.no.shares * micros_per_share[1]) // MICRO


EMPTY = Position()


def surplus_cost_of(fills: Iterable[Fill], heavy: Outcome, surplus: Micros) -> Micros:
    """Dollars, fees included, that the newest `surplus` shares of the heavy side cost; `fills` oldest first.

    Pairs that were completed before keep their own cost: a leg that lost its partner is judged by what that leg cost, not by the average.
    """
    lots: list[tuple[Micros, Micros]] = []
    for fill in fills:
        if fill.outcome is not heavy:
            continue
        if fill.side is Side.BUY:
            lots.append((fill.shares, fill.dollars + fill.fee))
        else:
            _take_newest(lots, fill.shares)
    return _take_newest(lots, surplus)


def _take_newest(lots: list[tuple[Micros, Micros]], shares: Micros) -> Micros:
    """Take shares off the end of `lots`, and say what they cost."""
    taken_cost = 0
    while shares > 0 and lots:
        lot_shares, lot_cost = lots.pop()
        taken = min(lot_shares, shares)
        cost = -(-lot_cost * taken // lot_shares)
        if taken < lot_shares:
            lots.append((lot_shares - taken, lot_cost - cost))
        taken_cost += cost
        shares -= taken
    return taken_cost


def position_of(fills: Iterable[Fill]) -> Position:
    """The position that these fills add up to."""
    position = EMPTY
    for fill in fills:
        position = position.plus(fill)
    return position
