"""Many bots of one wallet, each a process of its own: run with a JSON object of what `main` takes; lives until its standard input ends.

One process imports everything and forks the others, so that fifty of them start within seconds. Every grant is a line of one log: the
moment of leaving in microseconds on the server's clock (on this host's, which is the same, where the server was not asked), the orders,
whether the server granted them, and who was granted. A process that breaks says so there.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
import traceback
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import Granted, Priority
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.local_budget import LocalBudget, split
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_url import connect

LOCAL_SHARE = Fraction(1, 10)
HOUR_MS = 3_600_000
PATIENCE_S = 1.0


class LoggedGrant(NamedTuple):
    """One line of the log."""

    leaves_us: int
    cost: int
    shared: bool
    process: int


def read_log(text: str) -> list[LoggedGrant]:
    """Every grant so far. AssertionError for a process that broke."""
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    broken = [line for line in lines if isinstance(line, str)]
    assert not broken, broken[0]
    return [LoggedGrant(*line) for line in lines]


class BotProcess:
    """One of them: it always wants a pair or a hedge, and asks again as soon as the last one has left. Its clock is wrong by hours."""

    def __init__(self, number: int, *, url: str, wallet: str, log: int, processes: int, silence_s: float, limits: Limits) -> None:
        self._number = number
        self._log = log
        self._rng = random.Random(number)
        self._clock = SystemClock(origin_ms=number * HOUR_MS)
        shared, local_interval_us = split(limits, share=LOCAL_SHARE, processes=processes)
        self._gate = RedisGate(
            RedisLink(connect(url, timeout_s=0.5), wallet=wallet, clock=self._clock, rng=self._rng),
            limits=shared,
            holder=f"process {number}",
            clock=self._clock,
            rng=self._rng,
            local=LocalBudget(interval_us=local_interval_us, clock=self._clock),
            longest_wait_s=silence_s,
            silence_at_start_s=silence_s,
        )

    async def run(self) -> None:
        """Trade until killed."""
        async with asyncio.TaskGroup() as parts:
            parts.create_task(self._gate.run())
            parts.create_task(self._trade())

    async def _trade(self) -> None:
        while True:
            cost, priority = self._rng.choice(((2, Priority.NEW_PAIR), (1, Priority.HEDGE)))
            market = f"market {self._number}"
            answer = await self._gate.acquire(market=market, cost=cost, notional=0, priority=priority, max_wait_s=PATIENCE_S)
            if isinstance(answer, Granted):
                granted_us = answer.ticket or time.time_ns() // 1000  # a ticket is the moment at which the server wrote it
                self._write((granted_us + round(answer.wait_s * MICROSECONDS), cost, answer.ticket > 0, self._number))
                await self._clock.sleep(answer.wait_s)
            else:
                await self._clock.sleep(min(max(answer.retry_after_s, 0.05), 0.5))

    def _write(self, line: object) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")


def live(log: int, bot: BotProcess) -> NoReturn:
    """A forked process, to its end."""
    try:
        asyncio.run(bot.run())
    except BaseException:
        os.write(log, json.dumps(traceback.format_exc()).encode() + b"\n")
    os._exit(1)


def main(*, url: str, wallet: str, log: str, processes: int, silence_s: float, **limits: Any) -> None:
    """Start them all; they end with the standard input."""
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            budget = Limits(**limits)
            live(
                descriptor,
                BotProcess(number, url=url, wallet=wallet, log=descriptor, processes=processes, silence_s=silence_s, limits=budget),
            )
        children.append(child)
    sys.stdin.buffer.read()
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
