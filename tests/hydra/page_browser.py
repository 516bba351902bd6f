"""A browser window on the fleet's page, and what a person does and sees in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, Page, expect
from tests.hydra.page_examples import ScriptedDesk
from tests.hydra.page_rig import QUICK_S, Served, serving

from kabobagool.clock import Clock

PATIENCE_MS = 20_000
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}


@dataclass
class Window:
    """The page in a browser; `complaints` are all errors of its console, its scripts and its policy."""

    page: Page
    served: Served
    complaints: list[str] = field(default_factory=list)

    @property
    def desk(self) -> ScriptedDesk:
        return self.served.desk

    def row(self, title: str) -> Any:
        return self.page.locator(".market").filter(has_text=title)

    async def titles(self) -> list[str]:
        return await self.page.locator(".market:visible .question").all_text_contents()

    async def open(self, address: str = "/") -> None:
        await self.page.goto(self.served.url + address)
        await expect(self.page.locator(".market").first).to_be_visible()

    async def confirm(self, *, why: str | None = None, token: str | None = None) -> None:
        """Fill in the dialog and press its button."""
        if why is not None:
            await self.page.fill("#why", why)
        if token is not None:
            await self.page.fill("#token", token)
        await self.page.click("#confirm")


@asynccontextmanager
async def window(
    browser: Browser,
    desk: ScriptedDesk,
    *,
    size: dict[str, int] = DESKTOP,
    clock: Clock | None = None,
    interval_s: float = QUICK_S,
    **options: Any,
) -> AsyncIterator[Window]:
    """The page of this fleet, opened, in a window that knows nothing of others."""
    expect.set_options(timeout=PATIENCE_MS)
    async with serving(desk, clock=clock, interval_s=interval_s) as served:
        page = await browser.new_page(viewport=size, **options)  # type: ignore[arg-type]
        opened = Window(page, served)
        page.on("console", lambda said: opened.complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        try:
            await opened.open()
            yield opened
        finally:
            await page.close()
