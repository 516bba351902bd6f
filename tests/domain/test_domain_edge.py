"""Every reason not to trade has a view that triggers exactly it, and a view without a doubt has none."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from tests.support.domain_strategies import NOW_MS, market, micros, mirrored_view, policies, tempting_views, view_of

from kabobagool.domain.book import PairView
from kabobagool.domain.decision import leg_objection
from kabobagool.domain.edge import Policy, Reason, first_objection
from kabobagool.domain.market import Outcome

POLICY = Policy()
YES, NO = Outcome.YES, Outcome.NO
Row = tuple[Reason, Callable[[], PairView]]


def _view() -> PairView:
    return view_of("0.48", "0.45")


def _half_applied() -> PairView:
    view = _view()
    view.frame_open = True
    return view


def _forgotten(outcome: Outcome) -> PairView:
    view = _view()
    view.book(outcome).invalidate()
    return view


def _other_tick() -> PairView:
    view = _view()
    view.tick_is_current = False
    return view


def _resolved() -> PairView:
    view = _view()
    view.resolved = True
    return view


def _aged(yes_ms: int, no_ms: int) -> PairView:
    depth = micros("100")
    return mirrored_view(market(), [(4_800, depth)], [(4_500, depth)], yes_ms=NOW_MS - yes_ms, no_ms=NOW_MS - no_ms)


def _ending(in_ms: int) -> PairView:
    return view_of("0.48", "0.45", traded=market(end_ms=NOW_MS + in_ms))


def _crooked(outcome: Outcome) -> PairView:
    view = _view()
    view.book(outcome).set_bid(view.book(outcome).best_bid + 100, micros("1"))
    return view


OBJECTIONS: list[Row] = [
    (Reason.FRAME_HALF_APPLIED, _half_applied),
    (Reason.NO_SNAPSHOT, lambda: _forgotten(YES)),
    (Reason.NO_SNAPSHOT, lambda: _forgotten(NO)),
    (Reason.TICK_SIZE_CHANGED, _other_tick),
    (Reason.MARKET_RESOLVED, _resolved),
    (Reason.NOT_ACCEPTING_ORDERS, lambda: view_of("0.48", "0.45", traded=market(accepting_orders=False))),
    (Reason.TAKER_DELAY, lambda: view_of("0.48", "0.45", traded=market(taker_delay_ms=50))),
    (Reason.FEE_UNKNOWN, lambda: view_of("0.48", "0.45", traded=market(rate=None))),
    (Reason.MARKET_ENDING, lambda: _ending(59_999)),
    (Reason.MARKET_ENDING, lambda: _ending(-1)),
    (Reason.LEG_TOO_OLD, lambda: _aged(2_001, 2_001)),
    (Reason.LEG_TOO_OLD, lambda: _aged(0, 2_001)),
    (Reason.LEG_TOO_OLD, lambda: _aged(-2_001, -2_001)),
    (Reason.LEG_TOO_OLD, lambda: _aged(-2_001, -1_900)),
    (Reason.TICK_SIZE_CHANGED, lambda: view_of("0.4801", "0.45")),
    (Reason.TICK_SIZE_CHANGED, lambda: view_of("0.48", "0.4501")),
    (Reason.LEGS_APART_IN_TIME, lambda: _aged(0, 251)),
    (Reason.LEGS_APART_IN_TIME, lambda: _aged(251, 0)),
    (Reason.MIRROR_BROKEN, lambda: _crooked(YES)),
    (Reason.MIRROR_BROKEN, lambda: _crooked(NO)),
]


@pytest.mark.parametrize(("reason", "make"), OBJECTIONS, ids=[f"{number}-{row[0]}" for number, row in enumerate(OBJECTIONS)])
def test_each_doubt_is_named_by_its_own_reason(reason: Reason, make: Callable[[], PairView]) -> None:
    assert first_objection(make(), POLICY, NOW_MS) is reason


@pytest.mark.parametrize(
    "make",
    [
        _view,
        lambda: _aged(2_000, 2_000),
        lambda: _aged(-2_000, -2_000),
        lambda: _aged(0, 250),
        lambda: _aged(250, 0),
        lambda: _ending(60_000),
        lambda: view_of("0.60", "0.55"),
    ],
    ids=[
        "fresh",
        "as old as allowed",
        "ahead as far as allowed",
        "as far apart as allowed",
        "the other way round",
        "ends no sooner than allowed",
        "no edge at all",
    ],
)
def test_a_view_at_the_edge_of_what_is_allowed_is_believed(make: Callable[[], PairView]) -> None:
    assert first_objection(make(), POLICY, NOW_MS) is None


def test_a_side_without_offers_mirrors_a_side_without_bids() -> None:
    view = mirrored_view(market(), [], [(4_500, micros("100"))])
    assert first_objection(view, POLICY, NOW_MS) is None


def test_a_mirror_that_is_one_finest_tick_off_is_broken() -> None:
    view = _view()
    view.yes.set_bid(view.yes.best_bid + 1, 1)
    assert first_objection(view, POLICY, NOW_MS) is Reason.MIRROR_BROKEN


def test_each_limit_of_time_is_the_policy_s_own() -> None:
    strict = msgspec.structs.replace(POLICY, max_leg_age_ms=100, max_leg_skew_ms=10, end_margin_ms=600_000)
    assert first_objection(_aged(101, 101), strict, NOW_MS) is Reason.LEG_TOO_OLD
    assert first_objection(_aged(0, 11), strict, NOW_MS) is Reason.LEGS_APART_IN_TIME
    assert first_objection(_ending(599_999), strict, NOW_MS) is Reason.MARKET_ENDING


LEG_OBJECTIONS: list[Row] = [
    (Reason.FRAME_HALF_APPLIED, _half_applied),
    (Reason.NO_SNAPSHOT, lambda: _forgotten(NO)),
    (Reason.TICK_SIZE_CHANGED, _other_tick),
    (Reason.NOT_ACCEPTING_ORDERS, lambda: view_of("0.48", "0.45", traded=market(accepting_orders=False))),
    (Reason.LEG_TOO_OLD, lambda: _aged(0, 2_001)),
    (Reason.LEG_TOO_OLD, lambda: _aged(0, -2_001)),
    (Reason.TICK_SIZE_CHANGED, lambda: view_of("0.48", "0.4501")),
]


@pytest.mark.parametrize(("reason", "make"), LEG_OBJECTIONS, ids=[f"{number}-{row[0]}" for number, row in enumerate(LEG_OBJECTIONS)])
def test_each_doubt_about_one_leg_is_named_by_its_own_reason(reason: Reason, make: Callable[[], PairView]) -> None:
    assert leg_objection(make(), NO, POLICY, NOW_MS) is reason


def test_a_resolved_market_takes_no_order_for_a_single_leg_either() -> None:
    assert leg_objection(_resolved(), NO, POLICY, NOW_MS) in {Reason.MARKET_RESOLVED, Reason.NOT_ACCEPTING_ORDERS}


@pytest.mark.parametrize(
    "make",
    [_view, lambda: _forgotten(YES), lambda: _aged(9_000, 0), lambda: _crooked(YES), lambda: _ending(-1)],
    ids=["fresh", "other side unknown", "other side old", "mirror broken", "ending"],
)
def test_a_leg_is_judged_by_its_own_book_alone(make: Callable[[], PairView]) -> None:
    assert leg_objection(make(), NO, POLICY, NOW_MS) is None


@given(tempting_views(), policies())
def test_a_view_without_objection_gives_both_legs_no_objection(view: PairView, policy: Policy) -> None:
    if first_objection(view, policy, NOW_MS) is None:
        assert [leg_objection(view, outcome, policy, NOW_MS) for outcome in Outcome] == [None, None]


@given(tempting_views(), policies())
def test_time_alone_makes_every_view_too_old(view: PairView, policy: Policy) -> None:
    later = NOW_MS + policy.max_leg_age_ms + 1
    assert first_objection(view, policy, later) is not None
    assert all(leg_objection(view, outcome, policy, later) is not None for outcome in Outcome)
