"""Watches a shared gate for the metrics: every round trip is timed, and every few seconds the budget and the halts are read.

`gate_choice.py` opens the link here and runs `watch` beside the heartbeat.
"""

import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from redis.asyncio import Redis

from kabobagool.clock import Clock
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.script_line import Unheard
from kabobagool.trading.gate_numbers import GateNumbers
from kabobagool.trading.gate_report import read_budget

Result = TypeVar("Result")
LOOK_EVERY_S: Final = 5.0


class TimedLink(RedisLink):
    """A link that tells how long each call took."""

    def __init__(self, client: Redis, *, wallet: str, clock: Clock, rng: random.Random, numbers: GateNumbers) -> None:
        super().__init__(client, wallet=wallet, clock=clock, rng=rng)
        self._stopwatch = clock
        self._numbers = numbers

    async def call(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """As any link calls. One that is not made, because the server counts as gone, is no round trip."""
        with self._timed():
            return await super().call(work)

    async def run(self, *scripts: str, keys: Sequence[str], args: Sequence[str | bytes], unheard: Unheard | None = None) -> list[Any]:
        """As any link asks scripts."""
        with self._timed():
            return await super().run(*scripts, keys=keys, args=args, unheard=unheard)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        calls, began_s = self.calls, self._stopwatch.monotonic()
        try:
            yield
        finally:
            if self.calls > calls:
                self._numbers.round_trip(self._stopwatch.monotonic() - began_s)


async def watch(gate: RedisGate, numbers: GateNumbers, clock: Clock) -> None:
    """Keep the numbers true until cancelled."""
    while True:
        await look(gate, numbers)
        await clock.sleep(LOOK_EVERY_S)


async def look(gate: RedisGate, numbers: GateNumbers) -> None:
    """Read them once; what cannot be read is not known."""
    try:
        budget = await read_budget(gate.link, gate.limits)
        numbers.tokens_left, numbers.halts, numbers.reachable = budget.tokens_left, len(await gate.halts()), not gate.link.broken
        numbers.stakes = budget
    except GateUnreachableError:
        numbers.tokens_left, numbers.halts, numbers.reachable, numbers.stakes = None, None, False, None
