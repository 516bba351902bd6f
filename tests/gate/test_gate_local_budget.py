"""What processes send on their own was taken off the shared rate before: the sum over all of them holds."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gate.gate_rig import SECOND, Departure, ManualClock, no_window_overflows

from kabobagool.gate.breaker import FAILURES, PAUSE_S, Breaker
from kabobagool.gate.interface import Granted, Refused
from kabobagool.gate.limits import Limits
from kabobagool.gate.local_budget import LocalBudget, split


@given(
    interval_us=st.integers(1, 2 * SECOND),
    share=st.fractions(Fraction(1, 100), Fraction(99, 100), max_denominator=100),
    processes=st.integers(1, 200),
)
def test_the_shared_rate_and_all_local_ones_together_are_never_more_than_the_wallets(
    interval_us: int, share: Fraction, processes: int
) -> None:
    shared, local_interval_us = split(Limits(interval_us=interval_us), share=share, processes=processes)
    assert Fraction(1, shared.interval_us) + Fraction(processes, local_interval_us) <= Fraction(1, interval_us)


@given(st.lists(st.tuples(st.integers(0, 3 * SECOND), st.integers(1, 2)), max_size=50), st.integers(1, SECOND))
def test_a_process_alone_never_sends_more_than_its_share(asked: list[tuple[int, int]], interval_us: int) -> None:
    clock = ManualClock()
    budget = LocalBudget(interval_us=interval_us, clock=clock)
    left = []
    for idle_us, cost in asked:
        clock.now_us += idle_us
        answer = budget.acquire(cost=cost, max_wait_s=1.0)
        if isinstance(answer, Granted):
            left.append(Departure(clock.now_us + round(answer.wait_s * SECOND), cost))
    no_window_overflows(left, interval_us, 2)


def test_a_refusal_of_the_local_budget_consumes_nothing_and_says_when_to_ask_again() -> None:
    clock = ManualClock()
    budget = LocalBudget(interval_us=10 * SECOND, clock=clock)
    assert isinstance(budget.acquire(cost=1, max_wait_s=0.0), Granted)
    for _ in range(3):
        refused = budget.acquire(cost=1, max_wait_s=4.0)
        assert isinstance(refused, Refused)
        assert refused.retry_after_s == 6.0


@pytest.mark.parametrize(
    ("share", "processes", "named"), [(Fraction(0), 1, "share=0"), (Fraction(1), 1, "share=1"), (Fraction(1, 2), 0, "processes=0")]
)
def test_a_split_that_makes_no_sense_is_named(share: Fraction, processes: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        split(Limits(), share=share, processes=processes)


def a_breaker(seed: int = 1) -> tuple[Breaker, ManualClock]:
    clock = ManualClock()
    return Breaker(clock=clock, rng=random.Random(seed)), clock


def test_a_server_that_fails_now_and_then_is_still_asked() -> None:
    breaker, _ = a_breaker()
    for _ in range(10):
        for _ in range(FAILURES - 1):
            breaker.failed()
        assert breaker.lets_through()
        breaker.worked()


async def test_a_server_that_is_gone_is_tried_by_one_caller_at_a_time() -> None:
    breaker, clock = a_breaker()
    for _ in range(FAILURES):
        breaker.failed()
    assert not any(breaker.lets_through() for _ in range(50))
    for _ in range(5):
        await clock.sleep(1.5 * PAUSE_S)
        assert [breaker.lets_through() for _ in range(50)].count(True) == 1
        breaker.failed()
    breaker.worked()
    assert all(breaker.lets_through() for _ in range(50))


def test_bots_do_not_come_back_in_the_same_moment() -> None:
    moments = set()
    for seed in range(50):
        breaker, clock = a_breaker(seed)
        for _ in range(FAILURES):
            breaker.failed()
        while not breaker.lets_through():
            clock.now_us += 1_000
        moments.add(clock.now_us)
    assert len(moments) > 40
    assert max(moments) - min(moments) > PAUSE_S * SECOND / 2
