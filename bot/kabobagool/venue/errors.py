"""The venue's answers to an order, translated from its words into one of five outcomes.

Execution calls `classify` with whatever came back, or a status of None when nothing did. An order is called refused only when the venue
said so; anything doubtful is `Unknown`, which costs a look-up by hash, while a wrong "refused" costs a second purchase. `VenueError` is the
base of everything this package raises.
"""

import math
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

import msgspec

from kabobagool.domain.market import Side
from kabobagool.domain.money import MOST_MICROS, Micros, parse_micros
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.unreadable import UNREADABLE

_LONGEST_TEXT: Final = 1_000
"""What the venue said is repeated, and it may say anything."""


class VenueError(Exception):
    """The venue could not be reached, refused, or said something that makes no sense. The text is short and never holds a secret."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "...")


FeeFunction = Callable[[Micros, Micros], Micros]
"""Fee in micro-dollars of having traded (shares, dollars), both in millionths: the venue's reply does not say what it charged."""


class _Special(Enum):
    """Texts that mean something else than a refusal."""

    KILLED = "killed"
    DELAYED = "delayed"
    UNKNOWN = "unknown"


_Meaning = Rejection | _Special

TEXTS: Final[tuple[tuple[str, _Meaning], ...]] = (
    ("couldn't be fully filled", _Special.KILLED),
    ("no orders found to match", _Special.KILLED),
    ("there are no matching orders", _Special.KILLED),
    ("the trade contains rounding issues", _Special.KILLED),
    ("the price of the taker's order has a discrepancy", _Special.KILLED),
    ("order match delayed", _Special.DELAYED),
    ("duplicated", _Special.UNKNOWN),
    ("could not run the execution", _Special.UNKNOWN),
    ("request exception", _Special.UNKNOWN),
    ("not enough balance", Rejection.BALANCE),
    ("allowance is not enough", Rejection.BALANCE),
    ("min size: $", Rejection.MIN_SIZE),
    ("lower than the minimum", Rejection.MIN_SIZE),
    ("invalid amount", Rejection.AMOUNTS),
    ("max accuracy", Rejection.AMOUNTS),
    ("minimum tick size", Rejection.TICK_SIZE),
    ("invalid tick size", Rejection.TICK_SIZE),
    ("invalid price", Rejection.TICK_SIZE),
    ("price out of range", Rejection.TICK_SIZE),
    ("address of the api key", Rejection.CONFIGURATION),
    ("maker address not allowed", Rejection.CONFIGURATION),
    ("order_version_mismatch", Rejection.CONFIGURATION),
    ("invalid signature", Rejection.CONFIGURATION),
    ("invalid api key", Rejection.CONFIGURATION),
    ("unauthorized", Rejection.CONFIGURATION),
    ("invalid nonce", Rejection.CONFIGURATION),
    ("invalid expiration", Rejection.CONFIGURATION),
    ("post_only_mode", Rejection.POST_ONLY),
    ("post-only mode", Rejection.POST_ONLY),
    ("post only mode", Rejection.POST_ONLY),
    ("cancel_only", Rejection.TRADING_DISABLED),
    ("cancel-only", Rejection.TRADING_DISABLED),
    ("cancel only", Rejection.TRADING_DISABLED),
    ("trading disabled", Rejection.TRADING_DISABLED),
    ("trading is disabled", Rejection.TRADING_DISABLED),
    ("trading is currently disabled", Rejection.TRADING_DISABLED),
    ("service not ready", Rejection.RESTARTING),
    ("restricted in your region", Rejection.GEOBLOCKED),
    ("not yet ready to process new orders", Rejection.MARKET_CLOSED),
    ("market is closed", Rejection.MARKET_CLOSED),
    ("market closed", Rejection.MARKET_CLOSED),
    ("not accepting orders", Rejection.MARKET_CLOSED),
    ("orderbook does not exist", Rejection.MARKET_CLOSED),
    ("no orderbook exists", Rejection.MARKET_CLOSED),
)
"""Substrings, lower case, first match wins. `duplicated` is no refusal: the venue already holds that very order, so it may have traded."""

_PAUSES: Final = frozenset({Rejection.POST_ONLY, Rejection.TRADING_DISABLED, Rejection.RESTARTING})
_TEXT_FIELDS: Final = ("error", "errorMsg", "error_msg", "message", "detail", "code", "restriction")
_SHOWN: Final = 200
_LONGEST_PAUSE_S: Final = 86_400.0
"""What a header may ask for: beyond it the header is broken, or a person has looked."""
_ORDER_ID: Final = re.compile(r"0x[0-9a-f]{16,}")


def classify(status: int | None, headers: Mapping[str, str], body: object, *, fee_of: FeeFunction, side: Side = Side.BUY) -> OrderOutcome:
    """What became of a fill-or-kill order, from the HTTP reply to it.

    `status` is None when there was no reply (time-out, lost connection). `body` is the reply as bytes, text or decoded JSON; one entry of a
    batch reply is passed with status 200. Never raises.
    """
    if status is None:
        return Unknown(f"no reply: {_shown(body)}" if body else "no reply")
    body = _decoded(body)
    if status == 200:
        return _accepted(body, fee_of, side)
    retry_after_s = retry_after_seconds(headers) or 0.0
    if status == 425:
        return Rejected(Rejection.RESTARTING, _shown(body), retry_after_s)
    if status == 429:
        return _rate_limited(headers, body, retry_after_s)
    if status >= 500:
        return _server_error(status, body, retry_after_s)
    if 400 <= status < 500 and status != 408:
        return _refused(status, body, retry_after_s)
    return Unknown(f"HTTP {status}: {_shown(body)}")


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, a day at most; None when there is none or it is no number of seconds."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                seconds = float(value)
            except ValueError:
                return None
            return min(seconds, _LONGEST_PAUSE_S) if math.isfinite(seconds) and seconds >= 0 else None
    return None


