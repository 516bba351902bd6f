"""A process of its own that asks the shared gate for orders: started by `gate.py`, which also takes `open_gate` from here.

Run with a JSON object of what `main` takes. It says `{}` when it is connected; every line it then reads makes it do its work once and
answer with one line of JSON. The work is a flood, or asking until somebody halts the wallet.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from fractions import Fraction
from typing import Any

from kabobagool.clock import SystemClock
from kabobagool.domain.money import MICRO
from kabobagool.gate.interface import Answer, Granted, IntentNote, Priority
from kabobagool.gate.limits import Limits
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_url import connect

UNLIMITED = Limits(interval_us=0, burst=1, reserve_fraction=Fraction(0), tokens_at_start=1)
PATIENCE_S = 5.0
MARKETS = 64
NANOSECONDS_IN_MICROSECOND = 1_000
Work = Callable[[], Awaitable[object]]


def open_gate(url: str, holder: str, *, wallet: str, limits: Limits = UNLIMITED) -> RedisGate:
    """A shared gate as a bot has it, but not silent at the start, and waiting longer for an answer of a busy machine."""
    clock, rng = SystemClock(), random.Random(holder)
    link = RedisLink(connect(url, timeout_s=PATIENCE_S), wallet=wallet, clock=clock, rng=rng)
    return RedisGate(link, limits=limits, holder=holder, clock=clock, rng=rng, silence_at_start_s=0.0)


async def a_pair(gate: RedisGate, market: str) -> Answer:
    """The question before a pair leaves."""
    return await gate.acquire(market=market, cost=2, notional=MICRO, priority=Priority.NEW_PAIR, max_wait_s=1.0)


async def a_pair_with_its_intent(gate: RedisGate, market: str, numbers: Iterator[int]) -> Answer:
    """The same, and what is about to be sent is written down with the grant, as bots ask."""
    name = f"{market}-{next(numbers)}"
    note = IntentNote(intent_id=name, created_ms=time.time_ns() // 1_000_000, order_hashes=(f"{name}-yes", f"{name}-no"), text="x" * 600)
    return await gate.acquire(market=market, cost=2, notional=MICRO, priority=Priority.NEW_PAIR, max_wait_s=1.0, intent=note)


async def flood(ask: Work, seconds: float) -> dict[str, float]:
    """Ask as many markets do at once, for that long; how often a second it was answered."""
    began = time.perf_counter()

    async def one_market() -> int:
        count = 0
        while time.perf_counter() < began + seconds:
            await ask()
            count += 1
        return count

    counts = await asyncio.gather(*(one_market() for _ in range(MARKETS)))
    return {"per_second": sum(counts) / (time.perf_counter() - began)}


async def until_halted(gate: RedisGate, market: str) -> dict[str, int]:
    """Ask until refused; when the last grant was given on the server, and when it was here, in microseconds since 1970."""
    last, arrived_us = Granted(0.0), 0
    while isinstance(answer := await a_pair(gate, market), Granted):
        last, arrived_us = answer, time.time_ns() // NANOSECONDS_IN_MICROSECOND
    return {"granted_us": last.ticket, "arrived_us": arrived_us}


async def main(*, url: str, wallet: str, holder: str, work: str, seconds: float = 0.0) -> None:
    """Work whenever a line comes, until there are none."""
    gate = open_gate(url, holder, wallet=wallet)
    works: dict[str, Work] = {
        "acquire": lambda: flood(lambda: a_pair(gate, holder), seconds),
        "ping": lambda: flood(lambda: gate.link.call(gate.link.client.ping), seconds),
        "until halted": lambda: until_halted(gate, holder),
    }
    first = await a_pair(gate, holder)
    assert isinstance(first, Granted), first
    say({})
    while await asyncio.to_thread(sys.stdin.readline):
        say(await works[work]())
    await gate.close()


def say(facts: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
