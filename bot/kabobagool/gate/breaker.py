"""Whether it is worth asking a server that failed: after a few failures in a row nobody does, but for one caller once in a while.

A bot that waits for every timeout of a dead server decides on old prices. `redis_link.py` asks here before every call; the pause
between two trials differs from bot to bot, so that a server which comes back is not met by all of them in the same moment.
"""

import random
from typing import Final

from kabobagool.clock import Clock

FAILURES: Final = 3
PAUSE_S: Final = 1.0


class Breaker:
    """Counts failures in a row. `pause_s` is the mean of the pause between two trials, which is between half of it and one and a half."""

    def __init__(self, *, clock: Clock, rng: random.Random, pause_s: float = PAUSE_S) -> None:
        self._clock = clock
        self._rng = rng
        self._pause_s = pause_s
        self._failures = 0
        self._trial_at_s = 0.0

    @property
    def open(self) -> bool:
        """Whether the server counts as gone."""
        return self._failures >= FAILURES

    def lets_through(self) -> bool:
        """Whether the caller may ask the server; while it counts as gone, one caller is the trial of everybody."""
        if not self.open:
            return True
        if self._clock.monotonic() < self._trial_at_s:
            return False
        self._set_next_trial()
        return True

    def failed(self) -> None:
        """The server did not answer, or not with what was asked for."""
        self._failures += 1
        if self._failures == FAILURES:
            self._set_next_trial()

    def worked(self) -> None:
        """The server answered: everybody may ask again."""
        self._failures = 0

    def _set_next_trial(self) -> None:
        self._trial_at_s = self._clock.monotonic() + self._pause_s * (0.5 + self._rng.random())
