"""The power switch of one process: from the cut on, nothing it still does reaches anybody.

A kill -9 ends a process between any two steps, without its cleanup. Coroutines cannot be ended like that: cancelled, they run their
`finally`. So every way out of a process (`ports.py`, the disk in `virtual_loop.py`) asks here first, and asks again when the effect has
happened and the process has not heard of it yet: each of these moments is a place to die.
"""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

FEW = 64
"""So many tasks are remembered before those that ended are forgotten."""


class PowerCutError(asyncio.CancelledError):
    """The process is dead: whoever still runs in it ends here."""


class Power:
    """On until `cut`. `adopt` is told of every task of the process, so that all of them end."""

    def __init__(self, on_cut: Callable[[str], None]) -> None:
        self.on = True
        self.touches = 0
        self._fuse: int | None = None
        self._on_cut = on_cut
        self._tasks: list[asyncio.Task[Any]] = []
        self._most_tasks = FEW

    def adopt(self, task: "asyncio.Task[Any]") -> None:
        """A task of this process was made."""
        self._tasks.append(task)
        if len(self._tasks) > self._most_tasks:
            self._tasks = [task for task in self._tasks if not task.done()]
            self._most_tasks = max(FEW, 2 * len(self._tasks))

    def blow_after(self, steps: int) -> None:
        """Die at the so-many-th moment from now on at which something reaches the world outside, or comes back from it."""
        if self.on and self._fuse is None:
            self._fuse = steps

    def may_act(self, where: str) -> bool:
        """Whether the process lives on after this moment."""
        if not self.on:
            return False
        self.touches += 1
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                self.cut(where)
        return self.on

    def touch(self, where: str) -> None:
        """As `may_act`, for coroutines: PowerCutError when the process is dead."""
        if not self.may_act(where):
            raise PowerCutError(where)

    def insist(self) -> None:
        """PowerCutError in a dead process; no place to die."""
        if not self.on:
            raise PowerCutError

    def cut(self, where: str) -> None:
        """Kill the process."""
        if not self.on:
            return
        self.on = False
        self._on_cut(where)
        self.end_tasks()

    def end_tasks(self) -> None:
        """Cancel whatever still runs."""
        for task in tuple(self._tasks):
            task.cancel()

    @property
    def ended(self) -> bool:
        """Whether no task of it is left."""
        return all(task.done() for task in self._tasks)


POWER: ContextVar[Power | None] = ContextVar("power", default=None)
"""Of the process whose code runs now; None outside of all of them."""
