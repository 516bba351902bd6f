"""What the doctor's tests share: a paper exchange to examine, a front that changes single answers of it, and the examination itself."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.support.paper import TEST_KEY, PaperServer, ScriptedBooks

from kabobagool.clock import Clock, SystemClock
from kabobagool.doctor.examine import examine
from kabobagool.doctor.finding import Finding, Level
from kabobagool.feed.market_feed import subscribe_frame

BOOKS = ScriptedBooks(yes=[(0, [("0.52", 200)], [("0.54", 200)])])
LIVE = {"DRY_RUN": "false", "PRIVATE_KEY": TEST_KEY}
OK, WARNING, FAILURE = Level.OK, Level.WARNING, Level.FAILURE


def environment(paper: PaperServer, folder: Path, **own: str) -> dict[str, str]:
    """A configuration that is healthy against this exchange."""
    return {
        "HOME": str(folder),
        "MARKET_SLUG": paper.market.slug,
        "HOST": paper.urls["clob"],
        "GAMMA_HOST": paper.urls["gamma"],
        "MARKET_SOCKET_URL": paper.urls["market_socket"],
        "REQUEST_TIMEOUT_S": "2",
        "JOURNAL_PATH": str(folder / "journal.sqlite"),
    } | own


class HastyClock(SystemClock):
    """The time as it is, without the pauses between looks at a clock and between attempts."""

    async def sleep(self, seconds: float) -> None:
        """Let others run, and go on."""
        await asyncio.sleep(0)


async def findings_of(env: Mapping[str, str], *, clock: Clock | None = None) -> list[Finding]:
    """The whole report."""
    return await examine(env, clock=clock or HastyClock(), rng=random.Random(3), subscribe_frame=subscribe_frame)


async def examined(env: Mapping[str, str], *, clock: Clock | None = None) -> dict[str, Finding]:
    """The report by check; every check but the settings says one thing at most."""
    findings = await findings_of(env, clock=clock)
    named = [found.check for found in findings if found.check != "settings"]
    assert len(named) == len(set(named))
    return {found.check: found for found in findings}


def levels(report: Mapping[str, Finding], level: Level) -> set[str]:
    """The checks that came out so."""
    return {name for name, found in report.items() if found.level is level}


def skewed_clock(ahead_s: float) -> SystemClock:
    """A machine whose clock is that much ahead of everybody else's."""
    return SystemClock(origin_ms=round((time.time() + ahead_s) * 1000))


@dataclass(slots=True)
class Answer:
    """What the front says instead of the exchange."""

    status: int = 200
    body: Any = ""
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if isinstance(self.body, str):
            return web.Response(text=self.body, status=self.status, headers=self.headers)
        return web.json_response(self.body, status=self.status, headers=self.headers)


@dataclass(slots=True)
class Front:
    """A server before the paper exchange: paths in `answers` are answered by it, paths in `silent` never, the rest is passed on."""

    url: str
    answers: dict[str, Answer]
    seen: list[str] = field(default_factory=list)

    @property
    def own(self) -> dict[str, str]:
        """Variables that lead to it."""
        return {"HOST": self.url, "GAMMA_HOST": f"{self.url}/gamma"}


@contextlib.asynccontextmanager
async def fronted(paper: PaperServer, answers: Mapping[str, Answer], *, silent: tuple[str, ...] = ()) -> AsyncIterator[Front]:
    """Put a front before a running exchange; everything travels over real sockets."""

    front = Front("", dict(answers))
    closing = asyncio.Event()
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def handle(request: web.Request) -> web.Response:
            front.seen.append(f"{request.method} {request.path}")
            if request.path in silent:
                await closing.wait()
            answer = front.answers.get(request.path)
            if answer is not None:
                return answer.response()
            headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
            target = f"{paper.urls['clob']}{request.path_qs}"
            async with session.request(request.method, target, headers=headers, data=await request.read()) as reply:
                return web.Response(body=await reply.read(), status=reply.status, content_type=reply.content_type)

        application = web.Application()
        application.router.add_route("*", "/{rest:.*}", handle)
        async with TestServer(application) as server:
            front.url = str(server.make_url("")).rstrip("/")
            try:
                yield front
            finally:
                closing.set()
