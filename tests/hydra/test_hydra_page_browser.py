"""The page as a trader sees it: in a real browser, over the real server."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from tests.hydra.page_browser import PHONE, window
from tests.hydra.page_examples import ScriptedDesk, busy_desk, condition_id
from tests.hydra.page_rig import TOKEN
from tests.support.browser import launched

from kabobagool.clock import SystemClock
from kabobagool.hydra.task_health import FleetServer

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "<script>document.title='owned'</script>",
    '"><svg onload="document.title=\'owned\'">',
    "javascript:document.title='owned'",
    "{{constructor.constructor('document.title=1')()}}",
)
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with launched() as opened:
        yield opened


def named(*titles: str) -> ScriptedDesk:
    desk = ScriptedDesk(len(titles))
    for number, title in enumerate(titles):
        desk.change(number, question=title, market=f"slug-{number}")
    return desk


async def test_markets_appear_change_come_and_go_without_a_reload(browser: Browser) -> None:
    async with window(browser, named("Rain?", "Snow?")) as opened:
        await opened.page.evaluate("window.loadedOnce = true")
        assert await opened.titles() == ["Rain?", "Snow?"]
        opened.desk.change(0, ask_yes="0.431", pair_cost_after_fees="0.98765")
        await expect(opened.row("Rain?").locator(".yes")).to_have_text("0.431")
        await expect(opened.row("Rain?").locator(".cost .value")).to_have_text("0.9876")  # cut, never rounded up
        await expect(opened.row("Rain?").locator(".cost")).to_have_class("cell cost edge")
        opened.desk.rows[condition_id(9)] = ScriptedDesk(10).rows[condition_id(9)]
        opened.desk.retire(1)
        await expect(opened.page.locator(".market")).to_have_count(2)
        await expect(opened.row("comet")).to_be_visible()
        await expect(opened.page.locator("#retired-summary")).to_contain_text("1 markets left")
        assert await opened.page.evaluate("window.loadedOnce")
        assert opened.complaints == []


async def test_the_mode_the_wallet_and_the_sums_cannot_be_missed(browser: Browser) -> None:
    async with window(browser, busy_desk(mode="live")) as opened:
        await expect(opened.page.locator("#mode")).to_have_text("LIVE · real money")
        await expect(opened.page.locator("body")).to_have_class("live")
        await expect(opened.page.locator("#identity")).to_have_text("profile careful · wallet 0x2f1C…BcDeF")
        await expect(opened.page.locator("#totals")).to_contain_text("Locked profit")
        await expect(opened.page.locator("#notices")).to_contain_text("news at noon — by page 127.0.0.1")
        await expect(opened.page.locator("#edges-reasons li").first).to_contain_text("legs apart in time")
        await expect(opened.page.locator("#discovery-line")).to_contain_text("24 of 484 qualify")
        await expect(opened.page.locator("#feed-facts")).to_contain_text("12 + 12")
        assert "LIVE" in await opened.page.title()
        opened.desk.fleet |= {"play_money": True}
        await expect(opened.page.locator("#mode")).to_have_text("LIVE · play money")
        await expect(opened.page.locator("body")).to_have_class("dry")
        opened.desk.fleet |= {"mode": "dry_run", "state": "draining"}
        await expect(opened.page.locator("#mode")).to_have_text("DRY RUN · no real orders")
        await expect(opened.page.locator("#fleet-state")).to_have_text("draining")


async def test_any_column_sorts_both_ways_by_mouse_and_by_key_and_says_so(browser: Browser) -> None:
    desk = named("Beta?", "Alpha?", "Gamma?")
    for number, cost in enumerate(("1.01", None, "0.99")):
        desk.change(number, pair_cost_after_fees=cost)
    async with window(browser, desk) as opened:
        market, cost = (opened.page.get_by_role("columnheader", name=name) for name in ("Market", "Pair after fees"))
        await cost.get_by_role("button").click()
        await expect(cost).to_have_attribute("aria-sort", "ascending")
        assert await opened.titles() == ["Gamma?", "Beta?", "Alpha?"]
        await cost.get_by_role("button").press("Enter")
        assert await opened.titles() == ["Beta?", "Gamma?", "Alpha?"]  # what is not known stays last
        await market.get_by_role("button").press("Space")
        await expect(market).to_have_attribute("aria-sort", "ascending")
        assert await cost.get_attribute("aria-sort") is None
        assert await opened.titles() == ["Alpha?", "Beta?", "Gamma?"]
        for column in await opened.page.locator("#heads button").all():
            await column.click()
        assert opened.complaints == []


async def test_what_needs_attention_is_on_top_from_the_start(browser: Browser) -> None:
    desk = named("A quiet one", "B quiet one", "C waits", "D is naked")
    desk.change(2, state="cooldown", cooldown_s=0.5)
    desk.change(3, state="orphan")
    async with window(browser, desk) as opened:
        assert await opened.titles() == ["D is naked", "C waits", "A quiet one", "B quiet one"]


async def test_filters_by_text_and_state_and_the_address_remembers(browser: Browser) -> None:
    desk = named("Rain in London?", "Rain in Paris?", "Snow in Paris?")
    desk.change(1, state="frozen", frozen_orders=("0xab",))
    async with window(browser, desk) as opened:
        await opened.page.keyboard.press("/")
        await opened.page.keyboard.type("paris")
        assert await opened.titles() == ["Rain in Paris?", "Snow in Paris?"]
        await opened.page.get_by_role("button", name="frozen 1").click()
        assert await opened.titles() == ["Rain in Paris?"]
        await opened.page.get_by_role("columnheader", name="Market").get_by_role("button").click()
        await opened.page.reload()
        await expect(opened.page.locator("#filter")).to_have_value("paris")
        await expect(opened.page.get_by_role("button", name="frozen 1")).to_have_attribute("aria-pressed", "true")
        await expect(opened.page.locator(".market:visible")).to_have_count(1)
        await expect(opened.page.get_by_role("columnheader", name="Market")).to_have_attribute("aria-sort", "ascending")
        await opened.page.fill("#filter", "nothing like it")
        await expect(opened.page.locator("#empty")).to_have_text("No market matches this filter.")
        await opened.page.locator("#filter").press("Escape")
        await opened.page.get_by_role("button", name="all 3").click()
        assert len(await opened.titles()) == 3


async def test_a_row_opens_to_everything_there_is_to_know(browser: Browser) -> None:
    async with window(browser, busy_desk()) as opened:
        row = opened.row("Will the bridge be finished this winter?")
        await expect(row.locator(".expand")).to_have_attribute("aria-expanded", "false")
        await row.locator(".expand").press("Enter")
        await expect(row.locator(".expand")).to_have_attribute("aria-expanded", "true")
        detail = row.locator(".detail")
        for text in ("legs apart in time", "0x5e5e…e5e5e", "locked profit", "160 at 0.480", "last fill"):
            await expect(detail).to_contain_text(text)
        opened.desk.change(7, edges_rejected={"mirror_broken": 12_345})
        await expect(detail).to_contain_text("12,345")
        await row.locator(".yes").click()
        await expect(detail).to_have_count(0)


async def test_a_titles_script_is_text_everywhere_and_never_runs(browser: Browser) -> None:
    desk = named(*HOSTILE)
    for number, title in enumerate(HOSTILE):
        desk.change(number, market=title, reasons=(title,), row={"trouble": title}, edges_rejected={title: 1}, orders={title: 1})
    desk.retire(0)
    await desk.halt(scope=condition_id(1), who=HOSTILE[0], why=HOSTILE[1])
    desk.fleet["profile"] = HOSTILE[0]
    async with window(browser, desk) as opened:
        assert sorted(await opened.titles()) == sorted(HOSTILE[1:])
        for market in await opened.page.locator(".expand").all():
            await market.click()
        await opened.page.click("#retired summary")
        await expect(opened.page.locator("#retired-rows")).to_contain_text(HOSTILE[0])
        await expect(opened.page.locator("#notices")).to_contain_text(HOSTILE[1])
        await opened.page.locator(".market .halt").first.click()
        await expect(opened.page.locator("#control-subject")).not_to_be_empty()
        addresses = await opened.page.locator("a.slug").evaluate_all("links => links.map((link) => [link.href, link.rel, link.target])")
        assert all(address.startswith("https://polymarket.com/market/") for address, _, _ in addresses)
        assert {(rel, target) for _, rel, target in addresses} == {("noopener noreferrer", "_blank")}
        assert await opened.page.locator("main img, main script, main svg[onload]").count() == 0
        assert "owned" not in await opened.page.title()
        assert opened.complaints == []


async def test_the_policy_stops_a_script_that_got_in_all_the_same(browser: Browser) -> None:
    async with window(browser, named("Rain?")) as opened:
        await opened.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.owned=true\">')")
        while not opened.complaints:
            await asyncio.sleep(0.02)
        assert "Content Security Policy" in " ".join(opened.complaints)
        assert await opened.page.evaluate("window.owned") is None


async def test_a_page_without_news_greys_its_numbers_and_says_how_old_they_are_until_there_is_news(browser: Browser) -> None:
    async with window(browser, named("Rain?")) as opened:
        stale, body = opened.page.locator("#stale"), opened.page.locator("body")
        await expect(stale).to_be_hidden()
        opened.desk.failure = RuntimeError("s3cret")
        await expect(stale).to_contain_text("the fleet does not say how it is: see the log. These numbers are")
        await expect(body).to_have_class("dry stale")
        assert (await opened.page.title()).startswith("⚠ stale")
        assert float(await opened.page.locator("#markets").evaluate("node => getComputedStyle(node).opacity")) < 1
        opened.desk.failure = None
        await expect(stale).to_be_hidden()
        await expect(body).to_have_class("dry")


async def test_a_page_whose_server_is_gone_says_so_and_comes_back_with_it(browser: Browser) -> None:
    async with window(browser, named("Rain?")) as opened:
        await opened.served.server.stop()
        await expect(opened.page.locator("#stale")).to_contain_text("Connection lost, trying again. These numbers are")
        await expect(opened.page.locator("body")).to_have_class("dry stale")
        again = FleetServer(
            desk=named("Rain, later?"),
            host="127.0.0.1",
            port=opened.served.port,
            token=TOKEN,
            metrics=None,
            clock=SystemClock(),
        )
        await again.start()
        try:
            await expect(opened.page.locator("#stale")).to_be_hidden()
            await expect(opened.row("Rain, later?")).to_be_visible()
        finally:
            await again.stop()


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_text_stands_out_from_its_ground_in_both_themes(browser: Browser, theme: str) -> None:
    async with window(browser, busy_desk(), color_scheme=theme) as opened:
        await opened.row("finished this winter?").locator(".expand").click()
        faint = await opened.page.evaluate(FAINT_TEXTS)
    assert faint == []


FAINT_TEXTS = """() => {
  const rgb = (colour) => { const c = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    c.fillStyle = colour; c.fillRect(0, 0, 1, 1); return c.getImageData(0, 0, 1, 1).data; };
  const light = (colour) => { const [r, g, b] = [...colour].slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { for (let at = node; at; at = at.parentElement) {
    const found = getComputedStyle(at).backgroundColor; const seen = rgb(found);
    if (seen[3] > 200) return seen; } return rgb('white'); };
  const faint = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    if (!own || !node.checkVisibility({ contentVisibilityAuto: true }) || node.disabled) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push([node.className, node.textContent, ratio.toFixed(2)]);
  }
  return faint;
}"""


async def test_the_theme_follows_the_system_until_it_is_chosen_and_stays_chosen(browser: Browser) -> None:
    async with window(browser, named("Rain?"), color_scheme="dark") as opened:
        ground = "() => getComputedStyle(document.body).backgroundColor"
        dark = await opened.page.evaluate(ground)
        await opened.page.click("#theme")
        light = await opened.page.evaluate(ground)
        assert dark != light
        await opened.page.reload()
        await expect(opened.page.locator(".market")).to_be_visible()
        assert await opened.page.evaluate(ground) == light
        await opened.page.click("#theme")
        assert await opened.page.evaluate(ground) == dark


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}, {"width": 768, "height": 1024}, {"width": 1100, "height": 800}])
async def test_no_screen_has_to_be_scrolled_sideways(browser: Browser, size: dict[str, int]) -> None:
    desk = busy_desk()
    desk.change(1, question="W" * 300, market="w" * 300)
    desk.change(5, state="degraded", reasons=("x" * 300,))
    desk.retire(3)
    async with window(browser, desk, size=size) as opened:
        for expand in (await opened.page.locator(".expand").all())[:3]:
            await expand.click()
        await opened.page.click("#retired summary")
        width, room = await opened.page.evaluate(WIDTHS)
        assert width <= room


async def test_on_a_phone_every_number_has_its_name_and_the_order_can_be_chosen(browser: Browser) -> None:
    desk = named("Beta?", "Alpha?")
    async with window(browser, desk, size=PHONE, has_touch=True) as opened:
        assert await opened.page.locator("#heads").is_hidden()
        for part in (".yes", ".no", ".cost .value", ".age", ".position", ".profit", ".orders", ".edges"):
            label = await opened.row("Alpha?").locator(part).first.evaluate("node => getComputedStyle(node, '::before').content")
            assert label not in ("none", "normal", '""'), part
        await opened.page.select_option("#sort", "market")
        assert await opened.titles() == ["Alpha?", "Beta?"]
        await opened.page.click("#direction")
        assert await opened.titles() == ["Beta?", "Alpha?"]
        await opened.row("Alpha?").locator(".expand").tap()
        await expect(opened.row("Alpha?").locator(".detail")).to_be_visible()


async def test_five_hundred_markets_are_shown_searched_and_kept_up_to_date(browser: Browser) -> None:
    desk = busy_desk(500)
    async with window(browser, desk, interval_s=0.5) as opened:
        living = asyncio.create_task(opened.served.live(0.5))
        await expect(opened.page.locator(".market")).to_have_count(500)
        await expect(opened.page.get_by_role("button", name="all 500")).to_be_visible()
        before = await opened.page.locator("#as-of").text_content()
        await expect(opened.page.locator("#as-of")).not_to_have_text(before or "")
        last = opened.row("the ferry run on New Year's Eve (41)?")
        await last.scroll_into_view_if_needed()
        living.cancel()
        opened.desk.change(490, ask_yes="0.123")
        await expect(last.locator(".yes")).to_have_text("0.123")
        await opened.page.fill("#filter", "(41)")
        assert len(await opened.titles()) == 12
        assert opened.complaints == []


async def test_an_open_row_under_the_pointer_stays_where_it_is(browser: Browser) -> None:
    desk = named("Alpha?", "Beta?", "Gamma?")
    async with window(browser, desk) as opened:
        cost = opened.page.get_by_role("columnheader", name="Pair after fees").get_by_role("button")
        desk.change(0, pair_cost_after_fees="1.01")
        desk.change(2, pair_cost_after_fees="1.05")
        await expect(opened.row("Gamma?").locator(".cost .value")).to_have_text("1.0500")
        await cost.click()
        await opened.row("Alpha?").hover()
        opened.desk.change(0, pair_cost_after_fees="1.09")
        await expect(opened.page.locator("#held")).to_be_visible()
        assert await opened.titles() == ["Alpha?", "Beta?", "Gamma?"]
        await opened.page.mouse.move(5, 5)
        await expect(opened.page.locator(".market").first).to_contain_text("Beta?")
        assert await opened.titles() == ["Beta?", "Gamma?", "Alpha?"]


async def test_the_line_of_a_price_shows_the_last_two_minutes_and_marks_what_was_below_one_dollar(browser: Browser) -> None:
    async with window(browser, named("Rain?")) as opened:
        below: dict[str, Any] = {"pair_cost_after_fees": "0.97"}
        opened.desk.change(0, **below)
        under = opened.row("Rain?").locator(".sparkline .under")
        await expect(under).to_have_attribute("d", re.compile("^M"))
        opened.desk.change(0, pair_cost_after_fees=None)
        await expect(opened.row("Rain?").locator(".cost .value")).to_have_text("–")
        assert "NaN" not in json.dumps(await opened.row("Rain?").locator("path").evaluate_all("all => all.map((p) => p.outerHTML)"))
