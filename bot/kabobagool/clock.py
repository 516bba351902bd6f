"""Time as a parameter, so that the same engine runs on the wall clock, on a venue that replays faster, and in virtual time.

Everything that asks the time, sleeps or draws a random number gets one of these handed in; nothing below `cli` makes its own.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """`now_ms` is epoch milliseconds comparable with the venue's stamps; `monotonic` is seconds that never jump."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch on the venue's time line."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment, for measuring spans."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        ...


class SystemClock:
    """The wall clock. With `rate` above 1 its seconds pass faster, for a paper exchange that replays its recordings faster.

    `origin_ms` is the venue's time at construction; without it the wall clock's own is used.
    """

    __slots__ = ("_origin_ms", "_rate", "_started")

    def __init__(self, *, rate: float = 1.0, origin_ms: int | None = None) -> None:
        self._rate = rate
        self._started = time.monotonic()
        self._origin_ms = int(time.time() * 1000) if origin_ms is None else origin_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch on the venue's time line."""
        return self._origin_ms + int((time.monotonic() - self._started) * self._rate * 1000)

    def monotonic(self) -> float:
        """Seconds of this clock since it was made."""
        return (time.monotonic() - self._started) * self._rate

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        await asyncio.sleep(max(seconds, 0.0) / self._rate)
