"""Reads pages of the catalogue, a hundred thousand markets if need be, without stumbling over any of them.

The crawl calls `read_page`. A `Listing` holds only what filters ask and is decoded in one pass that skips all the rest (descriptions,
pictures, prices); the few that qualify become a `GammaMarket` through `as_market`, which is the expensive and strict reading.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from kabobagool.domain.money import Micros
from kabobagool.unreadable import UNREADABLE
from kabobagool.venue.gamma import GammaMarket, UnsupportedMarket, read_market
from kabobagool.venue.reader import ResponseError, rough_micros
from kabobagool.venue.transport import HttpReply

KEYSET: Final = "/markets/keyset"
MAX_TOKEN_ID: Final = 2**256 - 1
_DECIMAL_DIGITS: Final = 78
_HEX_DIGITS: Final = 66


class _Event(msgspec.Struct, rename="camel", gc=False):
    neg_risk_augmented: object = None


_Rubbish = str | int | float | bool | list[object] | None


class Listing(msgspec.Struct, rename="camel", kw_only=True):
    """One entry as it is on the wire: every field may be of any type or missing. `read` questions through the functions below."""

    condition_id: object = None
    slug: object = None
    question: object = None
    version: object = None
    outcomes: object = None
    outcome_prices: object = None
    clob_token_ids: object = None
    active: object = None
    closed: object = None
    archived: object = None
    enable_order_book: object = None
    accepting_orders: object = None
    uma_resolution_status: object = None
    neg_risk: object = None
    neg_risk_other: object = None
    events: list[_Event | _Rubbish] | dict[str, object] | str | int | float | bool | None = None
    fees_enabled: object = None
    fee_type: object = None
    fee_schedule: object = None
    order_price_min_tick_size: object = None
    order_min_size: object = None
    seconds_delay: object = None
    end_date: object = None
    volume_24hr: object = msgspec.field(default=None, name="volume24hr")
    volume_num: object = None
    volume: object = None
    liquidity_num: object = None
    liquidity: object = None


class _KeysetPage(msgspec.Struct):
    markets: list[Listing | _Rubbish]
    next_cursor: object = None


class Page(msgspec.Struct):
    """One page: its readable entries, how many were no objects at all, and the cursor of the next page, empty on the last."""

    listings: list[Listing]
    rubbish: int
    next_cursor: str


_DECODER: Final = msgspec.json.Decoder(_KeysetPage | list[Listing | _Rubbish], float_hook=Decimal)
_WIRE_NAMES: Final = tuple(zip(Listing.__struct_fields__, Listing.__struct_encode_fields__, strict=True))


def read_page(reply: HttpReply) -> Page:
    """Decode one page. ResponseError when it is no listing at all; an entry that is no object is only counted."""
    try:
        decoded = _DECODER.decode(reply.body)
    except (*UNREADABLE, ArithmeticError) as e:
        raise ResponseError(f"{KEYSET}: {e}: {reply.body[:200].decode('utf-8', 'replace')!r}") from None
    entries, cursor = (decoded, None) if isinstance(decoded, list) else (decoded.markets, decoded.next_cursor)
    listings = [entry for entry in entries if isinstance(entry, Listing)]
    return Page(listings, len(entries) - len(listings), cursor if isinstance(cursor, str) else "")


def text(value: object) -> str:
    """The text, `""` for anything else."""
    return value if isinstance(value, str) else ""


def flag(value: object, *, default: bool) -> bool:
    """The boolean, `default` for anything else: null and missing flags are common."""
    return value if isinstance(value, bool) else default


def volume_24h(listing: Listing) -> Micros:
    """Dollars traded in the last 24 hours in millionths, 0 when the catalogue does not say. It ranks markets and prices nothing."""
    return rough_micros(listing.volume_24hr)


def end_ms(listing: Listing) -> int | None:
    """Scheduled end as epoch milliseconds; a date without a zone means UTC. None when there is none."""
    try:
        moment = datetime.fromisoformat(text(listing.end_date))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def as_market(listing: Listing) -> GammaMarket:
    """The strict reading, token ids as decimal strings. UnsupportedMarket or ResponseError as `read_market`."""
    item: dict[str, Any] = {wire: getattr(listing, name) for name, wire in _WIRE_NAMES}
    events = listing.events if isinstance(listing.events, list) else []
    item["events"] = [{"negRiskAugmented": event.neg_risk_augmented} for event in events if isinstance(event, _Event)]
    item["clobTokenIds"] = decimal_tokens(listing.clob_token_ids, slug=text(listing.slug))
    return read_market(item)


def decimal_tokens(value: object, *, slug: str) -> list[str]:
    """Both token ids as decimal strings, from an array or an array in a string, of decimals, hexadecimals or numbers."""
    try:
        tokens = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        tokens = None
    found = [_decimal_token(token) for token in tokens] if isinstance(tokens, list) and len(tokens) == 2 else []
    if len(found) != 2 or not all(found):
        raise UnsupportedMarket("tokens", f"{slug}: clobTokenIds is not two token ids")
    return found


def _decimal_token(token: object) -> str:
    """Empty for what is no token id."""
    match token:
        case bool():
            return ""
        case int():
            number = token
        case str() if token.isascii() and token.isdigit() and len(token) <= _DECIMAL_DIGITS:
            number = int(token)
        case str() if token[:2] in ("0x", "0X") and len(token) <= _HEX_DIGITS:
            number = _hexadecimal(token)
        case _:
            return ""
    return str(number) if 0 < number <= MAX_TOKEN_ID else ""


def _hexadecimal(token: str) -> int:
    try:
        return int(token, 16) if "_" not in token else 0
    except ValueError:
        return 0
