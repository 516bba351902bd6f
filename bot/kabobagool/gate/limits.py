"""How much a wallet may send: its rate, burst, reserve and caps, in the whole numbers that gates count in.

Made by whoever opens a gate; `memory.py` and `redis_gate.py` keep to them, each in its own way.
"""

import math
from fractions import Fraction
from typing import Final

import msgspec

from kabobagool.domain.money import Micros
from kabobagool.gate.interface import Refusal

MICROSECONDS: Final = 1_000_000
LONGEST_WAIT_S: Final = 10.0
"""No shared gate grants an order further ahead."""
STANDARD_RATE: Final = 20
"""Orders a second that a signer of the venue's standard tier may send in the long run."""
STANDARD_BURST: Final = 30


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet's budget. ValueError for one that makes no sense.

    `interval_us` is microseconds per order in the long run (0: no limit), `burst` how many may leave together after silence,
    `reserve_fraction` the part of rate and burst that new pairs never get, `tokens_at_start` the slots there are at once.
    Three caps stop new pairs, each over all markets: dollars at stake (`exposure_cap_micros`), what shares without a partner cost
    (`orphan_cap_micros`), what was lost since the UTC day began (`daily_loss_cap_micros`); None does not.
    """

    interval_us: int = MICROSECONDS // STANDARD_RATE
    burst: int = STANDARD_BURST
    reserve_fraction: Fraction = Fraction(1, 5)
    exposure_cap_micros: Micros | None = None
    orphan_cap_micros: Micros | None = None
    daily_loss_cap_micros: Micros | None = None
    tokens_at_start: int = 0

    def __post_init__(self) -> None:
        if self.interval_us < 0:
            raise ValueError(f"interval_us={self.interval_us}: the time between orders cannot be negative")
        if self.burst < 1:
            raise ValueError(f"burst={self.burst}: at least one order must be able to leave")
        if not 0 <= self.reserve_fraction < 1:
            raise ValueError(
                f"reserve_fraction={self.reserve_fraction}: new pairs need a part of the rate, so it is at least 0 and below 1"
            )
        if not 0 <= self.tokens_at_start <= self.burst:
            raise ValueError(f"tokens_at_start={self.tokens_at_start}: between 0 and the burst of {self.burst}")
        for reason, cap in self.caps.items():
            if cap < 0:
                raise ValueError(f"{cap} micro-dollars as the cap of {reason}: a cap is at least 0, and None where there is none")

    @classmethod
    def from_min_interval(cls, seconds: float, *, exposure_cap_micros: Micros | None = None) -> "Limits":
        """One order every `seconds` in the long run with burst 1: what GLOBAL_ORDER_MIN_INTERVAL_S means. 0 does not limit."""
        return cls(
            interval_us=round(seconds * MICROSECONDS), burst=1, reserve_fraction=Fraction(0), exposure_cap_micros=exposure_cap_micros
        )

    @property
    def caps(self) -> dict[str, Micros]:
        """The caps there are, by what is refused for them."""
        caps: dict[str, Micros | None] = {
            Refusal.EXPOSURE: self.exposure_cap_micros,
            Refusal.ORPHANS: self.orphan_cap_micros,
            Refusal.DAILY_LOSS: self.daily_loss_cap_micros,
        }
        return {reason: cap for reason, cap in caps.items() if cap is not None}

    @property
    def pair_interval_us(self) -> int:
        """Microseconds per order of a new pair, for which the reserve is not there; rounded so that the reserve never shrinks."""
        kept = self.reserve_fraction.denominator - self.reserve_fraction.numerator
        return -(-self.interval_us * self.reserve_fraction.denominator // kept)

    @property
    def pair_burst(self) -> int:
        """How many orders of new pairs may leave together after silence: the rest of the burst is there for hedges."""
        return max(1, math.floor(self.burst * (1 - self.reserve_fraction)))

    @property
    def pair_tokens_at_start(self) -> int:
        """The slots that new pairs have at once."""
        return min(self.tokens_at_start, self.pair_burst)
