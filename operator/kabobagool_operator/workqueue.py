"""Which object is looked at next: a queue of keys in which every key is at most once, and is worked on by one worker at a time.

Watches only say that something about an object may have changed; `reconcile.py` then reads how things are. So it does not matter how
often a key is added, only that it is looked at once more after the last time it was. A key that is added while it is worked on
comes again afterwards, a failed one comes again after a pause that grows, and nothing is ever dropped.

`main.py` runs it; the watches, the timers and discovery add to it; `probes.py` and `operator_metrics.py` read how it is doing.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from kabobagool.clock import Clock
from kabobagool_operator.alarm import Alarm
from kabobagool_operator.delayed_keys import DelayedKeys
from kabobagool_operator.trouble import Trouble

LOWEST_PAUSE_S: Final = 0.5
HIGHEST_PAUSE_S: Final = 60.0
TIMER_RESOLUTION_S: Final = 0.001
"""Timers may ring this much early; waiting for the rest would be a loop that turns without resting."""

Key = TypeVar("Key", bound=Hashable)
Handle = Callable[[Key], Awaitable[float | None]]
"""Looks at one key. Returns the seconds after which to look again at the latest, None when nothing but a change calls for it."""


class QueueObserver(Protocol):
    """Told what happens, on the event loop; must not block and must not raise."""

    def added(self) -> None:
        """A key entered the line of those that wait for a worker."""

    def started(self, *, waited_s: float) -> None:
        """A worker took a key that had waited so long."""

    def finished(self, *, worked_s: float, requeue_after_s: float | None) -> None:
        """A key was looked at, and is to be looked at again after so long."""

    def failed(self, *, worked_s: float, error: Exception) -> None:
        """Looking at a key failed; it comes again after a pause."""


class WorkQueue(Generic[Key]):
    """Keys to look at. Not for use from several threads.

    `lowest_pause_s` and `highest_pause_s` bound the pause after a failure, which about doubles with every failure of a key in a row.
    An API server that asks for a longer one gets it.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        rng: random.Random,
        observer: QueueObserver,
        lowest_pause_s: float = LOWEST_PAUSE_S,
        highest_pause_s: float = HIGHEST_PAUSE_S,
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._observer = observer
        self._pauses_s = (lowest_pause_s, highest_pause_s)
        self._wanted: dict[Key, float] = {}
        self._line: deque[Key] = deque()
        self._working: dict[Key, float] = {}
        self._delayed: DelayedKeys[Key] = DelayedKeys()
        self._troubles: dict[Key, Trouble] = {}
        self._changed = asyncio.Event()
        self._stopping = False

    @property
    def depth(self) -> int:
        """Keys that wait for a worker now."""
        return len(self._line)

    @property
    def delayed(self) -> int:
        """Keys whose moment has not come yet."""
        return len(self._delayed)

    @property
    def active(self) -> int:
        """Keys that are worked on now."""
        return len(self._working)

    @property
    def failing(self) -> int:
        """Keys whose last look failed."""
        return len(self._troubles)

    @property
    def oldest_age_s(self) -> float:
        """How long the key has waited that has waited longest; 0 when none does."""
        return self._clock.monotonic() - next(iter(self._wanted.values())) if self._wanted else 0.0

    @property
    def longest_running_s(self) -> float:
        """How long the look has taken so far that has taken longest; 0 when none is taken."""
        return self._clock.monotonic() - min(self._working.values()) if self._working else 0.0

    @property
    def running_s(self) -> float:
        """How long all looks that are being taken have taken so far, together."""
        return len(self._working) * self._clock.monotonic() - sum(self._working.values())

    def add(self, key: Key) -> None:
        """Look at the key as soon as a worker is free: once, however often this is called before."""
        if key in self._wanted:
            return
        self._wanted[key] = self._clock.monotonic()
        self._observer.added()
        if key not in self._working:
            self._enter_line(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Look at the key after that many seconds at the latest; a later moment changes nothing, a look that begins before is that look."""
        if seconds <= 0:
            self.add(key)
            return
        self._delayed.put(key, self._clock.monotonic() + seconds)
        self._changed.set()

    def forget(self, key: Key) -> None:
        """Let the next failure of the key count as its first: after a success, or when the object is gone."""
        self._troubles.pop(key, None)

    def failures(self, key: Key) -> int:
        """How often in a row looking at the key has failed."""
        trouble = self._troubles.get(key)
        return 0 if trouble is None else trouble.times

    async def run(self, workers: int, handle: Handle[Key]) -> None:
        """Look at keys, at so many of them at the same time, until `stop`; then finish what was begun and return.

        Cancelled, it gives up what was begun, and those keys wait again. ValueError without workers.
        """
        if workers < 1:
            raise ValueError(f"workers={workers}: at least one must work on the queue")
        async with asyncio.TaskGroup() as group, Alarm(self._clock, self._changed) as alarm:
            while not self._stopping:
                self._changed.clear()
                self._release_due()
                while self._line and len(self._working) < workers:
                    group.create_task(self._look(self._take(), handle))
                alarm.ring_at(self._delayed.next_due())
                await self._changed.wait()

    def stop(self) -> None:
        """Begin nothing any more."""
        self._stopping = True
        self._changed.set()

    def _enter_line(self, key: Key) -> None:
        self._line.append(key)
        self._changed.set()

    def _release_due(self) -> None:
        for key in self._delayed.pop_due(self._clock.monotonic() + TIMER_RESOLUTION_S):
            self.add(key)

    def _take(self) -> Key:
        key = self._line.popleft()
        self._delayed.drop(key)
        now = self._clock.monotonic()
        self._observer.started(waited_s=now - self._wanted.pop(key))
        self._working[key] = now
        return key

    async def _look(self, key: Key, handle: Handle[Key]) -> None:
        try:
            requeue_after_s = await handle(key)
        except Exception as e:
            self._failed(key, e)
        except asyncio.CancelledError as e:
            if not _is_being_cancelled():
                self._failed(key, RuntimeError(f"something the look waited for was cancelled: {e}"))
                return
            self.add(key)
            raise
        else:
            self._succeeded(key, requeue_after_s)
        finally:
            del self._working[key]
            if key in self._wanted:
                self._enter_line(key)
            self._changed.set()

    def _succeeded(self, key: Key, requeue_after_s: float | None) -> None:
        self._observer.finished(worked_s=self._worked_s(key), requeue_after_s=requeue_after_s)
        self.forget(key)
        if requeue_after_s is not None:
            self.add_after(key, requeue_after_s)

    def _failed(self, key: Key, error: Exception) -> None:
        self._observer.failed(worked_s=self._worked_s(key), error=error)
        trouble = self._troubles.get(key)
        if trouble is None:
            trouble = self._troubles[key] = Trouble(*self._pauses_s, rng=self._rng)
        pause_s = trouble.pause_s(error)
        trouble.say(key, error, pause_s)
        self.add_after(key, pause_s)

    def _worked_s(self, key: Key) -> float:
        return self._clock.monotonic() - self._working[key]


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
