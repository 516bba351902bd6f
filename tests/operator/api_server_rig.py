"""A few lines of HTTP that answer as an API server may on a bad day: what a real one does not do on request.

It holds no objects. Everything that an API server does when it is well is tested with a real one, in `test_operator_cluster_real.py`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from kabobagool.clock import SystemClock
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.rest import Fence, Rest, nobody_else_writes
from kabobagool_operator.write_rate import WriteRate


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    """What is answered; `raw` instead of JSON."""

    status: int = 200
    content: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


def refusal(status: int, message: str, **details: Any) -> Answer:
    """A `Status` as the API server writes it."""
    return Answer(status, {"kind": "Status", "status": "Failure", "message": message, "code": status, "details": details})


class BadDayServer:
    """Answers with `answers` in turn, the last one again and again; with `silent` not at all."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[Answer | Callable[[Asked], Answer]] = [Answer()]
        self.silent = False
        self.inside = 0
        self.most_inside = 0
        self.takes_s = 0.0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.add_routes([web.route("*", "/{path:.*}", self._answer)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path, dict(request.query), headers, json.loads(raw) if raw else None)
        self.asked.append(asked)
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await asyncio.sleep(3600 if self.silent else self.takes_s)
        finally:
            self.inside -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer = answer(asked) if callable(answer) else answer
        body = json.dumps(answer.content).encode() if answer.raw is None else answer.raw
        return web.Response(status=answer.status, body=body, headers={"Content-Type": "application/json"} | answer.headers)


class RequestTally:
    """A `RequestObserver` that counts."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()

    def requested(self, *, method: str, code: str) -> None:
        self.requests[method, code] += 1


class Client(RequestTally):
    """A `Cluster` that talks to such a server, and what it counted. To be closed."""

    def __init__(self, url: str, *, fence: Fence = nobody_else_writes, rate: WriteRate | None = None, **bounds: Any) -> None:
        super().__init__()
        configuration = Configuration(host=url)
        configuration.api_key["BearerToken"] = "bearer s3cret"
        self.rest = Rest(configuration, rate=rate or WriteRate(clock=SystemClock()), observer=self, fence=fence, **bounds)
        self.cluster = Cluster(self.rest)
