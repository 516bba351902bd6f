"""Time that jumps: from one record of a tape to the next, and to every sleeper that is due in between.

`replayer.py` runs engines on it. They are the same engines that trade, so their sleeps, cooldowns and latencies take exactly as long as on
the venue, only that nobody waits for them. There are no threads and no wall clock, so the same tape gives the same decisions.
"""

import asyncio
import heapq
import selectors
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any, Final, TypeVar

MICROSECONDS: Final = 1_000_000
Result = TypeVar("Result")


class IdleSelector(selectors.SelectSelector):
    """Knows when its event loop has nothing left to run: only then is it asked to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: asyncio.Future[None] | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait for a socket, unless somebody waits for idleness: then that has come."""
        waiting = self.waiting
        if waiting is None or timeout == 0:
            return super().select(timeout)
        self.waiting = None
        if not waiting.done():
            waiting.set_result(None)
        return []


class VirtualTime:
    """A `Clock` of whole microseconds since the epoch."""

    def __init__(self, *, start_us: int, selector: IdleSelector) -> None:
        self.now_us = start_us
        self._start_us = start_us
        self._selector = selector
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()

    def now_ms(self) -> int:
        """Milliseconds since the epoch on the venue's time line."""
        return self.now_us // 1000

    def monotonic(self) -> float:
        """Seconds since the tape began."""
        return (self.now_us - self._start_us) / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        """Park until time has got that far; like the real one, a sleep of nothing still lets others run."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now_us + max(round(seconds * MICROSECONDS), 1), next(self._order), wake))
        await wake

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        self._selector.waiting = idle = asyncio.get_running_loop().create_future()
        await idle

    async def move_to(self, moment_us: int) -> None:
        """Let time pass: every sleeper wakes at its own moment, and all it sets off happens before the next one wakes.

        A moment in the past is the present: time never runs backwards.
        """
        while self._sleepers and self._sleepers[0][0] <= moment_us:
            due_us, _, wake = heapq.heappop(self._sleepers)
            if not wake.done():
                self.now_us = max(self.now_us, due_us)
                wake.set_result(None)
                await self.settle()
        self.now_us = max(self.now_us, moment_us)


def run_in_virtual_time(main: Callable[[VirtualTime], Coroutine[Any, Any, Result]], *, start_us: int) -> Result:
    """Run `main` on an event loop of its own, with a clock that stands at `start_us`. RuntimeError inside a running event loop."""
    selector = IdleSelector()
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selector)) as runner:
        return runner.run(main(VirtualTime(start_us=start_us, selector=selector)))
