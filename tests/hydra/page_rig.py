"""The fleet's server over a scripted desk, and clients that talk to it as browsers, scrapers and strangers do."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from tests.hydra.page_examples import ScriptedDesk

from kabobagool.clock import Clock, SystemClock
from kabobagool.hydra.task_health import FleetServer
from kabobagool.telemetry.metrics import BotMetrics

TOKEN = "correct-horse-battery-staple"
QUICK_S = 0.05
"""A second of the page, in tests."""
Answer = tuple[int, dict[str, Any]]


@dataclass
class Served:
    """A running server, its desk, and a session to ask it with."""

    desk: ScriptedDesk
    server: FleetServer
    port: int
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def get(self, path: str, **headers: str) -> tuple[int, str, Any]:
        async with self.session.get(self.url + path, headers=headers) as response:
            return response.status, await response.text(), response.headers

    async def post(self, path: str, body: Any, *, token: str | None = TOKEN, **headers: str) -> Answer:
        sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url + path, data=data, headers=sent) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else {"text": text}

    async def live(self, second_s: float) -> None:
        """Let the fleet's seconds pass until cancelled."""
        while True:
            await asyncio.sleep(second_s)
            self.desk.step()


@asynccontextmanager
async def serving(
    desk: ScriptedDesk,
    *,
    host: str = "127.0.0.1",
    metrics: BotMetrics | None = None,
    clock: Clock | None = None,
    interval_s: float = QUICK_S,
) -> AsyncIterator[Served]:
    server = FleetServer(
        desk=desk, host=host, port=0, token=TOKEN, metrics=metrics, clock=clock or SystemClock(), page_interval_s=interval_s
    )
    port = await server.start()
    try:
        async with aiohttp.ClientSession() as session:
            yield Served(desk, server, port, session)
    finally:
        await server.stop()


def parsed(events: bytes) -> list[tuple[str, dict[str, Any]]]:
    """The names and contents of complete server-sent events."""
    found = []
    for block in events.decode().split("\n\n")[:-1]:
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found
