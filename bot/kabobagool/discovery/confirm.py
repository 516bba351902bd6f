"""The exchange's own word on a candidate: the catalogue may be minutes old, and the exchange is who takes the order.

`discover.py` calls `confirm` for the best candidates, one after the other, until there are enough.
"""

from kabobagool.discovery.reasons import Reason
from kabobagool.domain.market import Market
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.gamma import GammaMarket, UnsupportedMarket, combine
from kabobagool.venue.reader import HttpStatusError, ResponseError

_THE_VENUE_ITSELF = frozenset({401, 403, 429})
"""Statuses that are about us and not about a market: asking for the next one would not help."""


async def confirm(clob: ClobReader, found: GammaMarket) -> Market | Reason:
    """The market as the exchange would trade it, or why not. TransportError and HttpStatusError when it is not about this market."""
    try:
        market = combine(found, await clob.market_info(found.condition_id))
    except HttpStatusError as e:
        if e.status in _THE_VENUE_ITSELF:
            raise
        return Reason.NO_ORDER_BOOK if e.status == 404 else Reason.UNCONFIRMED
    except UnsupportedMarket:
        return Reason.TOKENS
    except ResponseError:
        return Reason.UNCONFIRMED
    return objection_to(market) or market


def objection_to(market: Market) -> Reason | None:
    """What keeps a fully described market from being traded, None when nothing does."""
    if not market.accepting_orders:
        return Reason.NOT_ACCEPTING_ORDERS
    if market.taker_delay_ms:
        return Reason.TAKER_DELAY
    return Reason.FEE_UNKNOWN if market.fee is None else None
