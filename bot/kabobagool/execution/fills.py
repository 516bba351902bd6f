"""From the venue's trade rows to fills of our orders: pure, the same whatever order the rows come in.

One order can match several resting orders, one match can be split into several rows, a page can be read twice, and a row changes its status
between two reads. Called by `lookup.py`, `reconcile.py` and `settlement.py`.
"""

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Market, Side
from kabobagool.domain.money import MICRO, MICROS_PER_PRICE, PRICE_ONE, Micros
from kabobagool.domain.position import Fill
from kabobagool.venue.rows import TradeRow


class FillStatus(StrEnum):
    """How final a fill is. A failed one is as if it had never been."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


class OrderFill(msgspec.Struct, frozen=True):
    """All that one order traded, from its rows: `fill` sums those that did not fail, `failed_shares` those that did.

    `match_ms` is that of the earliest row.
    """

    order_hash: str
    fill: Fill
    status: FillStatus
    match_ms: int
    failed_shares: Micros = 0


_FINALITY = {"FAILED": 3, "CONFIRMED": 2, "MINED": 1}
"""How far along a row is: of two readings of one row the later one counts. Everything else is just matched."""


def latest_rows(rows: Iterable[TradeRow]) -> list[TradeRow]:
    """One reading of each row, the most final one."""
    latest: dict[str, TradeRow] = {}
    for row in rows:
        known = latest.get(row.id)
        if known is None or _FINALITY.get(row.status, 0) > _FINALITY.get(known.status, 0):
            latest[row.id] = row
    return list(latest.values())


def fills_of(rows: Iterable[TradeRow], market: Market) -> list[OrderFill]:
    """Our orders' fills in this market, oldest first. Rows where we were the maker are left out: see `foreign_rows`."""
    by_order: dict[str, list[TradeRow]] = {}
    for row in latest_rows(rows):
        if row.is_taker and row.token in market.tokens:
            by_order.setdefault(row.taker_order_id, []).append(row)
    fills = [_order_fill(members, market) for members in by_order.values()]
    return sorted(fills, key=lambda fill: (fill.match_ms, fill.order_hash))


def foreign_rows(rows: Iterable[TradeRow]) -> list[str]:
    """Ids of trades in which the wallet was the maker: this program never rests orders, so something else trades the wallet."""
    return sorted({row.id for row in latest_rows(rows) if not (row.is_taker or row.failed)})


def average_fee(schedule: FeeSchedule | None, shares: Micros, dollars: Micros) -> Micros:
    """The fee of a fill whose prices are not known yet, reckoned at its average price; 0 for a market whose fee is unknown."""
    if schedule is None or not shares:
        return 0
    return taker_fee(schedule, min(PRICE_ONE, (dollars * PRICE_ONE + shares // 2) // shares), shares)


def _order_fill(rows: list[TradeRow], market: Market) -> OrderFill:
    good = [row for row in rows if not row.failed]
    first = rows[0]
    fill = Fill(
        outcome=market.outcome_of(first.token),
        side=first.side,
        shares=sum(row.shares for row in good),
        dollars=sum(row_dollars(row) for row in good),
        fee=sum(_fee(row, market) for row in good),
    )
    match_ms = min(row.match_time_s for row in rows) * 1000
    return OrderFill(first.taker_order_id, fill, _status(good), match_ms, sum(row.shares for row in rows) - fill.shares)


def row_dollars(row: TradeRow) -> Micros:
    """What a row's shares cost (rounded up) or brought (rounded down)."""
    return row.dollars if row.side is Side.BUY else row.shares * row.price_micros // MICRO


def _fee(row: TradeRow, market: Market) -> Micros:
    price = (row.price_micros + MICROS_PER_PRICE // 2) // MICROS_PER_PRICE
    return taker_fee(market.fee, price, row.shares) if market.fee else 0


def _status(good: list[TradeRow]) -> FillStatus:
    if not good:
        return FillStatus.FAILED
    return FillStatus.CONFIRMED if all(row.confirmed for row in good) else FillStatus.PENDING
