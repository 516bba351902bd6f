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


class VenueTime(VirtualClock):
    """Virtual time that jumps from one event to the next instead of being advanced by a test."""

    async def sleep(self, seconds: float) -> None:
        """Park; long runs keep no list of their sleeps."""
        await (self.alarm(seconds) if seconds > 0 else asyncio.sleep(0))

    def alarm(self, seconds: float) -> "asyncio.Future[None]":
        """Done in so many seconds, above 0."""
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ring_in(seconds, wake)
        return wake

    def ring_in(self, seconds: float, bell: "asyncio.Future[None]") -> None:
        """Have a future done in so many seconds, above 0."""
        heapq.heappush(self._sleepers, (self.now_us + max(round(seconds * MICROSECONDS), 1), next(self._order), bell))

    def next_wake_us(self) -> int | None:
        """When a sleeper is due, None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def next_wake_ms(self) -> int | None:
        """The first whole millisecond at which a sleeper is due, None when nobody sleeps."""
        wake_us = self.next_wake_us()
        return None if wake_us is None else START_MS + -(-wake_us // 1000)

    def move_to_ms(self, now_ms: int) -> None:
        """Jump forwards; nobody is woken by it."""
        self.now_us = max(self.now_us, (now_ms - START_MS) * 1000)

    def wake_due(self) -> bool:
        """Wake every sleeper whose time has come; whether there was one."""
        woken = False
        while self._sleepers and self._sleepers[0][0] <= self.now_us:
            wake = heapq.heappop(self._sleepers)[2]
            if not wake.done():
                wake.set_result(None)
                woken = True
        return woken
