"""A small HTTP server that answers as a test scripts it, and a clock that only a test moves."""

import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.transport import AiohttpTransport, HttpReply

NOW_MS = 1_795_305_600_123


@dataclass(slots=True)
class ManualClock:
    """Sleeping moves it on at once and is written down."""

    now: int = NOW_MS
    slept: list[float] = field(default_factory=list)

    def now_ms(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return self.now / 1000

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += int(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes | str | dict[str, Any] | list[Any]
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> web.Response:
        if isinstance(self.body, dict | list):
            return web.json_response(self.body, status=self.status, headers=self.headers)
        body = self.body.encode() if isinstance(self.body, str) else self.body
        return web.Response(body=body, status=self.status, headers=self.headers)


@dataclass(frozen=True, slots=True)
class Seen:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class ScriptedServer:
    """Answers of a path are given in order, the last one for ever."""

    url: str
    requests: list[Seen]


Script = Mapping[str, Answer | Sequence[Answer] | Callable[[Seen], Answer]]


@contextlib.asynccontextmanager
async def scripted_server(script: Script) -> AsyncIterator[ScriptedServer]:
    requests: list[Seen] = []
    given: dict[str, int] = {}

    async def handle(request: web.Request) -> web.Response:
        seen = Seen(request.method, request.path, list(request.query.items()), dict(request.headers), await request.read())
        requests.append(seen)
        answers = script.get(request.path)
        if answers is None:
            return web.json_response({"error": "not found"}, status=404)
        if callable(answers):
            return answers(seen).response()
        if isinstance(answers, Answer):
            return answers.response()
        index = given.get(request.path, 0)
        given[request.path] = index + 1
        return answers[min(index, len(answers) - 1)].response()

    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", handle)
    async with TestServer(application) as server:
        yield ScriptedServer(str(server.make_url("")).rstrip("/"), requests)


@contextlib.asynccontextmanager
async def reading(clock: ManualClock | None = None, policy: RetryPolicy | None = None) -> AsyncIterator[Reader]:
    transport = AiohttpTransport()
    try:
        yield Reader(transport, clock=clock or ManualClock(), rng=random.Random(7), policy=policy)
    finally:
        await transport.close()


def json_reply(body: bytes) -> HttpReply:
    return HttpReply(200, {}, body)
