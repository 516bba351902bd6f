"""From the venue's trade rows to fills of our orders: pure, the same whatever order the rows come in.

One order can match several resting orders, one match can be split into several rows, a page can be read twice, and a row changes its status
between two reads. Called by `lookup.py`, `reconcile.py` and `settlement.py`.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import Market, Side
from kabobagool.domain.money import PRICE_ONE, Micros, notional
from kabobagool.domain.position import Fill
from kabobagool.venue.clob import TradeRow

TAKER = "TAKER"


class FillStatus(StrEnum):
    """How final a fill is. A failed one is as if it had never been."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class OrderFill(msgspec.Struct, frozen=True):
    """All that one order traded, from its rows: `fill` sums those that did not fail. `match_ms` is that of the earliest row."""

    order_hash: str
    fill: Fill
    status: FillStatus
    match_ms: int


_FINALITY = {"FAILED": 3, "CONFIRMED": 2, "MINED": 1}
"""How far along a row is: of two readings of one row the later one counts. Everything else is just matched."""


def latest_rows(rows: Iterable[TradeRow]) -> list[TradeRow]:
    """One reading of each row, the most final one."""
    latest: dict[tuple[str, int], TradeRow] = {}
    for row in rows:
        key = (row.id, row.bucket_index)
        known = latest.get(key)
        if known is None or _FINALITY.get(row.status, 0) > _FINALITY.get(known.status, 0):
            latest[key] = row
    return list(latest.values())


def fills_of(rows: Iterable[TradeRow], market: Market) -> list[OrderFill]:
    """Our orders' fills in this market, oldest first. Rows where we were the maker are left out: see `foreign_rows`."""
    by_order: dict[tuple[str, str, str], list[TradeRow]] = {}
    for row in latest_rows(rows):
        if row.trader_side == TAKER and row.asset_id in market.tokens:
            by_order.setdefault((row.taker_order_id, row.asset_id, row.side), []).append(row)
    fills = [_order_fill(members, market) for members in by_order.values()]
    return sorted(fills, key=lambda f: (f.match_ms, f.order_hash, f.fill.outcome, f.fill.side))


def foreign_rows(rows: Iterable[TradeRow]) -> list[str]:
    """Ids of trades in which the wallet was the maker: this program never rests orders, so something else trades the wallet."""
    return sorted({row.id for row in rows if row.trader_side != TAKER and row.status != "FAILED"})


def _order_fill(rows: list[TradeRow], market: Market) -> OrderFill:
    good = [row for row in rows if row.status != "FAILED"]
    first = rows[0]
    side = Side(first.side)
    fill = Fill(
        outcome=market.outcome_of(first.asset_id),
        side=side,
        shares=sum(row.size for row in good),
        dollars=sum(row_dollars(row) for row in good),
        fee=sum(_fee(row, market) for row in good),
    )
    return OrderFill(first.taker_order_id, fill, _status(good), min(row.match_time_s for row in rows) * 1000)


def row_dollars(row: TradeRow) -> Micros:
    """What a row's shares cost (rounded up) or brought (rounded down)."""
    return notional(row.price, row.size) if row.side == Side.BUY else row.price * row.size // PRICE_ONE


def _fee(row: TradeRow, market: Market) -> Micros:
    return taker_fee(market.fee, row.price, row.size) if market.fee else 0


def _status(good: list[TradeRow]) -> FillStatus:
    if not good:
        return FillStatus.FAILED
    return FillStatus.CONFIRMED if all(row.status == "CONFIRMED" for row in good) else FillStatus.PENDING
