"""Fees against the venue's published tables, the official clients and a backtester that others wrote."""

from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal

import pytest
import resolvedkit
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.orders.market import adjust_buy_amount_for_fees
from polymarket._internal.actions.orders.market_data import PlatformFeeInfo
from resolvedkit.fees import TAKER_FEE_RATES

from kabobagool.domain.fees import DEAREST_FEE, taker_fee
from kabobagool.domain.market import FeeSchedule
from kabobagool.domain.money import MICRO, PRICE_ONE
from paper_exchange.fees import taker_fee as exchange_fee

RATES = {"crypto": 70_000, "sports": 50_000, "economics": 50_000, "culture": 50_000, "weather": 50_000} | {
    "finance": 40_000,
    "politics": 40_000,
    "mentions": 40_000,
    "tech": 40_000,
    "geopolitics": 0,
}
"""Published rates by category, in millionths."""
BREAK_EVEN = {
    70_000: ("3.50", "3.36", "2.94", "2.24", "1.26", "0.67", "0.27"),
    50_000: ("2.50", "2.40", "2.10", "1.60", "0.90", "0.48", "0.20"),
    40_000: ("2.00", "1.92", "1.68", "1.28", "0.72", "0.38", "0.16"),
    0: ("0.00",) * 7,
}
"""Published fees of one pair in cents, for prices of YES as in `PRICES` and NO at the rest of a dollar."""
PRICES = (5_000, 4_000, 3_000, 2_000, 1_000, 500, 200)
WORKED = (
    (4_800, 4_900, 70_000, "97.00", "3.4965", "-0.4965"),
    (4_800, 4_900, 40_000, "97.00", "1.9980", "1.0020"),
    (4_800, 4_900, 0, "97.00", "0", "3.0000"),
    (4_900, 4_900, 50_000, "98.00", "2.4990", "-0.4990"),
    (500, 9_300, 50_000, "98.00", "0.5630", "1.4370"),
    (6_000, 3_700, 40_000, "97.00", "1.8924", "1.1076"),
)
"""Published examples of 100 pairs: prices of YES and NO, rate, cost, fees, result in dollars."""
prices, shares = st.integers(1, PRICE_ONE - 1), st.integers(1, 10**12)
rates = st.sampled_from(sorted(set(RATES.values()) - {0}))


@pytest.mark.parametrize("rate", sorted(BREAK_EVEN))
@pytest.mark.parametrize("column", range(len(PRICES)))
def test_a_pair_costs_the_published_fees(rate: int, column: int) -> None:
    fee = FeeSchedule(rate)
    thousand = sum(taker_fee(fee, price, 1_000 * MICRO) for price in (PRICES[column], PRICE_ONE - PRICES[column]))
    assert (Decimal(thousand) / 10_000_000).quantize(Decimal("0.01"), ROUND_HALF_UP) == Decimal(BREAK_EVEN[rate][column])


@pytest.mark.parametrize(("yes", "no", "rate", "cost", "fees", "result"), WORKED)
def test_a_hundred_pairs_end_as_in_the_published_examples(yes: int, no: int, rate: int, cost: str, fees: str, result: str) -> None:
    fee = FeeSchedule(rate)
    spent, charged = (yes + no) * 100 * 100, sum(taker_fee(fee, price, 100 * MICRO) for price in (yes, no))
    assert (spent, charged) == tuple(int(Decimal(text) * MICRO) for text in (cost, fees))
    assert 100 * MICRO - spent - charged == int(Decimal(result) * MICRO)


def test_the_published_rates_are_those_others_reckon_with_and_none_is_above_our_dearest() -> None:
    assert {name: round(rate * MICRO) for name, rate in TAKER_FEE_RATES.items() if name in RATES} == RATES
    assert max(RATES.values()) == DEAREST_FEE.rate_micros


@settings(max_examples=300, deadline=None)
@given(price=prices, shares=shares, rate=rates, exponent=st.sampled_from([1, 2]))
def test_the_fee_is_the_formula_rounded_up_to_a_hundred_thousandth(price: int, shares: int, rate: int, exponent: int) -> None:
    p = Decimal(price) / PRICE_ONE
    exact = Decimal(shares) / MICRO * Decimal(rate) / MICRO * (p * (1 - p)) ** exponent
    ours = taker_fee(FeeSchedule(rate, exponent), price, shares)
    assert Decimal(ours) / MICRO == exact.quantize(Decimal("0.00001"), ROUND_CEILING)
    assert ours == exchange_fee(shares=shares, price=price, rate_micros=rate, exponent=exponent)


@settings(max_examples=300, deadline=None)
@given(price=prices, shares=st.integers(5, 10**6), rate=rates)
def test_the_backtester_charges_the_same_or_a_step_less(price: int, shares: int, rate: int) -> None:
    ours = taker_fee(FeeSchedule(rate), price, shares * MICRO)
    theirs = resolvedkit.taker_fee(shares, price / PRICE_ONE, rate / MICRO)
    assert 0 <= ours - round(theirs * MICRO) <= 10


@settings(max_examples=300, deadline=None)
@given(price=st.integers(100, PRICE_ONE - 100), shares=st.integers(5, 10**5), rate=rates)
def test_the_official_client_finds_our_fee_enough_and_a_step_less_too_little(price: int, shares: int, rate: int) -> None:
    dollars, limit = Decimal(price * shares) / PRICE_ONE, Decimal(price) / PRICE_ONE
    fee = Decimal(taker_fee(FeeSchedule(rate), price, shares * MICRO)) / MICRO
    info = PlatformFeeInfo(rate=Decimal(rate) / MICRO, exponent=1)

    def affordable(spend: Decimal) -> Decimal:
        amount = adjust_buy_amount_for_fees(amount=dollars, price=limit, max_spend=spend, fee=info)
        return amount.quantize(Decimal("0.000000001"))

    assert affordable(dollars + fee) == dollars
    assert affordable(dollars + fee - Decimal("0.00001")) < dollars
