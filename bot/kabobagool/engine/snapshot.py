"""RuntimeSnapshot: everything about one market that a person may ask for, as plain data.

The engine makes one on demand; `/status`, the live line of the demo and the report are this, so that no two of them can disagree.
Dollars and shares are written as decimal text, because JSON numbers are floats to most readers.
"""

import msgspec

from kabobagool.domain.market import Market
from kabobagool.domain.money import format_micros, format_price
from kabobagool.domain.position import EMPTY, Position


class PositionSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A position in text: shares and dollars with up to six decimals."""

    shares_yes: str
    shares_no: str
    average_yes: str
    average_no: str
    pairs: str
    imbalance: str
    spent: str
    fees: str
    locked_profit: str


class RuntimeSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """One market at one moment. Times are venue milliseconds, ages seconds; `ask_*` are None while a book is not valid.

    `frames` are those of the connection, which other markets may share. `pair_cost` is the sum of the best asks;
    `pair_cost_after_fees` adds the fee of one share of each, None while the fee is not known. `naked`: the imbalance is a leg whose other
    half is missing, not one that is on its way or dust.
    """

    market: str
    condition_id: str
    question: str
    mode: str
    state: str
    reasons: tuple[str, ...]
    at_ms: int
    ask_yes: str | None
    ask_no: str | None
    pair_cost: str | None
    pair_cost_after_fees: str | None
    feed_age_s: float | None
    connected: bool
    position: PositionSnapshot
    unsettled_orders: int
    frozen_orders: tuple[str, ...]
    last_fill_ms: int | None
    frames: int
    ticks: int
    decisions: int
    edges_seen: int
    edges_acted_on: int
    edges_rejected: dict[str, int]
    orders: dict[str, int]
    fills: int
    naked: bool
    cooldown_s: float


def snapshot_before_start(market: Market, *, mode: str, at_ms: int) -> RuntimeSnapshot:
    """A market whose bot does not exist yet: nothing is known and nothing happened."""
    return RuntimeSnapshot(
        market=market.slug,
        condition_id=market.condition_id,
        question=market.question,
        mode=mode,
        state="starting",
        reasons=(),
        at_ms=at_ms,
        ask_yes=None,
        ask_no=None,
        pair_cost=None,
        pair_cost_after_fees=None,
        feed_age_s=None,
        connected=False,
        position=position_snapshot(EMPTY),
        unsettled_orders=0,
        frozen_orders=(),
        last_fill_ms=None,
        frames=0,
        ticks=0,
        decisions=0,
        edges_seen=0,
        edges_acted_on=0,
        edges_rejected={},
        orders={},
        fills=0,
        naked=False,
        cooldown_s=0.0,
    )


def position_snapshot(position: Position) -> PositionSnapshot:
    """Write a position as text."""
    return PositionSnapshot(
        shares_yes=format_micros(position.yes.shares),
        shares_no=format_micros(position.no.shares),
        average_yes=format_micros(position.yes.average_cost_micros),
        average_no=format_micros(position.no.average_cost_micros),
        pairs=format_micros(position.pairs),
        imbalance=format_micros(position.imbalance),
        spent=format_micros(position.spent),
        fees=format_micros(position.fees),
        locked_profit=format_micros(position.locked_profit),
    )


def price_text(price: int, *, valid: bool) -> str | None:
    """A best price as text, None while its book is not valid."""
    return format_price(price) if valid else None
