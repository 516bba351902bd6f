"""The scripts on a real server answer, order by order, what the gate in memory answers: the one is the plain model of the other.

`GATE_MODEL_STEPS` (default 8,000) is how many questions the long walk asks of each server.
"""

import math
import os
import random
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.gate_rig import DOLLAR, SECOND, Departure, ManualClock, ask, memory_gate, no_window_overflows
from tests.gate.redis_rig import manual_redis_gate, quiet, sibling
from tests.gate.redis_servers import every_server

from kabobagool.gate.interface import Answer, Exposure, Granted, OrderGate, Priority, Refusal, Refused

STEPS = int(os.environ.get("GATE_MODEL_STEPS", "8000"))
MARKETS = ("a", "b", "c")
DAY = 86_400 * SECOND


class Twins:
    """A gate on a server and its model in memory, asked the same at the same moment."""

    def __init__(self, kind: str, **budget: Any) -> None:
        self.clock = ManualClock()
        self.both: tuple[OrderGate, OrderGate] = (manual_redis_gate(kind, self.clock, **budget), memory_gate(self.clock, **budget))
        self.left: list[Departure] = []
        self.refused: set[Refusal] = set()
        self._last: tuple[tuple[Granted, Granted], dict[str, Any]] | None = None

    async def ask(self, **question: Any) -> None:
        served, modelled = [await ask(gate, **question) for gate in self.both]
        assert _said(served) == _said(modelled)
        if isinstance(served, Refused):
            self.refused.add(served.reason)
        if isinstance(served, Granted) and isinstance(modelled, Granted):
            self._last = (served, modelled), question
            self.left.append(Departure(self.clock.now_us + round(served.wait_s * SECOND), question["cost"], priority=question["priority"]))

    async def give_back(self, **_: Any) -> None:
        if self._last is not None:
            answers, question = self._last
            for gate, answer in zip(self.both, answers, strict=True):
                gate.give_back(answer, **{name: value for name, value in question.items() if name != "max_wait_s"})
            self._last = None
            self.left.pop()
            await quiet(self.clock)

    async def expose(self, market: str, notional: int, cost: int, **_: Any) -> None:
        """What is at stake, with half of it in a naked leg or none, and what was made: anything, whatever is at stake."""
        exposure = Exposure(
            at_stake=notional, orphan=notional // 2 if cost == 1 else 0, result=notional * 7919 % (60 * DOLLAR) - 50 * DOLLAR
        )
        for gate in self.both:
            gate.set_exposure(market, exposure)
        await quiet(self.clock)

    async def dawn(self, **_: Any) -> None:
        """The next day begins."""
        self.clock.now_us = (self.clock.now_us // DAY + 1) * DAY

    async def pause(self, max_wait_s: float, **_: Any) -> None:
        for gate in self.both:
            await gate.pause(seconds=max_wait_s, reason="429")

    async def halt(self, market: str, **_: Any) -> None:
        for gate in self.both:
            await gate.halt(scope=market, who="test", why="model")

    async def resume(self, market: str, **_: Any) -> None:
        for gate in self.both:
            await gate.resume(scope=market)

    async def object(self, market: str, notional: int, priority: Priority, **_: Any) -> None:
        served, modelled = [await gate.objection(market=market, notional=notional, priority=priority) for gate in self.both]
        assert _said(served) == _said(modelled)

    async def walk(self, rng: random.Random, steps: int) -> None:
        """Questions far more often than anything else but what became of them, at all paces."""
        rare = (self.give_back, self.dawn, self.pause, self.halt, self.resume, self.resume, self.object)
        for _ in range(steps):
            self.clock.now_us += rng.choice((0, 0, rng.randrange(SECOND // 10), rng.randrange(2 * SECOND)))
            (act,) = rng.choices((self.ask, self.expose, rng.choice(rare)), weights=(14, 3, 3))
            await act(
                market=rng.choice(MARKETS),
                cost=rng.choice((1, 2)),
                notional=rng.randrange(40 * DOLLAR),
                priority=rng.choice(list(Priority)),
                max_wait_s=rng.choice((0.0, 0.0, 0.25, 1.0, 3.0)),
            )


def _said(answer: Answer | None) -> object:
    if not isinstance(answer, Refused):
        return answer and answer.wait_s
    # A server counts microseconds, the model tells the time of day in milliseconds.
    rest = math.ceil(answer.retry_after_s * 1000) if answer.reason is Refusal.DAILY_LOSS else answer.retry_after_s
    return answer.reason, rest


@every_server
@pytest.mark.parametrize("seed", range(4))
async def test_a_long_walk_is_answered_as_the_model_answers_it(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    interval_us, burst = rng.choice((50_000, 333_333, 500_000)), rng.choice((1, 3, 30))
    twins = Twins(
        kind,
        interval_us=interval_us,
        burst=burst,
        reserve_fraction=Fraction(rng.randrange(5), 6),
        exposure_cap_micros=150 * DOLLAR if seed != 1 else None,
        orphan_cap_micros=25 * DOLLAR if seed != 2 else None,
        daily_loss_cap_micros=40 * DOLLAR if seed != 3 else None,
        tokens_at_start=0,
    )
    await twins.walk(rng, STEPS // 4)
    assert len(twins.left) > STEPS // 100
    capped = {Refusal.EXPOSURE: seed != 1, Refusal.ORPHANS: seed != 2, Refusal.DAILY_LOSS: seed != 3}
    assert {reason: reason in twins.refused for reason in capped} == capped
    no_window_overflows(twins.left, interval_us, max(burst, 2))


@every_server
@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1 << 30),
    interval_us=st.integers(0, 2 * SECOND),
    burst=st.integers(1, 5),
    reserve=st.fractions(0, Fraction(9, 10), max_denominator=20),
    cap=st.sampled_from((None, 0, 60 * DOLLAR)),
    orphan_cap=st.sampled_from((None, 0, 20 * DOLLAR)),
    loss_cap=st.sampled_from((None, 0, 20 * DOLLAR)),
    data=st.data(),
)
async def test_any_short_walk_is_answered_as_the_model_answers_it(
    kind: str,
    seed: int,
    interval_us: int,
    burst: int,
    reserve: Fraction,
    cap: int | None,
    orphan_cap: int | None,
    loss_cap: int | None,
    data: st.DataObject,
) -> None:
    twins = Twins(
        kind,
        interval_us=interval_us,
        burst=burst,
        reserve_fraction=reserve,
        exposure_cap_micros=cap,
        orphan_cap_micros=orphan_cap,
        daily_loss_cap_micros=loss_cap,
        tokens_at_start=data.draw(st.integers(0, burst)),
    )
    await twins.walk(random.Random(seed), 40)


@every_server
async def test_a_changed_rate_holds_from_the_next_question_on(kind: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock, interval_us=SECOND)
    assert [await ask(gate, max_wait_s=9) for _ in range(2)] == [Granted(0.0, ticket=5_000_001), Granted(1.0, ticket=5_000_002)]
    gate.limits = type(gate.limits)(interval_us=10 * SECOND, burst=1, reserve_fraction=Fraction(0))
    third = await ask(gate, max_wait_s=99)
    fourth = await ask(gate, max_wait_s=99)
    assert isinstance(third, Granted)
    assert isinstance(fourth, Granted)
    assert (third.wait_s, fourth.wait_s) == (2.0, 12.0)


@every_server
async def test_a_server_clock_that_is_set_back_stops_the_time_and_nobody(kind: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock)
    await ask(gate)
    clock.now_us -= 3 * SECOND
    answer = await ask(gate, max_wait_s=9)
    assert isinstance(answer, Granted)
    assert answer.wait_s == 1.0
    clock.now_us += 2 * SECOND
    assert isinstance(await ask(gate), Granted)


@every_server
async def test_a_server_clock_that_leaps_gives_one_burst_and_no_more(kind: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock, burst=3, tokens_at_start=3)
    granted = [isinstance(await ask(gate), Granted) for _ in range(5)]
    clock.now_us += 3_600 * SECOND
    granted += [isinstance(await ask(gate), Granted) for _ in range(5)]
    clock.now_us -= 3_600 * SECOND
    granted += [isinstance(await ask(gate), Granted) for _ in range(5)]
    assert sum(granted) == 6


@every_server
@pytest.mark.parametrize("scope", ["m", "wallet", "draining:m", "draining:wallet"])
async def test_a_halt_that_one_process_sets_stops_the_next_order_of_another(kind: str, scope: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock, interval_us=0)
    await ask(gate, priority=Priority.NEW_PAIR)
    other = sibling(gate, clock, "other")
    await other.halt(scope=scope, who="me", why="look")
    refused = await ask(gate, priority=Priority.NEW_PAIR)
    assert not isinstance(refused, Granted)
    assert refused.reason is Refusal.HALTED
    assert [halt.scope for halt in await gate.halts()] == [scope]
    await gate.resume(scope=scope)
    assert await other.halts() == ()


@every_server
async def test_a_shorter_pause_of_another_process_does_not_shorten_a_longer_one(kind: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock)
    other = sibling(gate, clock, "other")
    await gate.pause(seconds=10, reason="425")
    await other.pause(seconds=1, reason="429")
    await clock.sleep(2)
    for each in (gate, other):
        refused = await ask(each, market="free")
        assert not isinstance(refused, Granted)
        assert (refused.reason, refused.retry_after_s) == (Refusal.VENUE_PAUSED, 8.0)
