"""Patience after a failed order: a market that just said no is left alone for a while, and longer each time.

Thin markets kill dozens of fill-or-kill orders in a row; hammering them costs rate budget and wins nothing. Reset by a fill.
"""


class Cooldown:
    """Seconds of a monotonic clock; grows by `backoff` from `base_s` to `max_s` with every failure."""

    __slots__ = ("_backoff", "_base_s", "_max_s", "_next_s", "_until")

    def __init__(self, *, base_s: float, max_s: float, backoff: float) -> None:
        self._base_s, self._max_s, self._backoff = base_s, max_s, backoff
        self._next_s = base_s
        self._until = 0.0

    def fail(self, now: float, *, at_least_s: float = 0.0) -> float:
        """An order failed at `now`: the seconds to stay away."""
        wait = max(self._next_s, at_least_s)
        self._next_s = min(self._next_s * self._backoff, self._max_s)
        self._until = max(self._until, now + wait)
        return wait

    def hold(self, now: float, seconds: float) -> None:
        """Stay away for some seconds without having failed: the gate said no, not the market."""
        self._until = max(self._until, now + seconds)

    def reset(self) -> None:
        """An order filled: forget the failures."""
        self._next_s = self._base_s
        self._until = 0.0

    def remaining(self, now: float) -> float:
        """Seconds still to wait at `now`, 0 when free."""
        return max(self._until - now, 0.0)
