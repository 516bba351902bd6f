"""A change that breaks its canary goes no further, whoever leads: the next operator knows the canary, and tries it on nobody else."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.operator.operator_rig import Body, World, arb_market, conditions, phase, world_with

from kabobagool_operator.bot_pod import CONTAINER
from kabobagool_operator.labels import CANARY, CONFIG_HASH, INSTANCE

MARKETS = ("hail", "rain", "snow")
ONE_AT_A_TIME = {"ROLLOUT_CANARIES": "1", "ROLLOUT_CANARY_S": "2", "ROLLOUT_MAX_UNAVAILABLE": "1"}
REPORT_S = 3.0
CONTROLLERS = "system:serviceaccount:kube-system:"
"""The users that Deployments have controllers for."""
CRASHES = {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting failed container"}

at = world_with(*MARKETS, "sleet")


@pytest.fixture
async def heard(at: World) -> AsyncIterator[dict[str, str]]:
    """Bots by market that say every few seconds that they are well."""
    bots: dict[str, str] = {}

    async def report() -> None:
        while True:
            for slug, holder in tuple(bots.items()):
                await at.reports(slug, holder)
            await asyncio.sleep(REPORT_S)

    reporting = asyncio.create_task(report())
    yield bots
    reporting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reporting


def hash_of(body: Body) -> str:
    """What a Deployment's Pods are made with."""
    return str(body["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH])


async def hashes(at: World) -> dict[str, str]:
    return {name: hash_of(body) for name, body in (await at.objects("deployments")).items() if name in MARKETS}


async def canaries(at: World) -> list[str]:
    """Whose Deployments say that they try a change."""
    found = (await at.objects("deployments")).items()
    return [name for name, body in found if body["metadata"].get("annotations", {}).get(CANARY) == "true"]


async def changed(at: World, before: dict[str, str]) -> list[str]:
    return [name for name, found in (await hashes(at)).items() if found != before[name]]


async def want(at: World, max_pair_cost: str) -> None:
    """Ask for a change of all markets at once."""
    await at.apply(*(arb_market(name, strategy={"maxPairCost": max_pair_cost}) for name in MARKETS))


async def pods_of(at: World, name: str, config_hash: str) -> list[str]:
    """The Pods of a market that were made with a configuration."""
    found = (await at.objects("pods")).items()
    return [
        pod
        for pod, body in found
        if body["metadata"]["labels"].get(INSTANCE) == name and body["metadata"]["annotations"][CONFIG_HASH] == config_hash
    ]


async def pod_says(at: World, name: str, **status: Any) -> None:
    """What the kubelet would say of the Pod that a Deployment wants now."""
    wanted = (await hashes(at))[name]
    pods: list[str] = []

    async def there() -> bool:
        pods[:] = await pods_of(at, name, wanted)
        return bool(pods)

    await at.until(there, f"{name} has a Pod of its configuration")
    await at.ask("patch", "pod", pods[0], "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))


async def comes_up(at: World, name: str) -> None:
    await pod_says(at, name, phase="Running", conditions=[{"type": "Ready", "status": "True"}])


async def breaks(at: World, name: str) -> None:
    container = {"name": CONTAINER, "image": "bot", "imageID": "", "ready": False, "restartCount": 7, "state": {"waiting": CRASHES}}
    await pod_says(at, name, phase="Running", conditions=[{"type": "Ready", "status": "False"}], containerStatuses=[container])


async def test_a_restarted_operator_keeps_the_stop_and_the_correction_goes_to_the_broken_canary_first(
    at: World, control_plane: Any, heard: dict[str, str]
) -> None:
    first = await at.running(**ONE_AT_A_TIME)
    await at.apply(*(arb_market(name) for name in MARKETS))
    for name in MARKETS:
        heard[name] = f"kabobagool@{await at.pod_is(name)}/1/abc"
        await at.until_market(name, lambda body: phase(body) == "Running", "runs")
    before = await hashes(at)

    await want(at, "0.97")
    await at.until(lambda: changed(at, before), "a canary tries the change")
    (canary,) = await changed(at, before)
    assert await canaries(at) == [canary]
    await breaks(at, canary)
    others = [name for name in MARKETS if name != canary]
    for name in others:
        market = await at.until_market(name, is_stopped, "is told that the change does not go on")
        assert canary in next(said["message"] for said in market["status"]["conditions"] if said["type"] == "Ready")
    first.kill()
    await at.end_lease()

    since = control_plane.mark()
    second = await at.running(**ONE_AT_A_TIME)
    await at.apply(arb_market("sleet"))
    heard["sleet"] = f"kabobagool@{await at.pod_is('sleet')}/1/abc"
    await at.until_market("sleet", lambda body: phase(body) == "Running", "is made, so turns are given out")
    assert await changed(at, before) == [canary]
    writes = [each for each in control_plane.writes(since) if each.namespace == at.namespace and not each.subresource]
    written = {each.name for each in writes if each.resource == "deployments" and not each.user.startswith(CONTROLLERS)}
    assert not written & set(MARKETS), "not even what says who the canary is"
    assert [conditions(await at.market(name))["Ready"] for name in others] == ["True/RolloutStopped"] * 2

    broken = (await hashes(at))[canary]
    await want(at, "0.96")
    await at.until(lambda: is_other(at, canary, broken), "the canary gets the correction")
    assert await changed(at, before) == [canary]
    await comes_up(at, canary)
    has_it = {canary}
    while has_it != set(MARKETS):
        await at.until(lambda: is_longer(at, before, len(has_it)), "another one follows")
        (name,) = set(await changed(at, before)) - has_it
        await comes_up(at, name)
        has_it.add(name)
    await at.until(lambda: nobody_tries(at), "all have it, and there is no canary any more")
    assert await second.stop() == 0


def is_stopped(market: Body) -> bool:
    return conditions(market)["Ready"] == "True/RolloutStopped"


async def is_other(at: World, name: str, config_hash: str) -> bool:
    return (await hashes(at))[name] != config_hash


async def is_longer(at: World, before: dict[str, str], known: int) -> bool:
    return len(await changed(at, before)) > known


async def nobody_tries(at: World) -> bool:
    return not await canaries(at)
