"""Frames of the market channel, decoded once and turned into integers on the way.

The feed calls `decode_frame` for every frame a socket delivers, thousands a second on a busy market, so this is the hottest parser of the
bot: msgspec reads the JSON, and prices and sizes go through a bounded memo because the same few texts come again and again. Rubbish raises
`MessageError` and nothing else, so that the feed needs one `except` to distrust a connection.
"""

from typing import Final, Literal

import msgspec

from kabobagool.domain.book import Level
from kabobagool.domain.market import Side
from kabobagool.domain.moment import Milliseconds
from kabobagool.domain.money import MOST_MICROS, PRICE_ONE, Micros, Price
from kabobagool.unreadable import UNREADABLE
from kabobagool.venue.errors import VenueError

MAX_MICROS: Final = MOST_MICROS
_MEMO_LIMIT: Final = 1 << 14
_LONGEST_REMEMBERED: Final = 40
_SHOWN: Final = 120
_SCALES: Final = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


class MessageError(VenueError):
    """A frame that is no market message; the text says what was wrong with it."""


class PriceChange(msgspec.Struct, frozen=True, gc=False):
    """One level of one token: `size` is the new total resting there, 0 removes it. The best prices are the venue's own, None if absent."""

    asset_id: str
    price: Price
    size: Micros
    side: str
    best_bid: Price | None
    best_ask: Price | None


class PriceChangeEvent(msgspec.Struct, frozen=True):
    """Levels that changed together; both tokens of a market come in one event."""

    market: str
    timestamp_ms: int
    changes: list[PriceChange]


class BookEvent(msgspec.Struct, frozen=True):
    """A whole book of one token. Levels are in the venue's order, which is worst first: use max and min, never an index."""

    asset_id: str
    market: str
    timestamp_ms: int
    bids: list[Level]
    asks: list[Level]
    tick_size: Price | None
    hash: str


class TickSizeEvent(msgspec.Struct, frozen=True):
    """The market's price grid changed; prices made for the old grid are refused."""

    asset_id: str
    market: str
    timestamp_ms: int
    old_tick_size: Price | None
    new_tick_size: Price


class LastTradeEvent(msgspec.Struct, frozen=True):
    """A trade that printed; `side` is the taker's."""

    asset_id: str
    market: str
    timestamp_ms: int
    price: Price
    size: Micros
    side: str


class BestBidAskEvent(msgspec.Struct, frozen=True):
    """The best of both sides of one token, None where the side is empty."""

    asset_id: str
    market: str
    timestamp_ms: int
    best_bid: Price | None
    best_ask: Price | None


class MarketResolvedEvent(msgspec.Struct, frozen=True):
    """The market has a winner; `winning_asset_id` may be empty."""

    market: str
    timestamp_ms: int
    asset_ids: list[str]
    winning_asset_id: str


class UnknownEvent(msgspec.Struct, frozen=True):
    """An event of a kind the bot has no use for; the caller counts them, so that a new kind is noticed."""

    event_type: str


MarketEvent = BookEvent | PriceChangeEvent | TickSizeEvent | LastTradeEvent | BestBidAskEvent | MarketResolvedEvent | UnknownEvent


def fast_price(text: str) -> Price:
    """Read a plain decimal such as `0.48` or `.48`. ValueError when it is none, finer than 0.0001 or outside 0..1."""
    price = _PRICES.get(text)
    return _learn_price(text) if price is None else price


def fast_tick(text: str) -> Price:
    """Read a tick size. ValueError when it is no price, or no grid: a dollar is a whole number of ticks, and more than one."""
    tick = fast_price(text)
    if not 0 < tick < PRICE_ONE or PRICE_ONE % tick:
        raise ValueError(f"tick size {text[:_SHOWN]!r} does not divide a dollar")
    return tick


def fast_micros(text: str) -> Micros:
    """Read a plain decimal amount such as `205.25`. ValueError when it is none, finer than 0.000001 or above `MAX_MICROS`."""
    size = _SIZES.get(text)
    return _learn_size(text) if size is None else size


