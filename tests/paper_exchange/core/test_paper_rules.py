"""Every refusal of the venue, with the words the venue uses."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.paper_exchange.core.worlds import MARKET, YES, buy, order, sell

from paper_exchange.ledger import UNLIMITED, Account
from paper_exchange.rules import Situation, decimal_text, first_refusal
from paper_exchange.types import MICRO, OrderRequest, Side

RICH = Account(dollars=10_000 * MICRO, shares={YES: 10_000 * MICRO})


def refusal(
    request: OrderRequest, *, tick_size: int = 100, accepting: bool = True, account: Account = RICH, fee_rate_micros: int = 70_000
) -> str | None:
    market = replace(MARKET, fee_rate_micros=fee_rate_micros)
    return first_refusal(Situation(request, market, tick_size, accepting, account))


def spend(dollars: int, shares: int) -> OrderRequest:
    """A BUY in raw millionths."""
    return order(Side.BUY, YES, maker_amount=dollars, taker_amount=shares)


@pytest.mark.parametrize("request_", [buy(YES, 50, 49), buy(YES, 5, 99), sell(YES, 5, 1), buy(YES, 50, 49, kind="FAK")])
def test_an_ordinary_order_is_let_through(request_: OrderRequest) -> None:
    assert refusal(request_) is None


@pytest.mark.parametrize("kind", ["GTC", "GTD"])
def test_resting_orders_are_refused_and_told_why(kind: str) -> None:
    text = refusal(replace(buy(YES, 50, 49), order_type=kind))  # type: ignore[arg-type]
    assert text == f"order type {kind} is not supported: the paper exchange models FOK and FAK orders only"


def test_a_market_that_does_not_accept_orders_refuses_them() -> None:
    assert refusal(buy(YES, 50, 49), accepting=False) == "the market is not accepting orders"


@pytest.mark.parametrize(("dollars", "shares"), [(0, 5 * MICRO), (5 * MICRO, 0), (-MICRO, 5 * MICRO)])
def test_amounts_that_imply_no_price_are_refused(dollars: int, shares: int) -> None:
    assert refusal(spend(dollars, shares)) == "invalid amounts, maker and taker amount must be positive"


@pytest.mark.parametrize(("dollars", "shares"), [(24_505_000, 50_010_204), (24_500_001, 50_000_000), (10_000_000, 29_673_590)])
def test_a_buy_gives_at_most_two_decimals_and_takes_at_most_four(dollars: int, shares: int) -> None:
    assert refusal(spend(dollars, shares), tick_size=10) == (
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4 decimals"
    )


def test_a_sell_is_bound_by_the_mirrored_decimals() -> None:
    too_fine = order(Side.SELL, YES, maker_amount=10_001_000, taker_amount=4_900_490)
    text = refusal(too_fine)
    assert text is not None
    assert text.startswith("invalid amounts, the market sell orders maker amount supports a max accuracy of 2 decimals")


def test_shares_rounded_to_four_decimals_do_not_break_the_tick_rule() -> None:
    assert refusal(spend(10_000_000, 20_833_300)) is None


def test_a_price_between_the_ticks_is_refused_with_the_tick() -> None:
    request = spend(24_250_000, 50_000_000)
    assert refusal(request) == f"order {request.order_hash} is invalid. Price (0.485) breaks minimum tick size rule: 0.01"


def test_the_same_price_passes_once_the_grid_is_finer() -> None:
    assert refusal(spend(24_250_000, 50_000_000), tick_size=10) is None


@pytest.mark.parametrize(
    ("cents", "text"), [(100, "invalid price (1), min: 0.01 - max: 0.99"), (0, "invalid amounts, maker and taker amount must be positive")]
)
def test_a_price_at_the_ends_is_refused(cents: int, text: str) -> None:
    assert refusal(buy(YES, 50, cents)) == text


def test_a_price_below_the_first_tick_is_out_of_range() -> None:
    assert refusal(spend(1_000_000, 500_000_000)) == "invalid price (0.002), min: 0.01 - max: 0.99"


def test_a_buy_below_one_dollar_is_refused_with_its_amount() -> None:
    assert refusal(buy(YES, 28, 3)) == "invalid amount for a marketable BUY order ($0.84), min size: $1"


def test_a_sell_below_one_dollar_is_allowed() -> None:
    assert refusal(sell(YES, 28, 3)) is None


def test_fewer_shares_than_the_market_allows_are_refused() -> None:
    request = buy(YES, 4, 50)
    assert refusal(request) == f"order {request.order_hash} is invalid. Size (4) lower than the minimum: 5"


def test_a_wallet_with_exactly_the_notional_lacks_the_fee() -> None:
    text = refusal(buy(YES, 100, 49), account=Account(dollars=49 * MICRO))
    assert text == "not enough balance / allowance: the balance is not enough -> balance: 49000000, order amount: 50749300"


def test_a_wallet_with_exactly_the_notional_suffices_where_there_is_no_fee() -> None:
    assert refusal(buy(YES, 100, 49), account=Account(dollars=49 * MICRO), fee_rate_micros=0) is None


def test_an_allowance_below_the_cost_refuses_a_rich_wallet() -> None:
    text = refusal(buy(YES, 100, 49), account=Account(dollars=UNLIMITED, allowance=50 * MICRO))
    assert text is not None
    assert text.startswith("not enough balance / allowance: the allowance is not enough")


def test_shares_that_are_not_confirmed_cannot_be_sold() -> None:
    text = refusal(sell(YES, 10, 49), account=Account(pending_shares={YES: 10 * MICRO}))
    assert text == "not enough balance / allowance: the balance is not enough -> balance: 0, order amount: 10000000"


@given(
    tick=st.sampled_from([100, 10, 1]),
    points=st.integers(1, 9_999),
    cents=st.integers(500, 10**7),
)
def test_a_budget_for_shares_rounded_down_to_four_decimals_never_breaks_the_tick_rule(tick: int, points: int, cents: int) -> None:
    price = max(tick, min(10_000 - tick, points // tick * tick))
    budget = cents * 10_000
    shares = budget * 10_000 // price // 100 * 100
    text = refusal(spend(budget, shares), tick_size=tick, account=Account(dollars=UNLIMITED))
    assert text is None or "lower than the minimum" in text


@given(amount=st.integers(0, 10**15))
def test_amounts_are_written_exactly(amount: int) -> None:
    whole, _, rest = decimal_text(amount, MICRO).partition(".")
    assert int(whole) * MICRO + int((rest + "000000")[:6]) == amount
    assert not rest.endswith("0")
