"""What is owned and what it is worth whatever happens, checked against bookkeeping with fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domain_strategies import bought, fills, micros, naked

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.position import EMPTY, Fill, Leg, Position, position_of

YES, NO = Outcome.YES, Outcome.NO


def test_the_worked_example_locks_seven_dollars() -> None:
    position = position_of([bought(NO, "100", "0.45"), bought(YES, "100", "0.48")])
    assert position.pairs == micros("100")
    assert position.spent == micros("93")
    assert position.locked_profit == micros("7")
    assert position.pair_cost_micros == 930_000
    assert position.imbalance == 0


def test_a_naked_leg_has_locked_in_nothing_but_its_cost() -> None:
    position = naked(NO, "100", "0.45")
    assert position.locked_profit == -micros("45")
    assert position.pair_cost_micros == 0
    assert position.heavy is NO
    assert position.imbalance == -micros("100")


def test_fees_come_out_of_the_locked_profit() -> None:
    position = position_of([bought(NO, "100", "0.45", fee="1.73"), bought(YES, "100", "0.48", fee="1.74")])
    assert position.fees == micros("3.47")
    assert position.locked_profit == micros("3.53")


def test_selling_a_surplus_brings_its_dollars_back() -> None:
    sale = Fill(YES, Side.SELL, micros("10"), micros("4.5"), micros("0.1"))
    position = naked(YES, "10", "0.5").plus(sale)
    assert position.yes.shares == 0
    assert position.spent == micros("0.6")
    assert position.locked_profit == -micros("0.6")


def test_a_level_position_calls_yes_heavy() -> None:
    assert EMPTY.heavy is YES
    assert EMPTY.locked_profit == 0


def test_an_average_counts_what_was_bought_and_not_what_is_left() -> None:
    leg = Leg().plus(bought(YES, "10", "0.5")).plus(Fill(YES, Side.SELL, micros("4"), micros("2"), 0))
    assert leg.average_cost_micros == 500_000
    assert Leg().average_cost_micros == 0


@pytest.mark.parametrize(
    ("payout", "dollars"),
    [((1_000_000, 0), "12"), ((0, 1_000_000), "10"), ((500_000, 500_000), "11")],
)
def test_the_payout_of_every_resolution(payout: tuple[int, int], dollars: str) -> None:
    position = position_of([bought(YES, "12", "0.5"), bought(NO, "10", "0.4")])
    assert position.payout(payout) == micros(dollars)


def _worst_gain(history: list[Fill]) -> Fraction:
    """Dollars gained in the worst resolution by somebody who books every fill with fractions."""
    cash, held = Fraction(0), {YES: Fraction(0), NO: Fraction(0)}
    for fill in history:
        sign = 1 if fill.side is Side.BUY else -1
        held[fill.outcome] += sign * Fraction(fill.shares, 10**6)
        cash -= sign * Fraction(fill.dollars, 10**6) + Fraction(fill.fee, 10**6)
    return cash + min(held.values())


@given(st.lists(fills(), max_size=20))
def test_the_locked_profit_is_the_worst_gain_of_any_history(history: list[Fill]) -> None:
    assert Fraction(position_of(history).locked_profit, 10**6) == _worst_gain(history)


@given(st.lists(fills(sells=False), max_size=12))
def test_no_resolution_pays_less_than_the_locked_profit(history: list[Fill]) -> None:
    position = position_of(history)
    for payout in ((10**6, 0), (0, 10**6), (500_000, 500_000)):
        assert position.payout(payout) - position.spent >= position.locked_profit


@given(st.lists(fills(), max_size=10).flatmap(lambda history: st.tuples(st.just(history), st.permutations(history))))
def test_the_order_of_fills_does_not_matter(histories: tuple[list[Fill], list[Fill]]) -> None:
    assert position_of(histories[0]) == position_of(histories[1])


@given(st.lists(fills(), max_size=10), st.lists(fills(), max_size=10))
def test_a_restart_in_the_middle_adds_up_to_the_same(before: list[Fill], after: list[Fill]) -> None:
    resumed = position_of(before)
    for fill in after:
        resumed = resumed.plus(fill)
    assert resumed == position_of([*before, *after])


@given(st.lists(fills(sells=False), max_size=12))
def test_pairs_and_imbalance_account_for_every_share(history: list[Fill]) -> None:
    position = position_of(history)
    assert position.yes.shares + position.no.shares == 2 * position.pairs + abs(position.imbalance)
    assert position.leg(position.heavy).shares >= position.leg(position.heavy.other).shares


def test_a_position_is_never_edited_in_place() -> None:
    before = Position()
    before.plus(bought(YES, "10", "0.5"))
    assert before == EMPTY
