"""Dollars and shares are conserved to the millionth, whatever is booked."""

from dataclasses import replace

import pytest
from tests.paper_exchange.core.worlds import MARKET, NO, WALLET, YES

from paper_exchange.ledger import UNLIMITED, Ledger, LedgerError
from paper_exchange.types import MICRO, Side, Trade


def trade(side: Side, token: str, shares: int, price: int, *, fee: int = 10, maker: str = WALLET) -> Trade:
    dollars = shares * price // 10_000
    outcome = MARKET.tokens.index(token)
    return Trade("t", "0x1", MARKET.condition_id, token, outcome, maker, side, price, shares, dollars, fee, 0, 0)


def funded(dollars: int = 100) -> Ledger:
    ledger = Ledger()
    ledger.deposit(WALLET, dollars * MICRO)
    return ledger


def test_a_buy_costs_dollars_and_fee_at_once_and_its_shares_wait() -> None:
    ledger = funded()
    ledger.match(MARKET, trade(Side.BUY, YES, 50 * MICRO, 4_900, fee=874_650))
    account = ledger.account(WALLET)
    assert account.dollars == 100 * MICRO - 24_500_000 - 874_650
    assert (account.shares, account.pending_shares) == ({}, {YES: 50 * MICRO})
    assert (account.spent, account.fees_paid) == (24_500_000, 874_650)
    ledger.check()


def test_confirmation_releases_the_shares() -> None:
    ledger, bought = funded(), trade(Side.BUY, YES, 50 * MICRO, 4_900)
    ledger.match(MARKET, bought)
    ledger.confirm(bought)
    account = ledger.account(WALLET)
    assert (account.shares, account.pending_shares, account.held(YES)) == ({YES: 50 * MICRO}, {}, 50 * MICRO)
    ledger.check()


def test_a_failed_buy_leaves_no_trace_in_the_wallet() -> None:
    ledger, bought = funded(), trade(Side.BUY, YES, 50 * MICRO, 4_900)
    ledger.match(MARKET, bought)
    ledger.fail(MARKET, bought)
    account = ledger.account(WALLET)
    assert (account.dollars, account.shares, account.pending_shares) == (100 * MICRO, {}, {})
    assert (account.spent, account.fees_paid, ledger.fees) == (0, 0, 0)
    ledger.check()


def test_the_proceeds_of_a_sale_wait_for_confirmation_less_the_fee() -> None:
    ledger, bought = funded(), trade(Side.BUY, YES, 50 * MICRO, 4_900, fee=0)
    ledger.match(MARKET, bought)
    ledger.confirm(bought)
    sold = trade(Side.SELL, YES, 20 * MICRO, 5_000, fee=100)
    ledger.match(MARKET, sold)
    account = ledger.account(WALLET)
    assert (account.dollars, account.pending_dollars) == (75_500_000, 9_999_900)
    ledger.check()
    ledger.confirm(sold)
    assert (account.dollars, account.pending_dollars, account.shares) == (85_499_900, 0, {YES: 30 * MICRO})
    ledger.check()


def test_a_failed_sale_gives_the_shares_back() -> None:
    ledger, bought = funded(), trade(Side.BUY, NO, 50 * MICRO, 4_900, fee=0)
    ledger.match(MARKET, bought)
    ledger.confirm(bought)
    sold = trade(Side.SELL, NO, 20 * MICRO, 5_000, fee=100)
    ledger.match(MARKET, sold)
    ledger.fail(MARKET, sold)
    account = ledger.account(WALLET)
    assert (account.shares, account.pending_dollars, account.fees_paid) == ({NO: 50 * MICRO}, 0, 0)
    ledger.check()


def test_a_pair_pays_a_dollar_whoever_wins() -> None:
    for payout in ((MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2)):
        ledger = funded()
        for token in (YES, NO):
            bought = trade(Side.BUY, token, 40 * MICRO, 4_500, fee=0)
            ledger.match(MARKET, bought)
            ledger.confirm(bought)
        ledger.pay_out(MARKET, payout)
        assert ledger.account(WALLET).dollars == (100 - 36 + 40) * MICRO
        assert ledger.account(WALLET).shares == {}
        assert ledger.account(WALLET).redeemed == 40 * MICRO
        ledger.check()


def test_half_a_millionth_at_payout_stays_with_the_house() -> None:
    ledger, bought = funded(), trade(Side.BUY, YES, 5_000_001, 4_500, fee=0)
    ledger.match(MARKET, bought)
    ledger.confirm(bought)
    ledger.pay_out(MARKET, (MICRO // 2, MICRO // 2))
    assert ledger.account(WALLET).redeemed == 2_500_000
    ledger.check()


def test_a_market_cannot_pay_out_while_a_trade_is_still_settling() -> None:
    ledger = funded()
    ledger.match(MARKET, trade(Side.BUY, YES, 5 * MICRO, 4_500))
    with pytest.raises(LedgerError, match="still settling"):
        ledger.pay_out(MARKET, (MICRO, 0))


def test_a_limited_allowance_shrinks_with_spending_and_an_unlimited_one_does_not() -> None:
    ledger = funded()
    ledger.match(MARKET, trade(Side.BUY, YES, 10 * MICRO, 5_000, fee=0))
    assert ledger.account(WALLET).allowance == UNLIMITED
    ledger.account(WALLET).allowance = 50 * MICRO
    bought = trade(Side.BUY, YES, 10 * MICRO, 5_000, fee=7)
    ledger.match(MARKET, bought)
    assert ledger.account(WALLET).allowance == 45 * MICRO - 7
    ledger.fail(MARKET, bought)
    assert ledger.account(WALLET).allowance == 50 * MICRO


def test_addresses_compare_without_case() -> None:
    assert funded().account(WALLET.lower()).dollars == funded().account(WALLET.upper()).dollars == 100 * MICRO


@pytest.mark.parametrize("micros", [0, -1])
def test_a_deposit_must_be_positive(micros: int) -> None:
    with pytest.raises(ValueError, match="positive number of micro-dollars"):
        Ledger().deposit(WALLET, micros)


def test_the_check_finds_a_dollar_from_nowhere() -> None:
    ledger = funded()
    ledger.account(WALLET).dollars += 1
    with pytest.raises(LedgerError, match="deposited"):
        ledger.check()


def test_the_check_finds_a_share_from_nowhere() -> None:
    ledger, bought = funded(), trade(Side.BUY, YES, 5 * MICRO, 4_500)
    ledger.match(MARKET, bought)
    ledger.account(WALLET).pending_shares[YES] += 1
    with pytest.raises(LedgerError, match="shares of"):
        ledger.check()


def test_the_check_finds_a_wallet_below_zero() -> None:
    ledger = funded(1)
    ledger.match(MARKET, trade(Side.BUY, YES, 5 * MICRO, 4_500))
    with pytest.raises(LedgerError, match="owes"):
        ledger.check()


def test_markets_do_not_share_collateral() -> None:
    ledger = funded()
    other = replace(MARKET, condition_id="0xother", tokens=("8", "9"))
    ledger.match(MARKET, trade(Side.BUY, YES, 5 * MICRO, 4_500))
    far = replace(trade(Side.BUY, YES, 7 * MICRO, 4_500), token="8")
    ledger.match(other, far)
    assert (ledger.pool(MARKET).collateral, ledger.pool(other).collateral) == (5 * MICRO, 7 * MICRO)
    ledger.check()
