"""How long to wait before the next connection: jittered, doubling, and forgiving only after proof.

A venue that accepts and closes at once would otherwise be dialled in a tight loop by every bot of a fleet. `market_feed.py`
asks; pure, so the promise is tested without a socket.
"""

import random

from kabobagool.feed.settings import FeedSettings

MAX_ASKED_S = 120.0
"""The longest Retry-After that is honoured; beyond it a header is more likely broken than meant."""


class ReconnectBackoff:
    """Draws the pauses between connections."""

    __slots__ = ("_failures", "_rng", "_settings")

    def __init__(self, *, settings: FeedSettings, rng: random.Random) -> None:
        self._settings = settings
        self._rng = rng
        self._failures = 0

    def settled(self) -> None:
        """Events flowed for a while: the next pause is a short one again."""
        self._failures = 0

    def next_delay_s(self, *, asked_s: float = 0.0) -> float:
        """Seconds to wait: between the minimum and a ceiling that doubles with every call, never less than the venue asked for."""
        lowest, highest = self._settings.backoff_min_s, self._settings.backoff_max_s
        self._failures = min(self._failures + 1, 32)
        ceiling = min(highest, lowest * 2.0**self._failures)
        return max(self._rng.uniform(max(lowest, ceiling / 2), ceiling), min(asked_s, MAX_ASKED_S))
