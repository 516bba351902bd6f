"""How fast we write to the API server: a token bucket that everybody who writes takes from, first come, first served.

Five thousand markets that all change at once are five thousand writes; other controllers live on the same API server. `rest.py` asks
before every write. The arithmetic is the order gate's.
"""

from typing import Final

from kabobagool.clock import Clock
from kabobagool.gate.lane import Lane

MICROSECONDS: Final = 1_000_000


class WriteRate:
    """At most `burst` writes at once and `per_second` in the long run. ValueError when one of them is not positive."""

    def __init__(self, *, clock: Clock, per_second: int = 50, burst: int = 100) -> None:
        if per_second < 1 or burst < 1:
            raise ValueError(f"per_second={per_second}, burst={burst}: both must be at least 1, or nothing could ever be written")
        self._clock = clock
        self._lane = Lane(interval_us=MICROSECONDS // per_second, burst=burst, tokens_at_start=burst, now_us=self._now_us())
        self._closed_until_us = 0

    async def turn(self) -> None:
        """Wait until one more write may leave."""
        now_us = self._now_us()
        leaves_us = max(now_us + self._lane.wait_us(1, now_us), self._closed_until_us)
        self._lane.take(1, leaves_us)
        if leaves_us > now_us:
            await self._clock.sleep((leaves_us - now_us) / MICROSECONDS)

    def pause(self, seconds: float) -> None:
        """Let nobody new write for so long, because the API server asked one of us for it."""
        until_us = self._now_us() + round(seconds * MICROSECONDS)
        if until_us > self._closed_until_us:
            self._closed_until_us = until_us
            self._lane.drain(until_us)

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * MICROSECONDS)
