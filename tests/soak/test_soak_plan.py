"""The troubles of a soak: every kind again and again, one at a time, the same for the same seed."""

import itertools
from collections import Counter

import pytest

from paper_exchange.faults import Fault, FaultKind
from tests.soak.plan import LEFT_OUT, STANDSTILL, TROUBLES, plan

HOUR_S = 3_600.0


def test_every_failure_of_the_exchange_is_in_it_but_those_that_nobody_recovers_from():
    assert set(TROUBLES) == (set(FaultKind) - LEFT_OUT) | {STANDSTILL}


@pytest.mark.parametrize("seed", range(20))
def test_an_hour_has_each_trouble_many_times_and_never_two_at_once(seed):
    troubles = plan(seed, HOUR_S)
    times = Counter(trouble.name for trouble in troubles)
    assert times.keys() == TROUBLES.keys()
    assert min(times.values()) >= 6
    for earlier, later in itertools.pairwise(troubles):
        assert later.begin_s >= earlier.end_s + 10, "time to recover, and to see it"


@pytest.mark.parametrize("seconds", [20.0, 180.0, 900.0, HOUR_S])
@pytest.mark.parametrize("seed", range(5))
def test_a_run_of_any_length_ends_with_quiet(seed, seconds):
    last_s = seconds - min(60.0, seconds / 10)
    troubles = plan(seed, seconds)
    assert len(troubles) >= 8
    assert all(0 < trouble.begin_s < trouble.end_s <= last_s for trouble in troubles)


def test_the_exchange_understands_every_fault_of_it():
    for trouble in plan(1, HOUR_S):
        for fault in trouble.faults:
            armed = Fault.from_dict(fault)
            assert armed.count is not None or armed.for_ms is not None
            assert armed.for_ms is None or armed.for_ms <= (trouble.end_s - trouble.begin_s) * 1000 + 1
        assert bool(trouble.faults) == (trouble.name != STANDSTILL)


def test_the_same_seed_is_the_same_hour():
    assert plan(5, HOUR_S) == plan(5, HOUR_S)
    assert plan(5, HOUR_S) != plan(6, HOUR_S)
