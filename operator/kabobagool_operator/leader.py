"""Which of the operator's replicas works: the one that holds a Lease, for as long as it can be sure of it.

`main.py` calls `acquire` before it watches anything, runs `keep` beside the work and ends the process on `lost`; `release` hands over at
once when the operator is stopped. Every write asks `fence` first, so a process that was frozen for a minute writes nothing when it
wakes up, even before it has heard of the new leader.

No two hosts' clocks are compared. A standby measures with its own how long the record has not changed; the leader counts from before
its last renewal was sent, and gives up well before a standby may take over.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final, NamedTuple

import msgspec

from kabobagool.clock import Clock
from kabobagool_operator.cluster_errors import ClusterError, Conflict, NotFound, NotLeading
from kabobagool_operator.lease import LeaseRecord, LeaseStore

log = logging.getLogger(__name__)

JITTER: Final = 0.2
LEAST_SLEEP_S: Final = 0.001


class Timings(NamedTuple):
    """Seconds: how long a silent leader is respected, after what it gives up by itself, and between two tries, give or take a fifth."""

    lease_s: int = 15
    renew_deadline_s: float = 10.0
    retry_s: float = 2.0


USUAL: Final = Timings()


class Elector:
    """One candidate. `identity` must be unique to this process: a restarted Pod is another candidate.

    ValueError for timings with which a leader would give up too late, or after its first failed try.
    """

    def __init__(self, store: LeaseStore, *, identity: str, clock: Clock, rng: random.Random, timings: Timings = USUAL) -> None:
        if not timings.lease_s > timings.renew_deadline_s > 2 * timings.retry_s > 0:
            raise ValueError(f"{timings}: lease_s must be above renew_deadline_s, and that above twice retry_s")
        self.identity = identity
        self.lost = asyncio.Event()
        self._store = store
        self._clock = clock
        self._rng = rng
        self._timings = timings
        self._record: LeaseRecord | None = None
        self._changed_s = 0.0
        self._confirmed_s: float | None = None
        self._answered_s: float | None = None
        self._said = ""

    @property
    def leading(self) -> bool:
        """Whether this process leads now, and may be sure of it."""
        age_s = self.lease_age_s
        return age_s is not None and age_s < self._timings.renew_deadline_s and not self.lost.is_set()

    @property
    def lease_age_s(self) -> float | None:
        """Seconds since the last renewal that worked was sent; None when this process was not elected."""
        return None if self._confirmed_s is None else self._clock.monotonic() - self._confirmed_s

    @property
    def contact_age_s(self) -> float | None:
        """Seconds since the store last answered anything of use; None when it never did."""
        return None if self._answered_s is None else self._clock.monotonic() - self._answered_s

    def fence(self) -> int:
        """The number of this leadership, larger than those of all before. NotLeading when this process is not sure to lead."""
        if not self.leading or self._record is None:
            raise NotLeading(f"{self.identity} does not hold the Lease: nothing is written")
        return self._record.transitions

    async def acquire(self) -> None:
        """Wait until this process leads. The store may fail for as long as it likes."""
        while not (await self._worked(self._try_to_take()) and self.leading):
            await self._pause()
        log.info("elected", extra={"identity": self.identity, "transitions": self.fence()})

    async def keep(self) -> None:
        """Renew until the leadership is lost, and say so with `lost`; to be cancelled before `release`."""
        parts = [asyncio.create_task(self._renew_until_taken()), asyncio.create_task(self._wait_until_overdue())]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            self.lost.set()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        holder = "" if self._record is None else self._record.holder
        unforeseen = next((part.exception() for part in done if part.exception() is not None), None)
        log.error("leadership lost", extra={"identity": self.identity, "holder": holder}, exc_info=unforeseen)

    async def release(self) -> None:
        """Give the leadership up, so that the next one need not wait until it expires. Writes are over from here on."""
        if not self.leading or self._record is None:
            return
        self._confirmed_s = None
        await self._worked(self._give_up(self._record))

    async def _try_to_take(self) -> bool:
        began_s = self._clock.monotonic()
        found = self._observed(await self._store.read())
        if self._respected(found):
            return False
        try:
            self._confirm(await self._store.write(self._as_leader(found)), began_s)
        except Conflict:
            return False
        return True

    def _respected(self, found: LeaseRecord | None) -> bool:
        """Whether somebody leads. One that was seen is respected to its end even when its record was deleted."""
        known = found or self._record
        if known is None or known.holder in ("", self.identity):
            return False
        return self._clock.monotonic() - self._changed_s < max(known.duration_s, self._timings.lease_s)

    def _as_leader(self, found: LeaseRecord | None) -> LeaseRecord:
        now_ms = self._clock.now_ms()
        before = found or self._record
        return LeaseRecord(
            holder=self.identity,
            transitions=0 if before is None else before.transitions + (before.holder != self.identity),
            duration_s=self._timings.lease_s,
            acquired_ms=now_ms,
            renewed_ms=now_ms,
            version="" if found is None else found.version,
        )

    async def _renew_until_taken(self) -> None:
        while True:
            await self._pause()
            await self._worked(self._renew())
            if self._record is not None and self._record.holder != self.identity:
                return

    async def _renew(self) -> bool:
        began_s = self._clock.monotonic()
        if self._record is None:
            return False
        try:
            self._confirm(await self._store.write(msgspec.structs.replace(self._record, renewed_ms=self._clock.now_ms())), began_s)
        except (Conflict, NotFound):
            await self._look_again(self._record)
        return True

    async def _look_again(self, ours: LeaseRecord) -> None:
        """Find out why our version is gone: a renewal whose answer was lost, somebody's edit, another leader, or the Lease was deleted."""
        found = await self._store.read()
        self._record = msgspec.structs.replace(ours, version="") if found is None else found

    async def _wait_until_overdue(self) -> None:
        while self.leading:
            left_s = self._timings.renew_deadline_s - (self.lease_age_s or 0.0)
            await self._clock.sleep(max(left_s, LEAST_SLEEP_S))

    async def _give_up(self, ours: LeaseRecord) -> bool:
        nobody = msgspec.structs.replace(ours, holder="", duration_s=1, renewed_ms=self._clock.now_ms())
        try:
            await self._store.write(nobody)
        except Conflict:
            found = await self._store.read()
            if found is not None and found.holder == self.identity:
                await self._store.write(msgspec.structs.replace(nobody, version=found.version))
        return True

    def _observed(self, found: LeaseRecord | None) -> LeaseRecord | None:
        if found is not None:
            if self._record is None or found != msgspec.structs.replace(self._record, version=found.version):
                self._changed_s = self._clock.monotonic()
            self._record = found
        return found

    def _confirm(self, written: LeaseRecord, began_s: float) -> None:
        self._record = written
        self._changed_s = self._confirmed_s = began_s

    async def _worked(self, attempt: Coroutine[Any, Any, bool]) -> bool:
        """Whether it worked. Trouble with the store is said once for as long as it stays the same; the deadline decides what it means."""
        try:
            done = await attempt
        except ClusterError as e:
            if str(e) != self._said:
                log.warning("the Lease is out of reach", extra={"identity": self.identity, "error": str(e)})
            self._said = str(e)
            return False
        self._said = ""
        self._answered_s = self._clock.monotonic()
        return done

    async def _pause(self) -> None:
        await self._clock.sleep(self._timings.retry_s * self._rng.uniform(1 - JITTER, 1 + JITTER))
