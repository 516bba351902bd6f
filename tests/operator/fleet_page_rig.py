"""An operator with its fleet page, and what a person sees and does there: in a real browser, or with a terminal's requests."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from playwright.async_api import expect
from tests.gate.redis_servers import free_port
from tests.hydra.page_rig import parsed
from tests.operator.operator_rig import OperatorProcess, World
from tests.support.browser import launched
from tests.support.page_window import DESKTOP, PageWindow

TOKEN = "correct-horse-battery-staple"
PATIENCE_MS = 60_000


def with_page(at: World, *, token: str | None = TOKEN, **variables: str) -> tuple[OperatorProcess, str]:
    """An operator that was not started yet, and the address of its page."""
    port = free_port()
    given = {"FLEET_PORT": str(port), "POD_IP": "127.0.0.1", **({"FLEET_TOKEN": token} if token else {}), **variables}
    return at.operator(**given), f"http://127.0.0.1:{port}"


async def leading_with_page(at: World, *, token: str | None = TOKEN, **variables: str) -> tuple[OperatorProcess, str]:
    """One that leads."""
    operator, url = with_page(at, token=token, **variables)
    operator.start()
    await at.until(lambda: bool(operator.said("leading")), "it leads", operator)
    return operator, url


@dataclass
class Asker:
    """Requests as a terminal sends them."""

    session: aiohttp.ClientSession

    async def get(self, url: str, **headers: str) -> tuple[int, str, Any]:
        async with self.session.get(url, headers=headers) as response:
            return response.status, await response.text(), response.headers

    async def status(self, url: str) -> dict[str, Any]:
        """What /status says, {} while nobody knows."""
        try:
            code, text, _ = await self.get(f"{url}/status")
        except aiohttp.ClientConnectionError:
            return {}
        return dict(json.loads(text)) if code == 200 else {}

    async def post(self, url: str, body: Any, *, token: str | None = TOKEN, **headers: str) -> tuple[int, dict[str, Any]]:
        sent = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}) | headers
        async with self.session.post(url, data=json.dumps(body), headers=sent) as response:
            return response.status, json.loads(await response.text())

    async def first_event(self, url: str) -> tuple[str, dict[str, Any]]:
        """The first thing that an open page would be told."""
        async with self.session.get(f"{url}/events") as response:
            return parsed(await response.content.readuntil(b"\n\n"))[0]


@asynccontextmanager
async def asking() -> AsyncIterator[Asker]:
    async with aiohttp.ClientSession(read_bufsize=2**20) as session:
        yield Asker(session)


@asynccontextmanager
async def window(url: str, **options: Any) -> AsyncIterator[PageWindow]:
    """The page, opened in a browser of its own."""
    expect.set_options(timeout=PATIENCE_MS)
    async with launched() as browser:
        page = await browser.new_page(viewport=DESKTOP, **options)  # type: ignore[arg-type]
        opened = PageWindow(page)
        await page.goto(url)
        yield opened


@asynccontextmanager
async def living(at: World, holders: dict[str, str], **said: Any) -> AsyncIterator[None]:
    """Bots that go on reporting."""

    async def report() -> None:
        while True:
            for slug, holder in holders.items():
                await at.reports(slug, holder, **said)
            await asyncio.sleep(3)

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        reporting.cancel()
