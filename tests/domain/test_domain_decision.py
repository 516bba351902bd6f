"""The rule, read row by row: what is bought, in which order and how much of it, and every reason to leave it."""

import msgspec
import pytest
from tests.support.domain_strategies import NOW_MS, bought, market, micros, mirrored_view, naked, price, view_of

from kabobagool.domain.book import PairView
from kabobagool.domain.decision import REJECT, decide, forced_hedge, hedge_loss
from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.intent import Intent, Purpose, Reject
from kabobagool.domain.market import FeeSchedule, Market, Outcome, Side
from kabobagool.domain.position import EMPTY, Fill, Position, position_of
from kabobagool.domain.sizing import buy_order

YES, NO = Outcome.YES, Outcome.NO
PAIRED = Policy(pair_limit_micros=980_000, taker_fee_bps=0, batch_shares=micros("100"))
SEQUENTIAL = msgspec.structs.replace(PAIRED, paired=False)


def _decide(view: PairView, position: Position = EMPTY, policy: Policy = PAIRED) -> Intent | Reject:
    return decide(view, position, policy, NOW_MS)


def _intent(view: PairView, position: Position = EMPTY, policy: Policy = PAIRED) -> Intent:
    answer = _decide(view, position, policy)
    assert isinstance(answer, Intent), answer
    return answer


def _filled(position: Position, intent: Intent) -> Position:
    for order in intent.orders:
        assert order.side is Side.BUY
        position = position.plus(Fill(order.outcome, order.side, order.shares, order.dollars, 0))
    return position


# The worked example


def test_the_worked_example_costs_93_and_locks_7() -> None:
    first = _intent(view_of("0.52", "0.45"), policy=SEQUENTIAL)
    assert first == Intent(Purpose.LEG, (buy_order(NO, 4_500, micros("100")),), 970_000)
    holding = _filled(EMPTY, first)
    assert (holding.spent, holding.imbalance) == (micros("45"), -micros("100"))

    second = _intent(view_of("0.48", "0.53"), holding, SEQUENTIAL)
    assert second == Intent(Purpose.LEG, (buy_order(YES, 4_800, micros("100")),), 930_000)
    done = _filled(holding, second)
    assert (done.pairs, done.spent, done.locked_profit) == (micros("100"), micros("93"), micros("7"))


def test_between_its_two_buys_the_worked_example_waits() -> None:
    holding = naked(NO, "100", "0.45")
    assert _decide(view_of("0.54", "0.45"), holding, SEQUENTIAL) == Reject(Reason.IMBALANCE)


def test_the_default_margin_of_one_basis_point_leaves_the_worked_example_alone() -> None:
    policy = msgspec.structs.replace(SEQUENTIAL, taker_fee_bps=1)
    assert _intent(view_of("0.52", "0.45"), policy=policy).pair_cost == 970_097


# Paired entry: both legs now


def test_a_paired_entry_buys_the_same_shares_of_both() -> None:
    intent = _intent(view_of("0.52", "0.45"))
    assert intent.purpose is Purpose.PAIR
    assert {order.outcome: order.shares for order in intent.orders} == {YES: micros("100"), NO: micros("100")}
    assert intent.pair_cost == 970_000


@pytest.mark.parametrize(
    ("yes_depth", "no_depth", "batch", "shares"),
    [
        ("1000", "1000", "100", "100"),
        ("40", "1000", "100", "40"),
        ("1000", "33.7", "100", "33"),
        ("1000", "1000", "50", "50"),
        ("5", "5", "100", "5"),
    ],
    ids=["batch", "depth of yes", "depth of no, whole shares", "smaller batch", "the minimum"],
)
def test_a_pair_is_as_large_as_the_batch_and_both_depths_allow(yes_depth: str, no_depth: str, batch: str, shares: str) -> None:
    policy = msgspec.structs.replace(PAIRED, batch_shares=micros(batch))
    intent = _intent(view_of("0.52", "0.45", yes_depth=yes_depth, no_depth=no_depth), policy=policy)
    assert [order.shares for order in intent.orders] == [micros(shares)] * 2


def test_a_pair_on_a_fine_tick_keeps_to_whole_cents() -> None:
    intent = _intent(view_of("0.521", "0.4345", yes_depth="37", traded=market(tick_size=5)))
    assert [order.shares for order in intent.orders] == [micros("20")] * 2
    assert all(order.dollars % 10_000 == 0 for order in intent.orders)


@pytest.mark.parametrize(
    ("yes_ask", "no_ask", "yes_depth", "no_depth", "first"),
    [
        ("0.52", "0.45", "1000", "1000", NO),
        ("0.45", "0.52", "1000", "1000", YES),
        ("0.47", "0.47", "1000", "1000", YES),
        ("0.52", "0.45", "120", "1000", YES),
        ("0.45", "0.52", "1000", "120", NO),
        ("0.52", "0.45", "120", "120", NO),
        ("0.52", "0.45", "200", "1000", NO),
        ("0.52", "0.45", "60", "61", YES),
    ],
    ids=["cheaper no", "cheaper yes", "tie", "thin yes", "thin no", "equally thin", "twice the order is not thin", "thinner of two thin"],
)
def test_the_thin_leg_goes_first_else_the_cheaper(yes_ask: str, no_ask: str, yes_depth: str, no_depth: str, first: Outcome) -> None:
    intent = _intent(view_of(yes_ask, no_ask, yes_depth=yes_depth, no_depth=no_depth))
    assert [order.outcome for order in intent.orders] == [first, first.other]


