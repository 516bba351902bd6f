"""The order gate of one process: Hydra's markets share one, and tests use it wherever the shared one would do.

It is a token bucket that reserves (`lane.py`). Two lanes stand behind each other: everything passes the wallet's lane, new pairs must
also pass a slower one, so that the difference is always left for hedges and unwinds.

Called through `interface.OrderGate`, by `fair_queue.py` where many markets share it; whoever knows the position tells it the exposure
with `set_exposure`.
"""

import math
from fractions import Fraction
from itertools import count
from typing import NamedTuple

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.gate.interface import (
    RECHECK_S,
    Answer,
    Exposure,
    Granted,
    Halt,
    IntentNote,
    Lease,
    Priority,
    Refusal,
    Refused,
    check_cost,
    halting_scopes,
)
from kabobagool.gate.lane import Lane
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.stakes import Stakes


class Take(NamedTuple):
    """The last reservation: what was answered, and where each lane stood before."""

    granted: Granted
    before: tuple[tuple[Lane, int], ...]


class MemoryGate:
    """`OrderGate` inside one process. It never sleeps: what must wait is told for how long.

    What its settings mean: `limits.Limits`. ValueError for settings that make no sense.

    A request larger than the burst borrows, so that both legs of a pair leave back to back. Slots belong to
    the moment of leaving: a pair that waits holds back what is asked for after it, hedges too. Where several markets ask, put a
    `fair_queue.FairGate` before it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        interval_us: int,
        burst: int = 1,
        reserve_fraction: Fraction = Fraction(0),
        exposure_cap_micros: Micros | None = None,
        orphan_cap_micros: Micros | None = None,
        daily_loss_cap_micros: Micros | None = None,
        tokens_at_start: int = 1,
    ) -> None:
        limits = Limits(
            interval_us=interval_us,
            burst=burst,
            reserve_fraction=reserve_fraction,
            exposure_cap_micros=exposure_cap_micros,
            orphan_cap_micros=orphan_cap_micros,
            daily_loss_cap_micros=daily_loss_cap_micros,
            tokens_at_start=tokens_at_start,
        )
        self._clock = clock
        now_us = self._now_us()
        self._wallet_lane = Lane(interval_us=interval_us, burst=burst, tokens_at_start=tokens_at_start, now_us=now_us)
        self._pair_lane = Lane(
            interval_us=limits.pair_interval_us, burst=limits.pair_burst, tokens_at_start=limits.pair_tokens_at_start, now_us=now_us
        )
        self.stakes = Stakes(limits, clock=clock)
        """What the markets have at stake and lost today."""
        self._halts: dict[str, Halt] = {}
        self._leases: dict[str, Lease] = {}
        self._lease_numbers = count(1)
        self._paused_until_us = now_us
        self._last_take: Take | None = None

    @classmethod
    def from_min_interval(cls, seconds: float, clock: Clock, *, exposure_cap_micros: Micros | None = None) -> "MemoryGate":
        """One order every `seconds` in the long run with burst 1: what GLOBAL_ORDER_MIN_INTERVAL_S means. 0 does not limit.

        A pair leaves with both legs together as soon as its first leg could, and the next order waits for both: an edge does not keep.
        """
        return cls(clock=clock, interval_us=round(seconds * MICROSECONDS), burst=1, exposure_cap_micros=exposure_cap_micros)

    async def acquire(
        self, *, market: str, cost: int, notional: Micros, priority: Priority, max_wait_s: float, intent: IntentNote | None = None
    ) -> Answer:
        """Ask for `cost` orders of `notional` dollars together to leave: all of them or none. Never sleeps.

        What they are stays with the asker: this gate ends with its process. ValueError for a cost below 1.
        """
        check_cost(cost)
        now_us = self._now_us()
        if refused := self._objection(market, notional, priority, now_us):
            return refused
        lanes = (self._wallet_lane, self._pair_lane) if priority is Priority.NEW_PAIR else (self._wallet_lane,)
        wait_us = max(lane.wait_us(cost, now_us) for lane in lanes)
        too_long_us = wait_us - round(max_wait_s * MICROSECONDS)
        if too_long_us > 0:
            return Refused(Refusal.WAIT_TOO_LONG, too_long_us / MICROSECONDS)
        before = tuple((lane, lane.take(cost, now_us + wait_us)) for lane in lanes)
        self.stakes.grant(market, notional)
        self._last_take = Take(Granted(wait_us / MICROSECONDS), before)
        return self._last_take.granted

    async def objection(self, *, market: str, notional: Micros, priority: Priority) -> Refused | None:
        """What forbids these orders now whatever the rate: a halt, a pause, a cap. Takes nothing."""
        return self._objection(market, notional, priority, self._now_us())

    def known_objection(self, *, market: str, priority: Priority) -> Refused | None:
        """A halt or a pause: this gate knows everything."""
        return self._stop(market, priority, self._now_us())

    def give_back(self, granted: Granted, *, market: str, cost: int, notional: Micros, priority: Priority) -> None:
        """The orders of this very answer did not leave, and never will: nobody's dollars, and their slots are free again.

        Slots come back only while nothing was reserved after them and no pause began; else they are lost, never given out twice.
        """
        self.stakes.give_back(market, notional)
        take = self._last_take
        if take is not None and take.granted is granted:
            self._last_take = None
            for lane, before_us in take.before:
                lane.put_back(before_us)

    async def pause(self, *, seconds: float, reason: str) -> None:
        """The venue asked for silence: nobody is granted anything before it is over, and then there is no burst. Pauses only get longer."""
        until_us = self._now_us() + round(seconds * MICROSECONDS)
        self._paused_until_us = max(self._paused_until_us, until_us)
        self._wallet_lane.drain(until_us)
        self._pair_lane.drain(until_us)
        self._last_take = None

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a market (`scope` its condition id) or of all (`scope` "wallet"), until `resume`."""
        self._halts.pop(scope, None)
        self._halts[scope] = Halt(scope=scope, who=who, why=why, since_ms=self._clock.now_ms())

    async def resume(self, *, scope: str) -> None:
        """Lift a halt."""
        self._halts.pop(scope, None)

    async def halts(self) -> tuple[Halt, ...]:
        """What is halted now, oldest first."""
        return tuple(self._halts.values())

    def set_exposure(self, market: str, exposure: Exposure) -> None:
        """What the market has at stake now, and what it made; replaces what its granted orders were counted with.

        Without it every granted dollar counts as spent for ever: forgetting to call it refuses new pairs, it never allows too many.
        """
        self.stakes.tell(market, exposure)

    async def take_lease(self, market: str) -> Lease | Refused:
        """Become the holder of a market: never refused, one process has one holder, and it holds for as long as it runs."""
        return self._leases.setdefault(market, Lease(next(self._lease_numbers), math.inf))

    async def drop_lease(self, market: str) -> None:
        """Whoever takes the market next gets a higher number."""
        self._leases.pop(market, None)

    async def close(self) -> None:
        """Nothing to let go of."""

    def _objection(self, market: str, notional: Micros, priority: Priority, now_us: int) -> Refused | None:
        stop = self._stop(market, priority, now_us)
        return self.stakes.objection(notional) if stop is None and priority is Priority.NEW_PAIR else stop

    def _stop(self, market: str, priority: Priority, now_us: int) -> Refused | None:
        if any(scope in self._halts for scope in halting_scopes(market, priority)):
            return Refused(Refusal.HALTED, RECHECK_S)
        if now_us < self._paused_until_us:
            return Refused(Refusal.VENUE_PAUSED, (self._paused_until_us - now_us) / MICROSECONDS)
        return None

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * MICROSECONDS)
