"""The rows of docs/lifecycle.md that the cluster has a part in, as a user causes them: edit, delete, suspend, freeze, pin twice."""

import json

from tests.operator.operator_rig import PAIRS, Body, World, arb_market, conditions, phase, world_with
from tests.operator.venue_rig import scripted

from kabobagool.gate.interface import DRAINING
from kabobagool_operator.labels import CONFIG_HASH, FINALIZER, PAUSE

ENDED = scripted("hail", ends_after_ms=-120_000, payout=(1_000_000, 0))
NAKED = {"phase": "orphan", "yes_shares": 12_000_000, "no_shares": 0}
ASKED_AGAIN_S = 180.0

at = world_with("rain", "snow", ENDED)


async def deployment(at: World, name: str = "rain") -> Body:
    return (await at.objects("deployments")).get(name, {})


def is_as_applied(body: Body) -> bool:
    container = body.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])[0]
    return bool(body) and body["spec"]["replicas"] == 1 and container["image"] == "kabobagool-bot:latest"


async def test_what_somebody_edits_or_deletes_is_put_right(at: World) -> None:
    await at.running()
    await at.bot_of("rain")
    await at.ask("scale", "deployment", "rain", "--replicas=3")
    await at.ask("set", "image", "deployment/rain", "bot=registry.invalid/mine:1")
    await at.until(lambda: repaired(at), "the edits are undone")
    await at.ask("label", "deployment", "rain", "app.kubernetes.io/managed-by-")
    await at.until(lambda: labelled(at), "the label is there again")
    before = (await deployment(at))["metadata"]["uid"]
    await at.ask("delete", "deployment", "rain")
    await at.until(lambda: made_anew(at, before), "it is made anew")


async def repaired(at: World) -> bool:
    return is_as_applied(await deployment(at))


async def labelled(at: World) -> bool:
    return "app.kubernetes.io/managed-by" in (await deployment(at)).get("metadata", {}).get("labels", {})


async def made_anew(at: World, uid: str) -> bool:
    return (await deployment(at)).get("metadata", {}).get("uid", uid) != uid


async def test_a_status_and_a_finalizer_that_somebody_takes_away_come_back(at: World) -> None:
    await at.running()
    await at.bot_of("rain")
    await at.ask(
        "patch", "arb", "rain", "--subresource=status", "--type=merge", "--patch", '{"status": {"phase": "Failed", "reason": "Mine"}}'
    )
    await at.patch("arb", "rain", metadata={"finalizers": None})
    await at.until_market("rain", lambda body: phase(body) == "Running" and body["metadata"].get("finalizers") == [FINALIZER], "is whole")


async def test_a_market_that_is_frozen_is_left_as_somebody_made_it_until_it_is_not(at: World) -> None:
    await at.running()
    await at.bot_of("rain")
    await at.ask("annotate", "arb", "rain", f"{PAUSE}=true")
    await at.until_market("rain", lambda body: conditions(body)["Paused"] == "True/ReconciliationPaused", "is frozen")
    await at.ask("scale", "deployment", "rain", "--replicas=0")
    await at.patch("arb", "rain", spec={"strategy": {"maxPairCost": "0.97"}})
    await at.until_market("rain", lambda body: body["status"]["observedGeneration"] == 2, "was looked at")
    assert (await deployment(at))["spec"]["replicas"] == 0
    await at.ask("annotate", "arb", "rain", f"{PAUSE}-")
    await at.until(lambda: repaired(at), "it is put right")


