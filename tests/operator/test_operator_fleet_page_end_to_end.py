"""The fleet's page of a cluster as its users have it: operators as processes, a real API server and gate, a real browser."""

from playwright.async_api import expect
from tests.operator.fleet_page_rig import TOKEN, asking, leading_with_page, living, window, with_page
from tests.operator.operator_rig import World, arb_market, conditions, phase, world_with

from kabobagool.settings_wallet import DRY_RUN_WALLET

SLUGS = ("rain-0", "rain-1")
FIGURES = {"yes_shares": 12_000_000, "no_shares": 10_000_000, "pair_cost": 970_000, "locked_profit": 360_000}

at = world_with(*SLUGS)


async def two_bots(at: World) -> dict[str, str]:
    """Both markets have bots that run; what they are called at the gate."""
    await at.apply(*(arb_market(slug) for slug in SLUGS))
    holders = {slug: f"kabobagool@{await at.pod_is(slug)}/1/abc" for slug in SLUGS}
    for slug in SLUGS:  # said before the bots say anything, so that what they say is news: an Event
        await at.until_market(slug, lambda body: phase(body) == "Running", "runs")
    return holders


async def test_the_page_shows_every_market_with_its_phase_conditions_events_and_figures_and_halts_nothing_without_a_token(
    at: World,
) -> None:
    _, url = await leading_with_page(at, token=None)
    holders = await two_bots(at)
    await at.apply(arb_market("no-such-market"))
    async with living(at, holders, **FIGURES), window(url) as opened, asking() as terminal:
        row = opened.row("rain-0")
        await expect(row.locator(".chips")).to_have_text("runningwatching")
        await expect(row.locator(".conditions")).to_have_text("Resolved Ready Fresh")
        await expect(row.locator(".cost .value")).to_have_text("0.9700")
        await expect(row.locator(".position")).to_have_text("10+2 YES")
        await expect(row.locator(".profit")).to_have_text("$0.36")
        await expect(row.locator(".age")).to_contain_text(" s")
        lost = opened.row("no-such-market")
        await expect(lost.locator(".chips")).to_have_text("failed")
        await expect(lost.locator(".conditions")).to_contain_text("Resolved: MarketNotFound")
        await expect(lost.locator(".cost .value")).to_have_text("–")
        await row.locator(".expand").click()
        detail = row.locator(".detail")
        for text in ("Running", "DryRun", "a person", holders["rain-0"], "Trading False: DryRun", "MarketDataFresh is True"):
            await expect(detail).to_contain_text(text)
        await expect(opened.page.locator("#mode")).to_have_text("DRY RUN · no real orders")
        await expect(opened.page.locator("#operator-facts")).to_contain_text(at.namespace)
        await expect(opened.page.locator("#totals")).to_contain_text("Locked profit$0.72")
        await expect(opened.page.locator("#totals")).to_contain_text("Spent–")
        await expect(opened.page.locator("#read-only")).to_be_visible()
        assert not any([await button.is_visible() for button in await opened.page.locator(".halt, #halt-all").all()])
        code, said = await terminal.post(f"{url}/halt", {"scope": "wallet", "why": "now"})
        assert (code, "read-only" in said["error"]) == (403, True)
        assert at.halts() == set()
        assert opened.complaints == []


async def test_with_the_token_a_market_and_the_whole_fleet_are_halted_and_resumed_and_nobody_else_can(at: World) -> None:
    operator, url = await leading_with_page(at)
    holders = await two_bots(at)
    market = at.condition_id("rain-0")
    async with living(at, holders, **FIGURES), window(url) as opened, asking() as terminal:
        await expect(opened.row("rain-0").locator(".chips")).to_have_text("runningwatching")
        await opened.row("rain-0").locator(".halt").click()
        await opened.confirm(why="news at noon", token="not the token")
        await expect(opened.page.locator("#control-error")).to_have_text(
            "wrong token: it is the one in the Secret that the operator reads KABOBAGOOL_FLEET_TOKEN from"
        )
        assert at.halts() == set()
        await opened.confirm(token=TOKEN)
        await expect(opened.page.locator("#notices")).to_contain_text("news at noon — by page 127.0.0.1")
        assert at.halts() == {market}
        await expect(opened.row("rain-0").locator(".chips")).to_contain_text("halted")
        await at.until_market("rain-0", lambda body: conditions(body)["Paused"] == "True/MarketHalted", "is paused")
        await opened.page.click("#notices button")
        await opened.confirm()
        await expect(opened.page.locator("#notices")).to_be_empty()
        assert at.halts() == set()
        await opened.page.click("#halt-all")
        await opened.confirm(why="enough")
        await expect(opened.page.locator("#notices")).to_contain_text("Halted: All dry runs")
        assert at.halts() == {"wallet"}
        await opened.row("rain-1").locator(".halt").click()
        await expect(opened.page.locator("#control-title")).to_have_text("Resume all markets of a wallet?")
        await opened.confirm()
        await expect(opened.page.locator("#notices")).to_be_empty()
        assert at.halts() == set()
        scope = {"scope": f"{DRY_RUN_WALLET}/{market}", "why": "x"}
        assert (await terminal.post(f"{url}/halt", scope, Origin="http://evil.example"))[0] == 403
        assert (await terminal.post(f"{url}/halt", scope, **{"Sec-Fetch-Site": "cross-site"}))[0] == 403
        assert (await terminal.post(f"{url}/halt", scope, **{"Content-Type": "text/plain"}))[0] == 415
        assert (await terminal.post(f"{url}/halt", scope, token=None))[0] == 401
        assert (await terminal.post(f"{url}/halt", {"scope": f"{DRY_RUN_WALLET}/0x12", "why": "x"}))[0] == 404
        assert (await terminal.post(f"{url}/halt", {"scope": f"0xabc/{market}", "why": "x"}))[0] == 404
        assert at.halts() == set()
        assert TOKEN not in str([await terminal.get(url + path) for path in ("/", "/status", "/assets/app.js")])
        assert TOKEN not in str(await terminal.first_event(url))
    assert TOKEN not in operator.log.read_text()


