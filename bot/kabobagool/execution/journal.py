"""The journal of intents: what is about to be sent, on disk before the first byte of it leaves.

A process can die between any two lines. What it had signed is found here by the next one, which asks the venue what became of each
order by its hash before it opens anything. A journal that cannot be written stops new pairs; it is never replaced by an empty one
behind the user's back.

Called by the engine before and after every order and by whoever starts a market. All work happens on one thread of its own (see
`journal_store.py` for the SQL), so that a slow disk never holds up the event loop.
"""

import asyncio
import fcntl
import os
import re
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self, TypeVar

from kabobagool.clock import Clock
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.execution.journal_store import RETENTION_MS, JournalError, JournalledIntent, JournalledOrder, JournalStore
from kabobagool.gate.interface import IntentNote, KeptHalts

__all__ = ["Journal", "JournalError", "JournalledIntent", "JournalledOrder", "set_aside"]

PRUNE_EVERY_MS = 60 * 60 * 1000

Result = TypeVar("Result")


class OrderJournal(Protocol):
    """What an engine asks of its journal: to write before it sends, and to note what became of it."""

    def note(self, intent: JournalledIntent) -> IntentNote | None:
        """What the gate is to write down when it grants this intent; None for a journal that is kept nowhere else."""
        ...

    def withdraw(self, intent: JournalledIntent) -> None:
        """No order of this intent left or ever will: what the gate wrote of it is closed. Nothing happens where it wrote nothing."""
        ...

    async def record(self, intent: JournalledIntent) -> None:
        """Write an intent with all its orders before the first of them is sent. JournalError when that was not possible."""
        ...

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write what became of an order."""
        ...


class Journal:
    """Intents of one wallet on one file. Several processes may share the file, but each market has one writer: see `claim`.

    Every method raises JournalError, naming file, cause and remedy, when the disk or the file does not do what it should.
    """

    def __init__(self, store: JournalStore, worker: ThreadPoolExecutor, clock: Clock) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._claims: dict[str, int] = {}
        self._pruned_ms = 0

    @classmethod
    async def open(cls, path: Path, *, clock: Clock) -> Self:
        """Open the journal or create it where there is none. JournalError for a damaged, foreign, newer or unwritable file."""
        worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        try:
            store = await asyncio.get_running_loop().run_in_executor(worker, JournalStore, path)
        except BaseException:
            worker.shutdown(wait=False)
            raise
        journal = cls(store, worker, clock)
        await journal.prune()
        return journal

    async def claim(self, market: str) -> None:
        """Become the only writer of a market until `release`, `close` or death. JournalError when another one is alive."""
        if market not in self._claims:
            await self._run(lambda: self._take(market))

    def _take(self, market: str) -> None:
        # Noted down where the lock is taken: whoever is cancelled while he waits must not leave one behind that nobody knows of.
        self._claims[market] = _lock(self._store.path, market)

    async def release(self, market: str) -> None:
        """Let another process have the market."""
        descriptor = self._claims.pop(market, None)
        if descriptor is not None:
            os.close(descriptor)

    def note(self, intent: JournalledIntent) -> IntentNote | None:
        """Nothing: this disk is the only place."""
        return None

    def withdraw(self, intent: JournalledIntent) -> None:
        """Nothing: what this disk has was recorded here, and is marked."""

    async def record(self, intent: JournalledIntent) -> None:
        """Write an intent with all its orders, durably, before the first of them is sent. JournalError when the market is not claimed."""
        if intent.market not in self._claims:
            raise JournalError(f"{self._store.path}: market {intent.market} is not claimed by this process; claim it before trading it")
        if self._clock.now_ms() - self._pruned_ms >= PRUNE_EVERY_MS:
            await self.prune()
        await self._run(lambda: self._store.insert(intent))

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write what became of an order. Delayed and Unknown leave it open; nothing opens a resolved one again.

        JournalError for an order that was never recorded.
        """
        now_ms = self._clock.now_ms()
        await self._run(lambda: self._store.update(order_hash, outcome, now_ms))

    async def open_orders(self, market: str) -> list[JournalledOrder]:
        """The market's orders whose end is not known, oldest first."""
        return await self._run(lambda: self._store.open_orders(market))

    async def intents(self, market: str, since_ms: int) -> list[JournalledIntent]:
        """The market's intents created at `since_ms` or later, oldest first."""
        return await self._run(lambda: self._store.intents(market, since_ms))

    async def markets(self) -> list[str]:
        """Condition ids of every market that is in the journal, the latest traded first."""
        return await self._run(self._store.markets)

    async def kept_halts(self) -> KeptHalts:
        """The halts that were in force when a process last kept them here."""
        return await self._run(self._store.halts)

    async def keep_halts(self, kept: KeptHalts) -> None:
        """Keep what is halted, durably, in place of what was kept before."""
        await self._run(lambda: self._store.keep_halts(kept))

    async def prune(self) -> None:
        """Forget intents older than 72 hours all of whose orders are resolved."""
        self._pruned_ms = self._clock.now_ms()
        await self._run(lambda: self._store.delete_resolved_before(self._pruned_ms - RETENTION_MS))

    async def close(self) -> None:
        """Let go of the file and of every market."""
        await self._run(self._store.close)
        for market in list(self._claims):
            await self.release(market)
        self._worker.shutdown(wait=False)

    async def _run(self, work: Callable[[], Result]) -> Result:
        try:
            # Shielded: a cancelled caller must not learn less about a write than the disk does.
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._worker, work))
        except sqlite3.Error as e:
            raise JournalError(f"{self._store.path}: {e}; no new pair is opened until the journal can be written") from e
        except RuntimeError as e:
            raise JournalError(f"{self._store.path}: the journal is closed") from e


def set_aside(path: Path, *, now_ms: int) -> Path:
    """Move a damaged journal (and its write-ahead log) out of the way and say where to: a deliberate act, never done on opening."""
    aside = path.with_name(f"{path.name}.damaged-{now_ms}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside


def _lock(path: Path, market: str) -> int:
    lock_path = path.with_name(f"{path.name}.{re.sub(r'[^0-9A-Za-z_-]', '_', market)}.lock")
    try:
        descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as e:
        raise JournalError(f"{lock_path}: {e.strerror}; the folder of the journal must be writable") from e
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        os.close(descriptor)
        raise JournalError(f"{lock_path}: another process trades market {market}; stop it first, or give this one its own market") from e
    return descriptor
