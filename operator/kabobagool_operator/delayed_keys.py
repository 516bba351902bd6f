"""Keys that are to be looked at later: each once, at its earliest moment, whatever was asked for it.

`workqueue.py` keeps its timers here. A heap whose outdated entries are dropped when they come up, so that five thousand markets that
are put off again and again cost O(log n) each and no more room than twice their number.
"""

import heapq
from collections.abc import Hashable, Iterator
from itertools import count
from typing import Final, Generic, TypeVar

SLACK: Final = 64
"""Outdated entries that are tolerated before the heap is rebuilt."""

Key = TypeVar("Key", bound=Hashable)


class DelayedKeys(Generic[Key]):
    """Moments are seconds of one monotonic clock."""

    __slots__ = ("_due", "_heap", "_numbers")

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._numbers = count()

    def __len__(self) -> int:
        """How many keys wait."""
        return len(self._due)

    @property
    def room(self) -> int:
        """Entries that are held, outdated ones included."""
        return len(self._heap)

    def put(self, key: Key, due: float) -> None:
        """Let the key come up at `due`, unless it comes up earlier anyway."""
        if due >= self._due.get(key, float("inf")):
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._numbers), key))
        self._tidy()

    def drop(self, key: Key) -> None:
        """Whatever the key waits for, it waits no more."""
        self._due.pop(key, None)
        self._tidy()

    def next_due(self) -> float | None:
        """When the next key comes up, None when none waits."""
        while self._heap and self._outdated(self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Iterator[Key]:
        """Take out every key whose moment has come, the earliest first."""
        while (due := self.next_due()) is not None and due <= now:
            key = heapq.heappop(self._heap)[-1]
            del self._due[key]
            yield key

    def _outdated(self, entry: tuple[float, int, Key]) -> bool:
        return self._due.get(entry[-1]) != entry[0]

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._due) + SLACK:
            self._heap = [entry for entry in self._heap if not self._outdated(entry)]
            heapq.heapify(self._heap)
