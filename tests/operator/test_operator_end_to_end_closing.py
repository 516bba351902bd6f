"""A market's end and beginning at the venue, seen through the whole operator: nobody touches the ArbMarket, and everything follows."""

from pathlib import Path
from typing import Any

from tests.operator.operator_rig import PAIRS, Body, OperatorProcess, World, arb_market, conditions, phase, world_with

from kabobagool.gate.interface import DRAINING

RECHECK = {"VENUE_RECHECK_S": "3"}
"""The venue is asked so often, and soon again for what it does not know."""
NAKED = {"phase": "orphan", "yes_shares": 12_000_000, "no_shares": 0}
PAIRS_LEFT = "12 YES and 12 NO are still owned in this dry run, $11.64 was spent on them. A pair of YES and NO pays $1.00"

at = world_with("rain", "snow")


def has_no_bot(market: Body) -> bool:
    return {conditions(market)[about] for about in ("Trading", "Degraded")} == {"False/NoBot"}


async def is_gone(at: World, plural: str, name: str) -> bool:
    return name not in await at.objects(plural)


async def configurations(at: World) -> set[str]:
    return set(await at.objects("configmaps")) - {"kube-root-ca.crt"}


async def troubles(operator: OperatorProcess) -> list[str]:
    """What went wrong so far, as the operator counts it: looks that failed."""
    lines = (await operator.probe("/metrics"))[1].splitlines()
    return [line for line in lines if line.startswith("controller_runtime_reconcile_errors_total{") and not line.endswith(" 0.0")]


async def test_a_market_that_closes_is_drained_loses_its_bot_and_says_what_is_left(at: World) -> None:
    operator = await at.running(**RECHECK)
    pid, holder = operator.pid, await at.bot_of("rain")
    await at.bot_of("snow")
    await at.goes_on_reporting("rain", holder, **NAKED)
    await at.until_market("rain", lambda body: conditions(body)["Degraded"] == "True/NakedLeg", "has a naked leg")

    at.close_market("rain")
    market = await at.until_market("rain", lambda body: phase(body) == "Draining", "drains")
    assert conditions(market)["Resolved"] == "False/MarketClosed"
    await at.until(lambda: DRAINING + at.condition_id("rain") in at.halts(), "the gate is closed to new pairs")
    assert "rain" in await at.objects("deployments"), "a naked leg is hedged first"

    await at.goes_on_reporting("rain", holder, **PAIRS)
    await at.until_market("rain", lambda body: phase(body) == "Closed", "is over")
    at.falls_silent("rain")
    market = await at.until_market("rain", has_no_bot, "has no bot")
    assert conditions(market)["Ready"] == "False/MarketClosed"
    assert (market["status"]["position"]["summary"], market["status"]["lockedProfit"]) == ("12/12", "0.36")
    assert (await at.until_told("rain", "PositionLeft")).startswith(PAIRS_LEFT)
    assert set(await at.objects("deployments")) == {"snow"}
    assert {name.rpartition("-")[0] for name in await configurations(at)} == {"snow"}
    assert DRAINING + at.condition_id("rain") not in at.halts()

    assert (operator.pid, await troubles(operator)) == (pid, [])
    assert (await operator.probe("/healthz"))[0] == 200
    await at.ask("delete", "arb", "rain", "--timeout=60s")


async def test_a_market_that_is_over_stays_over_for_an_operator_that_is_started_later(at: World, control_plane: Any) -> None:
    first = await at.running(**RECHECK)
    await at.bot_of("rain")
    at.close_market("rain")
    await at.until_market("rain", lambda body: phase(body) == "Closed", "is over")
    at.falls_silent("rain")
    await at.until_market("rain", has_no_bot, "has no bot")
    await at.until_told("rain", "NoBot")
    first.kill()
    await at.end_lease()
    before = control_plane.mark()
    second = await at.running(**RECHECK)
    await at.apply(arb_market("snow"))
    await at.until_market("snow", lambda body: "deployment" in body.get("status", {}), "has a bot")
    assert phase(await at.market("rain")) == "Closed"
    written = [each for each in control_plane.writes(before) if each.namespace == at.namespace and each.name.startswith("rain")]
    assert written == []
    assert await troubles(second) == []


async def test_a_discovered_market_that_closes_is_retired_when_its_bot_has_gone(at: World, tmp_path: Path) -> None:
    (tmp_path / "rain.env").write_text("MIN_VOLUME=0\nMIN_DURATION_HOURS=0.01\nMARKET_PATTERNS=rain\nENABLE_BOOK_SCREEN=false\n")
    found = {"DISCOVERY": "true", "DISCOVERY_PROFILE": "rain", "PROFILES_DIR": str(tmp_path), "DISCOVERY_INTERVAL_S": "2"}
    operator = await at.running(**RECHECK, **found)
    await at.until(lambda: is_there(at, "rain"), "it is discovered")
    holder = await at.bot_runs("rain")
    await at.goes_on_reporting("rain", holder, **NAKED)
    await at.until_market("rain", lambda body: conditions(body)["Degraded"] == "True/NakedLeg", "has a naked leg")
    at.close_market("rain")
    await at.until_market("rain", lambda body: phase(body) == "Draining", "drains")
    assert "deletionTimestamp" not in (await at.market("rain"))["metadata"], "what is owned is seen to first"
    await at.goes_on_reporting("rain", holder, **PAIRS)
    await at.until(lambda: is_gone(at, "arbmarkets", "rain"), "it is retired")
    assert not await at.objects("deployments")
    assert not await configurations(at)
    assert (await at.until_told("rain", "PositionLeft")).startswith(PAIRS_LEFT)
    assert DRAINING + at.condition_id("rain") not in at.halts()
    assert [line["market"] for line in operator.said("a discovered market is retired")] == ["rain"]
    assert await troubles(operator) == []


async def is_there(at: World, name: str) -> bool:
    return name in await at.objects("arbmarkets")


async def test_a_market_that_the_venue_lists_later_comes_alive_and_nobody_touched_its_arbmarket(at: World) -> None:
    operator = await at.running(**RECHECK)
    await at.apply(arb_market("dew"))
    unknown = await at.until_market("dew", lambda body: phase(body) == "Failed", "is not known")
    assert conditions(unknown)["Resolved"] == "False/MarketNotFound"
    assert not await at.objects("deployments")
    at.list_market("dew")
    found: Body = await at.until_market("dew", lambda body: "deployment" in body["status"], "has a bot")
    assert conditions(found)["Resolved"] == "True/Found"
    assert found["metadata"]["generation"] == unknown["metadata"]["generation"]
    await at.bot_runs("dew")
    assert await troubles(operator) == []
