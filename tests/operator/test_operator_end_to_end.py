"""What a user sees who applies a market: a bot, a line in the table that is true, and Events that tell its story."""

from pathlib import Path

from tests.operator.operator_rig import World, conditions, phase, world_with

SLUG = "fed-rate-hike-in-2026"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "market.yaml"
SHARES = 12_000_000
SILENT = "True/BotSilent"

at = world_with(SLUG)


async def test_a_market_that_is_applied_gets_a_bot_and_a_status(at: World) -> None:
    operator = await at.running()
    await at.ask("apply", "--filename", str(EXAMPLE))
    market = await at.until_market(SLUG, lambda body: phase(body) == "Starting" and "deployment" in body["status"], "starts")
    assert conditions(market)["Resolved"] == "True/Found"
    assert market["status"]["market"]["conditionId"] == at.condition_id(SLUG)
    assert list(await at.objects("deployments")) == [SLUG]
    holder = f"kabobagool@{await at.pod_is(SLUG)}/1/abc"
    figures = {"yes_shares": SHARES, "no_shares": SHARES, "pair_cost": 970_000, "locked_profit": 360_000}
    await at.goes_on_reporting(SLUG, holder, mode="live", **figures)
    for condition in ("Trading", "Ready"):
        await at.ask("wait", f"--for=condition={condition}", "--timeout=60s", f"arb/{SLUG}")
    header, row = (await at.ask("get", "arb")).splitlines()
    assert header.split() == ["NAME", "MODE", "PHASE", "PAIR", "COST", "POSITION", "LOCKED", "FEED", "AGE", "READY", "AGE"]
    assert row.split()[:-1] == [SLUG, "DryRun", "Running", "0.97", "12/12", "0.36", "2s", "True"]
    assert "Watching" in await at.ask("get", "arb", "--output=wide")
    assert (await at.until_told(SLUG, "Running")).startswith("Ready is True: ")
    assert (await at.until_told(SLUG, "Watching")).startswith("Trading is True: ")
    assert await operator.stop() == 0


async def test_a_bot_that_falls_silent_is_not_reported_as_trading(at: World) -> None:
    await at.running()
    await at.ask("apply", "--filename", str(EXAMPLE))
    await at.reports(SLUG, f"kabobagool@{await at.pod_is(SLUG)}/1/abc", mode="live", yes_shares=SHARES, no_shares=SHARES)
    await at.until_market(SLUG, lambda body: conditions(body)["Trading"] == "True/Watching", "trades")
    market = await at.until_market(SLUG, lambda body: phase(body) == "Degraded" and conditions(body)["Ready"] == SILENT, "is silent")
    assert conditions(market)["Trading"] == "Unknown/BotSilent"
    assert market["status"]["position"]["summary"] == "12/12", "what it owns it still owns"
    assert "feedAge" not in market["status"]
