"""The venue's clock: it starts at wall time and runs `speed` times as fast.

The driver sleeps by it, every reply is stamped with it. Wall time comes in as a function, so tests and the core never read a clock.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VenueClock:
    """Maps wall seconds (Unix) to venue milliseconds (Unix): it shows `start_ms` when the wall shows `start_wall_s`."""

    wall_s: Callable[[], float]
    start_wall_s: float
    start_ms: int
    speed: float = 1.0

    @classmethod
    def starting_now(cls, wall_s: Callable[[], float], *, speed: float = 1.0, start_ms: int | None = None) -> "VenueClock":
        """A clock that starts at this moment, at wall time unless told otherwise. ValueError when the speed is not positive."""
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed={speed}: venue time has to move forward, give a number above 0 (1 is real time)")
        now_s = wall_s()
        return cls(wall_s=wall_s, start_wall_s=now_s, start_ms=round(now_s * 1000) if start_ms is None else start_ms, speed=speed)

    def now_ms(self) -> int:
        """Venue time, milliseconds since the epoch."""
        return self.start_ms + int((self.wall_s() - self.start_wall_s) * self.speed * 1000)

    def wall_seconds_until(self, venue_ms: int) -> float:
        """Wall seconds to sleep until the venue clock shows `venue_ms`; zero when it has passed."""
        return max(0.0, (venue_ms - self.now_ms()) / (self.speed * 1000))

    def is_recent(self, timestamp_s: int, *, tolerance_s: int) -> bool:
        """Whether a signed timestamp (Unix seconds) is near wall time or near venue time."""
        references = (self.wall_s(), self.now_ms() / 1000)
        return any(abs(reference - timestamp_s) <= tolerance_s for reference in references)
