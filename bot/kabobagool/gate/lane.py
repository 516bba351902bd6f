"""One token bucket as GCRA reservation, in whole microseconds: granting moves a "theoretical arrival time" forward, refusing nothing.

Pure arithmetic. `memory.py` counts the wallet's orders with two of them, `local_budget.py` the few that a process may send on its own;
`acquire.lua` does the same on the server, `execution/presigned.py` paces signatures.
"""


class Lane:
    """One GCRA: `interval_us` between slots in the long run, up to `burst` slots at once after silence.

    Slots taken in any window of w seconds are at most `max(burst, cost) + w / interval`: a request larger than the burst leaves as a
    whole as soon as the burst is there, and what comes after it waits for all its slots.
    """

    __slots__ = ("_arrival_us", "_burst_us", "interval_us")

    def __init__(self, *, interval_us: int, burst: int, tokens_at_start: int, now_us: int) -> None:
        self.interval_us = interval_us
        self._burst_us = burst * interval_us
        self._arrival_us = now_us + (burst - tokens_at_start) * interval_us

    def wait_us(self, cost: int, now_us: int) -> int:
        """Microseconds until `cost` slots may be taken together. Takes nothing."""
        needed_us = min(cost * self.interval_us, self._burst_us)
        return max(0, max(self._arrival_us, now_us) + needed_us - self._burst_us - now_us)

    def take(self, cost: int, leaves_us: int) -> int:
        """Take the `cost` slots of orders that leave together at `leaves_us`, which is no earlier than `wait_us` said.

        Returns what `put_back` needs to undo it.
        """
        before_us = self._arrival_us
        self._arrival_us = max(before_us, leaves_us) + cost * self.interval_us
        return before_us

    def put_back(self, before_us: int) -> None:
        """Undo the last `take`. Wrong after anything else changed the lane: idle time that passed in between is no slot."""
        self._arrival_us = before_us

    def drain(self, until_us: int) -> None:
        """Hold no burst at `until_us`, only the one slot of that moment."""
        self._arrival_us = max(self._arrival_us, until_us + self._burst_us - self.interval_us)