async def test_a_standby_serves_what_the_leader_knows_and_halts_through_it(at: World) -> None:
    leader, leaders_url = await leading_with_page(at)
    holders = await two_bots(at)
    standby, url = with_page(at)
    standby.start()
    async with living(at, holders, **FIGURES), asking() as terminal:
        await at.until(lambda: terminal.status(url), "the standby answers", standby)
        assert not standby.said("leading")
        async with window(url) as opened:
            await expect(opened.row("rain-0").locator(".chips")).to_have_text("runningwatching")
            await expect(opened.page.locator("#operator-facts")).to_contain_text(f"operator-{leader.port}")
            for _ in range(5):
                assert (await terminal.post(f"{url}/halt", {"scope": "wallet", "why": "x"}, token="a guess"))[0] == 401
            assert (await terminal.post(f"{url}/halt", {"scope": "wallet", "why": "x"}, token="a guess"))[0] == 429
            assert (await terminal.post(f"{leaders_url}/halt", {"scope": "wallet", "why": "really"}))[0] == 200, "only guessers wait"
            await expect(opened.page.locator("#notices")).to_contain_text("really")
            assert at.halts() == {"wallet"}
            leader.kill()
            await expect(opened.page.locator("#stale")).to_be_visible()
            await at.end_lease()
            await at.until(lambda: standby.said("leading"), "the standby leads")
            await expect(opened.page.locator("#stale")).to_be_hidden()
            await expect(opened.page.locator("#operator-facts")).to_contain_text(f"operator-{standby.port}")
            await expect(opened.page.locator("#notices")).to_contain_text("really")
            await expect(opened.row("rain-1").locator(".position")).to_have_text("10+2 YES")


async def test_without_a_leader_a_person_reads_why_and_a_machine_gets_503(at: World) -> None:
    operator, url = with_page(at, RETRY_S="0.5")
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kabobagool-operator"}}
    others = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600, "leaseTransitions": 7}
    await at.apply({**lease, "spec": others})
    operator.start()
    async with asking() as terminal:
        await at.until(lambda: operator.said("standing by"), "it stands by")

        async def says(what: str) -> bool:
            code, text, headers = await terminal.get(url + "/")
            return code == 503 and what in text and headers["Retry-After"] == "3"

        await at.until(lambda: says("somebody-else leads and does not say where"), "it says why")
        code, text, _ = await terminal.get(url + "/status")
        assert (code, "somebody-else" in text) == (503, True)
        name, told = await terminal.first_event(url)
        assert (name, "somebody-else" in told["error"]) == ("trouble", True)
        await at.patch("lease", "kabobagool-operator", metadata={"annotations": {"kabobagool.io/fleet-page": "127.0.0.1:1"}})
        await at.until(lambda: says("somebody-else leads and does not answer"), "it says that the leader is silent")
        await at.end_lease()
        await at.until(lambda: operator.said("leading"), "it leads")
        await at.until(lambda: terminal.status(url), "it knows by itself")


async def test_a_gate_that_is_away_leaves_positions_and_says_that_prices_are_not_known(at: World) -> None:
    _, url = await leading_with_page(at)
    holders = await two_bots(at)
    async with window(url) as opened, asking() as terminal:
        async with living(at, holders, **FIGURES):
            await at.until_market("rain-0", lambda body: "position" in body["status"], "has a position")
            await expect(opened.row("rain-0").locator(".cost .value")).to_have_text("0.9700")
        at.server.kill()
        await expect(opened.page.locator("#notices")).to_contain_text("The order gate does not answer")
        await expect(opened.row("rain-0").locator(".cost .value")).to_have_text("–")
        await expect(opened.row("rain-0").locator(".position")).to_have_text("10+2 YES")
        code, said = await terminal.post(f"{url}/halt", {"scope": "wallet", "why": "x"})
        assert (code, "could not be told for certain" in said["error"]) == (503, True)
