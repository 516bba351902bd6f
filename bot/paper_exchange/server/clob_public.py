"""The CLOB's public reads: service, markets, books and prices.

All of them answer from the visible books of the core at the venue time of the request.
"""

import contextlib
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from paper_exchange.server.book_views import is_two_sided, midpoint_text, side_price_text, spread_text
from paper_exchange.server.broadcast import print_book
from paper_exchange.server.errors import VenueError, bad_request, not_found
from paper_exchange.server.faulting import served_book
from paper_exchange.server.market_views import (
    LEGACY_BASE_FEE_BPS,
    clob_market_view,
    market_view,
    simplified_view,
)
from paper_exchange.server.numbers import PRICE_PLACES, json_number, price_text
from paper_exchange.server.requests import integer, json_body, page, reply, required, venue_of
from paper_exchange.server.venue import NO_BOOK, Venue
from paper_exchange.types import PaperMarket, Snapshot

MAX_BATCH = 500
_SIDES = ("BUY", "SELL")
routes = web.RouteTableDef()


@routes.get("/")
@routes.get("/ok")
async def service_is_up(_: web.Request) -> web.Response:
    """The venue answers a bare "OK"."""
    return reply("OK")


@routes.get("/version")
async def version(_: web.Request) -> web.Response:
    """The order version in force."""
    return reply({"version": 2})


