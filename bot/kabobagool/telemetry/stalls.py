"""Does the event loop keep up? A task that wants to wake every 10 ms and measures how late it is woken.

Whatever blocks the loop (a slow callback, a synchronous read) delays prices and orders alike, and no other number shows it. Uses
the wall's own monotonic clock on purpose: a stall is real time. The bot reports it and the number of tasks as metrics, tests assert on it.
"""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

RECENT_S: Final = 60.0


class StallMeter:
    """Records the worst lateness of the running event loop, between `start` and `stop` or inside `async with`.

    `on_lateness` is called with every lateness in seconds, about 100 times a second; it must be cheap and must not raise.
    """

    def __init__(self, *, interval_s: float = 0.01, on_lateness: Callable[[float], None] | None = None) -> None:
        self._interval_s = interval_s
        self._on_lateness = on_lateness
        self._worst_s = 0.0
        self._recent: tuple[float, float] = (0.0, 0.0)
        self._recent_until = 0.0
        self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def worst_s(self) -> float:
        """The worst lateness in seconds, one that is still going on included."""
        return max(self._worst_s, time.monotonic() - self._due if self._task else 0.0)

    def take_worst_s(self) -> float:
        """The worst lateness in seconds since the last time this was asked."""
        worst, self._worst_s = self.worst_s, 0.0
        return worst

    def recent_worst_s(self) -> float:
        """The worst lateness in seconds of the last minute or two, one that is still going on included; whoever else asks."""
        return max(*self._recent, time.monotonic() - self._due if self._task else 0.0)

    def tasks(self) -> int:
        """How many tasks the loop has that are not done; 0 when nothing is measured."""
        return 0 if self._task is None else len(asyncio.all_tasks(self._task.get_loop()))

    def start(self) -> None:
        """Begin measuring on the running loop."""
        self._due = time.monotonic() + self._interval_s
        self._recent_until = self._due + RECENT_S
        self._task = asyncio.get_running_loop().create_task(self._measure(), name="stall-meter")

    async def stop(self) -> None:
        """End measuring; `worst_s` stays readable."""
        self._worst_s, task, self._task = self.worst_s, self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _measure(self) -> None:
        while True:
            self._due = time.monotonic() + self._interval_s
            await asyncio.sleep(self._interval_s)
            self._record(max(time.monotonic() - self._due, 0.0))

    def _record(self, lateness_s: float) -> None:
        self._worst_s = max(self._worst_s, lateness_s)
        before, now = self._recent
        if self._due >= self._recent_until:
            before, now, self._recent_until = now, 0.0, self._due + RECENT_S
        self._recent = before, max(now, lateness_s)
        if self._on_lateness is not None:
            self._on_lateness(lateness_s)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()
