"""Who waits for a slot, ordered twice: by turn and by patience.

Both orders are heaps whose gone entries are dropped when they come up, so that entering, leaving and finding the first cost O(log n)
with a thousand markets. Holds no rule: `fair_queue.py` decides what the turn is and what happens to whom.
"""

import asyncio
import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from kabobagool.domain.money import Micros
from kabobagool.gate.interface import IntentNote, Priority, Refused
from kabobagool.gate.standing import Place

SLACK: Final = 64
"""Gone entries that are tolerated in a heap before it is rebuilt."""

Turn = asyncio.Future[Refused | None]
"""Ends with None when it is the waiter's turn to ask, with a refusal when waiting is over."""


@dataclass(slots=True, eq=False, kw_only=True)
class Waiter:
    """One request in the line, at the place its market has among those of the same priority; times are microseconds.

    `turn` is there while it is parked; without one its task is running and will look for itself.
    """

    market: str
    cost: int
    notional: Micros
    priority: Priority
    place: Place
    since_us: int
    patience_us: int
    intent: IntentNote | None = None
    turn: Turn | None = None
    inside: bool = True

    @property
    def deadline_us(self) -> int:
        """The last moment at which being served still helps."""
        return self.since_us + self.patience_us

    @property
    def parked(self) -> bool:
        """Whether nothing happens to it before somebody ends its turn."""
        return self.turn is not None and not self.turn.done()

    def end_turn(self, refused: Refused | None) -> None:
        """Let its task go on: to ask, or with a refusal. Only for a parked one."""
        if self.turn is not None:
            self.turn.set_result(refused)


Entry = tuple[int, Place, int, Waiter]
"""What orders first, the place, a number that tells equal ones apart, and who it is."""


class WaitingLine:
    """The requests that wait. Every waiter enters once and is removed once, further removals do nothing."""

    __slots__ = ("_by_deadline", "_by_turn", "_inside", "_numbers")

    def __init__(self) -> None:
        self._by_turn: list[Entry] = []
        self._by_deadline: list[Entry] = []
        self._inside = 0
        self._numbers = count()

    def __len__(self) -> int:
        """How many wait."""
        return self._inside

    def __iter__(self) -> Iterator[Waiter]:
        """All that wait, in no order; a copy, so that they may leave meanwhile."""
        return iter([entry[-1] for entry in self._by_turn if entry[-1].inside])

    @property
    def room(self) -> int:
        """Entries that are held, gone ones included."""
        return len(self._by_turn) + len(self._by_deadline)

    def enter(self, waiter: Waiter) -> None:
        """Join the line: unwinds before hedges before new pairs, then the market that was served least, then who came first."""
        number = next(self._numbers)
        heapq.heappush(self._by_turn, (waiter.priority, waiter.place, number, waiter))
        heapq.heappush(self._by_deadline, (waiter.deadline_us, waiter.place, number, waiter))
        self._inside += 1

    def remove(self, waiter: Waiter) -> None:
        """Leave the line, wherever in it."""
        if waiter.inside:
            waiter.inside = False
            self._inside -= 1
            self._by_turn = _tidy(self._by_turn, self._inside)
            self._by_deadline = _tidy(self._by_deadline, self._inside)

    def first(self) -> Waiter | None:
        """Whose turn it is."""
        return _first(self._by_turn)

    def next_deadline_us(self) -> int | None:
        """The deadline of the least patient, None when nobody has one left."""
        waiter = _first(self._by_deadline)
        return None if waiter is None else waiter.deadline_us

    def out_of_patience(self, now_us: int) -> Iterator[Waiter]:
        """Every waiter whose deadline is over, each of them once in its life."""
        while (waiter := _first(self._by_deadline)) is not None and waiter.deadline_us < now_us:
            heapq.heappop(self._by_deadline)
            yield waiter


def _first(heap: list[Entry]) -> Waiter | None:
    while heap and not heap[0][-1].inside:
        heapq.heappop(heap)
    return heap[0][-1] if heap else None


def _tidy(heap: list[Entry], inside: int) -> list[Entry]:
    if len(heap) <= 2 * inside + SLACK:
        return heap
    kept = [entry for entry in heap if entry[-1].inside]
    heapq.heapify(kept)
    return kept