@routes.get("/time")
async def time(request: web.Request) -> web.Response:
    """Venue time in Unix seconds."""
    return reply(venue_of(request).now_ms() // 1000)


def _market(venue: Venue, market: PaperMarket) -> dict[str, Any]:
    accepting, resolved = venue.accepts_orders(market), venue.is_resolved(market)
    return market_view(market, venue.books(market), tick_size=venue.tick_size(market), accepting=accepting, resolved=resolved)


def _simplified(venue: Venue, market: PaperMarket) -> dict[str, Any]:
    accepting, resolved = venue.accepts_orders(market), venue.is_resolved(market)
    return simplified_view(market, venue.books(market), accepting=accepting, resolved=resolved)


@routes.get("/markets")
@routes.get("/sampling-markets")
async def markets(request: web.Request) -> web.Response:
    """All markets, long form, in pages; sampling lists only those which take orders."""
    venue = venue_of(request)
    return reply(page(request, _listed(request, venue), lambda market: _market(venue, market)))


@routes.get("/simplified-markets")
@routes.get("/sampling-simplified-markets")
async def simplified_markets(request: web.Request) -> web.Response:
    """All markets, short form, in pages."""
    venue = venue_of(request)
    return reply(page(request, _listed(request, venue), lambda market: _simplified(venue, market)))


def _listed(request: web.Request, venue: Venue) -> list[PaperMarket]:
    everything = list(venue.exchange.markets)
    if not request.path.startswith("/sampling"):
        return everything
    return [market for market in everything if venue.accepts_orders(market)]


def _by_condition(request: web.Request) -> PaperMarket:
    venue, name = venue_of(request), request.match_info["condition_id"]
    market = venue.market(name)
    if market.condition_id != name:
        raise not_found("market not found")
    return market


@routes.get("/markets/{condition_id}")
async def market(request: web.Request) -> web.Response:
    """One market, long form."""
    return reply(_market(venue_of(request), _by_condition(request)))


@routes.get("/clob-markets/{condition_id}")
async def clob_market(request: web.Request) -> web.Response:
    """One market, the terse form clients trade by."""
    venue, found = venue_of(request), _by_condition(request)
    return reply(clob_market_view(found, tick_size=venue.tick_size(found), accepting=venue.accepts_orders(found)))


@routes.get("/markets-by-token/{token}")
async def market_by_token(request: web.Request) -> web.Response:
    """Which market a token belongs to."""
    found = venue_of(request).market_of_token(request.match_info["token"])
    return reply({"condition_id": found.condition_id, "primary_token_id": found.tokens[0], "secondary_token_id": found.tokens[1]})


def _snapshot(venue: Venue, token: str) -> tuple[PaperMarket, Snapshot]:
    found = venue.market_of_token(token)
    snapshot = None if venue.is_resolved(found) else served_book(venue, found, token)
    if snapshot is None:
        raise not_found(NO_BOOK)
    return found, snapshot


def _book(venue: Venue, token: str) -> dict[str, Any]:
    return print_book(venue, *_snapshot(venue, token))


@routes.get("/book")
async def book(request: web.Request) -> web.Response:
    """One order book."""
    return reply(_book(venue_of(request), required(request, "token_id")))


async def _asked(request: web.Request) -> list[dict[str, Any]]:
    entries = await json_body(request)
    if not isinstance(entries, list) or len(entries) > MAX_BATCH:
        raise bad_request("Invalid payload")
    if not all(isinstance(entry, dict) and isinstance(entry.get("token_id"), str) for entry in entries):
        raise bad_request("Invalid payload")
    return entries


def _known(venue: Venue, tokens: Iterable[str], show: Callable[[str], Any]) -> dict[str, Any]:
    """`show` of each token, leaving out those without a book, as batch reads of the venue do."""
    found: dict[str, Any] = {}
    for token in tokens:
        try:
            found[token] = show(token)
        except VenueError:
            continue
    return found


@routes.post("/books")
async def books(request: web.Request) -> web.Response:
    """Several order books; tokens without one are left out."""
    venue, asked = venue_of(request), await _asked(request)
    return reply(list(_known(venue, [entry["token_id"] for entry in asked], lambda token: _book(venue, token)).values()))


def _two_sided(venue: Venue, token: str) -> Snapshot:
    _, snapshot = _snapshot(venue, token)
    if not is_two_sided(snapshot):
        raise not_found(NO_BOOK)
    return snapshot


@routes.get("/midpoint")
async def midpoint(request: web.Request) -> web.Response:
    """Half way between best bid and best ask."""
    return reply({"mid": midpoint_text(_two_sided(venue_of(request), required(request, "token_id")))})


@routes.get("/spread")
async def spread(request: web.Request) -> web.Response:
    """Best ask minus best bid."""
    return reply({"spread": spread_text(_two_sided(venue_of(request), required(request, "token_id")))})


@routes.get("/price")
async def price(request: web.Request) -> web.Response:
    """The best price of one side."""
    side = required(request, "side").upper()
    if side not in _SIDES:
        raise bad_request("Invalid side")
    _, snapshot = _snapshot(venue_of(request), required(request, "token_id"))
    return reply({"price": side_price_text(snapshot, side)})


@routes.post("/midpoints")
async def midpoints(request: web.Request) -> web.Response:
    """Midpoints by token."""
    venue, asked = venue_of(request), await _asked(request)
    tokens = [entry["token_id"] for entry in asked]
    return reply(_known(venue, tokens, lambda token: midpoint_text(_two_sided(venue, token))))


@routes.post("/spreads")
async def spreads(request: web.Request) -> web.Response:
    """Spreads by token."""
    venue, asked = venue_of(request), await _asked(request)
    tokens = [entry["token_id"] for entry in asked]
    return reply(_known(venue, tokens, lambda token: spread_text(_two_sided(venue, token))))


@routes.post("/prices")
async def prices(request: web.Request) -> web.Response:
    """Best prices by token and side."""
    venue, found = venue_of(request), dict[str, dict[str, str]]()
    for entry in await _asked(request):
        side, token = entry.get("side"), entry["token_id"]
        if side not in _SIDES:
            raise bad_request("Invalid side")
        with contextlib.suppress(VenueError):
            found.setdefault(token, {})[side] = side_price_text(_snapshot(venue, token)[1], side)
    return reply({token: shown for token, shown in found.items() if shown})


@routes.get("/last-trade-price")
async def last_trade_price(request: web.Request) -> web.Response:
    """Price and side of the last trade here; before the first the venue says 0.5 and no side."""
    venue, token = venue_of(request), required(request, "token_id")
    venue.market_of_token(token)
    trade = venue.last_trades.get(token)
    return reply({"price": price_text(trade.price), "side": trade.side.value} if trade else {"price": "0.5", "side": ""})


@routes.post("/last-trades-prices")
async def last_trades_prices(request: web.Request) -> web.Response:
    """Last trades of several tokens; tokens which never traded are left out."""
    venue, asked = venue_of(request), await _asked(request)
    trades = [venue.last_trades[entry["token_id"]] for entry in asked if entry["token_id"] in venue.last_trades]
    return reply([{"token_id": trade.token, "price": price_text(trade.price), "side": trade.side.value} for trade in trades])


@routes.get("/tick-size")
async def tick_size(request: web.Request) -> web.Response:
    """The tick size in force."""
    venue = venue_of(request)
    found = venue.market_of_token(required(request, "token_id"))
    return reply({"minimum_tick_size": json_number(venue.tick_size(found), PRICE_PLACES)})


@routes.get("/neg-risk")
async def neg_risk(request: web.Request) -> web.Response:
    """Whether the market settles on the neg-risk exchange."""
    return reply({"neg_risk": venue_of(request).market_of_token(required(request, "token_id")).neg_risk})


@routes.get("/fee-rate")
async def fee_rate(request: web.Request) -> web.Response:
    """The legacy flag in bps; the real rate is in `fd` of /clob-markets."""
    found = venue_of(request).market_of_token(required(request, "token_id"))
    return reply({"base_fee": LEGACY_BASE_FEE_BPS if found.fee_rate_micros else 0})


@routes.get("/prices-history")
async def prices_history(request: web.Request) -> web.Response:
    """One point, now: this exchange keeps no history."""
    venue = venue_of(request)
    integer(request, "fidelity", default=1)
    snapshot = _two_sided(venue, required(request, "market"))
    point = {"t": venue.now_ms() // 1000, "p": float(midpoint_text(snapshot))}
    return reply({"history": [point]})
