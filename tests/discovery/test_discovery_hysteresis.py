"""The roster: nobody leaves in haste, nobody with a position leaves at all, and there are never too many."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kabobagool.discovery.hysteresis import Changes, Roster, Watched
from kabobagool.discovery.reasons import FINAL, Reason

START_MS = 1_795_305_600_123
MINUTE_MS = 60_000
LOW = {"a": Reason.VOLUME_TOO_LOW}


def roster(*joined: str, max_markets: int = 3) -> Roster:
    made = Roster(max_markets=max_markets, retire_after_ms=10 * MINUTE_MS)
    made.observe(joined, {}, now_ms=START_MS)
    return made


def round_at(
    made: Roster,
    minute: float,
    qualifying: Sequence[str] = (),
    rejected: Mapping[str, Reason] | None = None,
    *,
    holding: Sequence[str] = (),
) -> Changes:
    return made.observe(qualifying, rejected or {}, now_ms=START_MS + int(minute * MINUTE_MS), holding=holding)


def test_markets_join_best_first_until_the_roster_is_full() -> None:
    made = Roster(max_markets=2)
    assert made.observe(["c", "a", "b"], {}, now_ms=START_MS) == Changes(joined=("c", "a"), left=())
    assert list(made.watched) == ["c", "a"]


def test_a_market_that_misses_the_criteria_stays_for_a_while_and_then_leaves_with_its_reason() -> None:
    made = roster("a")
    assert round_at(made, 1, rejected=LOW).left == ()
    assert made.watched["a"] == Watched(START_MS, START_MS + MINUTE_MS, Reason.VOLUME_TOO_LOW)
    assert round_at(made, 10.99, rejected=LOW).left == ()
    assert round_at(made, 11, rejected=LOW).left == (("a", Reason.VOLUME_TOO_LOW),)
    assert made.watched == {}


def test_one_good_round_makes_the_while_start_again() -> None:
    made = roster("a")
    round_at(made, 1, rejected=LOW)
    round_at(made, 9, ["a"])
    assert made.watched["a"] == Watched(START_MS)
    assert round_at(made, 12, rejected=LOW).left == ()
    assert round_at(made, 22, rejected=LOW).left == (("a", Reason.VOLUME_TOO_LOW),)


@pytest.mark.parametrize("reason", sorted(FINAL))
def test_a_market_that_is_over_for_good_leaves_at_once(reason: Reason) -> None:
    assert round_at(roster("a"), 1, rejected={"a": reason}).left == (("a", reason),)


@pytest.mark.parametrize("reason", [Reason.CLOSED, Reason.VOLUME_TOO_LOW])
def test_a_market_that_holds_a_position_never_leaves_and_leaves_when_it_no_longer_does(reason: Reason) -> None:
    made = roster("a")
    for minute in (1, 20, 2_000):
        assert round_at(made, minute, rejected={"a": reason}, holding=["a"]).left == ()
    assert round_at(made, 2_001, rejected={"a": reason}).left == (("a", reason),)


def test_a_market_nobody_mentions_has_vanished_from_the_catalogue() -> None:
    made = roster("a")
    round_at(made, 1)
    assert round_at(made, 11).left == (("a", Reason.NOT_LISTED),)


def test_a_market_that_is_only_outranked_keeps_its_place() -> None:
    made = roster("a", max_markets=1)
    for minute in (1, 30, 600):
        assert round_at(made, minute, ["b"], {"a": Reason.OVER_MAX_MARKETS}) == Changes((), ())
    assert list(made.watched) == ["a"]


def test_a_place_that_becomes_free_is_given_away_in_the_same_round() -> None:
    made = roster("a", max_markets=1)
    assert round_at(made, 1, ["b"], {"a": Reason.CLOSED}) == Changes(joined=("b",), left=(("a", Reason.CLOSED),))


def test_adopted_markets_are_watched_even_beyond_the_limit_but_let_nobody_else_in() -> None:
    made = Roster(max_markets=1)
    made.adopt(["x", "y"], now_ms=START_MS)
    assert made.observe(["z", "x"], {}, now_ms=START_MS, holding=["x", "y"]).joined == ()
    assert set(made.watched) == {"x", "y"}


def test_a_clock_that_was_set_back_retires_nobody() -> None:
    made = roster("a")
    round_at(made, 5, rejected=LOW)
    assert round_at(made, -600, rejected=LOW).left == ()


def test_the_roster_cannot_be_changed_from_outside() -> None:
    made = roster("a")
    assert isinstance(made.watched, dict)
    made.watched.clear()
    assert list(made.watched) == ["a"]


names = st.sampled_from("abcdef")
verdicts = st.dictionaries(names, st.sampled_from([None, Reason.CLOSED, Reason.VOLUME_TOO_LOW, Reason.OVER_MAX_MARKETS]))
rounds = st.lists(st.tuples(st.integers(0, 20), verdicts, st.sets(names)), max_size=30)


@settings(deadline=None)
@given(rounds, st.integers(1, 4))
def test_whatever_happens_the_promises_hold(history: list[tuple[int, dict[str, Reason | None], set[str]]], most: int) -> None:
    made = Roster(max_markets=most, retire_after_ms=10 * MINUTE_MS)
    now_ms, last_good = START_MS, dict[str, int]()
    for minutes, said, holding in history:
        before = set(made.watched)
        now_ms += minutes * MINUTE_MS
        good = [market for market, reason in said.items() if reason is None]
        rejected = {market: reason for market, reason in said.items() if reason is not None}
        last_good |= {market: now_ms for market, reason in said.items() if reason in (None, Reason.OVER_MAX_MARKETS)}
        changes = made.observe(good, rejected, now_ms=now_ms, holding=holding)
        left = dict(changes.left)
        assert set(made.watched) == before - set(left) | set(changes.joined)
        assert len(made.watched) <= most
        assert not set(left) & holding
        assert not set(left) & set(good)
        assert all(reason in FINAL or now_ms - last_good[market] >= 10 * MINUTE_MS for market, reason in left.items())
        assert all(market in good for market in changes.joined)
