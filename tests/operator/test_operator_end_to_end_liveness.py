"""What makes Kubernetes start an operator again is caused for real: its watches fall silent, its work hangs, its Lease grows old."""

import asyncio
import http.client
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.operator.api_wire import LEASE, ApiWire, kubeconfig_over, wired
from tests.operator.operator_rig import ELECTION, OperatorProcess, World, arb_market, phase, world_with

from kabobagool_operator.rights import RULES

WATCH = b"watch=true"
FAILS, WORKS = 503, 200

at = world_with("rain", "snow")


@pytest.fixture
async def wire(control_plane: Any) -> AsyncIterator[ApiWire]:
    assert control_plane.audit is not None
    found = ApiWire(control_plane.port)
    async with wired(found):
        yield found


@pytest.fixture
def over_the_wire(wire: ApiWire, control_plane: Any, tmp_path: Path) -> Path:
    return kubeconfig_over(wire, control_plane, tmp_path)


async def complaints(operator: OperatorProcess, path: str = "/healthz") -> set[str]:
    """What the probe complains about, without how long that has been so."""
    status, answer = await operator.probe(path)
    if not status:
        return {answer}
    said = json.loads(answer)["complaints"]
    assert (status == WORKS) == (said == [])
    return {complaint.partition(" for ")[0] for complaint in said}


async def complains_of(operator: OperatorProcess, *wanted: str) -> bool:
    return set(wanted) <= await complaints(operator)


async def is_well(operator: OperatorProcess) -> bool:
    return not await complaints(operator) and not await complaints(operator, "/readyz")


async def starts(at: World, name: str) -> None:
    await at.until_market(name, lambda body: phase(body) == "Starting" and "deployment" in body["status"], "starts")


async def leads(at: World, operator: OperatorProcess) -> bool:
    return 'leader_election_master_status{name="kabobagool-operator"} 1.0' in (await operator.probe("/metrics"))[1]


async def test_watches_that_fell_silent_fail_the_probe_and_when_they_are_mended_nothing_was_missed(
    at: World, wire: ApiWire, over_the_wire: Path
) -> None:
    operator = await at.running(kubeconfig=over_the_wire, WATCH_S="3")
    await at.apply(arb_market("rain"))
    await starts(at, "rain")
    pid = operator.pid
    await at.until(lambda: is_well(operator), "the probe is content")
    wire.keep_back(WATCH)
    silent = [f"watch_silent: {kind}" for kind in ("arbmarkets", "deployments", "pods")]
    await at.until(lambda: complains_of(operator, *silent), "the probe fails")
    assert await leads(at, operator), "everything else about it looks well"
    await at.apply(arb_market("snow"))
    await at.ask("delete", "deployment", "rain")
    assert wire.unanswered
    wire.mend()
    await at.until(lambda: is_well(operator), "the probe is content")
    await starts(at, "snow")
    await at.until(lambda: there_are_bots(at, {"rain", "snow"}), "both have a bot")
    assert operator.pid == pid


async def there_are_bots(at: World, names: set[str]) -> bool:
    return set(await at.objects("deployments")) == names


async def test_a_write_that_is_accepted_and_never_answered_fails_the_probe_and_is_not_waited_for_for_ever(
    at: World, wire: ApiWire, over_the_wire: Path, control_plane: Any
) -> None:
    before = control_plane.audit.mark()
    operator = await at.running(kubeconfig=over_the_wire, STUCK_S="3", WORKERS="1")
    pid = operator.pid
    wire.keep_back(b"PATCH /apis/apps/v1/")
    await at.apply(arb_market("rain"), arb_market("snow"))
    stuck = ("work_stuck: one market has been worked on", "queue_stuck: one market has waited")
    await at.until(lambda: complains_of(operator, *stuck), "the probe fails")
    await at.until(lambda: is_one(at, "deployments"), "the write was accepted")
    wire.mend_for_new_ones()
    for name in ("rain", "snow"):  # the Pod of the first may be old enough by then to be called late
        await at.until_market(name, lambda body: "deployment" in body["status"], "has a bot")
    await at.until(lambda: is_well(operator), "the probe is content")
    assert operator.pid == pid
    made = [each for each in control_plane.writes(before) if each.resource == "deployments" and each.namespace == at.namespace]
    assert Counter(each.name for each in made if each.code == 201) == {"rain": 1, "snow": 1}


async def is_one(at: World, plural: str) -> bool:
    return len(await at.objects(plural)) == 1


async def test_a_leader_that_cannot_renew_ends_and_what_is_started_in_its_place_waits_until_it_can(
    at: World, wire: ApiWire, over_the_wire: Path
) -> None:
    operator = await at.running(kubeconfig=over_the_wire, **ELECTION)
    await at.apply(arb_market("rain"))
    await starts(at, "rain")
    wire.keep_back(LEASE)
    assert await operator.ended() == 1
    assert operator.said("leadership lost")
    operator.start()
    pid = operator.pid
    other = await at.running(**ELECTION)
    await at.apply(arb_market("snow"))
    await starts(at, "snow")
    await at.until(lambda: is_out_of_reach(operator), "it says why it is not ready", operator)
    assert not await complaints(operator), "to start it again would not help"
    wire.mend()
    await at.until(lambda: is_well(operator), "it is ready to take over")
    assert (operator.pid, len(operator.said("leading"))) == (pid, 1)
    assert await other.stop() == 0
    await at.until(lambda: len(operator.said("leading")) == 2, "it leads")
    assert set(await at.objects("deployments")) == {"rain", "snow"}


async def is_out_of_reach(operator: OperatorProcess) -> bool:
    return await complaints(operator, "/readyz") == {"api_server_out_of_reach: it has not answered yet"}


async def test_a_leader_that_was_frozen_until_another_one_leads_says_so_ends_and_writes_nothing(
    at: World, control_plane: Any, service_account: Callable[..., Path]
) -> None:
    first = await at.running(kubeconfig=service_account("first", list(RULES)), **ELECTION)
    second = at.operator(**ELECTION)
    second.start()
    await at.until(lambda: is_well(second), "a standby is ready")
    probe = http.client.HTTPConnection("127.0.0.1", first.port, timeout=60)
    probe.request("GET", "/healthz")
    assert (await asyncio.to_thread(probe.getresponse)).read() == b'{"status": "ok", "complaints": []}'
    first.send(signal.SIGSTOP)
    try:
        probe.request("GET", "/healthz")
        await at.until(lambda: second.said("leading"), "the standby leads")
        await at.apply(arb_market("rain"))
        await starts(at, "rain")
        before = control_plane.audit.mark()
    finally:
        first.send(signal.SIGCONT)
    answer = await asyncio.to_thread(probe.getresponse)
    assert (answer.status, "lease_stale: this process was elected and has not renewed" in answer.read().decode()) == (FAILS, True)
    probe.close()
    assert await first.ended() == 1
    assert [each for each in control_plane.writes(before) if each.user.endswith(":first") and each.code < 400] == []
    await at.until(lambda: is_well(second), "the other one is well")
