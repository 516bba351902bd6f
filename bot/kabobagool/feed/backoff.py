"""How long to wait before the next try: jittered, doubling, and forgiving only after proof.

A venue that accepts and closes at once would otherwise be dialled in a tight loop by every bot of a fleet. `connection.py`
asks, and `hydra/market_task.py` before it starts a market again; pure, so the promise is tested without a socket.
"""

import random

MAX_ASKED_S = 120.0
"""The longest Retry-After that is honoured; beyond it a header is more likely broken than meant."""


class Backoff:
    """Draws the pauses between tries, in seconds."""

    __slots__ = ("_failures", "_highest_s", "_lowest_s", "_rng")

    def __init__(self, *, lowest_s: float, highest_s: float, rng: random.Random) -> None:
        self._lowest_s = lowest_s
        self._highest_s = highest_s
        self._rng = rng
        self._failures = 0

    def settled(self) -> None:
        """It went well for a while: the next pause is a short one again."""
        self._failures = 0

    def next_delay_s(self, *, asked_s: float = 0.0) -> float:
        """Seconds to wait: between the minimum and a ceiling that doubles with every call, never less than the venue asked for."""
        lowest, highest = self._lowest_s, self._highest_s
        self._failures = min(self._failures + 1, 32)
        ceiling = min(highest, lowest * 2.0**self._failures)
        return max(self._rng.uniform(max(lowest, ceiling / 2), ceiling), min(asked_s, MAX_ASKED_S))
