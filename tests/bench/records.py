"""What stands between a decision and the wire: the gate's answer, and the intent of a pair on the disk.

The journal's reference is the disk itself, one small write and its fsync in the same folder; the gate's is awaiting a coroutine that
returns at once.
"""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from kabobagool.clock import SystemClock
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Filled, OrderOutcome
from kabobagool.execution.journal import Journal, JournalledIntent, JournalledOrder
from kabobagool.gate.interface import Granted, Priority
from kabobagool.gate.memory import MemoryGate
from tests.bench.measure import MICROSECONDS, MILLISECONDS, AsyncBatch, Benchmark, Figure, compare_async, figure
from tests.bench.worlds import CONDITION, NO, YES

GROUP = "gate and journal"
PAGE = b"\x5a" * 4_096
BATCH = 10
FILLED: OrderOutcome = Filled(shares=50 * MICRO, dollars=24 * MICRO, fee=400_000)


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, lambda: asyncio.run(_gate())), Benchmark(GROUP, lambda: asyncio.run(_journal(scratch)))]


async def _gate() -> Sequence[Figure]:
    gate = MemoryGate(clock=SystemClock(), interval_us=0)

    async def acquire() -> None:
        answer = await gate.acquire(market=CONDITION, cost=2, notional=47 * MICRO, priority=Priority.NEW_PAIR, max_wait_s=0.25)
        assert isinstance(answer, Granted)

    async def nothing() -> None:
        return None

    found = await compare_async({"gate": _repeated(acquire, 2_000), "empty": _repeated(nothing, 2_000)}, rounds=21)
    return [figure(GROUP, "gate asked for a pair", found["gate"], "us", "awaiting nothing", found["empty"], scale=MICROSECONDS)]


async def _journal(scratch: Path) -> Sequence[Figure]:
    journal = await Journal.open(scratch / "journal.sqlite", clock=SystemClock())
    await journal.claim(CONDITION)
    numbers = count()
    marked = count()
    file = os.open(scratch / "page", os.O_RDWR | os.O_CREAT, 0o600)
    loop = asyncio.get_running_loop()

    def write_page() -> None:
        os.pwrite(file, PAGE, 0)
        os.fsync(file)

    async def record() -> None:
        await journal.record(_pair(next(numbers)))

    async def mark() -> None:
        await journal.mark(_hash(next(marked), Outcome.YES), FILLED)

    async def sync() -> None:
        await loop.run_in_executor(None, write_page)

    work = {"record": _repeated(record, BATCH), "mark": _repeated(mark, BATCH), "sync": _repeated(sync, BATCH)}
    try:
        await work["record"]()  # in some rounds the marking comes first, and there must be something to mark
        found = await compare_async(work, rounds=13)
    finally:
        await journal.close()
        os.close(file)
    named = {"record": "intent of a pair recorded", "mark": "outcome of a leg recorded"}
    reference = "write and fsync of 4 KiB, in a thread"
    return [figure(GROUP, text, found[key], "ms", reference, found["sync"], scale=MILLISECONDS) for key, text in named.items()]


def _repeated(work: Callable[[], Coroutine[Any, Any, None]], number: int) -> AsyncBatch:
    async def batch() -> float:
        started = time.perf_counter()
        for _ in range(number):
            await work()
        return (time.perf_counter() - started) / number

    return batch


def _hash(number: int, outcome: Outcome) -> str:
    return f"0x{number:063x}{int(outcome)}"


def _pair(number: int) -> JournalledIntent:
    return JournalledIntent(
        intent_id=f"intent-{number}",
        market=CONDITION,
        purpose=Purpose.PAIR,
        pair_cost=930_000,
        created_ms=number,
        orders=(_leg(number, Outcome.YES, YES, 4_500), _leg(number, Outcome.NO, NO, 4_800)),
    )


def _leg(number: int, outcome: Outcome, token: str, price: int) -> JournalledOrder:
    return JournalledOrder(
        order_hash=_hash(number, outcome),
        token=token,
        outcome=outcome,
        side=Side.BUY,
        price=price,
        shares=50 * MICRO,
        dollars=50 * price * 100,
    )
