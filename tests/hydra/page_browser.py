"""A browser window on the fleet's page, and what a person does and sees in it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, expect
from tests.hydra.page_examples import ScriptedDesk
from tests.hydra.page_rig import QUICK_S, Served, serving
from tests.support.page_window import DESKTOP, PageWindow

from kabobagool.clock import Clock

PATIENCE_MS = 60_000
PHONE = {"width": 390, "height": 844}


@dataclass
class Window(PageWindow):
    """The page of a scripted fleet."""

    served: Served

    @property
    def desk(self) -> ScriptedDesk:
        return self.served.desk

    async def titles(self) -> list[str]:
        return await self.page.locator(".market:visible .question").all_text_contents()

    async def open(self, address: str = "/") -> None:
        await self.page.goto(self.served.url + address)
        await expect(self.page.locator(".market").first).to_be_visible()


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
        try:
            await opened.open()
            yield opened
        finally:
            await page.close()
