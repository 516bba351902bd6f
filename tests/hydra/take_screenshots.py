"""Takes the pictures of the page that the documentation shows: `python -m tests.hydra.take_screenshots`.

A scripted fleet, the real server, a real browser. The numbers are made up, as the picture's own DRY RUN badge says.
"""

import asyncio
from pathlib import Path

from playwright.async_api import Browser
from tests.hydra.page_examples import ScriptedDesk, busy_desk
from tests.support.browser import launched

from kabobagool.clock import SystemClock
from kabobagool.hydra.task_health import FleetServer

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FAST_S = 0.05
"""A second of the scripted fleet takes so long, so that the sparklines are full soon."""
HISTORY_S = 8
DESKTOP = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


async def picture(browser: Browser, url: str, name: str, *, size: dict[str, int], theme: str, sharpness: float = 1) -> None:
    """Open the page in a window of this size, let it live for some seconds, and keep what it looks like."""
    page = await browser.new_page(viewport=size, device_scale_factor=sharpness, color_scheme=theme, reduced_motion="reduce")
    await page.goto(url)
    await page.wait_for_selector(".market")
    await asyncio.sleep(1)
    await page.screenshot(path=IMAGES / f"{name}.png")
    await page.close()


async def main() -> None:
    """Write all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    desk = busy_desk()
    desk.retire(8)
    server = FleetServer(
        desk=desk, host="127.0.0.1", port=0, token="for-pictures-only", metrics=None, clock=SystemClock(), page_interval_s=FAST_S
    )
    url = f"http://127.0.0.1:{await server.start()}/"
    living = asyncio.create_task(live(desk))
    await asyncio.sleep(HISTORY_S)
    async with launched() as browser:
        await picture(browser, url, "fleet-page", size=DESKTOP, theme="dark")
        await picture(browser, url, "fleet-page-light", size=DESKTOP, theme="light")
        await picture(browser, url, "fleet-page-phone", size=PHONE, theme="dark", sharpness=2)
    living.cancel()
    await server.stop()


async def live(desk: ScriptedDesk) -> None:
    """Let the fleet's seconds pass."""
    while True:
        await asyncio.sleep(FAST_S)
        desk.step()


if __name__ == "__main__":
    asyncio.run(main())
