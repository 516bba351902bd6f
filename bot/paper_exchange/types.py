"""The nouns of the exchange, shared by its matching core and its HTTP and socket shell.

Prices are integers in 1/10,000 dollar, shares and dollars integers in millionths, times integers in milliseconds of venue time.
The core (`exchange.py`) is passive: it is told the time and returns what happened. The shell (`server/`) owns clocks, sockets and JSON.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

PRICE_ONE = 10_000
MICRO = 1_000_000

BookOrigin = Literal["recorded", "synthetic"]


@dataclass(frozen=True, slots=True)
class Level:
    """One price level: total resting size at a price."""

    price: int
    size: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The visible book of one outcome at one venue time; both sides best level first."""

    outcome: int
    venue_ms: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    origin: BookOrigin = "recorded"


@dataclass(frozen=True, slots=True)
class PaperMarket:
    """One binary market as the exchange lists it. `payout` is micro-dollars per share for each outcome, None while unknown."""

    condition_id: str
    slug: str
    question: str
    outcomes: tuple[str, str]
    tokens: tuple[str, str]
    start_ms: int
    end_ms: int
    payout: tuple[int, int] | None
    origin: BookOrigin
    category: str = "crypto"
    tick_size: int = 100
    fee_rate_micros: int = 70_000
    fee_exponent: int = 1
    neg_risk: bool = False
    min_order_size: int = 5 * MICRO
    taker_delay_ms: int = 0
    volume_24h: int = 50_000 * MICRO
    liquidity: int = 20_000 * MICRO
    version: str = "v1"


class BookSource(Protocol):
    """Where books come from: the recorded days, or a seeded generator."""

    def markets(self) -> Sequence[PaperMarket]:
        """Markets in listing order, their times already moved to this exchange's venue clock."""
        ...

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Every snapshot of the market, ascending by `venue_ms`, both outcomes mixed."""
        ...


class Side(StrEnum):
    """Side of an order as the venue spells it."""

    BUY = "BUY"
    SELL = "SELL"


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A verified order as it reaches matching: amounts in millionths, `order_hash` the EIP-712 hash (also the order id).

    BUY: `maker_amount` dollars to spend, `taker_amount` the fewest shares accepted. SELL: `maker_amount` shares, `taker_amount` dollars.
    """

    order_hash: str
    signer: str
    maker: str
    token: str
    side: Side
    maker_amount: int
    taker_amount: int
    order_type: Literal["FOK", "FAK", "GTC", "GTD"]


class OrderStatus(StrEnum):
    """Order statuses as `/data/order` and the user channel spell them."""

    LIVE = "LIVE"
    MATCHED = "MATCHED"
    DELAYED = "DELAYED"
    UNMATCHED = "UNMATCHED"
    CANCELED = "CANCELED"
    INVALID = "INVALID"


class TradeStatus(StrEnum):
    """Settlement of a trade. CONFIRMED and FAILED are terminal."""

    MATCHED = "MATCHED"
    MINED = "MINED"
    CONFIRMED = "CONFIRMED"
    FAILED = "FAILED"


@dataclass(slots=True)
class Trade:
    """One match of our order against one or more resting levels at one price."""

    trade_id: str
    order_hash: str
    condition_id: str
    token: str
    outcome: int
    maker: str
    side: Side
    price: int
    shares: int
    dollars: int
    fee: int
    match_ms: int
    bucket_index: int
    status: TradeStatus = TradeStatus.MATCHED
    updated_ms: int = 0
    transaction_hash: str = ""


@dataclass(slots=True)
class OrderRecord:
    """What the exchange knows of an order it accepted: matched amounts and its trades."""

    request: OrderRequest
    condition_id: str
    outcome: int
    received_ms: int
    status: OrderStatus
    reason: str = ""
    making: int = 0
    taking: int = 0
    trades: list[Trade] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The order reached matching and has a status; FOK killed is CANCELED with the venue's sentence in `record.reason`."""

    record: OrderRecord


@dataclass(frozen=True, slots=True)
class Refused:
    """The order never reached matching: HTTP status and the venue's own text."""

    status: int
    error: str
    order_hash: str


@dataclass(frozen=True, slots=True)
class Pending:
    """The order is on its way (latency, taker delay): ask `outcome(order_hash)` at or after `due_ms`."""

    order_hash: str
    due_ms: int
    delayed: bool


Submission = Accepted | Refused | Pending


@dataclass(frozen=True, slots=True)
class BookUpdate:
    """Books that changed at one instant, one entry an outcome; `full` means send `book` rather than `price_change`."""

    venue_ms: int
    condition_id: str
    snapshots: tuple[Snapshot, ...]
    previous: tuple[Snapshot | None, ...]
    full: bool = False


@dataclass(frozen=True, slots=True)
class TickSizeChanged:
    """The market's tick size changed, typically beyond 0.96 or below 0.04."""

    venue_ms: int
    condition_id: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order was placed, updated or cancelled (user channel)."""

    venue_ms: int
    record: OrderRecord
    kind: Literal["PLACEMENT", "UPDATE", "CANCELLATION"]


@dataclass(frozen=True, slots=True)
class TradeChanged:
    """A trade moved on: MATCHED, MINED, CONFIRMED or FAILED (user channel). `price`, `size` are also a last_trade_price."""

    venue_ms: int
    trade: Trade
    status: TradeStatus


@dataclass(frozen=True, slots=True)
class MarketResolved:
    """The market paid out; balances have been credited."""

    venue_ms: int
    condition_id: str
    payout: tuple[int, int]


Event = BookUpdate | TickSizeChanged | OrderChanged | TradeChanged | MarketResolved
