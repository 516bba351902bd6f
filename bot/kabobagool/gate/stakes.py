"""What a wallet's markets have at stake, what their naked legs cost, and what was lost today: what its caps are held against.

The numbers come from positions: whoever books a fill, a settlement or a history reads an `Exposure` off the position and tells the gate,
which replaces what it thought before. So nothing here drifts from what is owned. `memory.py` keeps its books in `Stakes`;
`lua/exposure.lua` keeps the same ones on a server, where `unsaid.py` remembers a market's day for it.
"""

from typing import Final

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.domain.position import Position
from kabobagool.gate.interface import RECHECK_S, Exposure, Refusal, Refused
from kabobagool.gate.limits import Limits

DAY_MS: Final = 86_400_000


def exposure_of(position: Position) -> Exposure:
    """What a market with this position has at stake, and what it made."""
    return Exposure(at_stake=max(position.spent, 0), orphan=position.naked_cost, result=position.result)


class MarketDay(msgspec.Struct, frozen=True):
    """What a market made in all (`result`), and what it had made when its last day began. A day is a number of days since 1970, UTC."""

    day: int = -1
    start: Micros = 0
    result: Micros = 0

    def after(self, result: Micros, *, day: int) -> "MarketDay":
        """With a new result. The first one of a day is compared with the last one before; that of a market never heard of with 0."""
        return MarketDay(day, self.start if self.day == day else self.result, result)

    def lost(self, *, day: int) -> Micros:
        """What the market lost on that day, gains negative."""
        return self.start - self.result if self.day == day else 0


NEVER_HEARD_OF: Final = MarketDay()


class Stakes:
    """The books of all markets, and what they forbid. A market that was closed keeps its loss until the day ends."""

    def __init__(self, limits: Limits, *, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._exposure: dict[str, Exposure] = {}
        self._in_flight: dict[str, Micros] = {}
        self._days: dict[str, MarketDay] = {}
        self._day = 0

    @property
    def at_stake(self) -> Micros:
        """Dollars at stake, with those of granted orders whose end is not known yet."""
        return sum(exposure.at_stake for exposure in self._exposure.values()) + sum(self._in_flight.values())

    @property
    def orphans(self) -> Micros:
        """What all shares without a partner cost."""
        return sum(exposure.orphan for exposure in self._exposure.values())

    @property
    def lost_today(self) -> Micros:
        """What all markets together lost today, gains negative."""
        day = self._today()
        return sum(market.lost(day=day) for market in self._days.values())

    def grant(self, market: str, notional: Micros) -> None:
        """Orders of so many dollars may leave."""
        self._in_flight[market] = self._in_flight.get(market, 0) + notional

    def give_back(self, market: str, notional: Micros) -> None:
        """They did not leave."""
        self._in_flight[market] = max(self._in_flight.get(market, 0) - notional, 0)

    def tell(self, market: str, exposure: Exposure) -> None:
        """What the market has at stake now, its granted orders included."""
        self._in_flight.pop(market, None)
        self._exposure[market] = exposure
        self._days[market] = self._days.get(market, NEVER_HEARD_OF).after(exposure.result, day=self._today())

    def objection(self, notional: Micros) -> Refused | None:
        """The cap that forbids a new pair of so many dollars."""
        limits = self._limits
        if limits.exposure_cap_micros is not None and self.at_stake + notional > limits.exposure_cap_micros:
            return Refused(Refusal.EXPOSURE, RECHECK_S)
        if limits.orphan_cap_micros is not None and self.orphans >= limits.orphan_cap_micros:
            return Refused(Refusal.ORPHANS, RECHECK_S)
        if limits.daily_loss_cap_micros is not None and self.lost_today >= limits.daily_loss_cap_micros:
            return Refused(Refusal.DAILY_LOSS, self._rest_of_day_s())
        return None

    def _today(self) -> int:
        """A clock that is set back does not bring yesterday back."""
        self._day = max(self._day, self._clock.now_ms() // DAY_MS)
        return self._day

    def _rest_of_day_s(self) -> float:
        return ((self._today() + 1) * DAY_MS - self._clock.now_ms()) / 1000
