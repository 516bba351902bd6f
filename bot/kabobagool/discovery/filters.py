"""Whether an entry of the catalogue is worth a closer look: pure rules, one reason each.

The crawl asks `first_objection` of everything it sees, also of what the venue was asked to leave out: the venue ignores parameters it
does not know. The slug is asked first, so that all other reasons are about markets somebody asked for.
"""

from collections.abc import Callable
from typing import Final

from kabobagool.discovery.catalogue import Listing, end_ms, flag, text, volume_24h
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.reasons import Reason
from kabobagool.venue.reader import rough_micros

Rule = Callable[[Listing], bool]

UNTRADABLE: Final[tuple[tuple[Reason, Rule], ...]] = (
    (Reason.VERSION, lambda listing: (listing.version or "v1") != "v1"),
    (Reason.CLOSED, lambda listing: flag(listing.closed, default=False)),
    (Reason.ARCHIVED, lambda listing: flag(listing.archived, default=False)),
    (Reason.INACTIVE, lambda listing: not flag(listing.active, default=True)),
    (Reason.NO_ORDER_BOOK, lambda listing: not flag(listing.enable_order_book, default=True)),
    (Reason.RESOLVING, lambda listing: bool(text(listing.uma_resolution_status))),
    (Reason.CATCH_ALL, lambda listing: flag(listing.neg_risk_other, default=False)),
    (Reason.NOT_ACCEPTING_ORDERS, lambda listing: not flag(listing.accepting_orders, default=True)),
    (Reason.TAKER_DELAY, lambda listing: rough_micros(listing.seconds_delay) > 0),
)
"""What keeps anybody from trading a market, whatever they want."""


def first_objection(listing: Listing, criteria: Criteria, now_ms: int) -> Reason | None:
    """The first rule that speaks against an entry, or None."""
    if not criteria.wants(text(listing.slug)):
        return Reason.SLUG_NOT_WANTED
    for reason, applies in UNTRADABLE:
        if applies(listing):
            return reason
    if volume_24h(listing) < criteria.min_volume:
        return Reason.VOLUME_TOO_LOW
    return duration_objection(end_ms(listing), criteria, now_ms)


def duration_objection(end: int | None, criteria: Criteria, now_ms: int) -> Reason | None:
    """Whether a market with this scheduled end (epoch milliseconds) lives too shortly or too long from now."""
    if end is None:
        return Reason.END_UNKNOWN
    remaining_ms = end - now_ms
    if remaining_ms <= 0:
        return Reason.PAST_ITS_END
    if remaining_ms < criteria.min_duration_ms:
        return Reason.ENDS_TOO_SOON
    return Reason.ENDS_TOO_LATE if remaining_ms > criteria.max_duration_ms else None
