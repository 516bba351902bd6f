"""What the CLOB tells about markets, books and our account, as typed rows of integers.

`clob.py` fetches, this module decodes; reconcile, discovery and the engine read the rows. Wire shapes are private and tolerant (numbers as
text or number, fields missing or added); what a decision needs and is missing raises `ResponseError` with its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from kabobagool.domain.book import Level
from kabobagool.domain.market import NO_FEE, FeeSchedule, Side
from kabobagool.domain.money import MICRO, Micros, Price
from kabobagool.venue.reader import (
    ResponseError,
    Scalar,
    decode,
    field_integer,
    field_micros,
    field_milliseconds,
    field_price,
    field_seconds,
    field_tick,
    plain_text,
)
from kabobagool.venue.signing import EXCHANGE, NEG_RISK_EXCHANGE
from kabobagool.venue.transport import HttpReply

UNKNOWN_DELAY_MS: Final = 250
"""Taken for a market that delays takers without saying how long: any delay keeps it from being traded."""
_OUR_SPENDERS: Final = frozenset({EXCHANGE.lower(), NEG_RISK_EXCHANGE.lower()})
_FINAL_FAILED: Final = "FAILED"
_FINAL_CONFIRMED: Final = "CONFIRMED"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketInfo:
    """A market as the CLOB knows it. `fee` is None when it could not be understood; None elsewhere means the CLOB did not say."""

    condition_id: str
    tokens: tuple[str, ...]
    tick_size: Price
    min_order_shares: Micros | None
    fee: FeeSchedule | None
    neg_risk: bool
    accepting_orders: bool | None
    taker_delay_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BookSummary:
    """A whole book read over HTTP. Levels are in the venue's order: use max and min, never an index."""

    asset_id: str
    condition_id: str
    timestamp_ms: int
    bids: list[Level]
    asks: list[Level]
    tick_size: Price | None
    min_order_shares: Micros | None
    neg_risk: bool
    hash: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Millionths of a dollar or share. `allowance_micros` is the smallest that one of our two exchanges may spend."""

    amount_micros: Micros
    allowance_micros: Micros
    allowances: Mapping[str, Micros]


@dataclass(frozen=True, slots=True, kw_only=True)
class MakerFill:
    """One resting order of ours that somebody else's order traded with."""

    order_id: str
    token: str
    side: Side | None
    shares: Micros
    price_micros: Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One trade of the account. `price_micros` is micro-dollars a share, because an average over several makers is finer than any tick.

    When `is_taker`, side, shares and price are ours; otherwise only `maker_orders` are, and they may be of the other token. Status is
    MATCHED, MATCHED_NOT_BROADCASTED, MINED, RETRYING, CONFIRMED or FAILED; the last two are final.
    """

    id: str
    taker_order_id: str
    condition_id: str
    token: str
    side: Side
    shares: Micros
    price_micros: Micros
    status: str
    match_time_s: int
    is_taker: bool
    maker_orders: tuple[MakerFill, ...] = ()

    @property
    def dollars(self) -> Micros:
        """Micro-dollars that changed hands without the fee, rounded up."""
        return -(-self.shares * self.price_micros // MICRO)

    @property
    def failed(self) -> bool:
        """True when the trade never settled and never will."""
        return self.status == _FINAL_FAILED

    @property
    def confirmed(self) -> bool:
        """True when the chain has it for good."""
        return self.status == _FINAL_CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """One order of ours. Status is upper case: LIVE, MATCHED, DELAYED, UNMATCHED, INVALID, or one that begins with CANCELED.

    `original_size` of a market buy is micro-dollars, not shares; `size_matched` is what traded so far, as the venue counts it.
    """

    id: str
    status: str
    condition_id: str
    token: str
    side: Side | None
    price_micros: Micros
    original_size: Micros
    size_matched: Micros
    created_at_s: int


class _TokenWire(msgspec.Struct):
    t: str = ""


class _MarketWire(msgspec.Struct):
    t: list[_TokenWire | None] | None = None
    mts: Scalar = None
    mos: Scalar = None
    nr: bool | None = None
    ao: bool | None = None
    itode: bool | None = None
    fd: object = None


class _LevelWire(msgspec.Struct):
    price: Scalar
    size: Scalar


class _BookWire(msgspec.Struct):
    asset_id: str
    market: str = ""
    timestamp: Scalar = None
    bids: list[_LevelWire] | None = None
    asks: list[_LevelWire] | None = None
    tick_size: Scalar = None
    min_order_size: Scalar = None
    neg_risk: bool | None = None
    hash: str | None = None


class _BalanceWire(msgspec.Struct):
    balance: Scalar
    allowances: dict[str, Scalar] | None = None
    allowance: Scalar = None


class _MakerWire(msgspec.Struct):
    order_id: str
    asset_id: str
    matched_amount: Scalar
    price: Scalar
    side: str | None = None
    owner: str = ""
    maker_address: str = ""


class _TradeWire(msgspec.Struct):
    id: str
    asset_id: str
    side: str
    size: Scalar
    price: Scalar
    status: str
    taker_order_id: str = ""
    market: str = ""
    match_time: Scalar = None
    trader_side: str = "TAKER"
    maker_orders: list[_MakerWire] | None = None


class _TradePageWire(msgspec.Struct):
    data: list[_TradeWire] | None = None
    next_cursor: str | None = None


class _OrderWire(msgspec.Struct):
    id: str
    status: str
    market: str = ""
    asset_id: str = ""
    side: str | None = None
    price: Scalar = None
    original_size: Scalar = None
    size_matched: Scalar = None
    created_at: Scalar = None


def market_info(reply: HttpReply, *, condition_id: str, endpoint: str) -> MarketInfo:
    """Read a market. ResponseError when it has no tick size."""
    wire = decode(_MarketWire, reply, endpoint)
    return MarketInfo(
        condition_id=condition_id,
        tokens=tuple(token.t for token in wire.t or () if token is not None and token.t),
        tick_size=field_tick(wire.mts, endpoint, "mts"),
        min_order_shares=None if wire.mos is None else field_micros(wire.mos, endpoint, "mos"),
        fee=fee_schedule(wire.fd, rate_key="r", exponent_key="e"),
        neg_risk=bool(wire.nr),
        accepting_orders=wire.ao,
        taker_delay_ms=UNKNOWN_DELAY_MS if wire.itode else 0,
    )


def fee_schedule(details: object, *, rate_key: str, exponent_key: str) -> FeeSchedule | None:
    """Fee details as the venue writes them; missing details mean no fee. None when they are there but cannot be understood."""
    if details is None:
        return NO_FEE
    if not isinstance(details, Mapping):
        return None
    try:
        rate_micros = field_micros(details.get(rate_key), "", rate_key)
        exponent = Decimal(plain_text(details.get(exponent_key)) or "NaN") if rate_micros else Decimal(1)
        if rate_micros > MICRO or exponent not in (1, 2, 3, 4):  # comparing may raise: `sNaN` is a Decimal, too
            return None
    except (ResponseError, ValueError, ArithmeticError):
        return None
    return FeeSchedule(rate_micros, int(exponent)) if rate_micros else NO_FEE


def book_summaries(reply: HttpReply, endpoint: str) -> list[BookSummary]:
    """Read the books of a `/books` reply; tokens without a book are not in it."""
    return [_book_summary(wire, endpoint) for wire in decode(list[_BookWire], reply, endpoint)]


def _book_summary(wire: _BookWire, endpoint: str) -> BookSummary:
    return BookSummary(
        asset_id=wire.asset_id,
        condition_id=wire.market,
        timestamp_ms=0 if wire.timestamp in (None, "") else field_milliseconds(wire.timestamp, endpoint, "timestamp"),
        bids=_levels(wire.bids, endpoint, "bids"),
        asks=_levels(wire.asks, endpoint, "asks"),
        tick_size=None if wire.tick_size in (None, "") else field_tick(wire.tick_size, endpoint, "tick_size"),
        min_order_shares=None if wire.min_order_size in (None, "") else field_micros(wire.min_order_size, endpoint, "min_order_size"),
        neg_risk=bool(wire.neg_risk),
        hash=wire.hash or "",
    )


def _levels(levels: list[_LevelWire] | None, endpoint: str, field: str) -> list[Level]:
    return [(field_price(level.price, endpoint, field), field_micros(level.size, endpoint, field)) for level in levels or ()]


def balance(reply: HttpReply, endpoint: str) -> Balance:
    """Read a balance. Both numbers come in base units, not as decimals."""
    wire = decode(_BalanceWire, reply, endpoint)
    amount = field_integer(wire.balance, endpoint, "balance")
    given = {spender.lower(): field_integer(units, endpoint, "allowances") for spender, units in (wire.allowances or {}).items()}
    if not given and wire.allowance not in (None, ""):
        given = {"": field_integer(wire.allowance, endpoint, "allowance")}
    ours = [units for spender, units in given.items() if spender in _OUR_SPENDERS] or list(given.values())
    return Balance(amount, min(ours, default=0), given)


def trade_page(reply: HttpReply, *, owner: str, address: str, endpoint: str) -> tuple[list[TradeRow], str]:
    """Trades of a page and the cursor of the next, `""` when there is none.

    Of the resting orders in a trade only those are kept that belong to the API key `owner` or to the wallet `address`.
    """
    page = decode(_TradePageWire, reply, endpoint)
    mine = (owner.lower(), address.lower())
    return [_trade_row(wire, mine, endpoint) for wire in page.data or ()], page.next_cursor or ""


def _trade_row(wire: _TradeWire, mine: tuple[str, str], endpoint: str) -> TradeRow:
    is_taker = wire.trader_side.upper() != "MAKER"
    return TradeRow(
        id=wire.id,
        taker_order_id=wire.taker_order_id.lower(),
        condition_id=wire.market,
        token=wire.asset_id,
        side=_side(wire.side, endpoint, "side"),
        shares=field_micros(wire.size, endpoint, "size"),
        price_micros=_price_micros(wire.price, endpoint),
        status=wire.status.upper().removeprefix("TRADE_STATUS_"),
        match_time_s=0 if wire.match_time in (None, "") else field_seconds(wire.match_time, endpoint, "match_time"),
        is_taker=is_taker,
        maker_orders=() if is_taker else tuple(_maker_fills(wire, mine, endpoint)),
    )


def _maker_fills(wire: _TradeWire, mine: tuple[str, str], endpoint: str) -> list[MakerFill]:
    owner, address = mine
    return [
        MakerFill(
            order_id=row.order_id.lower(),
            token=row.asset_id,
            side=_side(row.side, endpoint, "maker_orders.side") if row.side else None,
            shares=field_micros(row.matched_amount, endpoint, "maker_orders.matched_amount"),
            price_micros=_price_micros(row.price, endpoint),
        )
        for row in wire.maker_orders or ()
        if row.owner.lower() == owner or (address and row.maker_address.lower() == address)
    ]


def order_row(reply: HttpReply, endpoint: str) -> OrderRow | None:
    """Read an order. None for the empty answers of a venue that does not know it."""
    if reply.body.strip() in (b"", b"null", b"{}", b'""'):
        return None
    wire = decode(_OrderWire, reply, endpoint)
    return OrderRow(
        id=wire.id.lower(),
        status=wire.status.upper().removeprefix("ORDER_STATUS_"),
        condition_id=wire.market,
        token=wire.asset_id,
        side=_side(wire.side, endpoint, "side") if wire.side else None,
        price_micros=0 if wire.price in (None, "") else _price_micros(wire.price, endpoint),
        original_size=0 if wire.original_size in (None, "") else field_micros(wire.original_size, endpoint, "original_size"),
        size_matched=field_micros(wire.size_matched, endpoint, "size_matched"),
        created_at_s=0 if wire.created_at in (None, "") else field_seconds(wire.created_at, endpoint, "created_at"),
    )


def _side(text: str, endpoint: str, field: str) -> Side:
    try:
        return Side(text.upper())
    except ValueError:
        raise ResponseError(f"{endpoint}: field {field}: {text[:40]!r} is neither BUY nor SELL") from None


def _price_micros(value: object, endpoint: str) -> Micros:
    """Averages have more decimals than a tick; they are cut to micro-dollars, upwards, so that a cost is never understated."""
    try:
        text = plain_text(value)
        whole, _, fraction = text.partition(".")
        price = field_micros(f"{whole}.{fraction[:6]}" if fraction else whole, endpoint, "price")
    except ValueError as e:
        raise ResponseError(f"{endpoint}: field price: {e}") from None
    price += 1 if fraction[6:].strip("0") else 0
    if price > MICRO or not (fraction[6:].isdigit() or not fraction[6:]):
        raise ResponseError(f"{endpoint}: field price: {text[:40]!r} is no price between 0 and 1")
    return price
