"""What the venue's answer about a market means for its ArbMarket: the facts, or a reason with a sentence that a person can act on.

`resolver.py` asks the venue and has its answers judged here. Pure.
"""

from typing import Final

from kabobagool.domain.market import Market
from kabobagool.domain.money import format_price
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import MarketAmbiguous, MarketNotFound, MarketNotTradable, UnsupportedMarket
from kabobagool.venue.reader import HttpStatusError, ResponseError
from kabobagool_operator.arbmarket_fields import moment
from kabobagool_operator.arbmarket_spec import MarketReference
from kabobagool_operator.arbmarket_status import MarketFacts, Status, TokenPair
from kabobagool_operator.conditions import Reason, Type
from kabobagool_operator.facts import Resolution, Resolved, Unresolved

ENDED: Final = frozenset({"closed", "archived", "resolving"})
"""Obstacles that never pass."""
DOUBTFUL: Final = frozenset({Reason.NOT_FOUND, Reason.AMBIGUOUS, Reason.UNSUPPORTED})
"""What the venue does not say of a market it listed before, unless something is wrong with its answer."""
_ABOUT_US: Final = frozenset({401, 403, 408, 425, 429})
"""Statuses that say nothing about the market that was asked for."""

Way = tuple[str, ...]
"""A way to name a market: `slug`, `conditionId` or `tokens`, and what follows."""


def way_of(reference: MarketReference) -> Way:
    """How an ArbMarket names its market."""
    if reference.slug is not None:
        return "slug", reference.slug
    if reference.condition_id is not None:
        return "conditionId", reference.condition_id
    return ("tokens", reference.tokens.yes, reference.tokens.no) if reference.tokens else ("nothing",)


def ways_to(facts: MarketFacts) -> tuple[Way, ...]:
    """Every way to name this market."""
    tokens = ("tokens", facts.tokens.yes, facts.tokens.no)
    return ("slug", facts.slug), ("conditionId", facts.condition_id.lower()), tokens


def facts_of(market: Market) -> MarketFacts:
    """What the status says of a market."""
    return MarketFacts(
        slug=market.slug,
        question=market.question,
        condition_id=market.condition_id,
        tokens=TokenPair(yes=market.tokens[0], no=market.tokens[1]),
        end_time=None if market.end_ms is None else moment(market.end_ms),
        tick_size=format_price(market.tick_size),
        neg_risk=market.neg_risk,
        fees_enabled=None if market.fee is None else market.fee.rate_micros > 0,
    )


def verdict_on(market: Market) -> Resolution:
    """A market that the venue describes is resolved, if it takes orders."""
    facts = facts_of(market)
    if market.accepting_orders:
        return Resolved(facts)
    said = f"{market.slug}: the venue lists it and takes no orders for it now; the bot starts by itself when that changes"
    return Unresolved(reason=Reason.NOT_TRADABLE, message=said, facts=facts)


def verdict_on_error(error: VenueError, *, known: MarketFacts | None) -> Unresolved:
    """Why there is no answer, with what was known of the market before."""
    ended = isinstance(error, MarketNotTradable) and error.reason in ENDED
    return Unresolved(reason=_reason(error, ended=ended), message=str(error), ended=ended, facts=known)


def is_about_the_venue(error: VenueError) -> bool:
    """Whether the venue as a whole is unwell, so that asking for other markets would not help either."""
    if isinstance(error, HttpStatusError):
        return error.status in _ABOUT_US or error.status >= 500
    return not isinstance(error, ResponseError | MarketNotFound | MarketAmbiguous | UnsupportedMarket | MarketNotTradable)


def remembered(status: Status, way: Way) -> Resolution | None:
    """What an earlier operator wrote down, if it is about the market that is meant: a restart need not ask for everything at once."""
    facts, condition = status.market, status.condition(Type.RESOLVED)
    if facts is None or condition is None or way not in ways_to(facts):
        return None
    if condition.status == "True":
        return Resolved(facts)
    if condition.reason == Reason.CLOSED:
        return Unresolved(reason=Reason.CLOSED, message=condition.message, ended=True, facts=facts)
    return None


def _reason(error: VenueError, *, ended: bool) -> Reason:
    match error:
        case MarketNotFound():
            return Reason.NOT_FOUND
        case MarketAmbiguous():
            return Reason.AMBIGUOUS
        case UnsupportedMarket():
            return Reason.UNSUPPORTED
        case MarketNotTradable():
            return Reason.CLOSED if ended else Reason.NOT_TRADABLE
        case HttpStatusError(status=404):  # the catalogue lists it, the exchange does not know it yet
            return Reason.NOT_TRADABLE
        case _:
            return Reason.VENUE_UNAVAILABLE
