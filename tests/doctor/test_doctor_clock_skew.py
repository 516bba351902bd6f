"""Telling half a second from a whole one, with answers that only say seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.doctor.clock_skew import Sample, offset_ms

NOW_MS = 1_795_305_600_000


def look(at_ms: int, *, ahead_ms: int, there_ms: int = 0, back_ms: int = 0) -> Sample:
    """A look that leaves at venue time `at_ms`, with the venue answering `there_ms` later."""
    asked_ms = at_ms + ahead_ms
    return Sample(asked_ms, asked_ms + there_ms + back_ms, (at_ms + there_ms) // 1000 * 1000)


@given(
    ahead_ms=st.integers(-60_000, 60_000),
    start_ms=st.integers(NOW_MS, NOW_MS + 2_000),
    there_ms=st.integers(0, 120),
    back_ms=st.integers(0, 120),
)
def test_five_looks_find_any_offset_to_a_third_of_a_second(ahead_ms: int, start_ms: int, there_ms: int, back_ms: int) -> None:
    looks = [look(start_ms + 230 * n, ahead_ms=ahead_ms, there_ms=there_ms, back_ms=back_ms) for n in range(5)]
    assert abs(offset_ms(looks) - ahead_ms) <= 330


@given(ahead_ms=st.integers(-60_000, 60_000), start_ms=st.integers(NOW_MS, NOW_MS + 2_000), wait_ms=st.integers(0, 10_000))
def test_one_look_is_never_wrong_by_more_than_half_a_second_and_half_the_way(ahead_ms: int, start_ms: int, wait_ms: int) -> None:
    sample = look(start_ms, ahead_ms=ahead_ms, there_ms=wait_ms)
    assert abs(offset_ms([sample]) - ahead_ms) <= 500 + wait_ms // 2 + 1


def test_when_the_clock_was_set_meanwhile_the_last_look_decides() -> None:
    before, after = look(NOW_MS, ahead_ms=50_000), look(NOW_MS + 230, ahead_ms=0)
    assert abs(offset_ms([before, after])) <= 500
    assert abs(offset_ms([after, before]) - 50_000) <= 500


def test_nothing_is_made_up_without_a_look() -> None:
    with pytest.raises(ValueError, match="at least one look"):
        offset_ms([])