def test_a_pair_exactly_at_the_limit_is_bought_and_one_tick_above_is_not() -> None:
    assert _intent(view_of("0.52", "0.46")).pair_cost == 980_000
    assert _decide(view_of("0.52", "0.47")) == Reject(Reason.PAIR_COST_TOO_HIGH)


@pytest.mark.parametrize(
    ("rate", "traded"),
    [("0", True), ("0.01", True), ("0.02", True), ("0.04", False), ("0.05", False), ("0.07", False)],
    ids=lambda v: str(v),
)
def test_the_edge_must_survive_the_market_s_own_fee(rate: str, traded: bool) -> None:
    answer = _decide(view_of("0.48", "0.49", traded=market(rate=rate)))
    assert isinstance(answer, Intent) is traded
    if not traded:
        assert answer == Reject(Reason.FEES_EAT_THE_EDGE)


def test_the_flat_margin_counts_on_top_of_fees() -> None:
    policy = msgspec.structs.replace(PAIRED, taker_fee_bps=200)
    assert _decide(view_of("0.48", "0.49"), policy=policy) == Reject(Reason.FEES_EAT_THE_EDGE)


def test_a_dear_hedge_of_the_past_does_not_forbid_a_pair_that_lowers_the_average() -> None:
    dear = position_of([bought(YES, "90", "0.6"), bought(NO, "90", "0.5")])
    assert isinstance(_decide(view_of("0.52", "0.45"), dear), Intent)


def test_what_a_leg_cost_that_was_sold_again_does_not_close_the_market() -> None:
    sold = Fill(YES, Side.SELL, micros("30"), micros("18.6"), 0)
    position = position_of([bought(YES, "30", "0.72")]).plus(sold)
    assert (position.imbalance, position.pairs) == (0, 0)
    assert isinstance(_decide(view_of("0.40", "0.50"), position), Intent)


REJECTIONS = [
    (Reason.PAIR_COST_TOO_HIGH, view_of("0.55", "0.45"), EMPTY, PAIRED),
    (Reason.TOO_THIN, view_of("0.52", "0.45", no_depth="4.9"), EMPTY, PAIRED),
    (Reason.TOO_THIN, view_of("0.93", "0.03", no_depth="33"), EMPTY, PAIRED),
    (Reason.FEES_EAT_THE_EDGE, view_of("0.49", "0.49", traded=market(rate="0.05")), EMPTY, PAIRED),
    (Reason.POSITION_CAP, view_of("0.52", "0.45"), EMPTY, msgspec.structs.replace(PAIRED, max_position=micros("96.99"))),
    (Reason.AVERAGE_COST_TOO_HIGH, view_of("0.52", "0.45"), position_of([bought(YES, "10", "0.1"), bought(NO, "90", "0.95")]), PAIRED),
    (Reason.IMBALANCE, view_of("0.56", "0.42"), naked(NO, "100", "0.45"), SEQUENTIAL),
    (Reason.PAIR_COST_TOO_HIGH, view_of("0.54", "0.45"), EMPTY, SEQUENTIAL),
    (Reason.TOO_THIN, view_of("0.52", "0.45", no_depth="4.9"), EMPTY, SEQUENTIAL),
    (Reason.POSITION_CAP, view_of("0.52", "0.45"), EMPTY, msgspec.structs.replace(SEQUENTIAL, max_position=micros("44.99"))),
    (Reason.ORPHAN_LOSS_CAP, view_of("0.70", "0.45"), naked(NO, "101", "0.45"), PAIRED),
    (Reason.TOO_THIN, view_of("0.52", "0.45", yes_depth="4.9"), naked(NO, "101", "0.45"), PAIRED),
    (Reason.FEE_UNKNOWN, view_of("0.52", "0.45", traded=market(rate=None)), EMPTY, SEQUENTIAL),
]


@pytest.mark.parametrize(("reason", "view", "position", "policy"), REJECTIONS, ids=[f"{n}-{row[0]}" for n, row in enumerate(REJECTIONS)])
def test_each_reason_to_leave_it_has_a_view(reason: Reason, view: PairView, position: Position, policy: Policy) -> None:
    assert _decide(view, position, policy) == Reject(reason)


def test_every_reason_has_its_ready_made_answer() -> None:
    assert {reason: REJECT[reason].reason for reason in Reason} == {reason: reason.value for reason in Reason}


def test_a_position_may_grow_exactly_to_its_cap() -> None:
    policy = msgspec.structs.replace(PAIRED, max_position=micros("97"))
    assert _filled(EMPTY, _intent(view_of("0.52", "0.45"), policy=policy)).spent == micros("97")


