"""What the work queue's tests share: a queue in virtual time, and a record of who was looked at when and by how many at once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.workqueue import WorkQueue


@dataclass
class Noted:
    """A `QueueObserver` that remembers what it was told."""

    added_times: int = 0
    waits_s: list[float] = field(default_factory=list)
    results: list[float | None] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    worked_s: list[float] = field(default_factory=list)

    def added(self) -> None:
        self.added_times += 1

    def started(self, *, waited_s: float) -> None:
        self.waits_s.append(waited_s)

    def finished(self, *, worked_s: float, requeue_after_s: float | None) -> None:
        self.worked_s.append(worked_s)
        self.results.append(requeue_after_s)

    def failed(self, *, worked_s: float, error: Exception) -> None:
        self.worked_s.append(worked_s)
        self.errors.append(str(error))


class Desk:
    """A queue, and workers that take `takes_s` seconds for a key and fail as often as `failures` says."""

    def __init__(self, *, seed: int = 1) -> None:
        self.clock = VirtualClock()
        self.noted = Noted()
        self.queue: WorkQueue[str] = WorkQueue(clock=self.clock, rng=random.Random(seed), observer=self.noted)
        self.takes_s = 0.0
        self.errors: dict[str, list[Exception]] = {}
        self.requeues: dict[str, list[float | None]] = {}
        self.looks: list[tuple[float, str]] = []
        self.ended: list[str] = []
        self.inside: Counter[str] = Counter()
        self.most_inside = 0
        self.began_s = self.clock.monotonic()

    @property
    def now(self) -> float:
        return round(self.clock.monotonic() - self.began_s, 6)

    def looks_at(self, key: str) -> list[float]:
        """When the key was looked at, in seconds since the desk was opened."""
        return [at for at, looked in self.looks if looked == key]

    async def look(self, key: str) -> float | None:
        assert not self.inside[key], f"two workers at once on {key}"
        self.inside[key] += 1
        self.most_inside = max(self.most_inside, self.inside.total())
        self.looks.append((self.now, key))
        try:
            await self.clock.sleep(self.takes_s)
            if self.errors.get(key):
                raise self.errors[key].pop(0)
            self.ended.append(key)
            requeues = self.requeues.get(key)
            return requeues.pop(0) if requeues else None
        finally:
            self.inside[key] -= 1

    @asynccontextmanager
    async def open(self, workers: int = 2) -> AsyncIterator["asyncio.Task[None]"]:
        """Work on the queue, and stop in the end."""
        running = asyncio.create_task(self.queue.run(workers, self.look))
        await self.clock.settle()
        yield running
        self.queue.stop()
        await self.clock.advance(self.takes_s)
        await running
