"""Patience grows with every failure, never past its bound, and a fill forgives everything."""

from hypothesis import given
from hypothesis import strategies as st

from kabobagool.engine.cooldown import Cooldown

BASES = st.floats(0, 5, allow_nan=False)
BACKOFFS = st.floats(1, 10, allow_nan=False)
NOWS = st.lists(st.floats(0, 1e6, allow_nan=False), min_size=1, max_size=50).map(sorted)


def test_it_doubles_up_to_its_bound() -> None:
    cooldown = Cooldown(base_s=0.5, max_s=6, backoff=2)
    assert [cooldown.fail(0.0) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 6.0, 6.0]


def test_it_is_over_when_its_time_has_passed() -> None:
    cooldown = Cooldown(base_s=0.5, max_s=6, backoff=2)
    assert cooldown.remaining(100.0) == 0
    cooldown.fail(100.0)
    assert [cooldown.remaining(now) for now in (100.0, 100.25, 100.5, 200.0)] == [0.5, 0.25, 0, 0]


def test_a_fill_ends_it_and_the_next_failure_starts_from_the_base() -> None:
    cooldown = Cooldown(base_s=0.5, max_s=6, backoff=2)
    for _ in range(5):
        cooldown.fail(0.0)
    cooldown.reset()
    assert cooldown.remaining(0.0) == 0
    assert cooldown.fail(0.0) == 0.5


def test_a_refusal_that_asks_for_a_minute_gets_it_whatever_the_bound() -> None:
    cooldown = Cooldown(base_s=0.5, max_s=6, backoff=2)
    assert cooldown.fail(10.0, at_least_s=60.0) == 60.0
    assert cooldown.fail(11.0) == 1.0
    assert cooldown.remaining(11.0) == 59.0, "a shorter pause never ends a longer one"


@given(BASES, st.floats(5, 100), BACKOFFS, NOWS)
def test_waits_never_shrink_and_never_pass_the_bound(base_s: float, max_s: float, backoff: float, nows: list[float]) -> None:
    cooldown = Cooldown(base_s=base_s, max_s=max_s, backoff=backoff)
    waits = [cooldown.fail(now) for now in nows]
    assert waits == sorted(waits)
    assert all(base_s <= wait <= max_s for wait in waits)
    assert cooldown.remaining(nows[-1] + max_s + 1) == 0


@given(BASES, BACKOFFS, NOWS, st.lists(st.floats(0, 90), min_size=50, max_size=50))
def test_the_end_never_moves_closer_but_by_a_fill(base_s: float, backoff: float, nows: list[float], asked: list[float]) -> None:
    cooldown, end = Cooldown(base_s=base_s, max_s=30, backoff=backoff), 0.0
    for now, at_least_s in zip(nows, asked, strict=False):
        wait = cooldown.fail(now, at_least_s=at_least_s)
        assert wait >= at_least_s
        assert now + cooldown.remaining(now) >= end - 1e-6
        end = now + cooldown.remaining(now)
    cooldown.reset()
    assert cooldown.remaining(nows[-1]) == 0