def test_fees_count_towards_the_position_cap() -> None:
    fee = FeeSchedule(10_000)
    view = view_of("0.52", "0.45", traded=market(rate="0.01"))
    cost = micros("97") + fee.rate_micros * 100 * (2_496 + 2_475) // 10_000
    loose, tight = (msgspec.structs.replace(PAIRED, max_position=cap) for cap in (cost, cost - 1))
    assert isinstance(_decide(view, policy=loose), Intent)
    assert _decide(view, policy=tight) == Reject(Reason.POSITION_CAP)


# Sequential entry: one leg may wait


def test_a_sequential_entry_may_grow_the_heavy_side_only_to_the_tolerance() -> None:
    intent = _intent(view_of("0.54", "0.40"), naked(NO, "70", "0.45"), SEQUENTIAL)
    assert [(order.outcome, order.shares) for order in intent.orders] == [(NO, micros("30"))]


def test_the_light_side_is_hedged_before_anything_is_opened() -> None:
    intent = _intent(view_of("0.52", "0.40"), naked(NO, "40", "0.45"), SEQUENTIAL)
    assert [(order.outcome, order.shares) for order in intent.orders] == [(YES, micros("40"))]


def test_an_empty_side_counts_at_its_ask_and_a_held_one_at_its_average() -> None:
    assert _decide(view_of("0.54", "0.45"), EMPTY, SEQUENTIAL) == Reject(Reason.PAIR_COST_TOO_HIGH)
    cheap_before = position_of([bought(NO, "40", "0.45"), bought(YES, "40", "0.40")])
    intent = _intent(view_of("0.54", "0.45"), cheap_before, SEQUENTIAL)
    assert intent.pair_cost == 850_000


# Forced hedge


def test_above_the_tolerance_the_light_side_is_bought_even_above_the_pair_limit() -> None:
    intent = _intent(view_of("0.59", "0.45"), naked(NO, "101", "0.45"))
    assert intent == Intent(Purpose.HEDGE, (buy_order(YES, 5_900, micros("101")),), 1_040_000)


@pytest.mark.parametrize(("ask", "hedged"), [("0.54", True), ("0.59", True), ("0.60", False), ("0.70", False)])
def test_a_forced_hedge_is_bounded_by_the_orphan_loss_cap(ask: str, hedged: bool) -> None:
    policy = msgspec.structs.replace(PAIRED, orphan_loss_cap=micros("4.04"))
    answer = _decide(view_of(ask, "0.45"), naked(NO, "101", "0.45"), policy)
    assert isinstance(answer, Intent) is hedged
    assert hedged or answer == Reject(Reason.ORPHAN_LOSS_CAP)


def test_an_imbalance_of_exactly_the_tolerance_is_not_forced() -> None:
    assert _decide(view_of("0.59", "0.45"), naked(NO, "100", "0.45"), SEQUENTIAL) == Reject(Reason.IMBALANCE)


def test_force_hedge_imbalance_forces_earlier_than_the_tolerance() -> None:
    policy = msgspec.structs.replace(SEQUENTIAL, forced_hedge_above=micros("20"))
    assert _intent(view_of("0.56", "0.45"), naked(NO, "21", "0.45"), policy).purpose is Purpose.HEDGE


def test_a_forced_hedge_needs_only_the_book_it_buys_from() -> None:
    view = view_of("0.52", "0.45")
    view.no.invalidate()
    assert _intent(view, naked(NO, "101", "0.45")).orders[0].outcome is YES
    view.yes.invalidate()
    assert _decide(view, naked(NO, "101", "0.45")) == Reject(Reason.NO_SNAPSHOT)


def test_a_forced_hedge_walks_into_the_book() -> None:
    view = mirrored_view(market(), [(5_000, micros("60")), (5_200, micros("100"))], [(4_500, micros("100"))])
    answer = forced_hedge(view, naked(NO, "101", "0.45"), PAIRED, NOW_MS)
    assert isinstance(answer, Intent)
    order = answer.orders[0]
    assert (order.price, order.shares, order.dollars) == (5_200, micros("98"), micros("50.96"))


@pytest.mark.parametrize(
    ("rate", "paid_fee", "at", "loss"),
    [
        ("0", "0", "0.55", "0"),
        ("0", "0", "0.60", "5"),
        ("0", "0", "0.50", "-5"),
        ("0.04", "0.99", "0.55", "1.98"),
        ("0.07", "1.7325", "0.60", "8.4125"),
    ],
)
def test_the_loss_of_a_hedge_counts_both_legs_and_both_fees(rate: str, paid_fee: str, at: str, loss: str) -> None:
    traded: Market = market(rate=rate)
    assert traded.fee is not None
    position = position_of([bought(NO, "100", "0.45", fee=paid_fee)])
    order = buy_order(YES, price(at), micros("100"))
    assert hedge_loss(position, order, traded.fee) == micros(loss)
