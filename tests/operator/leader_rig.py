"""What the leader election's tests share: a Lease in memory that several candidates reach, each over a line of its own that can break."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

import msgspec
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import Clock
from kabobagool_operator.cluster_errors import Conflict, NotFound, NotLeading, Unavailable
from kabobagool_operator.leader import Elector
from kabobagool_operator.lease import LeaseRecord

Reply = TypeVar("Reply")


class StoredLease:
    """The one record everybody wants to be in; versions grow as those of an API server do."""

    def __init__(self) -> None:
        self.record: LeaseRecord | None = None
        self.writes = 0

    def put(self, record: LeaseRecord) -> LeaseRecord:
        """As the API server: a new one only where there is none, another only over the version that is there."""
        if self.record is None and record.version:
            raise NotFound("the Lease is gone")
        if self.record is not None and record.version != self.record.version:
            raise Conflict("the Lease is another")
        self.writes += 1
        self.record = msgspec.structs.replace(record, version=f"{self.writes}")
        return self.record


class Fault(Enum):
    """What a line does to a request."""

    REFUSED = auto()
    REPLY_LOST = auto()
    SILENT = auto()


@dataclass
class Line:
    """A `LeaseStore` over a network in the test's hand."""

    lease: StoredLease
    fault: Fault | None = None
    reads: int = 0
    on_write: Callable[[], Awaitable[None]] | None = None

    async def read(self) -> LeaseRecord | None:
        self.reads += 1
        await self._pass_request()
        return self._pass_reply(self.lease.record)

    async def write(self, record: LeaseRecord) -> LeaseRecord:
        await self._pass_request()
        if self.on_write is not None:
            await self.on_write()
        return self._pass_reply(self.lease.put(record))

    async def _pass_request(self) -> None:
        if self.fault is Fault.REFUSED:
            raise Unavailable("connection refused")
        if self.fault is Fault.SILENT:
            await asyncio.get_running_loop().create_future()

    def _pass_reply(self, reply: Reply) -> Reply:
        if self.fault is Fault.REPLY_LOST:
            raise Unavailable("no answer within 5 s")
        return reply


class ShiftedClock:
    """Another host's clock: its wall clock and its monotonic one begin elsewhere, and it can stand still as a frozen process does."""

    def __init__(self, clock: VirtualClock, *, wall_ms: int = 0, origin_s: float = 0.0) -> None:
        self._clock = clock
        self._wall_ms = wall_ms
        self._origin_s = origin_s
        self._running = asyncio.Event()
        self._running.set()

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._wall_ms

    def monotonic(self) -> float:
        return self._clock.monotonic() + self._origin_s

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        await self._running.wait()

    def freeze(self) -> None:
        """SIGSTOP: time passes, nothing wakes."""
        self._running.clear()

    def thaw(self) -> None:
        """SIGCONT."""
        self._running.set()


@dataclass
class Candidate:
    """One operator process, as far as the election goes."""

    name: str
    line: Line
    clock: ShiftedClock
    elector: Elector
    led_from_s: list[float] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    @property
    def may_write(self) -> bool:
        try:
            self.elector.fence()
        except NotLeading:
            return False
        return True

    async def live(self) -> None:
        """As `main.py` does."""
        await self.elector.acquire()
        self.led_from_s.append(self.clock.monotonic())
        await self.elector.keep()

    def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.live()))

    async def crash(self) -> None:
        """Gone without a word."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def stop(self) -> None:
        """An orderly end."""
        await self.crash()
        await self.elector.release()


class Stage:
    """Candidates around one Lease in virtual time."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.lease = StoredLease()
        self.candidates: list[Candidate] = []

    def candidate(self, name: str, *, wall_ms: int = 0, origin_s: float = 0.0) -> Candidate:
        """A process that has not started yet."""
        clock = ShiftedClock(self.clock, wall_ms=wall_ms, origin_s=origin_s)
        line = Line(self.lease)
        elector = an_elector(line, name, clock)
        self.candidates.append(Candidate(name, line, clock, elector))
        return self.candidates[-1]

    @property
    def writers(self) -> list[str]:
        """Who may write now."""
        return [candidate.name for candidate in self.candidates if candidate.may_write]

    async def advance(self, seconds: float) -> None:
        """Let time pass, and see at every tenth of a second that at most one may write."""
        for _ in range(round(seconds * 10)):
            await self.clock.advance(0.1)
            assert len(self.writers) <= 1, self.writers

    async def until_somebody_leads(self, *, within_s: float) -> str:
        """Who leads at last."""
        for _ in range(round(within_s * 10)):
            await self.advance(0.1)
            if self.writers:
                return self.writers[0]
        raise AssertionError(f"nobody leads after {within_s} s")

    async def close(self) -> None:
        """Everybody goes home."""
        for candidate in self.candidates:
            candidate.clock.thaw()
            await candidate.crash()


def an_elector(line: Line, name: str, clock: Clock) -> Elector:
    """With the usual timings; jitter of its own."""
    return Elector(line, identity=name, clock=clock, rng=random.Random(name))
