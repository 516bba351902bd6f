"""Gamma: the listing by which markets are found. Mounted under /gamma, a host of its own on the real venue.

`gamma_query.py` filters and sorts; the quirks kept here are the clamped limit, the silent unknown parameters and the two deprecated lists.
"""

from typing import Any

from aiohttp import web

from paper_exchange.server.catalogue import Catalogue, Listed
from paper_exchange.server.errors import VenueError, not_found
from paper_exchange.server.gamma_query import DEFAULT_LIMIT, Query, Views, cursor_page
from paper_exchange.server.gamma_views import FIRST_EVENT_ID, FIRST_MARKET_ID, gamma_event_view, gamma_market_view
from paper_exchange.server.requests import reply, venue_of
from paper_exchange.server.venue import Venue
from paper_exchange.types import PaperMarket

_DEPRECATED = {"deprecation": "true", "sunset": "Fri, 01 May 2026 00:00:00 GMT", "link": '</markets/keyset>; rel="successor-version"'}
_OFFSET_REFUSED = "offset is not supported on keyset endpoints, use after_cursor"
_MAX_OFFSET = 2000
View = dict[str, Any]
routes = web.RouteTableDef()


def _market_view(venue: Venue, market: PaperMarket, index: int) -> View:
    return gamma_market_view(
        market,
        venue.books(market),
        index=index,
        tick_size=venue.tick_size(market),
        accepting=venue.accepts_orders(market),
        resolved=venue.is_resolved(market),
    )


def _market_views(request: web.Request) -> list[View]:
    venue = venue_of(request)
    return [_market_view(venue, market, index) for index, market in enumerate(venue.exchange.markets)]


def _event_views(request: web.Request) -> list[View]:
    pairs = zip(venue_of(request).exchange.markets, _market_views(request), strict=True)
    return [gamma_event_view(market, view, index=index) for index, (market, view) in enumerate(pairs)]


def _keyset_query(request: web.Request) -> Query:
    if "offset" in request.query:
        raise VenueError(422, _OFFSET_REFUSED)
    return Query.parsed(request.query)


def _with_catalogue(own: list[View], query: Query, catalogue: Catalogue) -> Views:
    """The catalogue keeps its own order, and of all filters it knows the condition ids only; no other one lets it through."""
    wanted = query.values("condition_ids")
    if wanted and not query.flag("closed", False):
        return own + catalogue.named(wanted)
    return own if query.narrows else Listed(own, catalogue)


def _page(views: Views, query: Query, name: str) -> web.Response:
    shown, following = cursor_page(views, query)
    return reply({name: shown} | ({"next_cursor": following} if following else {}))


def _legacy(request: web.Request, views: list[View]) -> web.Response:
    query = Query.parsed(request.query)
    offset = query.integer("offset", 0)
    if offset > _MAX_OFFSET:
        raise VenueError(422, f"offset must not exceed {_MAX_OFFSET}")
    return reply(query.select(views)[offset : offset + query.integer("limit", DEFAULT_LIMIT)], headers=_DEPRECATED)


@routes.get("/markets/keyset")
async def markets_keyset(request: web.Request) -> web.Response:
    """Markets by cursor, those of the catalogue last."""
    query = _keyset_query(request)
    return _page(_with_catalogue(query.select(_market_views(request)), query, venue_of(request).catalogue), query, "markets")


@routes.get("/events/keyset")
async def events_keyset(request: web.Request) -> web.Response:
    """Events by cursor."""
    query = _keyset_query(request)
    return _page(query.select(_event_views(request)), query, "events")


@routes.get("/markets")
async def markets(request: web.Request) -> web.Response:
    """Markets by offset, deprecated."""
    return _legacy(request, _market_views(request))


@routes.get("/events")
async def events(request: web.Request) -> web.Response:
    """Events by offset, deprecated."""
    return _legacy(request, _event_views(request))


def _one(views: list[View], field: str, value: str) -> web.Response:
    found = next((view for view in views if view[field] == value), None)
    if found is None:
        raise not_found("not found")
    return reply(found)


@routes.get("/markets/slug/{slug}")
async def market_by_slug(request: web.Request) -> web.Response:
    """One market by slug, closed ones too."""
    return _one(_market_views(request), "slug", request.match_info["slug"])


@routes.get("/events/slug/{slug}")
async def event_by_slug(request: web.Request) -> web.Response:
    """One event by slug."""
    return _one(_event_views(request), "slug", request.match_info["slug"])


def _position(request: web.Request, first: int) -> tuple[PaperMarket, int]:
    number = request.match_info["id"]
    listed = venue_of(request).exchange.markets
    index = int(number) - first if number.isascii() and number.isdigit() and len(number) < len("9999999999") else -1
    if not 0 <= index < len(listed):
        raise not_found("not found")
    return listed[index], index


@routes.get("/markets/{id}")
async def market_by_id(request: web.Request) -> web.Response:
    """One market by its number."""
    return reply(_market_view(venue_of(request), *_position(request, FIRST_MARKET_ID)))


@routes.get("/events/{id}")
async def event_by_id(request: web.Request) -> web.Response:
    """One event by its number."""
    market, index = _position(request, FIRST_EVENT_ID)
    return reply(gamma_event_view(market, _market_view(venue_of(request), market, index), index=index))