async def test_a_new_configuration_is_rolled_out_and_the_old_one_removed(at: World) -> None:
    await at.running()
    await at.bot_of("rain")
    before = (await deployment(at))["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH]
    await at.patch("arb", "rain", spec={"strategy": {"maxPairCost": "0.97"}})
    market = await at.until_market("rain", lambda body: body["status"]["deployment"]["configHash"] != before, "runs with it")
    wanted = market["status"]["deployment"]["configHash"]
    await at.until(lambda: config_maps_are(at, {f"rain-{wanted}"}), "the old configuration is gone")
    assert (await at.objects("configmaps"))[f"rain-{wanted}"]["data"]["MAX_PAIR_COST"] == "0.97"


async def config_maps_are(at: World, names: set[str]) -> bool:
    return set(await at.objects("configmaps")) - {"kube-root-ca.crt"} == names


async def test_a_suspended_market_is_drained_scaled_to_zero_and_goes_on_when_it_is_resumed(at: World) -> None:
    await at.running()
    holder = await at.bot_of("rain")
    await at.goes_on_reporting("rain", holder, **NAKED)
    await at.until_market("rain", lambda body: conditions(body)["Degraded"] == "True/NakedLeg", "has a naked leg")
    await at.patch("arb", "rain", spec={"suspend": True})
    await at.until(lambda: DRAINING + at.condition_id("rain") in at.halts(), "the gate is closed to new pairs")
    await at.until_market("rain", lambda body: phase(body) == "Draining", "drains")
    assert (await deployment(at))["spec"]["replicas"] == 1, "a naked leg is hedged first"
    await at.goes_on_reporting("rain", holder, **PAIRS)
    await at.until_market("rain", lambda body: phase(body) == "Suspended", "is suspended")
    assert (await deployment(at))["spec"]["replicas"] == 0
    await at.until_told("rain", "PositionLeft", "12 YES and 12 NO are still owned")
    await at.patch("arb", "rain", spec={"suspend": False})
    await at.until(lambda: repaired(at), "it has a bot again")
    await at.until(lambda: DRAINING + at.condition_id("rain") not in at.halts(), "the gate is open again")


async def test_a_deleted_market_waits_for_its_hedge_says_what_is_left_and_goes(at: World) -> None:
    await at.running()
    holder = await at.bot_of("rain")
    await at.goes_on_reporting("rain", holder, **NAKED)
    await at.until_market("rain", lambda body: conditions(body)["Degraded"] == "True/NakedLeg", "has a naked leg")
    await at.ask("delete", "arb", "rain", "--wait=false")
    await at.until_market("rain", lambda body: phase(body) == "Draining" and "drain" in body["status"], "drains")
    assert await deployment(at)
    await at.goes_on_reporting("rain", holder, **PAIRS)
    await at.until(lambda: is_gone(at, "rain"), "it is gone")
    assert not await deployment(at)
    await at.until(lambda: config_maps_are(at, set()), "its configuration is gone")
    assert DRAINING + at.condition_id("rain") not in at.halts()
    await at.until_told("rain", "PositionLeft", "12 YES and 12 NO are still owned in this dry run, $11.64 was spent")


async def is_gone(at: World, name: str) -> bool:
    return not await at.market(name)


async def test_of_two_pins_of_one_market_the_older_trades_until_it_goes(at: World) -> None:
    await at.running()
    await at.bot_of("rain")
    await at.apply(arb_market("rain-again", market={"conditionId": at.condition_id("rain")}))
    market = await at.until_market("rain-again", lambda body: phase(body) == "Failed", "is refused")
    assert conditions(market)["Ready"] == "False/DuplicateMarket"
    assert set(await at.objects("deployments")) == {"rain"}
    await at.ask("delete", "arb", "rain", "--wait=false")
    await at.until_market("rain-again", lambda body: phase(body) == "Starting", "takes its place")
    await at.until(lambda: is_gone(at, "rain"), "the older is gone")
    assert set(await at.objects("deployments")) == {"rain-again"}


async def test_a_market_that_has_ended_gets_no_bot_and_one_without_a_bot_is_deleted_at_once(at: World) -> None:
    await at.running()
    await at.apply(arb_market("hail"))
    market = await at.until_market("hail", lambda body: phase(body) == "Closed", "is over")
    assert conditions(market)["Resolved"] == "False/MarketClosed"
    assert not await at.objects("deployments")
    await at.ask("delete", "arb", "hail", "--timeout=60s")


async def test_what_cannot_be_configured_says_so_and_starts_when_it_is_corrected(at: World) -> None:
    await at.running()
    await at.apply(arb_market("snow", profile="nowhere"))
    market = await at.until_market("snow", lambda body: phase(body) == "Failed", "is refused")
    said = next(found["message"] for found in market["status"]["conditions"] if found["type"] == "Ready")
    assert said.startswith("spec.profile=nowhere: there is no such profile; choose one of 15min, conservative")
    assert not await at.objects("deployments")
    await at.patch("arb", "snow", spec={"profile": "conservative"})
    await at.until_market("snow", lambda body: phase(body) == "Starting", "starts")


async def test_an_unknown_market_and_a_used_up_quota_come_alive_by_themselves(at: World) -> None:
    """Both are asked for again after a minute or two; nobody has to touch the ArbMarket."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"count/deployments.apps": "0"}}}
    await at.running()
    await at.apply(quota)
    await at.until(lambda: counts(at), "the quota counts")
    await at.apply(arb_market("dew"), arb_market("rain"))
    market = await at.until_market("dew", lambda body: phase(body) == "Failed", "is not known")
    assert conditions(market)["Resolved"] == "False/MarketNotFound"
    market = await at.until_market("rain", lambda body: conditions(body).get("Ready") == "False/QuotaExceeded", "waits for the quota")
    assert phase(market) == "Pending"
    await at.ask("delete", "resourcequota", "small")
    at.list_market("dew")
    for name in ("rain", "dew"):
        await at.until_market(name, lambda body: "deployment" in body["status"], "has a bot", patience_s=ASKED_AGAIN_S)
    assert set(await at.objects("deployments")) == {"dew", "rain"}


async def counts(at: World) -> bool:
    found = json.loads(await at.ask("get", "resourcequota", "small", "--output", "json"))
    return "count/deployments.apps" in found.get("status", {}).get("used", {})
