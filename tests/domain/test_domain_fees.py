"""The taker fee to the hundred-thousandth of a dollar, as the venue publishes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domain_strategies import fee_by_decimal, fee_schedules, micros, price, share_amounts

from kabobagool.domain.fees import effective_pair_cost, flat_margin, taker_fee
from kabobagool.domain.market import NO_FEE, FeeSchedule

HUNDRED = micros("100")


@pytest.mark.parametrize(
    ("yes", "no", "rate", "fees", "result"),
    [
        ("0.48", "0.49", "0.07", "3.4965", "-0.4965"),
        ("0.48", "0.49", "0.04", "1.9980", "1.0020"),
        ("0.48", "0.49", "0", "0", "3"),
        ("0.49", "0.49", "0.05", "2.4990", "-0.4990"),
        ("0.05", "0.93", "0.05", "0.5630", "1.4370"),
        ("0.60", "0.37", "0.04", "1.8924", "1.1076"),
    ],
)
def test_a_hundred_pairs_cost_what_the_worked_examples_say(yes: str, no: str, rate: str, fees: str, result: str) -> None:
    schedule = FeeSchedule(micros(rate))
    charged = taker_fee(schedule, price(yes), HUNDRED) + taker_fee(schedule, price(no), HUNDRED)
    cost = (price(yes) + price(no)) * 100 * 100
    assert charged == int(micros(fees))
    assert HUNDRED - cost - charged == micros(result)


@pytest.mark.parametrize(("yes", "fee"), [("0.48", "1.7472"), ("0.49", "1.7493")])
def test_each_leg_of_the_first_example_is_exact(yes: str, fee: str) -> None:
    assert taker_fee(FeeSchedule(70_000), price(yes), HUNDRED) == micros(fee)


@pytest.mark.parametrize(
    ("yes", "no", "rate", "gap_cents"),
    [
        ("0.50", "0.50", "0.07", "3.50"),
        ("0.40", "0.60", "0.07", "3.36"),
        ("0.30", "0.70", "0.05", "2.10"),
        ("0.20", "0.80", "0.04", "1.28"),
        ("0.10", "0.90", "0.05", "0.90"),
        ("0.50", "0.50", "0", "0"),
    ],
)
def test_the_gap_a_pair_needs_to_break_even(yes: str, no: str, rate: str, gap_cents: str) -> None:
    schedule = FeeSchedule(micros(rate))
    assert taker_fee(schedule, price(yes), HUNDRED) + taker_fee(schedule, price(no), HUNDRED) == micros(gap_cents)


@given(fee_schedules(), st.integers(0, 10_000), share_amounts())
def test_the_fee_is_the_published_formula_rounded_up_to_five_decimals(schedule: FeeSchedule, at: int, shares: int) -> None:
    assert taker_fee(schedule, at, shares) == fee_by_decimal(schedule, at, shares).scaleb(6)


@given(fee_schedules(), st.integers(0, 10_000), share_amounts())
def test_both_sides_of_the_mirror_pay_the_same_fee(schedule: FeeSchedule, at: int, shares: int) -> None:
    assert taker_fee(schedule, at, shares) == taker_fee(schedule, 10_000 - at, shares)


@given(fee_schedules(), st.integers(1, 9_999), share_amounts(), share_amounts())
def test_splitting_an_order_never_makes_it_cheaper(schedule: FeeSchedule, at: int, one: int, two: int) -> None:
    assert taker_fee(schedule, at, one) + taker_fee(schedule, at, two) >= taker_fee(schedule, at, one + two)


@given(st.integers(0, 10_000), share_amounts())
def test_a_market_without_a_fee_charges_nothing(at: int, shares: int) -> None:
    assert taker_fee(NO_FEE, at, shares) == 0


def test_the_smallest_fee_is_a_hundred_thousandth_of_a_dollar() -> None:
    assert taker_fee(FeeSchedule(1), price("0.5"), 1) == 10


@pytest.mark.parametrize(
    ("dollars", "bps", "margin"), [("93", 1, 9_300), ("0.000001", 1, 1), ("93", 0, 0), ("0", 50, 0), ("0.97", 100, 9_700)]
)
def test_the_flat_margin_is_rounded_up(dollars: str, bps: int, margin: int) -> None:
    assert flat_margin(micros(dollars), bps) == margin


def test_the_effective_pair_cost_is_both_averages_and_the_margin() -> None:
    assert effective_pair_cost(480_000, 450_000, 0) == 930_000
    assert effective_pair_cost(480_000, 450_000, 1) == 930_093
