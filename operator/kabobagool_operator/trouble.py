"""What is remembered of a key that fails again and again: how long to leave it alone, and what was already said about it.

`workqueue.py` has one for every key whose last look failed, and forgets it with the first that succeeds.
"""

import logging
import random
from collections.abc import Hashable

from kabobagool.feed.backoff import Backoff
from kabobagool_operator.cluster_errors import ClusterError

log = logging.getLogger(__name__)


class Trouble:
    """The failures of one key in a row; pauses are seconds between `lowest_s` and `highest_s`."""

    __slots__ = ("_backoff", "_said", "times")

    def __init__(self, lowest_s: float, highest_s: float, *, rng: random.Random) -> None:
        self._backoff = Backoff(lowest_s=lowest_s, highest_s=highest_s, rng=rng)
        self._said = ""
        self.times = 0

    def pause_s(self, error: Exception) -> float:
        """Count one more failure, and say how long to wait after it."""
        self.times += 1
        return self._backoff.next_delay_s(asked_s=error.retry_after_s if isinstance(error, ClusterError) else 0.0)

    def say(self, key: Hashable, error: Exception, pause_s: float) -> None:
        """Log it, once for as long as it stays the same: an API server that is away fails every market every minute."""
        text = f"{type(error).__name__}: {error}"
        if text == self._said:
            return
        self._said = text
        unforeseen = None if isinstance(error, ClusterError) else error
        log.warning("reconciling failed", extra={"key": str(key), "error": text, "again_in_s": round(pause_s, 1)}, exc_info=unforeseen)
