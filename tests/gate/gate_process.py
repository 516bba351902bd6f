"""Several clients of one shared gate in a process of their own: run with a JSON object of what `main` takes, prints its grants as JSON.

A grant is printed with the server's own time of leaving, so that the logs of several processes can be put together.
"""

import asyncio
import json
import random
import sys
from typing import Any

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import Granted, Priority
from kabobagool.gate.limits import Limits
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_url import connect


async def client(gate: RedisGate, market: str, until_s: float, grants: list[Any], rng: random.Random) -> None:
    """Asks again as soon as what it was granted has left."""
    clock = SystemClock()
    while clock.monotonic() < until_s:
        cost, priority = rng.choice(((2, Priority.NEW_PAIR), (1, Priority.HEDGE)))
        answer = await gate.acquire(market=market, cost=cost, notional=0, priority=priority, max_wait_s=1.0)
        if isinstance(answer, Granted):
            grants.append((answer.ticket + round(answer.wait_s * 1e6) if answer.ticket else 0, cost, int(priority), market))
            await clock.sleep(answer.wait_s)
        else:
            await clock.sleep(min(max(answer.retry_after_s, 0.02), 0.2))


async def main(*, url: str, wallet: str, holder: str, clients: int, seconds: float, skew_ms: int, silence_s: float, **limits: int) -> None:
    """Run them and print what they were granted, and how often the server was asked."""
    clock = SystemClock(origin_ms=skew_ms)
    rng = random.Random(holder)
    gate = RedisGate(
        RedisLink(connect(url, timeout_s=0.5), wallet=wallet, clock=clock, rng=rng),
        limits=Limits(**limits),
        holder=holder,
        clock=clock,
        rng=rng,
        local=LocalBudget(interval_us=3_600_000_000, clock=clock),
        longest_wait_s=silence_s,
        silence_at_start_s=silence_s,
    )
    beating = asyncio.ensure_future(gate.run())
    grants: list[Any] = []
    until_s = SystemClock().monotonic() + seconds
    await asyncio.gather(*(client(gate, f"{holder} {n}", until_s, grants, rng) for n in range(clients)))
    beating.cancel()
    print(json.dumps({"grants": grants, "calls": gate.link.calls}))


if __name__ == "__main__":
    asyncio.run(main(**json.loads(sys.argv[1])))
