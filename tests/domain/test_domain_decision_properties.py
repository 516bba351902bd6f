"""Whatever the books, the position and the policy: no intent is too dear, too large, refused or made from a doubtful view."""

from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

from hypothesis import HealthCheck, assume, given, settings
from msgspec.structs import replace
from tests.support.domain_strategies import (
    NOW_MS,
    fee_by_decimal,
    fill_or_kill_buy,
    lopsided_positions,
    policies,
    positions,
    tempting_views,
    venue_objections,
)

from kabobagool.domain.book import PairView
from kabobagool.domain.decision import decide, leg_objection
from kabobagool.domain.edge import Policy, Reason, first_objection
from kabobagool.domain.intent import Intent, OrderPlan, Purpose, Reject
from kabobagool.domain.market import NO_FEE, Side
from kabobagool.domain.position import Position

seldom = settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
"""Only some situations make the intent a test is about; the others are skipped, not counted."""
paired, sequential = policies(paired=True), policies(paired=False)
views = tempting_views()
quick_to_hedge = policies().map(lambda policy: replace(policy, forced_hedge_above=5_000_000, orphan_loss_cap=200_000_000))


def _intent(view: PairView, position: Position, policy: Policy, *purposes: Purpose) -> Intent:
    answer = decide(view, position, policy, NOW_MS)
    assume(isinstance(answer, Intent) and answer.purpose in purposes)
    assert isinstance(answer, Intent)
    return answer


def _cost_with_fees(view: PairView, order: OrderPlan) -> Decimal:
    return Decimal(order.dollars) / 10**6 + fee_by_decimal(view.market.fee or NO_FEE, order.price, order.shares)


@seldom
@given(views, positions(), policies())
def test_the_venue_takes_every_order_of_every_intent(view: PairView, position: Position, policy: Policy) -> None:
    answer = decide(view, position, policy, NOW_MS)
    if isinstance(answer, Intent):
        for order in answer.orders:
            assert order.side is Side.BUY
            assert venue_objections(order, view.market.tick_size, view.market.min_order_shares) == []
            assert fill_or_kill_buy(order, view.book(order.outcome).asks.items()) is not None


@given(tempting_views(doubtful=True) | views, positions(), policies())
def test_no_doubtful_view_makes_an_intent(view: PairView, position: Position, policy: Policy) -> None:
    answer = decide(view, position, policy, NOW_MS)
    match answer:
        case Intent(purpose=Purpose.HEDGE):
            assert leg_objection(view, position.heavy.other, policy, NOW_MS) is None
        case Intent():
            assert first_objection(view, policy, NOW_MS) is None
        case Reject():
            assert answer.reason in set(Reason)


@seldom
@given(views, positions(), paired)
def test_a_pair_never_costs_more_than_its_limit_with_every_fee(view: PairView, position: Position, policy: Policy) -> None:
    intent = _intent(view, position, policy, Purpose.PAIR)
    assert {order.shares for order in intent.orders} == {intent.orders[0].shares}
    assert len({order.outcome for order in intent.orders}) == 2
    dollars = sum((Decimal(order.dollars) / 10**6 for order in intent.orders), Decimal(0))
    margin = (dollars * policy.taker_fee_bps / 10_000).quantize(Decimal("0.000001"), rounding=ROUND_CEILING)
    worst = sum((_cost_with_fees(view, order) for order in intent.orders), Decimal(0)) + margin
    pairs = Decimal(intent.orders[0].shares) / 10**6
    assert worst <= pairs * policy.pair_limit_micros / 10**6
    assert worst < pairs, "a pair pays one dollar"


@seldom
@given(views, positions(), policies())
def test_an_entry_stays_within_batch_depth_and_cap(view: PairView, position: Position, policy: Policy) -> None:
    intent = _intent(view, position, policy, Purpose.PAIR, Purpose.LEG)
    for order in intent.orders:
        book = view.book(order.outcome)
        assert order.price == book.best_ask
        assert order.shares <= min(policy.batch_shares, book.asks[book.best_ask])
    spent = Decimal(position.spent) / 10**6 + sum((_cost_with_fees(view, order) for order in intent.orders), Decimal(0))
    assert spent <= Decimal(policy.max_position) / 10**6


@seldom
@given(views, positions(), sequential)
def test_a_single_leg_never_leans_further_than_the_tolerance(view: PairView, position: Position, policy: Policy) -> None:
    intent = _intent(view, position, policy, Purpose.LEG)
    assert len(intent.orders) == 1
    order = intent.orders[0]
    shares = {outcome: position.leg(outcome).shares for outcome in (order.outcome, order.outcome.other)}
    leaning = shares[order.outcome] + order.shares - shares[order.outcome.other]
    assert leaning <= max(policy.hedge_tolerance, 0)


@seldom
@given(views, positions(), sequential)
def test_the_average_pair_after_a_leg_is_within_the_limit(view: PairView, position: Position, policy: Policy) -> None:
    intent = _intent(view, position, policy, Purpose.LEG)
    order, fee = intent.orders[0], view.market.fee or NO_FEE
    leg, other, book = position.leg(order.outcome), position.leg(order.outcome.other), view.book(order.outcome.other)
    paid = Fraction(leg.cost + leg.fees, 10**6) + Fraction(_cost_with_fees(view, order))
    average = paid / Fraction(leg.bought + order.shares, 10**6)
    other_average = (
        Fraction(other.cost + other.fees, other.bought)
        if other.bought
        else Fraction(book.best_ask, 10_000) + Fraction(fee_by_decimal(fee, book.best_ask, 10**6))
    )
    cost = (average + other_average) * (1 + Fraction(policy.taker_fee_bps, 10_000))
    assert cost <= Fraction(policy.pair_limit_micros, 10**6)


@seldom
@given(views, lopsided_positions(), quick_to_hedge)
def test_a_forced_hedge_loses_no_more_than_the_cap_at_its_limit(view: PairView, position: Position, policy: Policy) -> None:
    intent = _intent(view, position, policy, Purpose.HEDGE)
    order, heavy = intent.orders[0], position.leg(position.heavy)
    assert order.outcome is position.heavy.other
    assert order.shares <= abs(position.imbalance)
    paired_off = Fraction(order.shares, 10**6)
    loss = Fraction(heavy.cost, heavy.bought) * paired_off + Fraction(_cost_with_fees(view, order)) - paired_off
    assert loss <= Fraction(policy.orphan_loss_cap, 10**6)


@given(views, positions(), policies())
def test_above_the_forced_threshold_only_a_hedge_leaves(view: PairView, position: Position, policy: Policy) -> None:
    answer = decide(view, position, policy, NOW_MS)
    if isinstance(answer, Intent):
        assert (answer.purpose is Purpose.HEDGE) is (abs(position.imbalance) > policy.forced_hedge_above)


@given(views, positions(), policies())
def test_the_same_question_gets_the_same_answer_and_changes_nothing(view: PairView, position: Position, policy: Policy) -> None:
    levels = [(book.ask_levels(), book.bid_levels()) for book in (view.yes, view.no)]
    assert decide(view, position, policy, NOW_MS) == decide(view, position, policy, NOW_MS)
    assert levels == [(book.ask_levels(), book.bid_levels()) for book in (view.yes, view.no)]
