"""A cluster's fleet page in a real browser: what cannot be missed, what is only text, and that it fits every screen."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from playwright.async_api import expect
from tests.hydra.page_browser import PHONE
from tests.operator.fleet_desk_rig import LIVE_WALLET, DeskRig, desk_rig, running, said
from tests.operator.fleet_page_rig import TOKEN, window
from tests.operator.test_operator_fleet_page import LIVE, PERSON
from tests.operator.test_operator_fleet_page_server import served
from tests.support.page_window import PageWindow

from kabobagool.clock import SystemClock
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.plan_types import Notice

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@asynccontextmanager
async def opened_page(**policy: str) -> AsyncIterator[tuple[DeskRig, PageWindow]]:
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(desk_rig(clock=SystemClock(), fleet_token=TOKEN, **policy))
        address = await stack.enter_async_context(served(rig))
        yield rig, await stack.enter_async_context(window(f"http://{address}/"))


async def test_real_money_cannot_be_missed_and_a_wallets_halt_names_the_wallet() -> None:
    async with opened_page() as (rig, opened):
        rig.put("rain", running("rain"))
        await expect(opened.page.locator("#mode")).to_have_text("DRY RUN · no real orders")
        rig.put("snow", running("snow"), wallet=LIVE_WALLET, **LIVE)
        await rig.gate.look()
        await expect(opened.page.locator("#mode")).to_have_text("LIVE · real money")
        await expect(opened.page.locator("body")).to_have_class("cluster pinned-only live")
        await expect(opened.row("Will it snow?").locator(".chip.live")).to_have_text("real money")
        await expect(opened.row("Will it rain?").locator(".chip.live")).to_have_count(0)
        await rig.desk.halt(scope=f"{LIVE_WALLET}/wallet", **PERSON)
        await expect(opened.page.locator("#notices")).to_contain_text(f"Halted: All markets of wallet {LIVE_WALLET}")
        await expect(opened.row("Will it snow?").locator(".chips")).to_contain_text("halted")
        await expect(opened.row("Will it rain?").locator(".chips")).to_have_text("running")
        assert opened.complaints == []


async def test_markets_come_change_and_go_and_can_be_found_by_the_arbmarkets_name_and_phase() -> None:
    async with opened_page() as (rig, opened):
        rig.put("rain", running("rain"))
        rig.put("lost", {"phase": "Failed", "reason": "MarketNotFound", "conditions": [said("Resolved", "False", "MarketNotFound")]})
        await expect(opened.page.locator(".market")).to_have_count(2)
        await opened.page.fill("#filter", "lost")
        await expect(opened.page.locator(".market:visible")).to_have_count(1)
        await opened.page.fill("#filter", "")
        await opened.page.get_by_role("button", name="failed 1").click()
        await expect(opened.page.locator(".market:visible")).to_have_count(1)
        await opened.page.get_by_role("button", name="all 2").click()
        await opened.page.get_by_role("columnheader", name="Conditions").get_by_role("button").click()
        assert await opened.page.locator(".market .question").first.text_content() == "lost"
        assert await opened.page.get_by_role("columnheader", name="Ask YES").count() == 0
        rig.put("lost", running("lost"))
        await expect(opened.row("Will it lost?").locator(".conditions")).to_have_text("Resolved Ready")
        await expect(opened.row("Will it lost?").locator(".halt")).to_be_enabled()
        assert opened.complaints == []


async def test_whatever_the_cluster_says_is_text_and_never_runs() -> None:
    async with opened_page(namespace=HOSTILE) as (rig, opened):
        status = running("rain", conditions=[said("Degraded", "True", "NakedLeg", HOSTILE), said("Audited", "False", "Not", HOSTILE)])
        status["market"]["question"] = HOSTILE
        rig.put("rain", {**status, "phase": "Degraded", "reason": "NakedLeg"})
        rig.events.note(Metadata(name="rain", namespace="bots", uid="uid-rain"), Notice(reason="Bad", message=HOSTILE, warning=True))
        rig.source.stopped = HOSTILE
        await rig.gate.look()
        await rig.desk.halt(scope="dry-run/wallet", who=HOSTILE, why=HOSTILE)
        await opened.row(HOSTILE).locator(".expand").click()
        for part in (".detail", "#notices", "#operator-facts", ".question"):
            await expect(opened.page.locator(part).first).to_contain_text(HOSTILE)
        assert await opened.page.locator("main img").count() == 0
        assert "owned" not in await opened.page.title()
        assert opened.complaints == []


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}, {"width": 768, "height": 1024}, {"width": 1100, "height": 800}])
async def test_no_screen_has_to_be_scrolled_sideways(size: dict[str, int]) -> None:
    async with opened_page() as (rig, opened):
        status = running("rain", conditions=[said("Degraded", "True", "N" * 200, "W" * 300)], reason="R" * 100, phase="Degraded")
        status["market"]["question"] = "W" * 300
        rig.put("rain", status)
        await opened.page.set_viewport_size(size)  # type: ignore[arg-type]
        await opened.page.locator(".expand").click()
        await expect(opened.page.locator(".detail")).to_be_visible()
        width, room = await opened.page.evaluate(WIDTHS)
        assert width <= room
