"""Amounts: what we ask for is exact and never refused; what the official clients would ask for sometimes is neither.

The venue takes a market BUY of dollars with at most two decimals and shares with at most four, a SELL the other way round. The judge
is the rule of the paper exchange, which shares no code with the bot.
"""

from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.actions.orders.market import _compute_market_order_amounts
from py_clob_client_v2.order_builder.builder import ROUNDING_CONFIG, OrderBuilder
from tests.support.domain_strategies import TICKS

from kabobagool.domain.market import Outcome
from kabobagool.domain.money import MICRO, PRICE_ONE
from kabobagool.domain.sizing import buy_order, sell_order, share_step
from paper_exchange import rules
from paper_exchange.types import OrderRequest, Side

Amounts = tuple[int, int]


def clob_client_v2(tick: str, price: int, given_micros: int, side: str = "BUY") -> Amounts:
    builder = OrderBuilder(None)
    _, maker, taker = builder.get_market_order_amounts(side, given_micros / MICRO, price / PRICE_ONE, ROUNDING_CONFIG[tick])
    return int(maker), int(taker)


def unified(tick: str, price: int, given_micros: int, side: Any = "BUY") -> Amounts:
    amount, limit = Decimal(given_micros) / MICRO, Decimal(price) / PRICE_ONE
    return _compute_market_order_amounts(amount=amount, price=limit, side=side, tick_size=Decimal(tick))


def ours(price: int, budget: int) -> Amounts:
    """What the bot buys at a limit with a budget: whole shares that cost whole cents."""
    step = share_step(price) * MICRO
    plan = buy_order(Outcome.YES, price, budget * PRICE_ONE // price // step * step)
    return plan.dollars, plan.shares


def refused(amounts: Amounts, side: Side = Side.BUY) -> bool:
    request = OrderRequest("0x1", "0x2", "0x2", "1", side, amounts[0], amounts[1], "FOK")
    situation: Any = type("Situation", (), {"request": request})
    return rules.amounts_are_precise(situation) is not None


@st.composite
def plans(draw: st.DrawFn) -> tuple[str, int, int]:
    """Tick, price and shares of an order as the bot sizes it."""
    tick = draw(st.sampled_from(sorted(TICKS)))
    price = draw(st.integers(1, PRICE_ONE // TICKS[tick] - 1)) * TICKS[tick]
    step = share_step(price)
    return tick, price, draw(st.integers(-(-5 // step), max(5, 1_000_000 // step))) * step


@settings(max_examples=500, deadline=None)
@given(plan=plans())
def test_for_an_order_of_ours_the_unified_client_asks_for_exactly_the_same(plan: tuple[str, int, int]) -> None:
    tick, price, shares = plan
    order = buy_order(Outcome.YES, price, shares * MICRO)
    assert unified(tick, price, order.dollars) == (order.dollars, order.shares)
    assert unified(tick, price, order.shares, "SELL") == (order.shares, order.dollars)
    assert not refused((order.dollars, order.shares))


@settings(max_examples=500, deadline=None)
@given(plan=plans(), cents=st.integers(100, 10**7))
def test_no_budget_and_no_holding_makes_us_ask_for_what_is_refused(plan: tuple[str, int, int], cents: int) -> None:
    _, price, _ = plan
    amounts = ours(price, cents * 10_000)
    assert amounts[0] * PRICE_ONE == price * amounts[1]
    assert not refused(amounts)
    sale = sell_order(Outcome.YES, [(price, 10**12)], cents * 12_345, 0)
    assert sale is None or not refused((sale.shares, sale.dollars), Side.SELL)


class Case(NamedTuple):
    """A BUY of `budget` micro-dollars at `price`, what each client makes of it, and what we do."""

    tick: str
    price: int
    budget: int
    v2: Amounts
    unified: Amounts
    ours: Amounts


REFUSED_OF_BOTH = (
    Case("0.001", 3_370, 10_000_000, (10_000_000, 29_673_590), (10_000_000, 29_673_590), (6_740_000, 20_000_000)),
    Case("0.001", 3_330, 20_000_000, (20_000_000, 60_060_060), (20_000_000, 60_060_060), (19_980_000, 60_000_000)),
    Case("0.005", 3_350, 10_000_000, (10_000_000, 29_850_740), (10_000_000, 29_850_740), (9_380_000, 28_000_000)),
    Case("0.0025", 1_175, 7_000_000, (7_000_000, 59_574_468), (7_000_000, 59_574_468), (6_580_000, 56_000_000)),
    Case("0.0001", 4_801, 50_000_000, (50_000_000, 104_144_969), (50_000_000, 104_144_969), (48_010_000, 100_000_000)),
)
"""Budgets that are no whole number of shares: on fine ticks both clients name shares with five or six decimals."""
REFUSED_OF_V2 = (
    Case("0.005", 6_800, 148_920_000, (148_910_000, 218_985_290), (148_920_000, 219_000_000), (148_920_000, 219_000_000)),
    Case("0.0025", 2_825, 169_500_000, (169_500_000, 600_212_464), (169_500_000, 600_000_000), (169_500_000, 600_000_000)),
    Case("0.0025", 8_075, 258_400_000, (258_390_000, 319_987_616), (258_400_000, 320_000_000), (258_400_000, 320_000_000)),
    Case("0.001", 4_090, 155_420_000, (155_410_000, 379_975_550), (155_420_000, 380_000_000), (155_420_000, 380_000_000)),
    Case("0.0001", 9_203, 552_180_000, (552_170_000, 599_989_133), (552_180_000, 600_000_000), (552_180_000, 600_000_000)),
)
"""Exact orders that the floats of `py-clob-client-v2` miss by a cent, and then name in too many decimals."""
MISSED_BY_V2 = (
    Case("0.1", 4_000, 143_200_000, (143_190_000, 357_975_000), (143_200_000, 358_000_000), (143_200_000, 358_000_000)),
    Case("0.01", 3_400, 137_700_000, (137_690_000, 404_970_500), (137_700_000, 405_000_000), (137_700_000, 405_000_000)),
    Case("0.01", 5_500, 276_650_000, (276_640_000, 502_981_800), (276_650_000, 503_000_000), (276_650_000, 503_000_000)),
)
"""Exact orders that it misses by a cent and the venue takes: the legs of a pair then differ."""


@pytest.mark.parametrize("case", REFUSED_OF_BOTH + REFUSED_OF_V2 + MISSED_BY_V2, ids=lambda case: f"{case.tick}-{case.price}-{case.budget}")
def test_the_recorded_amounts_are_still_what_each_asks_for(case: Case) -> None:
    assert clob_client_v2(case.tick, case.price, case.budget) == case.v2
    assert unified(case.tick, case.price, case.budget) == case.unified
    assert ours(case.price, case.budget) == case.ours


def test_the_venue_refuses_the_recorded_amounts_and_never_ours() -> None:
    assert all(refused(case.v2) and refused(case.unified) for case in REFUSED_OF_BOTH)
    assert all(refused(case.v2) and not refused(case.unified) for case in REFUSED_OF_V2)
    assert not any(refused(case.v2) for case in MISSED_BY_V2)
    assert not any(refused(case.ours) for case in REFUSED_OF_BOTH + REFUSED_OF_V2 + MISSED_BY_V2)
