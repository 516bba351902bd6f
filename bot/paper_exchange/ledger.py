"""Who owns what: dollars and shares of every wallet, and the counterparty all of them trade with, conserved to the millionth.

The house stands for all resting orders. It delivers shares it holds or mints YES and NO in pairs against a dollar of collateral, as the
venue does. Its dollars may go below zero; no wallet's may. `exchange.py` books every step here and tests call `check` after each.
"""

from dataclasses import dataclass, field

from paper_exchange.types import MICRO, PaperMarket, Side, Trade

UNLIMITED = 2**256 - 1


class LedgerError(Exception):
    """The books do not balance or somebody owes what they cannot: always a defect of the exchange, never of an order."""


@dataclass(slots=True)
class Account:
    """One wallet. `pending_*` came from trades that are not confirmed yet and cannot be used; all amounts in millionths."""

    dollars: int = 0
    allowance: int = UNLIMITED
    pending_dollars: int = 0
    shares: dict[str, int] = field(default_factory=dict)
    pending_shares: dict[str, int] = field(default_factory=dict)
    fees_paid: int = 0
    spent: int = 0
    received: int = 0
    redeemed: int = 0

    def held(self, token: str) -> int:
        """Micro-shares of a token, confirmed and pending."""
        return self.shares.get(token, 0) + self.pending_shares.get(token, 0)


@dataclass(slots=True)
class _Pool:
    """The shares of one market: collateral behind the minted pairs, and what the house holds of each outcome."""

    market: PaperMarket
    collateral: int = 0
    house: dict[str, int] = field(default_factory=dict)


class Ledger:
    """All wallets, the house, the fee account and the collateral of every market."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.house_dollars = 0
        self.fees = 0
        self.deposited = 0
        self._pools: dict[str, _Pool] = {}

    def account(self, maker: str) -> Account:
        """Return the wallet's account, opened empty on first use; addresses compare without case."""
        return self.accounts.setdefault(maker.lower(), Account())

    def deposit(self, maker: str, micros: int) -> None:
        """Credit dollars from outside. Raises ValueError unless the amount is positive."""
        if micros <= 0:
            raise ValueError(f"deposit={micros}: deposit a positive number of micro-dollars")
        self.account(maker).dollars += micros
        self.deposited += micros

    def pool(self, market: PaperMarket) -> _Pool:
        """Return the market's share pool."""
        return self._pools.setdefault(market.condition_id, _Pool(market, house=dict.fromkeys(market.tokens, 0)))

    def match(self, market: PaperMarket, trade: Trade) -> None:
        """Book a fresh match: what the taker gives leaves at once, what they get stays pending."""
        account = self.account(trade.maker)
        if trade.side is Side.BUY:
            self._pay(account, trade.dollars, trade.fee)
            self._deliver(self.pool(market), trade.token, trade.shares)
            _add(account.pending_shares, trade.token, trade.shares)
        else:
            _add(account.shares, trade.token, -trade.shares)
            _add(self.pool(market).house, trade.token, trade.shares)
            self.house_dollars -= trade.dollars
            self.fees += trade.fee
            account.fees_paid += trade.fee
            account.received += trade.dollars
            account.pending_dollars += trade.dollars - trade.fee

    def confirm(self, trade: Trade) -> None:
        """Release what the taker got."""
        account = self.account(trade.maker)
        if trade.side is Side.BUY:
            _add(account.pending_shares, trade.token, -trade.shares)
            _add(account.shares, trade.token, trade.shares)
        else:
            account.pending_dollars -= trade.dollars - trade.fee
            account.dollars += trade.dollars - trade.fee

    def fail(self, market: PaperMarket, trade: Trade) -> None:
        """Undo a match that did not settle: dollars with fee one way, shares the other."""
        account = self.account(trade.maker)
        if trade.side is Side.BUY:
            self._pay(account, -trade.dollars, -trade.fee)
            _add(account.pending_shares, trade.token, -trade.shares)
            _add(self.pool(market).house, trade.token, trade.shares)
            return
        account.pending_dollars -= trade.dollars - trade.fee
        account.received -= trade.dollars
        account.fees_paid -= trade.fee
        self.fees -= trade.fee
        self.house_dollars += trade.dollars
        self._deliver(self.pool(market), trade.token, trade.shares)
        _add(account.shares, trade.token, trade.shares)

    def pay_out(self, market: PaperMarket, payout: tuple[int, int]) -> None:
        """Redeem all shares of a settled market. Raises LedgerError while any of them is still pending."""
        pool = self.pool(market)
        prices = dict(zip(market.tokens, payout, strict=True))
        for account in self.accounts.values():
            if any(account.pending_shares.get(token) for token in market.tokens):
                raise LedgerError(f"{market.slug}: paid out while trades are still settling")
            worth = sum(account.shares.pop(token, 0) * price // MICRO for token, price in prices.items())
            account.dollars += worth
            account.redeemed += worth
            pool.collateral -= worth
        self.house_dollars += pool.collateral
        pool.collateral = 0
        pool.house = dict.fromkeys(market.tokens, 0)

    def _pay(self, account: Account, dollars: int, fee: int) -> None:
        """Move dollars and fee from a wallet to the house and the venue; negative amounts move back."""
        account.dollars -= dollars + fee
        account.spent += dollars
        account.fees_paid += fee
        if account.allowance < UNLIMITED:
            account.allowance -= dollars + fee
        self.house_dollars += dollars
        self.fees += fee

    def _deliver(self, pool: _Pool, token: str, shares: int) -> None:
        """Take shares out of the house, minting the missing pairs at a dollar each."""
        missing = shares - pool.house[token]
        if missing > 0:
            self.house_dollars -= missing
            pool.collateral += missing
            for minted in pool.market.tokens:
                pool.house[minted] += missing
        pool.house[token] -= shares

    def check(self) -> None:
        """Raise LedgerError unless every dollar and every share is accounted for and no wallet is below zero."""
        wallets = self.accounts.values()
        collateral = sum(pool.collateral for pool in self._pools.values())
        owned = sum(account.dollars + account.pending_dollars for account in wallets)
        if owned + self.house_dollars + self.fees + collateral != self.deposited:
            raise LedgerError(f"{owned} + {self.house_dollars} + {self.fees} + {collateral} dollars, deposited {self.deposited}")
        for pool in self._pools.values():
            for token in pool.market.tokens:
                supply = pool.house[token] + sum(account.held(token) for account in wallets)
                if supply != pool.collateral or pool.house[token] < 0:
                    raise LedgerError(f"{pool.market.slug}: {supply} shares of {token} against {pool.collateral} of collateral")
        for maker, account in self.accounts.items():
            amounts = (account.dollars, account.pending_dollars, *account.shares.values(), *account.pending_shares.values())
            if min(amounts) < 0:
                raise LedgerError(f"{maker} owes: {account}")


def _add(shares: dict[str, int], token: str, amount: int) -> None:
    """Change a share count and drop it at zero."""
    left = shares.get(token, 0) + amount
    if left:
        shares[token] = left
    else:
        shares.pop(token, None)
