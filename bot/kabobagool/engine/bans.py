"""Why a market's engine sends nothing: each reason until whoever gave it takes it back, or until it is time to try again.

`market_engine.py` keeps one. A ban without an end waits for a person, or for a check that finds all well; one that is tried again is for
what mends itself, so that a naked leg is not left alone over a disk that was full for a minute.
"""

import logging
from typing import Final

from kabobagool.clock import Clock

log = logging.getLogger(__name__)

TRIED_AGAIN_S: Final = 30.0


class Bans:
    """`reasons` are those that were given, the oldest first; ask `standing()` before anything is sent."""

    def __init__(self, clock: Clock) -> None:
        self.reasons: list[str] = []
        self._clock = clock
        self._until_s: dict[str, float] = {}

    def add(self, reason: str, *, again_after_s: float | None = None) -> None:
        """Nothing is sent from now on; with `again_after_s` only for so many seconds."""
        if again_after_s is not None:
            self._until_s[reason] = self._clock.monotonic() + again_after_s
        if reason not in self.reasons:
            self.reasons.append(reason)
            log.error("degraded: no order will be sent before this is resolved", extra={"reason": reason, "again_in_s": again_after_s})

    def lift(self, reason: str) -> None:
        """What `add` said of this reason no longer holds."""
        self._until_s.pop(reason, None)
        if reason in self.reasons:
            self.reasons.remove(reason)
            log.info("recovered", extra={"reason": reason})

    def standing(self) -> list[str]:
        """What forbids an order now; what may be tried again by now is no reason any more."""
        if self._until_s:
            now_s = self._clock.monotonic()
            for reason in [reason for reason, until_s in self._until_s.items() if until_s <= now_s]:
                self.lift(reason)
        return self.reasons
