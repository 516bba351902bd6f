"""One timer that can be moved, for a loop that waits either until something happens or until a moment it may still change its mind about.

`workqueue.py` sets it to the first of its delayed keys.
"""

import asyncio

from kabobagool.clock import Clock


class Alarm:
    """Sets an event at a moment of a clock that can be moved; to be used as a context, which ends its task."""

    __slots__ = ("_at", "_clock", "_event", "_task")

    def __init__(self, clock: Clock, event: asyncio.Event) -> None:
        self._clock = clock
        self._event = event
        self._at: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Alarm":
        return self

    async def __aexit__(self, *ending: object) -> None:
        self.ring_at(None)

    def ring_at(self, moment: float | None) -> None:
        """Set the event at that moment instead of the one that was agreed; None is never."""
        if moment == self._at and not (self._task is not None and self._task.done()):
            return
        if self._task is not None:
            self._task.cancel()
        self._at = moment
        self._task = None if moment is None else asyncio.create_task(self._ring(moment))

    async def _ring(self, moment: float) -> None:
        await self._clock.sleep(moment - self._clock.monotonic())
        self._event.set()
