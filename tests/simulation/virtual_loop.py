"""An event loop without a wall clock, sockets or threads: when nothing is left to run, time jumps to the next thing that happens.

`world.py` owns one for each history. What production code hands to a thread pool (the journal's file, a folder that is made) runs here
on the loop itself, a moment of virtual time later, so that a process can also die between asking its disk and hearing of it.
"""

import asyncio
import contextvars
import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any

from tests.simulation.power import POWER, Power

Idle = Callable[[float | None], None]
DISK_S = 0.002
"""How long a write to the disk takes."""


class NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set does not hang on where it lies in memory: two runs cancel in the same order."""

    numbers = count()

    def __init__(self, *args: Any, **named: Any) -> None:
        self.number = next(self.numbers)
        super().__init__(*args, **named)

    def __hash__(self) -> int:
        return self.number


Ready = tuple[Callable[..., Any], tuple[Any, ...], contextvars.Context]
"""A callback that is to run, what with, and where."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time is what `monotonic` says: seconds that pass only in `idle`, called when nothing is left to run with those to its next timer.

    Nothing ever comes from outside, so a turn is nothing but the callbacks that are ready; a history has a hundred thousand of them. So
    none is wrapped in a handle: nobody here takes back what he had called soon, only what he had called later.
    """

    _ready: deque[Ready]  # type: ignore[assignment]
    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, monotonic: Callable[[], float], idle: Idle) -> None:
        NumberedTask.numbers = count()
        self._monotonic, self._idle = monotonic, idle
        super().__init__()
        self.set_task_factory(_numbered)

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None) -> Any:
        """Run it in the next turn."""
        self._ready.append((callback, args, contextvars.copy_context() if context is None else context))

    def _run_once(self) -> None:
        ready = self._ready
        if not ready:
            self._idle(self._scheduled[0].when() - self._monotonic() if self._scheduled else None)
            if self._scheduled:
                self._ring()
        for _ in range(len(ready)):
            callback, args, context = ready.popleft()
            try:
                context.run(callback, *args)
            except Exception as e:
                self.call_exception_handler({"message": f"in {callback}", "exception": e})

    def _ring(self) -> None:
        """Timers that are due."""
        now_s = self._monotonic() + self._clock_resolution  # type: ignore[attr-defined]
        while self._scheduled and (self._scheduled[0].cancelled() or self._scheduled[0].when() <= now_s):
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False  # type: ignore[attr-defined]
            self.call_soon(_run_unless_cancelled, handle)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self._monotonic()

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """What a thread would do, done on the loop a moment later; a process that is dead by then does nothing more."""
        power, done = POWER.get(), self.create_future()
        if power is not None:
            power.insist()
        self.call_later(DISK_S, self._work, power, contextvars.copy_context(), func, args, done)
        return done

    def _work(
        self,
        power: Power | None,
        context: contextvars.Context,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        done: "asyncio.Future[Any]",
    ) -> None:
        if power is not None and not power.may_act("disk asked"):
            done.cancel()
            return
        try:
            result = context.run(func, *args)
        except Exception as e:
            if not done.done():
                done.set_exception(e)
            return
        if power is not None and not power.may_act("disk done"):
            done.cancel()
        elif not done.done():
            done.set_result(result)


def _run_unless_cancelled(handle: asyncio.TimerHandle) -> None:
    if not handle.cancelled():
        handle._run()


def _numbered(loop: asyncio.AbstractEventLoop, coro: Any, **named: Any) -> NumberedTask:
    task = NumberedTask(coro, loop=loop, **named)
    power = POWER.get()
    if power is not None:
        power.adopt(task)
    return task
