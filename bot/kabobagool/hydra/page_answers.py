"""What leaves the fleet's server with every answer: headers that hold a browser to the page, and JSON.

Used by `task_health.py`. The policy allows this page's own files and nothing else, so that a market's title cannot become a script even if
the page itself had a mistake.
"""

from typing import Final

import msgspec
from aiohttp import web

from kabobagool.hydra.page_assets import Asset
from kabobagool.hydra.page_guard import Denied

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Called before any answer leaves, errors included. What says nothing else about it is not kept by anybody."""
    response.headers.update(SECURITY_HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


def asset_answer(asset: Asset, request: web.Request) -> web.Response:
    """A file of the page: kept by the browser, and asked about each time."""
    headers = {"ETag": f'"{asset.etag}"', "Cache-Control": "no-cache"}
    known = request.if_none_match or ()
    if any(tag.value == asset.etag for tag in known):
        return web.Response(status=304, headers=headers)
    return web.Response(body=asset.body, content_type=asset.kind, charset="utf-8", headers=headers)


def struct_answer(content: msgspec.Struct, request: web.Request) -> web.Response:
    """A struct as JSON, compressed when asked; a large one is compressed beside the event loop, not on it."""
    response = web.Response(body=msgspec.json.encode(content), content_type="application/json", charset="utf-8")
    if "gzip" in request.headers.get("Accept-Encoding", "").lower():
        response.enable_compression(web.ContentCoding.gzip)
    return response


def denied_answer(denied: Denied) -> web.Response:
    """A refusal as JSON."""
    headers = {} if denied.retry_after_s is None else {"Retry-After": str(denied.retry_after_s)}
    return web.json_response({"error": denied.error}, status=denied.status, headers=headers)
