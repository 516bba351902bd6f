"""What can become of an order. Every place that handles one handles all five.

`venue/errors.py` translates the venue's words into these; the engine books, cools down or freezes by them. `Unknown` is the one that
loses money when it is forgotten: the order may have filled, so it is looked up by its hash and never sent again.
"""

from enum import StrEnum

import msgspec

from kabobagool.domain.money import Micros


class Rejection(StrEnum):
    """Why the venue refused an order that surely did not trade; also the metric label."""

    BALANCE = "balance"
    AMOUNTS = "amounts"
    MIN_SIZE = "min_size"
    TICK_SIZE = "tick_size"
    CONFIGURATION = "configuration"
    RATE_LIMITED = "rate_limited"
    RESTARTING = "restarting"
    POST_ONLY = "post_only"
    TRADING_DISABLED = "trading_disabled"
    GEOBLOCKED = "geoblocked"
    MARKET_CLOSED = "market_closed"
    OTHER = "other"


class Filled(msgspec.Struct, frozen=True):
    """The whole order traded, provisionally until settlement: `shares` for `dollars` (without the fee) and our reckoning of the `fee`."""

    shares: Micros
    dollars: Micros
    fee: Micros


class Killed(msgspec.Struct, frozen=True):
    """A fill-or-kill that found no match: nothing traded, a normal thing."""

    text: str = ""


class Delayed(msgspec.Struct, frozen=True):
    """The venue holds the order before matching; it must be followed by its hash."""

    text: str = ""


class Rejected(msgspec.Struct, frozen=True):
    """Refused, surely not traded. `retry_after_s` is what the venue asked for, 0 when it did not."""

    reason: Rejection
    text: str = ""
    retry_after_s: float = 0.0


class Unknown(msgspec.Struct, frozen=True):
    """No trustworthy answer: it may have traded. Freeze the market and look the order up by its hash."""

    text: str = ""


OrderOutcome = Filled | Killed | Delayed | Rejected | Unknown
