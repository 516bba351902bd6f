"""A naked leg step by step: buy the missing side while that is cheap, then the cheaper way out, never an unsettled share, else hold."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domain_strategies import (
    NOW_MS,
    bought,
    fee_by_decimal,
    market,
    micros,
    naked,
    policies,
    positions,
    tempting_views,
    venue_objections,
    view_of,
)

from kabobagool.domain.book import PairView
from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.intent import Intent, OrderPlan, Purpose, Reject
from kabobagool.domain.market import NO_FEE, Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.position import EMPTY, Position, position_of
from kabobagool.execution.orphan import is_orphan, resolve_orphan, unwind_loss

YES, NO = Outcome.YES, Outcome.NO
POLICY = Policy(orphan_loss_cap=micros("5"), orphan_retry_ms=20_000)
FRESH, STALE = NOW_MS - 19_999, NOW_MS - 20_000
"""Naked since just within the retry time, and since just after it."""
NAKED_NO = naked(NO, "100", "0.45")


def _step(
    view: PairView,
    *,
    position: Position = NAKED_NO,
    since: int = STALE,
    settled: str = "100",
    policy: Policy = POLICY,
    now_ms: int = NOW_MS,
) -> Intent | Reject:
    return resolve_orphan(view, position, policy, naked_since_ms=since, settled_shares=micros(settled), now_ms=now_ms)


def _purpose(answer: Intent | Reject) -> Purpose | str:
    return answer.purpose if isinstance(answer, Intent) else answer.reason


def _no_bid(bid: str, *, yes_ask: str | None = None, no_ask: str = "0.99") -> PairView:
    """A view where a share of NO can be sold at `bid`, and the missing YES bought at `yes_ask` (the mirror of the bid when not said)."""
    view = view_of(yes_ask or str(round(1 - float(bid), 4)), no_ask)
    view.no.apply_snapshot([(round(float(bid) * 10_000), micros("1000"))], [], venue_ms=NOW_MS, received_ms=NOW_MS)
    return view


@pytest.mark.parametrize(
    ("yes", "no", "paired", "orphan"),
    [
        ("100", "100", True, False),
        ("104.999999", "100", True, False),
        ("105", "100", True, True),
        ("100", "105", True, True),
        ("200", "100", False, False),
        ("200.000001", "100", False, True),
    ],
    ids=["level", "dust", "the venue's minimum", "no heavy", "sequential waits up to the tolerance", "beyond the tolerance"],
)
def test_a_leg_is_naked_by_more_than_dust(yes: str, no: str, paired: bool, orphan: bool) -> None:
    policy = msgspec.structs.replace(POLICY, paired=paired)
    position = position_of([bought(YES, yes, "0.5"), bought(NO, no, "0.4")])
    assert is_orphan(position, policy, micros("5")) is orphan


def test_nothing_owned_is_no_orphan() -> None:
    assert not is_orphan(EMPTY, POLICY, micros("5"))


def test_within_the_retry_time_the_missing_side_is_bought() -> None:
    answer = _step(_no_bid("0.44", yes_ask="0.56"), since=FRESH)
    assert isinstance(answer, Intent)
    assert (answer.purpose, [(o.outcome, o.side, o.shares) for o in answer.orders]) == (Purpose.HEDGE, [(YES, Side.BUY, micros("100"))])


def test_within_the_retry_time_nothing_is_sold_however_good_the_bid() -> None:
    assert _purpose(_step(_no_bid("0.44", yes_ask="0.70"), since=FRESH)) == Reason.ORPHAN_LOSS_CAP
    assert _purpose(_step(_no_bid("0.45", yes_ask="0.59"), since=FRESH)) is Purpose.HEDGE


@pytest.mark.parametrize(
    ("yes_ask", "no_bid", "expected"),
    [
        ("0.56", "0.43", Purpose.HEDGE),
        ("0.58", "0.43", Purpose.UNWIND),
        ("0.56", "0.44", Purpose.HEDGE),
        ("0.70", "0.43", Purpose.UNWIND),
        ("0.58", "0.30", Purpose.HEDGE),
        ("0.70", "0.30", Reason.ORPHAN_LOSS_CAP),
    ],
    ids=[
        "hedge loses 1, unwind 2",
        "hedge loses 3, unwind 2",
        "a tie hedges",
        "hedge beyond the cap",
        "unwind beyond the cap",
        "both: hold",
    ],
)
def test_after_the_retry_time_the_cheaper_way_out_is_taken(yes_ask: str, no_bid: str, expected: Purpose | Reason) -> None:
    assert _purpose(_step(_no_bid(no_bid, yes_ask=yes_ask))) == expected


def test_the_surplus_alone_is_sold() -> None:
    position = position_of([bought(NO, "100", "0.45"), bought(YES, "90", "0.5")])
    answer = _step(_no_bid("0.44", yes_ask="0.99"), position=position)
    assert isinstance(answer, Intent)
    assert answer.orders == (OrderPlan(NO, Side.SELL, 4_400, micros("10"), micros("4.4")),)


@pytest.mark.parametrize(("settled", "purpose"), [("0", Purpose.HEDGE), ("99.99", Purpose.HEDGE), ("100", Purpose.UNWIND)])
def test_shares_that_are_not_settled_are_not_sold(settled: str, purpose: Purpose) -> None:
    assert _purpose(_step(_no_bid("0.45", yes_ask="0.57"), settled=settled)) == purpose


def test_unsettled_shares_that_cannot_be_hedged_are_held() -> None:
    assert isinstance(_step(_no_bid("0.44", yes_ask="0.70"), settled="0"), Reject)


def test_no_order_leaves_on_books_that_are_too_old() -> None:
    assert _step(_no_bid("0.44", yes_ask="0.56"), now_ms=NOW_MS + 2_001) == Reject(Reason.LEG_TOO_OLD)


def test_one_doubtful_book_leaves_the_other_way_out_open() -> None:
    view = _no_bid("0.44", yes_ask="0.56")
    view.yes.invalidate()
    assert _purpose(_step(view)) is Purpose.UNWIND
    view = _no_bid("0.44", yes_ask="0.56")
    view.no.invalidate()
    assert _purpose(_step(view)) is Purpose.HEDGE


def test_an_empty_pair_of_books_holds() -> None:
    view = _no_bid("0.44", yes_ask="0.56")
    for book in (view.yes, view.no):
        book.apply_snapshot([], [], venue_ms=NOW_MS, received_ms=NOW_MS)
    assert _step(view) == Reject(Reason.TOO_THIN)


@pytest.mark.parametrize(
    ("rate", "bid", "paid_fee", "loss"),
    [("0", "0.43", "0", "2"), ("0", "0.47", "0", "-2"), ("0.07", "0.43", "0", "3.7157"), ("0.07", "0.43", "1.7325", "5.4482")],
    ids=["two cents worse", "two cents better", "the fee of the sale", "both fees"],
)
def test_the_loss_of_a_sale_counts_its_fee_and_the_fee_already_paid(rate: str, bid: str, paid_fee: str, loss: str) -> None:
    view = view_of("0.56", "0.45", traded=market(rate=rate))
    at = round(float(bid) * 10_000)
    order = OrderPlan(NO, Side.SELL, at, micros("100"), at * 10_000)
    position = position_of([bought(NO, "100", "0.45", fee=paid_fee)])
    assert unwind_loss(view, position, order) == micros(loss)


def _selling(view: PairView) -> PairView:
    """The same asks, with bids that are no mirror: what an orphan meets when the other side has moved away."""
    for book in (view.yes, view.no):
        bids = [(max(view.market.tick_size, at - view.market.tick_size), size) for at, size in book.ask_levels()]
        book.apply_snapshot(bids, book.ask_levels(), venue_ms=NOW_MS, received_ms=NOW_MS)
    return view


since_when = st.sampled_from((FRESH, STALE, 0))


@given(tempting_views().map(_selling) | tempting_views(doubtful=True), positions(), policies(), since_when, st.integers(0, 300 * MICRO))
def test_a_way_out_is_always_one_the_venue_takes_and_within_the_cap(
    view: PairView, position: Position, policy: Policy, since: int, settled_shares: int
) -> None:
    answer = resolve_orphan(view, position, policy, naked_since_ms=since, settled_shares=settled_shares, now_ms=NOW_MS)
    if isinstance(answer, Reject) or not position.imbalance:
        return
    order, heavy = answer.orders[0], position.leg(position.heavy)
    assert len(answer.orders) == 1
    assert venue_objections(order, view.market.tick_size, view.market.min_order_shares) == []
    assert order.shares <= abs(position.imbalance)
    fee = fee_by_decimal(view.market.fee or NO_FEE, order.price, order.shares) * MICRO
    if answer.purpose is Purpose.UNWIND:
        assert (order.side, order.outcome) == (Side.SELL, position.heavy)
        assert order.shares <= settled_shares
        assert since <= NOW_MS - policy.orphan_retry_ms
        assert heavy.cost * order.shares / heavy.bought - order.dollars + float(fee) <= policy.orphan_loss_cap + 1
    else:
        assert (order.side, order.outcome) == (Side.BUY, position.heavy.other)
        assert heavy.cost * order.shares / heavy.bought + order.dollars + float(fee) - order.shares <= policy.orphan_loss_cap + 1
