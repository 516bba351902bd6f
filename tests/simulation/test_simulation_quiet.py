"""Quiet hours pull a history apart: nothing is lost, nothing becomes shorter, and what comes after them comes so much later."""

from tests.simulation.generate import random_history
from tests.simulation.quiet import Quiet, with_quiet

HOUR = 3_600_000


def test_what_begins_after_a_quiet_stretch_comes_later_and_takes_as_long() -> None:
    history = random_history(5)
    stretched = with_quiet(history, [Quiet(history.faults_end_ms, HOUR)])
    assert stretched.happenings == history.happenings, "all of them are over by then"
    for before, after in zip(history.markets, stretched.markets, strict=True):
        assert [edge.for_ms for edge in before.edges] == [edge.for_ms for edge in after.edges]
        later = [after.at_ms - before.at_ms for before, after in zip(before.edges, after.edges, strict=True)]
        assert later == [HOUR * (edge.at_ms >= history.faults_end_ms) for edge in before.edges]
    assert (stretched.length_ms - history.length_ms, stretched.faults_end_ms - history.faults_end_ms) == (HOUR, HOUR)


def test_stretches_add_up() -> None:
    history = random_history(5)
    twice = with_quiet(history, [Quiet(0, HOUR), Quiet(1, HOUR)])
    assert twice.length_ms == history.length_ms + 2 * HOUR
    assert {edge.at_ms for market in twice.markets for edge in market.edges} == {
        edge.at_ms + 2 * HOUR for market in history.markets for edge in market.edges
    }


def test_without_a_stretch_nothing_changes() -> None:
    history = random_history(5)
    assert with_quiet(history, []) is history
