"""Time that passes only when a test says so, because the engine's promises are about seconds and no test should wait for one.

`sleep` parks the sleeper on a heap; `advance` wakes sleepers in the order of their deadlines and, after each moment, gives everything
that became runnable the time it needs. What "everything" includes is told by `settle`: a rig with a journal thread waits for it too.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from itertools import count

START_MS = 1_795_305_600_000
MICROSECONDS = 1_000_000
TURNS = 30
"""Passes of the event loop that let any chain of ready callbacks in one engine run dry."""


async def turn_the_loop() -> None:
    """Let everything that is ready run, and what becomes ready by it."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


class VirtualClock:
    """A `Clock` whose time is a number of whole microseconds."""

    def __init__(self, *, settle: Callable[[], Awaitable[None]] = turn_the_loop) -> None:
        self.settle = settle
        self.now_us = 5 * MICROSECONDS
        self.slept: list[float] = []
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def now_ms(self) -> int:
        """Milliseconds since the epoch on the venue's time line."""
        return START_MS + self.now_us // 1000

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return self.now_us / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        """Park until the test has advanced that far; like the real one, a sleep of nothing still lets others run."""
        self.slept.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_us + round(seconds * MICROSECONDS), next(self._order), wake))
        await wake

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass: every sleeper wakes at its own moment, and all it sets off happens before the next one wakes."""
        end_us = self.now_us + round(seconds * MICROSECONDS)
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end_us:
            self.now_us = max(self.now_us, self._sleepers[0][0])
            while self._sleepers and self._sleepers[0][0] <= self.now_us:
                wake = heapq.heappop(self._sleepers)[2]
                if not wake.done():
                    wake.set_result(None)
            await self.settle()
        self.now_us = end_us

    @property
    def sleeping(self) -> int:
        """How many sleepers nobody has cancelled."""
        return sum(not wake.done() for _, _, wake in self._sleepers)
