"""What a process may send of its hedges and unwinds when the shared gate cannot answer: little, and set aside in advance.

A naked leg must not wait for a server to come back. The rate used here was taken off the shared rate before anything was sent
(`split`), once for every process there may be: so the sum over all of them holds whatever they know of each other.
"""

import math
from fractions import Fraction
from typing import NamedTuple

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import Answer, Granted, Refusal, Refused
from kabobagool.gate.lane import Lane
from kabobagool.gate.limits import MICROSECONDS, Limits


class Split(NamedTuple):
    """The wallet's limits without what the processes may send on their own, and microseconds between two such orders of one process."""

    shared: Limits
    local_interval_us: int


def split(limits: Limits, *, share: Fraction, processes: int) -> Split:
    """Set `share` of the rate aside for at most `processes` of them. ValueError when that cannot be done.

    In any window of w seconds all of them together then send at most burst + w * rate, and one order each on top.
    """
    if not 0 < share < 1:
        raise ValueError(f"share={share}: hedges without the shared gate need a part of the rate, above 0 and below 1")
    if processes < 1:
        raise ValueError(f"processes={processes}: at least one process uses the gate")
    interval = Fraction(limits.interval_us)
    return Split(
        shared=msgspec.structs.replace(limits, interval_us=math.ceil(interval / (1 - share))),
        local_interval_us=math.ceil(interval * processes / share),
    )


class LocalBudget:
    """One order every `interval_us`; both orders of a pair of them may leave together, and then the next waits twice as long."""

    def __init__(self, *, interval_us: int, clock: Clock) -> None:
        self._clock = clock
        self._lane = Lane(interval_us=interval_us, burst=1, tokens_at_start=1, now_us=self._now_us())

    def acquire(self, *, cost: int, max_wait_s: float) -> Answer:
        """As the gate's own `acquire`, for hedges and unwinds alone."""
        now_us = self._now_us()
        wait_us = self._lane.wait_us(cost, now_us)
        too_long_us = wait_us - round(max_wait_s * MICROSECONDS)
        if too_long_us > 0:
            return Refused(Refusal.UNAVAILABLE, too_long_us / MICROSECONDS)
        self._lane.take(cost, now_us + wait_us)
        return Granted(wait_us / MICROSECONDS)

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * MICROSECONDS)
