"""The fee must equal the venue's published formula to its last decimal."""

from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.fees import taker_fee

MICRO = 1_000_000


@given(
    shares=st.integers(0, 10**13),
    price=st.integers(1, 9_999),
    rate_micros=st.integers(0, 250_000),
    exponent=st.integers(0, 3),
)
def test_the_fee_equals_the_formula_in_decimals_rounded_up_to_five_places(shares: int, price: int, rate_micros: int, exponent: int) -> None:
    p = Decimal(price) / 10_000
    exact = Decimal(shares) / MICRO * Decimal(rate_micros) / MICRO * (p * (1 - p)) ** exponent
    expected = exact.quantize(Decimal("0.00001"), rounding=ROUND_CEILING)
    assert Decimal(taker_fee(shares=shares, price=price, rate_micros=rate_micros, exponent=exponent)) / MICRO == expected


@pytest.mark.parametrize(
    ("price", "rate_micros", "fee"),
    [(4_800, 70_000, 1_747_200), (4_900, 70_000, 1_749_300), (4_900, 50_000, 1_249_500), (9_300, 50_000, 325_500), (500, 50_000, 237_500)],
)
def test_one_hundred_shares_cost_the_fee_of_the_published_examples(price: int, rate_micros: int, fee: int) -> None:
    assert taker_fee(shares=100 * MICRO, price=price, rate_micros=rate_micros, exponent=1) == fee


def test_a_market_without_a_rate_charges_nothing() -> None:
    assert taker_fee(shares=100 * MICRO, price=5_000, rate_micros=0, exponent=1) == 0


@given(shares=st.integers(1, 10**10), price=st.integers(1, 9_999))
def test_both_outcomes_of_a_pair_pay_the_same_fee(shares: int, price: int) -> None:
    fees = {taker_fee(shares=shares, price=side, rate_micros=70_000, exponent=1) for side in (price, 10_000 - price)}
    assert len(fees) == 1
