"""What is known about one binary market before its books are looked at.

Built by `venue/` from Gamma and the CLOB, read by every decision. Immutable but for the tick size, which the feed may change: then a new
`Market` replaces the old one.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Annotated, NamedTuple

import msgspec

from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import MICRO, Micros, Tick


class Outcome(IntEnum):
    """Index of an outcome; labels differ (Up/Down, team names), the index does not."""

    YES = 0
    NO = 1

    @property
    def other(self) -> "Outcome":
        """The outcome that pays when this one does not."""
        return Outcome.NO if self is Outcome.YES else Outcome.YES


class Side(StrEnum):
    """Side of an order, as the venue spells it."""

    BUY = "BUY"
    SELL = "SELL"


class FeeSchedule(NamedTuple):
    """Taker fee of a market.

    `shares * rate * (p * (1 - p)) ** exponent` dollars. `rate_micros` is the rate in millionths (0.07 -> 70_000).
    """

    rate_micros: Annotated[int, msgspec.Meta(ge=0, le=MICRO)]
    exponent: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1


NO_FEE = FeeSchedule(rate_micros=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One binary market of the v1 exchange. `fee` is None when the venue did not say: such a market is not traded."""

    condition_id: str
    slug: str
    question: str
    outcomes: tuple[str, str]
    tokens: tuple[str, str]
    tick_size: Tick
    min_order_shares: Micros
    fee: FeeSchedule | None
    neg_risk: bool = False
    accepting_orders: bool = True
    taker_delay_ms: Milliseconds = 0
    end_ms: Milliseconds | None = None

    def token(self, outcome: Outcome) -> str:
        """The outcome's token id, a decimal string."""
        return self.tokens[outcome]

    def outcome_of(self, token: str) -> Outcome:
        """The outcome a token id stands for. KeyError when it is not of this market."""
        if token == self.tokens[0]:
            return Outcome.YES
        if token == self.tokens[1]:
            return Outcome.NO
        raise KeyError(token)
