"""Halting and resuming by hand: in a real browser, through the one dialog, with the token in nobody's memory but the page's."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Route, expect
from tests.hydra.page_browser import PHONE, window
from tests.hydra.page_examples import ScriptedDesk, condition_id
from tests.hydra.page_rig import TOKEN
from tests.support.browser import launched
from tests.support.virtual_clock import VirtualClock

from kabobagool.hydra.page_guard import WRONG_TRIES

pytestmark = pytest.mark.asyncio(loop_scope="module")
RAIN = "Will it rain in London on 1 December?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


async def test_a_wrong_token_is_told_and_the_right_one_halts_with_who_and_why(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(3)) as opened:
        await opened.page.click("#halt-all")
        await expect(opened.page.locator("#control-title")).to_have_text("Halt all 3 markets?")
        await opened.confirm(why="news at noon", token="wrong")
        await expect(opened.page.locator("#control-error")).to_have_text("wrong token: it is the one printed at start (or CONTROL_TOKEN)")
        assert opened.desk.halted == {}
        await opened.confirm(token=TOKEN)
        await expect(opened.page.locator("#control")).to_be_hidden()
        (halt,) = opened.desk.halted.values()
        assert (halt.scope, halt.who, halt.why) == ("wallet", "page 127.0.0.1", "news at noon")
        await expect(opened.page.locator("#notices")).to_contain_text("All markets are halted")
        await expect(opened.page.locator("#notices")).to_contain_text("news at noon — by page 127.0.0.1")
        await expect(opened.page.get_by_role("button", name="halted 3")).to_be_visible()


async def test_one_market_is_halted_and_resumed_from_its_row(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(3)) as opened:
        row = opened.row(RAIN)
        await row.get_by_role("button", name="Halt").click()
        await expect(opened.page.locator("#control-subject")).to_have_text(RAIN)
        await opened.confirm(why="odd books", token=TOKEN)
        await expect(row.locator(".chips")).to_contain_text("halted")
        assert list(opened.desk.halted) == [condition_id(0)]
        await row.get_by_role("button", name="Resume").click()
        await expect(opened.page.locator("#why")).to_be_hidden()
        await opened.confirm()  # the token is known by now
        await expect(row.locator(".chips")).to_have_text("watching")
        assert opened.desk.resumed == [(condition_id(0), "page 127.0.0.1")]


async def test_a_halt_of_all_is_lifted_from_its_notice_and_from_any_row(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(2)) as opened:
        await opened.desk.halt(scope="wallet", who="a colleague", why="lunch")
        await opened.page.locator("#notices").get_by_role("button", name="Resume").click()
        await expect(opened.page.locator("#control-title")).to_have_text("Resume all 2 markets?")
        await opened.page.click("#cancel")
        await opened.row(RAIN).get_by_role("button", name="Resume").click()
        await expect(opened.page.locator("#control-title")).to_have_text("Resume all 2 markets?")
        await opened.confirm(token=TOKEN)
        await expect(opened.page.locator("#notices")).to_be_empty()
        assert opened.desk.resumed == [("wallet", "page 127.0.0.1")]


async def test_nothing_is_sent_without_a_reason_a_token_and_a_confirmation(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(1)) as opened:
        asked: list[str] = []
        opened.page.on("request", lambda request: asked.append(request.method))
        await opened.page.click("#halt-all")
        await opened.confirm(why="   ", token=TOKEN)
        await expect(opened.page.locator("#control-error")).to_have_text("Say why, so that others know.")
        await opened.confirm(why="because", token="")
        await expect(opened.page.locator("#control-error")).to_have_text("The token is missing: it was printed at start.")
        await opened.page.keyboard.press("Escape")
        await expect(opened.page.locator("#control")).to_be_hidden()
        assert "POST" not in asked
        assert opened.desk.halted == {}


async def test_the_token_is_in_the_pages_memory_and_nowhere_else(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(1)) as opened:
        await opened.page.click("#halt-all")
        await opened.confirm(why="because", token=TOKEN)
        await expect(opened.page.locator("#notices")).to_contain_text("because")
        kept = await opened.page.evaluate(
            "() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, location.href,"
            " document.documentElement.outerHTML, [...document.querySelectorAll('input')].map((input) => input.value)])"
        )
        assert TOKEN not in kept
        await opened.page.click("#halt-all")
        await expect(opened.page.locator("#token")).to_be_hidden()
        await opened.page.click("#forget")
        await expect(opened.page.locator("#token")).to_be_focused()
        await opened.open()
        await opened.page.click("#halt-all")
        await expect(opened.page.locator("#token")).to_be_visible()


async def test_a_trader_who_guesses_is_told_how_long_to_wait(browser: Browser) -> None:
    async with window(browser, ScriptedDesk(1), clock=VirtualClock()) as opened:
        await opened.page.click("#halt-all")
        await opened.page.fill("#why", "because")
        for _ in range(WRONG_TRIES):
            async with opened.page.expect_response("**/halt"):
                await opened.confirm(token="guess")
            await expect(opened.page.locator("#confirm")).to_be_enabled()
        await opened.confirm(token=TOKEN)
        await expect(opened.page.locator("#control-error")).to_have_text("too many wrong tokens: wait 61 s")


@pytest.mark.parametrize("size", [None, PHONE])
async def test_a_lost_answer_is_not_taken_for_a_yes_or_a_no(browser: Browser, size: dict[str, int] | None) -> None:
    async with window(browser, ScriptedDesk(1), **({"size": size} if size else {})) as opened:

        async def lose(route: Route) -> None:
            await route.abort()

        await opened.page.route("**/halt", lose)
        await opened.page.click("#halt-all")
        await opened.confirm(why="because", token=TOKEN)
        await expect(opened.page.locator("#control-error")).to_contain_text("it is not known whether it did halt")
        await opened.page.unroute("**/halt")
        await opened.confirm()
        await expect(opened.page.locator("#notices")).to_contain_text("because")
