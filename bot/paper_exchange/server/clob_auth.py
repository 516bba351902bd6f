"""The CLOB's key management: create, derive, list and delete API keys.

Called once by a bot's set-up; everything else it does is signed with the key it got here.
"""

from aiohttp import web

from paper_exchange.server.credentials import verify_login
from paper_exchange.server.requests import caller, reply, venue_of

routes = web.RouteTableDef()


@routes.post("/auth/api-key")
async def create_api_key(request: web.Request) -> web.Response:
    """A new key for the signer of the L1 headers; 400 when it has one already."""
    venue = venue_of(request)
    address, nonce = verify_login(request.headers, venue.clock)
    key = venue.keys.create(address, nonce)
    venue.fund(address)
    return reply(key.as_json())


@routes.get("/auth/derive-api-key")
async def derive_api_key(request: web.Request) -> web.Response:
    """The signer's existing key."""
    venue = venue_of(request)
    address, nonce = verify_login(request.headers, venue.clock)
    return reply(venue.keys.derive(address, nonce).as_json())


@routes.get("/auth/api-keys")
async def api_keys(request: web.Request) -> web.Response:
    """Ids of all keys of the caller."""
    key = await caller(request)
    return reply({"apiKeys": venue_of(request).keys.of(key.address)})


@routes.delete("/auth/api-key")
async def delete_api_key(request: web.Request) -> web.Response:
    """Forget the caller's key."""
    venue_of(request).keys.delete(await caller(request))
    return reply("OK")


@routes.get("/auth/ban-status/closed-only")
async def closed_only(request: web.Request) -> web.Response:
    """Whether the caller may only close positions: never here."""
    await caller(request)
    return reply({"closed_only": False})
