"""What the operator stands on breaks: the API server, a watch that hangs, the order gate. It neither dies for ever nor forgets anything."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.operator.operator_rig import ELECTION, OperatorProcess, World, arb_market, conditions, phase, world, world_with
from tests.support.wire import CHUNK, Line, Wire

from kabobagool.gate.interface import GateUnreachableError

SLUGS = ("rain", "snow", "hail", "dew")
OUTAGE_S = 15.0
"""Longer than a leader leads without the API server."""
LONGEST_SILENCE_S = 150.0
"""A watch that hears nothing is begun anew after 70 s."""
CRDS = Path(__file__).parents[2] / "crds"

at = world_with(*SLUGS)


async def starts(at: World, name: str) -> None:
    await at.until_market(name, lambda body: phase(body) == "Starting" and "deployment" in body["status"], "starts")


class Kubelet:
    """Starts an operator again that ended by itself, as a node would; counts how often."""

    def __init__(self, operator: OperatorProcess) -> None:
        self._operator = operator
        self.restarts = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            if self._operator.pid is None:
                self.restarts += 1
                self._operator.start()

    def stop(self) -> None:
        self._task.cancel()


async def test_an_api_server_that_is_killed_and_comes_back_costs_one_restart_at_most(
    tmp_path: Path, own_control_plane: Callable[..., Any]
) -> None:
    plane = own_control_plane(controllers=True)
    admin = plane.kubectl()
    admin("apply", "--server-side", "--filename", str(CRDS))
    admin("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(CRDS))
    admin("create", "namespace", "storm")
    async with world(tmp_path, plane, "storm", *SLUGS) as at:
        operator = await at.running(**ELECTION)
        kubelet = Kubelet(operator)
        await at.apply(arb_market("rain"), arb_market("snow"))
        await starts(at, "rain")
        await starts(at, "snow")
        plane.kill_api_server()
        await asyncio.sleep(OUTAGE_S)
        await asyncio.to_thread(plane.restart_api_server)
        await at.apply(arb_market("hail"))
        await at.ask("delete", "deployment", "rain")
        await at.ask("delete", "arb", "snow", "--wait=false")
        await starts(at, "hail")
        await at.until(lambda: there_are(at, {"rain", "hail"}), "all is as it should be")
        kubelet.stop()
        assert kubelet.restarts <= 1
        assert await operator.stop() == 0


async def there_are(at: World, names: set[str]) -> bool:
    return set(await at.objects("deployments")) == names == set(await at.objects("arbmarkets"))


class StaleWire(Wire):
    """Connections that are open when it is told so hang for ever; new ones work."""

    def hang(self) -> None:
        """Whoever listens now hears nothing more, and is not told."""
        self.half_open()
        self.requests_pass, self.replies_pass = asyncio.Event(), asyncio.Event()
        self.mend()

    async def _requests(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, line: Line) -> None:
        await forward_all(client, on, when=self.requests_pass)

    async def _replies(self, replies: asyncio.StreamReader, line: Line) -> None:
        await forward_all(replies, line.back, when=self.replies_pass)


async def forward_all(source: asyncio.StreamReader, target: asyncio.StreamWriter, *, when: asyncio.Event) -> None:
    """What comes on one connection, as long as that lets it pass which did when the connection was made."""
    while chunk := await source.read(CHUNK):
        await when.wait()
        target.write(chunk)
        await target.drain()


async def test_a_watch_that_hangs_is_noticed_and_nothing_that_happened_meanwhile_is_missed(at: World, control_plane: Any) -> None:
    wire = StaleWire(control_plane.port)
    await wire.start()
    try:
        kubeconfig = control_plane.kubeconfig_with(control_plane.token, port=wire.port)
        operator = await at.running(kubeconfig=kubeconfig)
        await at.apply(arb_market("rain"), arb_market("snow"))
        await starts(at, "rain")
        await starts(at, "snow")
        pid = operator.pid
        wire.hang()
        await at.apply(arb_market("hail"))
        await at.ask("delete", "deployment", "rain")
        before = (await at.objects("deployments"))["snow"]["metadata"]["uid"]
        await at.until(lambda: there_are_bots(at, {"rain", "snow", "hail"}), "the watch goes on", patience_s=LONGEST_SILENCE_S)
        assert (await at.objects("deployments"))["snow"]["metadata"]["uid"] == before
        assert operator.pid == pid, "it was not started again for that"
        assert (await operator.probe("/healthz"))[0] == 200
    finally:
        await wire.go_down()


async def there_are_bots(at: World, names: set[str]) -> bool:
    return set(await at.objects("deployments")) == names


async def test_an_order_gate_that_goes_is_said_and_keeps_nobody_from_going(at: World) -> None:
    operator = await at.running()
    await at.apply(arb_market("rain"), arb_market("snow", drainTimeoutSeconds=5))
    holders = {name: f"kabobagool@{await at.pod_is(name)}/1/abc" for name in ("rain", "snow")}
    for name, holder in holders.items():
        await at.goes_on_reporting(name, holder)
    for name in holders:
        await at.until_market(name, lambda body: phase(body) == "Running", "runs")
    pid = operator.pid
    for name in holders:
        at.falls_silent(name)
    at.server.kill()
    market = await at.until_market("rain", lambda body: conditions(body)["Degraded"] == "True/GateUnavailable", "says so")
    assert conditions(market)["Ready"] == "True/Running", "the bot goes on"
    await at.ask("delete", "arb", "snow", "--timeout=80s")
    await at.apply(arb_market("hail"))
    await at.until_market("hail", lambda body: "deployment" in body.get("status", {}), "has a bot")
    at.server.start()
    await at.until(lambda: can_report(at, "rain", holders["rain"]), "the gate is there again")
    await at.until_market("rain", lambda body: conditions(body)["MarketDataFresh"] == "True/Fresh", "is heard again")
    assert operator.pid == pid
    assert set(await at.objects("deployments")) == {"rain", "hail"}


async def can_report(at: World, name: str, holder: str) -> bool:
    """Whether what a bot says reaches the gate; if so it goes on saying that."""
    with contextlib.suppress(GateUnreachableError):
        await at.goes_on_reporting(name, holder, feed_age_ms=1100)
        return True
    return False


async def test_without_the_definition_of_arbmarkets_it_waits_and_says_so(tmp_path: Path, own_control_plane: Callable[..., Any]) -> None:
    plane = own_control_plane()
    admin = plane.kubectl()
    admin("create", "namespace", "early")
    async with world(tmp_path, plane, "early", *SLUGS) as at:
        operator = at.operator()
        operator.start()
        await at.until(lambda: operator.said("ArbMarkets cannot be listed; is the CRD installed?"), "it says so")
        status, answer = await operator.probe("/readyz")
        assert status == 503
        assert json.loads(answer)["complaints"] == ["not_listed_yet: arbmarkets", "not_listed_yet: deployments", "not_listed_yet: pods"]
        assert (await operator.probe("/healthz"))[0] == 200
        admin("apply", "--server-side", "--filename", str(CRDS))
        await at.until(lambda: bool(operator.said("leading")), "it begins by itself")
