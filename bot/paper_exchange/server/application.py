"""Puts the handlers together: one aiohttp application for CLOB, Gamma, sockets and admin.

`paper_exchange.app.serve` runs it; tests run it on port 0.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from paper_exchange.server import admin, clob_account, clob_auth, clob_orders, clob_public, gamma
from paper_exchange.server.docs_page import docs_page
from paper_exchange.server.driver import Driver
from paper_exchange.server.errors import VenueError
from paper_exchange.server.faulting import BlockedError, FaultGate
from paper_exchange.server.requests import DRIVER, VENUE, reply, venue_of
from paper_exchange.server.sockets import market_socket, user_socket
from paper_exchange.server.venue import Venue

MAX_BODY_BYTES = 1024 * 1024
_DEFECT = "Internal server error"
_LOGGER = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def answer_as_the_venue(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals into the venue's JSON; a defect of this exchange is logged and counted, never shown."""
    try:
        return await handler(request)
    except VenueError as refusal:
        return reply(refusal.body(), status=refusal.status, headers=refusal.headers)
    except BlockedError as blocked:
        return blocked.response()
    except web.HTTPException as error:
        return reply({"error": error.reason}, status=error.status)
    except Exception:
        _LOGGER.exception("a request failed: %s %s", request.method, request.path)
        venue_of(request).counters["defects"] += 1
        return reply({"error": _DEFECT}, status=500)


async def docs(request: web.Request) -> web.Response:
    """GET /docs."""
    return web.Response(text=docs_page(venue_of(request)), content_type="text/html")


async def geoblock(request: web.Request) -> web.Response:
    """GET /api/geoblock: where the caller seems to be and whether that is blocked."""
    blocked = FaultGate(venue_of(request)).geoblocked()
    country, region = ("US", "NY") if blocked else ("IE", "L")
    return reply({"blocked": blocked, "ip": request.remote or "", "country": country, "region": region})


def build_application(venue: Venue, driver: Driver) -> web.Application:
    """The application of one venue; `driver` starts and stops with it."""
    application = web.Application(middlewares=[answer_as_the_venue], client_max_size=MAX_BODY_BYTES)
    application[VENUE], application[DRIVER] = venue, driver
    for module in (clob_public, clob_auth, clob_account, clob_orders):
        application.add_routes(module.routes)
    application.router.add_get("/docs", docs)
    application.router.add_get("/api/geoblock", geoblock)
    application.router.add_get("/ws/market", market_socket)
    application.router.add_get("/ws/user", user_socket)
    application.add_subapp("/gamma", _part(venue, driver, gamma.routes))
    application.add_subapp("/admin", _part(venue, driver, admin.routes))
    return application


def _part(venue: Venue, driver: Driver, routes: web.RouteTableDef) -> web.Application:
    part = web.Application()
    part[VENUE], part[DRIVER] = venue, driver
    part.add_routes(routes)
    return part
