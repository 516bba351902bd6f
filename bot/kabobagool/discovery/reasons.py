"""Why a market was not chosen: one word each, the same in tables, JSON, metrics and logs.

Every stage of discovery rejects with one of these and a `Tally` counts them; words that exist elsewhere in the bot (closed, taker_delay,
fee_unknown, pair_cost_too_high ...) mean the same here.
"""

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple


class Reason(StrEnum):
    """The first thing that spoke against a market, in the order in which things are looked at."""

    UNREADABLE = "unreadable"
    SLUG_NOT_WANTED = "slug_not_wanted"
    VERSION = "version"
    CLOSED = "closed"
    ARCHIVED = "archived"
    INACTIVE = "inactive"
    NO_ORDER_BOOK = "no_order_book"
    RESOLVING = "resolving"
    CATCH_ALL = "catch_all"
    NOT_ACCEPTING_ORDERS = "not_accepting_orders"
    TAKER_DELAY = "taker_delay"
    VOLUME_TOO_LOW = "volume_too_low"
    END_UNKNOWN = "end_unknown"
    PAST_ITS_END = "past_its_end"
    ENDS_TOO_SOON = "ends_too_soon"
    ENDS_TOO_LATE = "ends_too_late"
    OUTCOMES = "outcomes"
    TOKENS = "tokens"
    BOOK_UNREADABLE = "book_unreadable"
    BOOK_ONE_SIDED = "book_one_sided"
    PAIR_COST_TOO_HIGH = "pair_cost_too_high"
    UNCONFIRMED = "unconfirmed"
    FEE_UNKNOWN = "fee_unknown"
    LISTED_TWICE = "listed_twice"
    OVER_MAX_MARKETS = "over_max_markets"
    NOT_LISTED = "not_listed"


MEANINGS: Final = {
    Reason.UNREADABLE: "the catalogue's entry is broken",
    Reason.SLUG_NOT_WANTED: "MARKET_PATTERNS does not name it",
    Reason.VERSION: "of an exchange version this bot does not sign for",
    Reason.CLOSED: "closed",
    Reason.ARCHIVED: "archived",
    Reason.INACTIVE: "not active yet",
    Reason.NO_ORDER_BOOK: "not traded on the order book, or not yet",
    Reason.RESOLVING: "its resolution has begun, the book is gone",
    Reason.CATCH_ALL: "catch-all outcome of an event, whose meaning can change",
    Reason.NOT_ACCEPTING_ORDERS: "the venue takes no orders for it",
    Reason.TAKER_DELAY: "the venue delays takers, so a fill-or-kill price is a guess",
    Reason.VOLUME_TOO_LOW: "less traded in 24 hours than MIN_VOLUME",
    Reason.END_UNKNOWN: "the catalogue gives no end date",
    Reason.PAST_ITS_END: "its scheduled end has passed",
    Reason.ENDS_TOO_SOON: "ends sooner than MIN_DURATION_HOURS",
    Reason.ENDS_TOO_LATE: "ends later than MAX_DURATION_HOURS",
    Reason.OUTCOMES: "not two outcomes",
    Reason.TOKENS: "not two token ids, or not those the exchange knows",
    Reason.BOOK_UNREADABLE: "its book came back broken",
    Reason.BOOK_ONE_SIDED: "nobody sells one of the two outcomes",
    Reason.PAIR_COST_TOO_HIGH: "both asks together cost more than SPAWN_PAIR_COST",
    Reason.UNCONFIRMED: "the exchange would not describe it",
    Reason.FEE_UNKNOWN: "its fee is not understood",
    Reason.LISTED_TWICE: "moved in the catalogue while it was read",
    Reason.OVER_MAX_MARKETS: "qualifies, but others with more volume fill MAX_MARKETS",
    Reason.NOT_LISTED: "no longer in the catalogue",
}
"""What each word means, for people."""

FINAL: Final = frozenset({Reason.CLOSED, Reason.ARCHIVED, Reason.RESOLVING, Reason.VERSION})
"""Reasons that never pass: waiting for a better day would be waiting for nothing."""


class Rejection(NamedTuple):
    """One market that was not chosen. The ids are empty where the entry was too broken to have any."""

    condition_id: str
    slug: str
    reason: Reason


class Tally:
    """Counts rejections by reason and tells whoever listens; it keeps none of them, so it does not grow with the catalogue."""

    def __init__(self, listen: Callable[[Rejection], None] | None = None) -> None:
        self.counts: Counter[Reason] = Counter()
        self._listen = listen

    def reject(self, condition_id: str, slug: str, reason: Reason) -> None:
        """Count one market that was not chosen."""
        self.counts[reason] += 1
        if self._listen is not None:
            self._listen(Rejection(condition_id, slug, reason))
