"""What the gate's tests share: the gates under test, a clock for one caller, and how an answer is compared whoever did the waiting."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from tests.gate.redis_rig import fair_valkey_gate, quiet, redis_gate, valkey_gate
from tests.gate.redis_servers import REDIS
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import Clock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Answer, Granted, LeasedGate, OrderGate, Priority, Refused
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.memory import MemoryGate

SECOND = MICROSECONDS
DOLLAR = 1_000_000
MANY = 400
"""Passes of the event loop in which a hundred askers can be served one after the other."""
MakeGate = Callable[..., LeasedGate]


class ManualClock:
    """A clock that stands still until it is told to move or slept on; counts whole microseconds so that no rounding hides a slot."""

    def __init__(self) -> None:
        self.now_us = 5_000_000

    def now_ms(self) -> int:
        return self.now_us // 1000

    def monotonic(self) -> float:
        return self.now_us / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        await quiet(self)
        self.now_us += round(seconds * MICROSECONDS)


def memory_gate(clock: Clock, **settings: Any) -> MemoryGate:
    """A gate that reserves, one order a second unless told otherwise."""
    return MemoryGate(clock=clock, **{"interval_us": SECOND, **settings})


def fair_gate(clock: Clock, **settings: Any) -> FairGate:
    """The queue before such a gate."""
    return FairGate(memory_gate(clock, **settings), clock=clock)


on_redis = pytest.param(redis_gate, marks=pytest.mark.skipif(REDIS is None, reason="no redis-server on PATH: apt-get install redis-server"))
every_gate = pytest.mark.parametrize("make_gate", [memory_gate, fair_gate, valkey_gate, fair_valkey_gate, on_redis])
"""A test that every order gate must pass."""


async def ask(
    gate: OrderGate, *, cost: int = 1, market: str = "m", notional: int = 0, priority: Priority = Priority.HEDGE, max_wait_s: float = 0.0
) -> Answer:
    """One question."""
    return await gate.acquire(market=market, cost=cost, notional=notional, priority=priority, max_wait_s=max_wait_s)


class Caller:
    """One engine's way with a gate: ask, and when granted let the rest of the wait pass. Times are seconds since it was made."""

    def __init__(self, gate: OrderGate, clock: Clock) -> None:
        self.gate = gate
        self.clock = clock
        self._began = clock.monotonic()

    @property
    def now(self) -> float:
        return round(self.clock.monotonic() - self._began, 6)

    async def leaves(self, **question: Any) -> float | Refused:
        """When the orders left, or why they did not."""
        answer = await ask(self.gate, **question)
        if isinstance(answer, Refused):
            return answer
        await self.clock.sleep(answer.wait_s)
        return self.now


@dataclass(frozen=True)
class Departure:
    """Orders of one answer that left together."""

    at_us: int
    cost: int
    market: str = "m"
    priority: Priority = Priority.HEDGE


def no_window_overflows(left: list[Departure], interval_us: int | Fraction, burst: int) -> None:
    """In no span of time did more orders leave than the burst and the rate over that span."""
    gone, least_us = 0, math.inf
    for departure in sorted(left, key=lambda departure: departure.at_us):
        # How far the orders run ahead of the rate: at the end of a window at most the burst more than at its beginning.
        least_us = min(least_us, gone * interval_us - departure.at_us)
        gone += departure.cost
        # One microsecond of rounding on either side of the window is the clock's, not the gate's.
        assert gone * interval_us - departure.at_us <= least_us + burst * interval_us + 2


def turns(number: int) -> Callable[[], Awaitable[None]]:
    """So many passes of the event loop."""

    async def turn() -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    return turn


class Crowd:
    """Many askers before one queue in virtual time, and the record of what they were granted."""

    def __init__(self, gate: FairGate, clock: VirtualClock) -> None:
        self.gate = gate
        self.clock = clock
        self.left: list[Departure] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def asks(self, market: str, *, cost: int = 1, priority: Priority = Priority.NEW_PAIR, **question: Any) -> "asyncio.Task[Answer]":
        """Start one question; its departure is recorded when it is granted."""
        return self._start(self._asked(market, cost, priority, {"max_wait_s": 1_000.0, **question}))

    async def line_up(self, *markets: str, priority: Priority = Priority.NEW_PAIR) -> None:
        """One after the other gets in line for one order."""
        for market in markets:
            self.asks(market, priority=priority)
            await self.clock.settle()

    def always_asks(self, market: str, *, cost: int = 1, pause_s: float = 0.0, **question: Any) -> None:
        """An engine that wants something again as soon as it was answered, `pause_s` after a refusal."""
        self._start(self._forever(market, cost, pause_s, {"max_wait_s": 1_000.0, **question}))

    def granted(self) -> list[str]:
        """The markets in the order in which they were served."""
        return [departure.market for departure in self.left]

    async def go_home(self) -> None:
        """Cancel whoever still asks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _start(self, asking: Any) -> "asyncio.Task[Any]":
        task = asyncio.get_running_loop().create_task(asking)
        self.tasks.append(task)
        return task

    async def _asked(self, market: str, cost: int, priority: Priority, question: dict[str, Any]) -> Answer:
        answer = await ask(self.gate, market=market, cost=cost, priority=priority, **question)
        if isinstance(answer, Granted):
            self.left.append(Departure(self.clock.now_us + round(answer.wait_s * SECOND), cost, market, priority))
        return answer

    async def _forever(self, market: str, cost: int, pause_s: float, question: dict[str, Any]) -> None:
        while True:
            answer = await self._asked(market, cost, question.get("priority", Priority.NEW_PAIR), _without_priority(question))
            if isinstance(answer, Refused):
                await self.clock.sleep(max(answer.retry_after_s, pause_s))


def _without_priority(question: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in question.items() if name != "priority"}