_PRICES: Final[dict[str, Price]] = {}
_SIZES: Final[dict[str, Micros]] = {}


def _learn_price(text: str) -> Price:
    price = _read_decimal(text, 4)
    if price > PRICE_ONE:
        raise ValueError(f"price {text[:_SHOWN]!r} is above 1")
    return _remember(_PRICES, text, price)


def _learn_size(text: str) -> Micros:
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if digits.isdecimal() and digits.isascii() and len(digits) < 18 and len(fraction) <= 6:
        size = int(digits) * _SCALES[6 - len(fraction)]
    else:
        size = _read_decimal(text, 6)
    if size > MAX_MICROS:
        raise ValueError(f"amount {text[:_SHOWN]!r} is too large to be one")
    return _remember(_SIZES, text, size)


def _remember(memo: dict[str, int], text: str, value: int) -> int:
    """Emptied when full, and never a long text: a venue that sends a million different sizes must not fill the memory."""
    if len(text) > _LONGEST_REMEMBERED:
        return value
    if len(memo) >= _MEMO_LIMIT:
        memo.clear()
    memo[text] = value
    return value


def _read_decimal(text: str, decimals: int) -> int:
    """Exponents, signs and blanks are refused rather than understood: the venue sends none, and `1e99999999` would take minutes."""
    whole, dot, fraction = text.partition(".")
    if len(fraction) > decimals:
        fraction = fraction.rstrip("0")
    digits = whole + fraction
    if digits.isdecimal() and digits.isascii() and len(fraction) <= decimals:
        return int(digits) * _SCALES[decimals - len(fraction)]
    if dot and not digits and "0" in text:
        return 0
    raise ValueError(f"{text[:_SHOWN]!r} is not a plain decimal number of at most {decimals} decimals")


_SideText = Literal["BUY", "SELL"]


class _Wire(msgspec.Struct, tag_field="event_type"):
    market: str
    timestamp: Milliseconds


class _LevelWire(msgspec.Struct, gc=False):
    price: str
    size: str


class _BookWire(_Wire, tag="book"):
    asset_id: str
    bids: list[_LevelWire]
    asks: list[_LevelWire]
    tick_size: str | None = None
    hash: str | None = None

    def event(self) -> MarketEvent:
        tick_size = fast_tick(self.tick_size) if self.tick_size else None
        bids, asks = _levels(self.bids), _levels(self.asks)
        return BookEvent(self.asset_id, self.market, self.timestamp, bids, asks, tick_size, self.hash or "")


