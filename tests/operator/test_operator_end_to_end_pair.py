"""Two operators are one: one leads, the other is ready to, and neither writes what is so already or may do more than it needs."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.operator.operator_rig import ELECTION, OperatorProcess, World, arb_market, conditions, phase, world_with

from kabobagool_operator.labels import FENCE
from kabobagool_operator.rights import RULES

SLUGS = tuple(f"rain-{number}" for number in range(12))
QUIET_S = 20.0
REPORT_EVERY_S = 5.0

at = world_with(*SLUGS)


async def is_ready(operator: OperatorProcess) -> bool:
    return (await operator.probe("/readyz"))[0] == 200


async def starts(at: World, name: str) -> dict[str, Any]:
    return await at.until_market(name, lambda body: phase(body) == "Starting" and "deployment" in body["status"], "starts")


async def test_one_leads_and_the_other_takes_over_at_once_when_it_is_stopped_and_soon_when_it_is_killed(at: World) -> None:
    first = await at.running()
    second = at.operator(**ELECTION)
    second.start()
    await at.until(lambda: is_ready(second), "a standby is ready")
    await at.apply(arb_market("rain-0"))
    await starts(at, "rain-0")
    assert not second.said("leading")
    assert 'leader_election_master_status{name="kabobagool-operator"} 0.0' in (await second.probe("/metrics"))[1]
    assert await first.stop() == 0
    await at.until(lambda: second.said("leading"), "the standby leads")
    await at.apply(arb_market("rain-1"))
    await starts(at, "rain-1")
    made = await at.objects("deployments")
    assert [made[name]["metadata"]["annotations"][FENCE] for name in ("rain-0", "rain-1")] == ["0", "1"], "nothing was rewritten"
    third = at.operator(**ELECTION)
    third.start()
    await at.until(lambda: is_ready(third), "a standby is ready")
    second.kill()
    await at.until(lambda: third.said("leading"), "the standby leads")
    assert set(await at.objects("deployments")) == {"rain-0", "rain-1"}


async def test_a_leader_whose_lease_another_one_took_ends_for_kubernetes_to_start_it_again(at: World) -> None:
    operator = await at.running()
    usurper = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 3600, "leaseTransitions": 7}
    await at.ask("patch", "lease", "kabobagool-operator", "--type=merge", "--patch", json.dumps({"spec": usurper}))
    assert await operator.ended() == 1
    assert operator.said("leadership lost")


async def test_told_to_stop_before_it_was_elected_it_ends_in_order(at: World) -> None:
    await at.running()
    standby = at.operator()
    standby.start()
    await at.until(lambda: is_ready(standby), "a standby is ready")
    standby.send(signal.SIGINT)
    assert await standby.ended() == 0


async def test_while_nothing_changes_nothing_is_written_and_a_new_leader_rewrites_nothing(at: World, control_plane: Any) -> None:
    first = await at.running()
    await at.apply(*(arb_market(name) for name in SLUGS))
    holders = {name: f"kabobagool@{await at.pod_is(name)}/1/abc" for name in SLUGS}
    reporting = asyncio.create_task(report_for_ever(at, holders))
    for name in SLUGS:
        await at.until_market(name, is_heard, "is heard")
    await at.until(lambda: nothing_is_written(at, control_plane), "what was just made has settled")
    before = control_plane.mark()
    await asyncio.sleep(QUIET_S)
    assert await first.stop() == 0
    second = await at.running()
    await asyncio.sleep(QUIET_S)
    reporting.cancel()
    assert writes(at, control_plane, before) == []
    assert await second.probe("/healthz") == (200, '{"status": "ok", "complaints": []}')
    metrics = (await second.probe("/metrics"))[1]
    assert f'kabobagool_operator_markets{{origin="pinned",phase="Running"}} {len(SLUGS)}.0' in metrics


def is_heard(market: dict[str, Any]) -> bool:
    return phase(market) == "Running" and conditions(market)["MarketDataFresh"] == "True/Fresh"


def writes(at: World, control_plane: Any, since: int) -> list[Any]:
    """Those in the namespace but for the Lease."""
    return [request for request in control_plane.writes(since) if request.namespace == at.namespace and request.resource != "leases"]


async def nothing_is_written(at: World, control_plane: Any) -> bool:
    """Whether there is no write, by whomever, while every bot reports twice."""
    since = control_plane.mark()
    await asyncio.sleep(2 * REPORT_EVERY_S)
    return not writes(at, control_plane, since)


async def report_for_ever(at: World, holders: dict[str, str]) -> None:
    while True:
        for name, holder in holders.items():
            await at.reports(name, holder)
        await asyncio.sleep(REPORT_EVERY_S)


async def test_with_the_rights_it_asks_for_everything_works_and_no_secret_can_be_read(
    at: World, control_plane: Any, service_account: Callable[..., Path]
) -> None:
    account = service_account("operator", list(RULES))
    await at.ask("create", "secret", "generic", "wallet", "--from-literal=PRIVATE_KEY=not-a-key")
    before = control_plane.audit.mark()
    operator = await at.running(kubeconfig=account)
    await at.apply(arb_market("rain-0"))
    await starts(at, "rain-0")
    await at.patch("arb", "rain-0", spec={"strategy": {"maxPairCost": "0.97"}})
    await at.until_market("rain-0", lambda body: body["status"]["observedGeneration"] == 2, "is changed")
    await at.patch("arb", "rain-0", spec={"suspend": True})
    await at.until_market("rain-0", lambda body: phase(body) == "Suspended", "is suspended")
    await at.ask("delete", "arb", "rain-0", "--timeout=60s")
    assert await operator.stop() == 0
    denied = control_plane.kubectl(namespace=at.namespace, kubeconfig=account).run("get", "secret", "wallet")
    assert denied.returncode != 0
    assert "cannot get resource" in denied.stderr
    refused = [request for request in control_plane.requests(before) if request.code == 403 and request.resource != "secrets"]
    assert [request for request in refused if request.namespace == at.namespace] == []


async def test_with_discovery_the_markets_of_the_venue_get_bots_and_a_pinned_one_stays_a_persons(
    at: World, service_account: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "rain.env").write_text("MIN_VOLUME=0\nMIN_DURATION_HOURS=0.01\nMARKET_PATTERNS=rain-*\nENABLE_BOOK_SCREEN=false\n")
    found = {"DISCOVERY": "true", "DISCOVERY_PROFILE": "rain", "PROFILES_DIR": str(tmp_path), "DISCOVERY_INTERVAL_S": "2"}
    await at.apply(arb_market("rain-0"))
    account = service_account("operator", list(RULES))
    await at.running(kubeconfig=account, MAX_MARKETS="5", **found)
    await at.until(lambda: number_of_bots(at, 5), "there are as many bots as there may be")
    labels = [body["metadata"].get("labels", {}).get("kabobagool.io/origin") for body in (await at.objects("arbmarkets")).values()]
    assert sorted(map(str, labels)) == ["None", *["discovered"] * 4]


async def number_of_bots(at: World, wanted: int) -> bool:
    return len(await at.objects("deployments")) == wanted
