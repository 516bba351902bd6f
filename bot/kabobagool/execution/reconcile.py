"""The position as the venue knows it, rebuilt when a market starts: trades, open intents and balances, and whether they agree.

A restarted bot trusts nothing it remembers. It first learns what became of every order it had signed, then sums its trades, then
compares with the balances; where they disagree it says so, and the engine stops opening pairs instead of trading on a guess. Called by
the engine and by the `reconcile` command.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.market import Market, Outcome, Side
from kabobagool.domain.money import Micros, format_micros
from kabobagool.domain.outcome import Delayed, OrderOutcome, Unknown
from kabobagool.domain.position import Position, position_of
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.fills import FillStatus, OrderFill, fills_of, foreign_rows
from kabobagool.execution.journal import Journal, JournalledOrder
from kabobagool.execution.lookup import LOOK_AGAIN_S, AccountReader
from kabobagool.venue.rows import Balance, TradeRow

HOUR_MS = 60 * 60 * 1000
DUST_MICROS = 10_000
"""A hundredth of a share: below what anybody can sell, and what other indexes leave out."""
PATIENCE_S = 10.0


class WalletReader(AccountReader, Protocol):
    """What `venue.clob.ClobReader` says of a wallet, balances included."""

    async def refresh_balance(self, token: str | None = None) -> None:
        """Have the venue read the balance from the chain again."""
        ...

    async def balance(self, token: str | None = None) -> Balance:
        """Shares of a token (dollars for None) as the venue has them."""
        ...


class OpenOrders(Protocol):
    """Where orders without an end are written down: a journal, or what somebody else's journal said."""

    async def open_orders(self, market: str) -> list[JournalledOrder]:
        """The market's orders whose end is not known, oldest first."""
        ...

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write what became of an order."""
        ...


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """What a market's history amounts to.

    `fills` are those that did not fail; `pending` are hashes of fills that are not settled; `foreign` trades nobody here made;
    `resolved_orders` journalled orders whose end was found just now; `unresolved` those still in doubt (open nothing); `merged_pairs`
    micros of pairs that were turned back into dollars elsewhere; `disagreement` a sentence when trades and balances do not fit, else
    None.
    """

    fills: list[OrderFill]
    pending: list[str]
    foreign: list[str]
    resolved_orders: dict[str, OrderOutcome]
    unresolved: list[str]
    merged_pairs: Micros
    disagreement: str | None

    @property
    def position(self) -> Position:
        """What the fills add up to, pending ones included."""
        return position_of(order.fill for order in self.fills)


async def reconcile(
    market: Market,
    *,
    reader: WalletReader,
    client: ExecutionClient,
    journal: Journal,
    clock: Clock,
    lookback_hours: float,
    patience_s: float = PATIENCE_S,
) -> Reconciliation:
    """Rebuild a market's position. Raises what reader and journal raise: without an answer there is no position to trade on."""
    resolved, unresolved = await resolve_open_orders(market, client=client, journal=journal, clock=clock, patience_s=patience_s)
    after_s = (clock.now_ms() - round(lookback_hours * HOUR_MS)) // 1000
    for token in market.tokens:
        await reader.refresh_balance(token)
    rows = await reader.trades(market.condition_id, after_s)
    balances = {outcome: (await reader.balance(market.token(outcome))).amount_micros for outcome in Outcome}
    return plan_reconciliation(market, rows, balances, resolved=resolved, unresolved=unresolved)


async def resolve_open_orders(
    market: Market, *, client: ExecutionClient, journal: OpenOrders, clock: Clock, patience_s: float = PATIENCE_S
) -> tuple[dict[str, OrderOutcome], list[str]]:
    """Look up every journalled order without an end, again and again up to `patience_s`. Returns (resolved by hash, still in doubt)."""
    resolved: dict[str, OrderOutcome] = {}
    waiting = await journal.open_orders(market.condition_id)
    deadline = clock.monotonic() + patience_s
    while waiting:
        for order in waiting:
            outcome = await client.lookup(order.order_hash, market, order.created_ms)
            if outcome is not None and not isinstance(outcome, Delayed | Unknown):
                await journal.mark(order.order_hash, outcome)
                resolved[order.order_hash] = outcome
        waiting = [order for order in waiting if order.order_hash not in resolved]
        if clock.monotonic() >= deadline:
            break
        if waiting:
            await clock.sleep(LOOK_AGAIN_S)
    return resolved, [order.order_hash for order in waiting]


def plan_reconciliation(
    market: Market,
    rows: Sequence[TradeRow],
    balances: Mapping[Outcome, Micros],
    *,
    resolved: Mapping[str, OrderOutcome],
    unresolved: Sequence[str],
) -> Reconciliation:
    """Sum the rows and compare them with the balances: pure."""
    fills = [fill for fill in fills_of(rows, market) if fill.status is not FillStatus.FAILED]
    surplus = {outcome: _surplus(fills, outcome, balances[outcome]) for outcome in Outcome}
    merged = _merged_pairs(surplus)
    return Reconciliation(
        fills=fills,
        pending=sorted({fill.order_hash for fill in fills if fill.status is FillStatus.PENDING}),
        foreign=foreign_rows(rows),
        resolved_orders=dict(resolved),
        unresolved=list(unresolved),
        merged_pairs=merged,
        disagreement=_disagreement(market, {outcome: amount + merged for outcome, amount in surplus.items()}),
    )


def _surplus(fills: Sequence[OrderFill], outcome: Outcome, balance: Micros) -> Micros:
    """Shares in the wallet beyond (below: negative) everything the trades allow, where a pending fill may or may not have arrived."""
    least = most = 0
    for order in fills:
        fill = order.fill
        if fill.outcome is outcome:
            signed = fill.shares if fill.side is Side.BUY else -fill.shares
            pending = order.status is FillStatus.PENDING
            least += min(signed, 0) if pending else signed
            most += max(signed, 0) if pending else signed
    return max(balance - most, 0) + min(balance - least, 0)


def _merged_pairs(surplus: Mapping[Outcome, Micros]) -> Micros:
    """Merging takes the same number of YES and NO: shares missing on both sides alike are no loss but dollars."""
    yes, no = surplus[Outcome.YES], surplus[Outcome.NO]
    return min(-yes, -no) if min(-yes, -no) > DUST_MICROS and abs(yes - no) <= DUST_MICROS else 0


def _disagreement(market: Market, surplus: Mapping[Outcome, Micros]) -> str | None:
    parts = [
        f"{format_micros(abs(amount))} {market.outcomes[outcome]} {'more' if amount > 0 else 'less'}"
        for outcome, amount in surplus.items()
        if abs(amount) > DUST_MICROS
    ]
    if not parts:
        return None
    return f"the wallet holds {' and '.join(parts)} than its trades explain: other trading, transfers, or trades before the look-back"
