"""What every handler needs of a request: the venue, checked parameters, a JSON body, the caller's key, a page of a list.

Anything wrong in a request becomes a `VenueError` here, so handlers read straight through.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from paper_exchange.server.credentials import ApiKey, verify_request
from paper_exchange.server.driver import Driver
from paper_exchange.server.errors import bad_request
from paper_exchange.server.venue import Venue

VENUE: web.AppKey[Venue] = web.AppKey("venue", Venue)
DRIVER: web.AppKey[Driver] = web.AppKey("driver", Driver)
FIRST_CURSOR = "MA=="
LAST_CURSOR = "LTE="
PAGE_SIZE = 100

Item = TypeVar("Item")


def venue_of(request: web.Request) -> Venue:
    """The venue this application serves."""
    return request.app[VENUE]


def driver_of(request: web.Request) -> Driver:
    """The driver of that venue."""
    return request.app[DRIVER]


def reply(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON reply."""
    return web.Response(body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json")


def required(request: web.Request, name: str) -> str:
    """A query parameter. VenueError 400 when it is missing or empty."""
    value = request.query.get(name, "")
    if not value:
        raise bad_request(f"Invalid {name}")
    return value


async def json_body(request: web.Request) -> Any:
    """The decoded body, None when it is empty. VenueError 400 when it is not JSON."""
    raw = await request.read()
    try:
        return msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeError):
        raise bad_request("Invalid payload") from None


async def caller(request: web.Request) -> ApiKey:
    """The key proven by the L2 headers; its owner's account is opened. VenueError 401 otherwise."""
    venue = venue_of(request)
    body = await request.read()
    key = verify_request(request.headers, venue.keys, venue.clock, method=request.method, path=request.path, body=body)
    venue.fund(key.address)
    return key


def integer(request: web.Request, name: str, *, default: int) -> int:
    """A whole-number query parameter. VenueError 400 when it is something else."""
    value = request.query.get(name, "")
    if value == "":
        return default
    if not (value.isascii() and value.isdigit()) or len(value) > len("9999999999999"):
        raise bad_request(f"Invalid {name}")
    return int(value)


def page(request: web.Request, items: Sequence[Item], show: Callable[[Item], object]) -> dict[str, object]:
    """One cursor page: `next_cursor` is the base64 offset of the next page, LTE= on the last."""
    start = _offset(request.query.get("next_cursor") or FIRST_CURSOR)
    shown = items[start : start + PAGE_SIZE]
    end = start + len(shown)
    following = LAST_CURSOR if end >= len(items) else base64.b64encode(str(end).encode()).decode()
    return {"limit": PAGE_SIZE, "count": len(shown), "next_cursor": following, "data": [show(item) for item in shown]}


def _offset(cursor: str) -> int:
    try:
        offset = base64.b64decode(cursor, validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        raise bad_request("Invalid next_cursor") from None
    if not offset.isdigit() or len(offset) > len("999999999"):
        raise bad_request("Invalid next_cursor")
    return int(offset)