def _accepted(body: object, fee_of: FeeFunction, side: Side) -> OrderOutcome:
    if not isinstance(body, dict):
        return Unknown(f"HTTP 200 that is no order reply: {_shown(body)}")
    text, status = _error_text(body), _text(body.get("status") or "").lower()
    if status == "matched" and not text and body.get("success") is not False:
        return _filled(body, fee_of, side)
    if text:
        return _from_text(text, 0.0) or Unknown(f"HTTP 200 with {_cut(text)!r}")
    if status in {"delayed", "live", "unmatched"}:
        return Delayed(f"status {status}")
    return Unknown(f"HTTP 200 with status {_cut(status)!r}: {_shown(body)}")


def _filled(body: Mapping[str, object], fee_of: FeeFunction, side: Side) -> OrderOutcome:
    try:
        making, taking = (_amount(body.get(field)) for field in ("makingAmount", "takingAmount"))
    except ValueError:
        return Unknown(f"matched with unreadable amounts: {_shown(body)}")
    dollars, shares = (making, taking) if side is Side.BUY else (taking, making)
    if not dollars or not shares:
        return Unknown("matched without amounts")
    if dollars > shares or shares > MOST_MICROS:  # a share never costs more than a dollar
        return Unknown(f"matched with impossible amounts: {_shown(body)}")
    return Filled(shares=shares, dollars=dollars, fee=fee_of(shares, dollars))


def _amount(value: object) -> Micros:
    text = str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    if not text:
        return 0
    if len(text) > 40 or not text.isascii() or not text.replace(".", "", 1).isdigit():
        raise ValueError(text)
    return parse_micros(text)


def _rate_limited(headers: Mapping[str, str], body: object, retry_after_s: float) -> OrderOutcome:
    """Only the per-signer limiter says who it is; a bare 429 may come from anywhere on the way back."""
    if any(name.lower().startswith("poly-ratelimit") for name in headers):
        return Rejected(Rejection.RATE_LIMITED, _shown(body), retry_after_s)
    return Unknown(f"HTTP 429 without the venue's rate-limit headers: {_shown(body)}")


def _server_error(status: int, body: object, retry_after_s: float) -> OrderOutcome:
    meaning = _meaning(_error_text(body)) if status == 503 else None
    if isinstance(meaning, Rejection) and meaning in _PAUSES:
        return Rejected(meaning, _shown(body), retry_after_s)
    return Unknown(f"HTTP {status}: {_shown(body)}")


def _refused(status: int, body: object, retry_after_s: float) -> OrderOutcome:
    text = _error_text(body)
    if _is_html(body):
        if status == 403:
            return Rejected(Rejection.GEOBLOCKED, "HTTP 403 page of the content network: this address may not trade", retry_after_s)
        return Unknown(f"HTTP {status} with a page instead of an answer: {_shown(body)}")
    if not text:
        return Unknown(f"HTTP {status} without an error text: {_shown(body)}")
    return _from_text(text, retry_after_s) or Rejected(Rejection.OTHER, _cut(text), retry_after_s)


def _from_text(text: str, retry_after_s: float) -> OrderOutcome | None:
    meaning, shown = _meaning(text), _cut(text)
    match meaning:
        case None:
            return None
        case _Special.KILLED:
            return Killed(shown)
        case _Special.DELAYED:
            return Delayed(shown)
        case _Special.UNKNOWN:
            return Unknown(shown)
        case Rejection():
            return Rejected(meaning, shown, retry_after_s)


def _meaning(text: str) -> _Meaning | None:
    lowered = _ORDER_ID.sub("", text.lower())
    return next((meaning for needle, meaning in TEXTS if needle in lowered), None)


def _error_text(body: object) -> str:
    """The venue's sentence, wherever it put it; several fields are joined, because some replies split code and sentence."""
    if isinstance(body, str):
        return body.strip()
    if not isinstance(body, dict):
        return ""
    parts = (body.get(field) for field in _TEXT_FIELDS)
    return ": ".join(part.strip() for part in parts if isinstance(part, str) and part.strip())


def _decoded(body: object) -> object:
    if isinstance(body, bytes | bytearray | memoryview):
        body = bytes(body).decode("utf-8", "replace")
    if not isinstance(body, str):
        return body
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return body


def _is_html(body: object) -> bool:
    return isinstance(body, str) and body.lstrip()[:15].lower().startswith(("<!doctype", "<html"))


def _shown(body: object) -> str:
    return _cut(_error_text(body) or _text(body))


def _text(value: object) -> str:
    try:
        return str(value)
    except (ValueError, RecursionError):  # digits without end, or nested as deeply as could just be read
        return f"a {type(value).__name__} that cannot be written"


def _cut(text: str) -> str:
    """Short, and nothing that a journal or a log cannot write: JSON may hold half a character."""
    return text[:_SHOWN].encode("utf-8", "replace").decode()
