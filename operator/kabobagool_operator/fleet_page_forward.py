"""A standby's fleet page: whatever it is asked, it asks the leader, who alone knows; the answer is passed on as it comes.

`fleet_page_server.py` calls it for everything while this process does not lead. Where the leader serves is in the Lease, which a standby
reads every two seconds anyway. When there is nobody to ask, a person reads why and what happens next.
"""

import html
import json
import logging
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from kabobagool.hydra.page_routes import EVENT_HEADERS, EVENTS, hang_up, written
from kabobagool_operator.lease import LeaderPage

log = logging.getLogger(__name__)

FORWARDED: Final = "X-Kabobagool-Forwarded"
"""Set by a standby, so that two of them which take each other for the leader do not ask each other for ever."""
ASKED: Final = (
    "Accept",
    "Accept-Encoding",
    "Authorization",
    "Content-Type",
    "Host",
    "If-None-Match",
    "Origin",
    "Sec-Fetch-Site",
)
ANSWERED: Final = ("Cache-Control", "Content-Encoding", "Content-Type", "ETag", "Retry-After", "X-Accel-Buffering")
"""What of a request and of its answer is passed on."""
TIMEOUT: Final = aiohttp.ClientTimeout(total=None, sock_connect=3.0, sock_read=15.0)
"""The leader has news every second for whoever follows it."""
AGAIN_S: Final = 3
NOBODY: Final = "No operator leads at the moment; one takes over within 20 seconds"
PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="{again_s}">
<title>kabobagool: no leader</title>
<h1>kabobagool</h1>
<p role="alert"><strong>{why}.</strong>
<p>Bots that run go on trading and hedging meanwhile. This page tries again every {again_s} seconds.
</html>
"""


class LeaderLink:
    """The way to the leader; `leader` says who it is. To be closed."""

    def __init__(self, leader: Callable[[], LeaderPage | None]) -> None:
        self._leader = leader
        self._session: aiohttp.ClientSession | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The leader's answer, or why there is none."""
        leader = self._leader()
        address = None if leader is None else page_address(leader.address)
        if leader is None or FORWARDED in request.headers:
            return await nobody_answers(request, NOBODY)
        if address is None:
            return await nobody_answers(request, f"{leader.holder} leads and does not say where: KABOBAGOOL_POD_IP is not set there")
        try:
            return await self._passed_on(request, f"http://{address}{request.raw_path}")
        except (aiohttp.ClientError, TimeoutError) as e:
            log.info("the leader's page does not answer", extra={"leader": leader.holder, "error": f"{type(e).__name__}: {e}"})
            return await nobody_answers(request, f"{leader.holder} leads and does not answer; if it is gone, another one takes over soon")

    async def close(self) -> None:
        """Let go of the leader."""
        if self._session is not None:
            await self._session.close()

    async def _passed_on(self, request: web.Request, url: str) -> web.StreamResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        asked = {FORWARDED: "1", **_those(request.headers, ASKED)}
        skipped = ("Accept", "Accept-Encoding", "Content-Type")
        body = await request.read() or None
        async with self._session.request(
            request.method, url, headers=asked, data=body, skip_auto_headers=skipped, allow_redirects=False
        ) as answer:
            response = web.StreamResponse(status=answer.status, headers=_those(answer.headers, ANSWERED))
            await response.prepare(request)
            await _pass_on(answer.content, response, request)
            return response


async def _pass_on(some: aiohttp.StreamReader, response: web.StreamResponse, request: web.Request) -> None:
    """Piece by piece as it comes. An answer that breaks off is broken off here too, so that nobody takes a part for the whole."""
    try:
        async for piece in some.iter_any():
            if not await written(response, piece):
                hang_up(request)
                return
    except ConnectionError:
        return  # the reader went away
    except (aiohttp.ClientError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()


async def nobody_answers(request: web.Request, why: str) -> web.StreamResponse:
    """To a person a page, to a page that is open a word, to a machine JSON: all say why, and to try again."""
    if request.path == EVENTS:
        return await _trouble(request, why)
    again = {"Retry-After": str(AGAIN_S)}
    if request.path == "/":
        text = PAGE.format(why=html.escape(why), again_s=AGAIN_S)
        return web.Response(status=503, text=text, content_type="text/html", headers=again)
    return web.json_response({"error": why}, status=503, headers=again)


def page_address(said: str) -> str | None:
    """`ADDRESS:PORT` as the Lease has it; None unless it is an address and a port and nothing else."""
    try:
        parts = urlsplit(f"//{said}")
        ip_address(parts.hostname or "")
        return said if parts.netloc == said and parts.port and "@" not in said else None
    except ValueError:
        return None


async def _trouble(request: web.Request, why: str) -> web.StreamResponse:
    """A browser tells its page nothing of an answer that is no stream; it comes back by itself."""
    response = web.StreamResponse(headers=EVENT_HEADERS)
    await response.prepare(request)
    await response.write(b"event: trouble\ndata: %s\n\n" % json.dumps({"error": why}).encode())
    return response


def _those(headers: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: headers[name] for name in names if name in headers}
