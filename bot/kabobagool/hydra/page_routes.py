"""The page itself over HTTP: its files, and the events that keep it up to date.

Whoever serves the page adds these routes to what else it has to say: Hydra's server (`task_health.py`) for its own fleet, the operator for
the bots of a cluster. The page and what it is told are the same in both places.
"""

import asyncio
import contextlib
import logging
from typing import Any, Final

from aiohttp import web

from kabobagool.hydra.page_answers import asset_answer
from kabobagool.hydra.page_assets import INDEX, read_assets
from kabobagool.hydra.page_stream import PageStream

log = logging.getLogger(__name__)

EVENTS: Final = "/events"
EVENT_HEADERS: Final = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
WRITE_TIMEOUT_S: Final = 15.0
"""A reader that takes no bytes for so long is let go."""


class PageRoutes:
    """Serves the page and what `stream` tells. To be started before the first request, and stopped."""

    def __init__(self, stream: PageStream[Any]) -> None:
        self._stream = stream
        self._assets = read_assets()
        self._streaming: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keep the stream up to date from now on."""
        self._streaming = asyncio.create_task(self._stream.run(), name="page stream")

    async def stop(self) -> None:
        """Close every page's stream. Harmless when it never began."""
        self._stream.close()
        if self._streaming is not None:
            self._streaming.cancel()
            await asyncio.wait([self._streaming])

    def routes(self) -> list[web.RouteDef]:
        """What an application has to serve."""
        return [
            web.get("/", self._get_page),
            web.get("/assets/{name}", self._get_asset),
            web.get(EVENTS, self._get_events, allow_head=False),
        ]

    async def _get_page(self, request: web.Request) -> web.Response:
        return asset_answer(self._assets[INDEX], request)

    async def _get_asset(self, request: web.Request) -> web.Response:
        asset = self._assets.get(request.match_info["name"])
        if asset is None:
            raise web.HTTPNotFound(text="no such file of the page\n")
        return asset_answer(asset, request)

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers=EVENT_HEADERS)
        await response.prepare(request)
        async with contextlib.aclosing(self._stream.follow()) as events:
            with contextlib.suppress(ConnectionError):
                async for event in events:
                    if not await written(response, event):
                        hang_up(request)
                        break
        return response


async def written(response: web.StreamResponse, some: bytes) -> bool:
    """Write something, unless the reader has not taken what came before it."""
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await response.write(some)
    except TimeoutError:
        return False
    return True


def hang_up(request: web.Request) -> None:
    """Let a reader go that takes no data."""
    log.warning("a page that takes no data was let go", extra={"from": request.remote})
    if request.transport is not None:
        request.transport.abort()