class _ChangeWire(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: _SideText
    best_bid: str | None = None
    best_ask: str | None = None


class _PriceChangeWire(_Wire, tag="price_change"):
    price_changes: list[_ChangeWire]

    def event(self) -> MarketEvent:
        return PriceChangeEvent(self.market, self.timestamp, _changes(self.price_changes))


class _TickSizeWire(_Wire, tag="tick_size_change"):
    asset_id: str
    new_tick_size: str
    old_tick_size: str | None = None

    def event(self) -> MarketEvent:
        old = fast_price(self.old_tick_size) if self.old_tick_size else None
        return TickSizeEvent(self.asset_id, self.market, self.timestamp, old, fast_tick(self.new_tick_size))


class _LastTradeWire(_Wire, tag="last_trade_price"):
    asset_id: str
    price: str
    size: str
    side: _SideText = Side.BUY.value

    def event(self) -> MarketEvent:
        price, size = fast_price(self.price), fast_micros(self.size)
        return LastTradeEvent(self.asset_id, self.market, self.timestamp, price, size, self.side)


class _BestBidAskWire(_Wire, tag="best_bid_ask"):
    asset_id: str
    best_bid: str | None = None
    best_ask: str | None = None

    def event(self) -> MarketEvent:
        best_bid = fast_price(self.best_bid) if self.best_bid else None
        best_ask = fast_price(self.best_ask) if self.best_ask else None
        return BestBidAskEvent(self.asset_id, self.market, self.timestamp, best_bid, best_ask)


class _ResolvedWire(_Wire, tag="market_resolved"):
    assets_ids: list[str] = []
    winning_asset_id: str | None = None

    def event(self) -> MarketEvent:
        return MarketResolvedEvent(self.market, self.timestamp, self.assets_ids, self.winning_asset_id or "")


class _NewMarketWire(msgspec.Struct, tag_field="event_type", tag="new_market"):
    """Broadcast for every new market of the venue: known here only so that it costs no second decoding."""

    def event(self) -> MarketEvent:
        return UnknownEvent("new_market")


_Known = _BookWire | _PriceChangeWire | _TickSizeWire | _LastTradeWire | _BestBidAskWire | _ResolvedWire | _NewMarketWire
_KNOWN_TYPES: Final = frozenset(str(wire.__struct_config__.tag) for wire in _Known.__args__)
_FRAME: Final[msgspec.json.Decoder[list[_Known] | _Known]] = msgspec.json.Decoder(list[_Known] | _Known, strict=False)
_ANY: Final = msgspec.json.Decoder()
_Rubbish = (*UNREADABLE, TypeError)


def decode_frame(frame: bytes | str) -> list[MarketEvent]:
    """Events of one frame, in order. MessageError when it is not JSON, not an event, or a number in it is impossible."""
    try:
        message = _FRAME.decode(frame)
    except _Rubbish as e:
        return _decode_one_by_one(frame, e)
    try:
        if isinstance(message, list):
            return [wire.event() for wire in message]
        return [message.event()]
    except ValueError as e:
        raise MessageError(f"market channel: {e}") from None


def _decode_one_by_one(frame: bytes | str, problem: Exception) -> list[MarketEvent]:
    """Only reached by frames msgspec refused as a whole: one unknown event must not cost the known ones beside it."""
    try:
        message = _ANY.decode(frame)
    except _Rubbish:
        raise MessageError(f"market channel: {_excerpt(frame)} is not JSON") from None
    items = message if isinstance(message, list) else [message]
    try:
        return [_convert(item) for item in items]
    except _Rubbish as e:
        raise MessageError(f"market channel: {e or problem}") from None


def _convert(item: object) -> MarketEvent:
    if not isinstance(item, dict):
        raise ValueError(f"an event is an object, not {_excerpt(repr(item))}")
    event_type = item.get("event_type")
    if not isinstance(event_type, str):
        raise ValueError("an event without an event_type")
    if event_type not in _KNOWN_TYPES:
        return UnknownEvent(event_type)
    wire: _Known = msgspec.convert(item, _Known, strict=False)
    return wire.event()


def _levels(levels: list[_LevelWire]) -> list[Level]:
    """A subscript of a plain dictionary is what makes this fast; a text not met before costs one exception per side of a book."""
    prices, sizes = _PRICES, _SIZES
    try:
        return [(prices[level.price], sizes[level.size]) for level in levels]
    except KeyError:
        return [(fast_price(level.price), fast_micros(level.size)) for level in levels]


def _changes(changes: list[_ChangeWire]) -> list[PriceChange]:
    prices, known_size = _PRICES, _SIZES.get
    converted: list[PriceChange] = []
    try:
        for change in changes:
            size, best_bid, best_ask = known_size(change.size), change.best_bid, change.best_ask
            if size is None:
                size = _learn_size(change.size)
            bid = prices[best_bid] if best_bid else None
            ask = prices[best_ask] if best_ask else None
            converted.append(PriceChange(change.asset_id, prices[change.price], size, change.side, bid, ask))
    except KeyError:
        return [_change(change) for change in changes]
    return converted


def _change(change: _ChangeWire) -> PriceChange:
    best_bid = fast_price(change.best_bid) if change.best_bid else None
    best_ask = fast_price(change.best_ask) if change.best_ask else None
    return PriceChange(change.asset_id, fast_price(change.price), fast_micros(change.size), change.side, best_bid, best_ask)


def _excerpt(frame: bytes | str) -> str:
    shown = frame[:_SHOWN]
    return repr(shown.decode("utf-8", "replace") if isinstance(shown, bytes) else shown)
