"""Random crowds before the queue, in virtual time: whatever they ask, give up, cancel or give back, no slot is lost or given out twice."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.gate_rig import Crowd, Departure, ask, fair_gate, no_window_overflows, turns
from tests.support.virtual_clock import VirtualClock

from kabobagool.gate.interface import Answer, Granted, Priority, Refused

PASSES = 60
PRIORITIES = st.sampled_from(list(Priority))


@dataclass(frozen=True)
class Arrival:
    """Somebody asks after a while, and perhaps stops waiting some passes of the event loop after a later moment."""

    after_ms: int
    market: int
    cost: int
    priority: Priority
    patience_ms: int
    stops_after_ms: int | None
    stops_after_passes: int


arrivals = st.lists(
    st.builds(
        Arrival,
        after_ms=st.just(0) | st.integers(0, 1_500),
        market=st.integers(0, 5),
        cost=st.integers(1, 2),
        priority=PRIORITIES,
        patience_ms=st.integers(0, 6_000),
        stops_after_ms=st.none() | st.sampled_from([0, 250, 500, 1_000]),
        stops_after_passes=st.integers(0, 6),
    ),
    min_size=1,
    max_size=25,
)


@dataclass
class Asked:
    """One question of the run: when it was asked, how it ended and when."""

    arrival: Arrival
    at_us: int
    ended_us: int = -1
    answer: Answer | None = None


class Scene:
    """Plays arrivals against a gate and records every end."""

    def __init__(self, **own: object) -> None:
        self.clock = VirtualClock(settle=turns(PASSES))
        self.gate = fair_gate(self.clock, **own)
        self.asked: list[Asked] = []
        self.tasks: list[asyncio.Task[None]] = []

    async def play(self, steps: list[Arrival]) -> None:
        """All of it, until the last one's patience is over."""
        for step in steps:
            await self.clock.advance(step.after_ms / 1000)
            self.start(step)
            await self.clock.settle()
        await self.clock.advance(10)
        assert all(task.done() for task in self.tasks)
        assert self.gate.waiting == 0
        assert self.clock.sleeping == 0

    def left(self) -> list[Departure]:
        """What was granted, in order."""
        served = [asked for asked in self.asked if isinstance(asked.answer, Granted)]
        served.sort(key=lambda asked: asked.ended_us)
        return [Departure(asked.ended_us, asked.arrival.cost, str(asked.arrival.market), asked.arrival.priority) for asked in served]

    def start(self, step: Arrival) -> None:
        """Let one arrival happen in its own task."""
        self._start(self._ask(step))

    def _start(self, asking: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(asking)
        self.tasks.append(task)
        return task

    async def _ask(self, step: Arrival) -> None:
        asked = Asked(step, self.clock.now_us)
        self.asked.append(asked)
        asking = self._start(self._answer(asked))
        if step.stops_after_ms is not None:
            await self.clock.sleep(step.stops_after_ms / 1000)
            await turns(step.stops_after_passes)()
            asking.cancel()

    async def _answer(self, asked: Asked) -> None:
        step = asked.arrival
        try:
            asked.answer = await ask(
                self.gate, market=str(step.market), cost=step.cost, priority=step.priority, max_wait_s=step.patience_ms / 1000
            )
        finally:
            asked.ended_us = self.clock.now_us


@settings(deadline=None, max_examples=60)
@given(
    steps=arrivals,
    interval_ms=st.integers(0, 2_000),
    burst=st.integers(1, 4),
    reserve=st.fractions(0, Fraction(9, 10), max_denominator=10),
)
async def test_no_window_overflows_nobody_waits_too_long_and_no_priority_is_inverted(
    steps: list[Arrival], interval_ms: int, burst: int, reserve: Fraction
) -> None:
    scene = Scene(interval_us=interval_ms * 1000, burst=burst, reserve_fraction=reserve)
    await scene.play(steps)
    no_window_overflows(scene.left(), interval_ms * 1000, max(burst, 2))
    pairs = [departure for departure in scene.left() if departure.priority is Priority.NEW_PAIR]
    no_window_overflows(pairs, interval_ms * 1000 / (1 - reserve), max(burst, 2))
    for asked in scene.asked:
        assert asked.ended_us - asked.at_us <= asked.arrival.patience_ms * 1000 + 1
        if isinstance(asked.answer, Granted):
            assert asked.answer.wait_s == 0.0
            assert not [other for other in scene.asked if overtaken(other, asked)]


def overtaken(other: Asked, served: Asked) -> bool:
    """Whether somebody more urgent stood in line before, and still after, the other one was served."""
    more_urgent = other.arrival.priority < served.arrival.priority
    return more_urgent and other.at_us < served.ended_us < other.ended_us


@settings(deadline=None, max_examples=60)
@given(steps=arrivals, interval_ms=st.integers(1, 2_000), burst=st.integers(1, 4))
async def test_only_what_was_granted_consumed_anything(steps: list[Arrival], interval_ms: int, burst: int) -> None:
    own = {"interval_us": interval_ms * 1000, "burst": burst}
    scene = Scene(**own)
    await scene.play(steps)
    replay = Scene(**own)
    for departure in scene.left():
        replay.clock.now_us = departure.at_us
        assert await ask(replay.gate, cost=departure.cost, priority=departure.priority) == Granted(0.0)
    scene.clock.now_us = replay.clock.now_us = max(scene.clock.now_us, replay.clock.now_us)
    for _ in range(2 * burst + 2):
        assert await ask(scene.gate) == await ask(replay.gate)


@settings(deadline=None, max_examples=60)
@given(steps=arrivals, interval_ms=st.integers(100, 1_000), regulars=st.integers(1, 4))
async def test_while_somebody_waits_every_slot_is_used_in_its_moment_whoever_stops(
    steps: list[Arrival], interval_ms: int, regulars: int
) -> None:
    single_orders = [Arrival(**{**vars(step), "cost": 1}) for step in steps]
    scene = Scene(interval_us=interval_ms * 1000)
    crowd = Crowd(scene.gate, scene.clock)
    for n in range(regulars):
        crowd.always_asks(f"regular {n}")
    await scene.clock.settle()
    for step in single_orders:
        await scene.clock.advance(step.after_ms / 1000)
        scene.start(step)
        await scene.clock.settle()
    await scene.clock.advance(10)
    moments = sorted(departure.at_us for departure in [*crowd.left, *scene.left()])
    assert {later - earlier for earlier, later in pairwise(moments)} == {interval_ms * 1000}
    await crowd.go_home()
    assert scene.gate.waiting == 0


@settings(deadline=None, max_examples=30)
@given(
    engines=st.integers(2, 50),
    cost=st.integers(1, 2),
    interval_ms=st.integers(10, 2_000),
    burst=st.integers(1, 5),
    reserve=st.fractions(0, Fraction(1, 2), max_denominator=10),
    hedge_moments=st.lists(st.integers(1, 3_000), max_size=10),
)
async def test_shares_stay_within_one_of_each_other_whatever_the_rate_and_whoever_hedges(
    engines: int, cost: int, interval_ms: int, burst: int, reserve: Fraction, hedge_moments: list[int]
) -> None:
    clock = VirtualClock(settle=turns(6 * engines + PASSES))
    crowd = Crowd(fair_gate(clock, interval_us=interval_ms * 1000, burst=burst, reserve_fraction=reserve), clock)
    names = [f"market {n}" for n in range(engines)]
    for name in names:
        crowd.always_asks(name, cost=cost, max_wait_s=100_000.0)
    for after_ms in hedge_moments:
        await clock.advance(after_ms / 1000)
        crowd.asks(names[0], priority=Priority.HEDGE)
    await clock.advance((2.5 * engines * cost + len(hedge_moments) + 2) * interval_ms / 1000)
    served = Counter(dict.fromkeys(names, 0))
    for departure in crowd.left:
        served[departure.market] += departure.priority is Priority.NEW_PAIR
        assert max(served.values()) - min(served.values()) <= 1
    assert sum(departure.priority is Priority.HEDGE for departure in crowd.left) == len(hedge_moments)
    await crowd.go_home()


@settings(deadline=None, max_examples=60)
@given(steps=arrivals, given_back=st.sets(st.integers(0, 24)), interval_ms=st.integers(1, 2_000), burst=st.integers(1, 4))
async def test_orders_that_did_not_leave_never_let_more_leave_than_the_rate(
    steps: list[Arrival], given_back: set[int], interval_ms: int, burst: int
) -> None:
    clock = VirtualClock(settle=turns(PASSES))
    gate = fair_gate(clock, interval_us=interval_ms * 1000, burst=burst, tokens_at_start=burst)
    left: list[Departure] = []

    async def engine(number: int, step: Arrival) -> None:
        question = {"market": str(step.market), "cost": step.cost, "notional": 7, "priority": step.priority}
        answer = await gate.acquire(**question, max_wait_s=step.patience_ms / 1000)  # type: ignore[arg-type]
        if isinstance(answer, Refused):
            return
        at_us = clock.now_us
        if number in given_back:
            await clock.sleep((step.stops_after_ms or 0) / 1000)
            gate.give_back(answer, **question)  # type: ignore[arg-type]
        else:
            left.append(Departure(at_us, step.cost))

    tasks = []
    for number, step in enumerate(steps):
        await clock.advance(step.after_ms / 1000)
        tasks.append(asyncio.get_running_loop().create_task(engine(number, step)))
        await clock.settle()
    await clock.advance(10)
    await asyncio.gather(*tasks)
    no_window_overflows(left, interval_ms * 1000, max(burst, 2))
