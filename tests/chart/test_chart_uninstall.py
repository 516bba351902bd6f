"""`kabobagool-operator uninstall` on a real API server: whatever is in its way, it ends in time and no ArbMarket waits for ever."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.gate.redis_servers import free_port
from tests.operator.operator_rig import QUICK, World, arb_market, phase, world

from kabobagool_operator.labels import FINALIZER
from kabobagool_operator.rights import RULES

COMMAND = (sys.executable, "-m", "kabobagool_operator.cli", "uninstall")
SLUGS = ("rain-0", "rain-1")


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, controllers: None, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    async with world(tmp_path, control_plane, namespace, *SLUGS) as around:
        yield around


async def uninstall(at: World, *options: str, kubeconfig: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command, ended: with the rights of the operator and no more, unless a test has others."""
    environment = at.operator(**{**QUICK, "HEALTH_PORT": str(free_port()), **variables}).environment
    environment["KUBECONFIG"] = str(kubeconfig or at.kubeconfig)
    given = [*COMMAND, *options]
    return await asyncio.to_thread(subprocess.run, given, env=environment, capture_output=True, text=True, timeout=200, check=False)


async def test_with_the_operators_rights_it_drains_what_there_is(at: World, service_account: Callable[..., Path]) -> None:
    operator = await at.running()
    await at.apply(*(arb_market(name) for name in SLUGS))
    for name in SLUGS:
        await at.until_market(name, lambda body: FINALIZER in body["metadata"].get("finalizers", []), "has a bot")
    assert await operator.stop() == 0
    done = await uninstall(at, kubeconfig=service_account("operator", list(RULES)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "there are no ArbMarkets any more"
    assert "waiting for 2: rain-0, rain-1" in done.stdout
    assert await at.objects("arbmarkets") == {}
    await at.until(lambda: nothing(at, "deployments"), "their bots are gone")


async def nothing(at: World, plural: str) -> bool:
    return await at.objects(plural) == {}


async def test_the_operators_before_it_are_told_to_end_and_waited_for(at: World) -> None:
    container = {"name": "operator", "image": "registry.invalid/operator:1"}
    pod = {"metadata": {"labels": {"app": "operator"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "operator"}}, "template": pod}
    await at.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "operator"}, "spec": spec})
    before = await at.running()
    command = asyncio.create_task(uninstall(at, "--deployment", "operator"))
    await at.until(lambda: no_replicas(at), "it was told to end")
    await asyncio.sleep(2)
    assert not command.done(), "as long as another operator leads it may make more"
    assert await before.stop() == 0
    done = await command
    assert done.stdout.splitlines()[0] == "Deployment operator was told to end; if the uninstall is given up, scale it up again"
    assert "waiting for the operators before this one to end" in done.stdout
    assert done.returncode == 0


async def no_replicas(at: World) -> bool:
    return bool((await at.objects("deployments"))["operator"]["spec"]["replicas"] == 0)


async def test_what_nobody_drains_in_time_is_let_go_by_name(at: World) -> None:
    market = arb_market("rain-0")
    market["metadata"]["finalizers"] = [FINALIZER]
    await at.apply(market)
    lease = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600, "leaseTransitions": 1}
    await at.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kabobagool-operator"}, "spec": lease})
    done = await uninstall(at, "--timeout", "4")
    assert done.returncode == 0, done.stderr
    assert "rain-0: not drained in time, let go; its bot hedges when it ends" in done.stdout
    assert await at.objects("arbmarkets") == {}


async def test_a_finalizer_of_somebody_else_is_left_to_them(at: World) -> None:
    market = arb_market("rain-0")
    market["metadata"]["finalizers"] = ["example.com/mine", FINALIZER]
    await at.apply(market)
    done = await uninstall(at, "--timeout", "8")
    assert done.returncode == 0, done.stderr
    assert (await at.market("rain-0"))["metadata"]["finalizers"] == ["example.com/mine"]
    await at.patch("arb", "rain-0", metadata={"finalizers": None})


async def test_a_market_that_is_made_meanwhile_goes_too(at: World) -> None:
    holder = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600, "leaseTransitions": 1}
    await at.apply({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kabobagool-operator"}, "spec": holder})
    command = asyncio.create_task(uninstall(at, "--timeout", "60"))
    await asyncio.sleep(2)
    await at.apply(arb_market("rain-1"))
    await at.until(lambda: nothing(at, "arbmarkets"), "the new one is deleted")
    await at.patch("lease", "kabobagool-operator", spec={"holderIdentity": "", "leaseDurationSeconds": 1})
    assert (await command).stdout.splitlines()[-1] == "there are no ArbMarkets any more"


async def test_without_a_right_it_says_so_and_still_ends(at: World, service_account: Callable[..., Path]) -> None:
    await at.apply(arb_market("rain-0"))
    no_deletes = json.loads(json.dumps(list(RULES)))
    no_deletes[0]["verbs"].remove("delete")
    done = await uninstall(at, "--timeout", "4", kubeconfig=service_account("short", no_deletes))
    assert "cannot delete resource" in done.stdout
    assert "it is tried again" in done.stdout
    assert phase(await at.market("rain-0")) != "Draining"


async def test_settings_that_cannot_be_are_named(at: World) -> None:
    done = await uninstall(at, REDIS_URL="redis://127.0.0.1:1/0", MAX_MARKETS="many")
    assert done.returncode == 2
    assert "KABOBAGOOL_MAX_MARKETS=many" in done.stderr
