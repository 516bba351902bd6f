"""Everything that a monitored installation is, started for one test: operator, bots, the chart's monitors and rules, and who reads them.

`monitored` is what the tests ask for. The parts are in `watched_fleet.py` and `prometheus_rig.py`; the surroundings of the operator are
those of its own tests.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chart.chart_rig import NAMESPACE, RELEASE, Helm
from tests.monitoring.prometheus_rig import NAME, Prometheus, PrometheusOperator, prometheus_resource, reader_token, written_for_it
from tests.monitoring.watched_fleet import Addresses, WatchedFleet
from tests.operator.operator_rig import World, arb_market

Target = tuple[str, str]
OF_THE_CHART = {f"{kind}/{RELEASE}-operator" for kind in ("Deployment", "ServiceAccount", "Service")} | {f"Service/{RELEASE}-bots"}
MONITORS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
OPERATOR: Target = ("kabobagool-operator", "")


def bot(market: str) -> Target:
    """The target that a market's bot is."""
    return "kabobagool-bots", market


@dataclass(frozen=True)
class Monitored:
    """A fleet and the Prometheus that reads it."""

    at: World
    fleet: WatchedFleet
    prometheus: Prometheus

    async def start_bot(self, market: str) -> None:
        """As when somebody applies a market and a node runs its Pod."""
        await self.at.apply(arb_market(market))
        await self.fleet.bot_starts(market)

    async def sees(self, *wanted: Target) -> None:
        """Exactly these are targets, and all of them are up."""
        seen = self.prometheus.targets
        await self.at.until(lambda: seen() == dict.fromkeys(wanted, "up"), f"targets {wanted}", seen)

    async def says(self, question: str, answer: float) -> None:
        """Prometheus comes to this answer."""
        await self.at.until(
            lambda: self.prometheus.value(question) == answer, f"{question} is {answer}", lambda: self.prometheus.value(question)
        )


@contextlib.asynccontextmanager
async def monitored(at: World, plane: Any, folder: Path, *, monitor: str) -> AsyncIterator[Monitored]:
    """An installation whose operator leads, read by Prometheus; without bots yet. `monitor`: the value of the chart that is switched on."""
    operator, addresses = await at.running(WS_URL=at.paper.urls["market_socket"]), Addresses()
    address = addresses.take(port=operator.port)
    await _install(at, monitor, addresses)
    with contextlib.ExitStack() as ending:
        reader = PrometheusOperator(folder, plane.kubeconfig, NAMESPACE)
        ending.callback(reader.process.kill)
        reader.process.start()
        prometheus = await _prometheus(at, plane, folder)
        ending.callback(prometheus.kill)
        prometheus.start()
        await at.until(prometheus.answers, "Prometheus answers", prometheus.process.last_words)
        fleet = WatchedFleet(at, addresses)
        ending.callback(fleet.close)
        await fleet.operator_pod(address)
        yield Monitored(at, fleet, prometheus)


async def _install(at: World, monitor: str, addresses: Addresses) -> None:
    """What the chart renders for the operator, the bots' Service and monitoring; the rest of it needs nodes."""
    monitoring = {monitor: {"enabled": True, "relabelings": addresses.relabelings()}, "prometheusRule": {"enabled": True}}
    values = {"monitoring": monitoring, "operator": {"replicas": 1}, "podDisruptionBudget": {"enabled": False}}
    bodies = await asyncio.to_thread(Helm().template, values)
    chosen = [body for body in bodies if body["kind"] in MONITORS or f"{body['kind']}/{body['metadata']['name']}" in OF_THE_CHART]
    assert len(chosen) == len(OF_THE_CHART) + 3
    await at.apply(*chosen)


async def _prometheus(at: World, plane: Any, folder: Path) -> Prometheus:
    """One that runs with what the Prometheus Operator made of the monitors and rules that are there."""
    token = folder / "token"
    token.write_text(await asyncio.to_thread(reader_token, at.kubectl))
    at.kubectl.apply(
        "monitoring.coreos.com/v1", "Prometheus", NAME, spec=prometheus_resource(token, url=plane.url, kubeconfig=plane.kubeconfig)
    )
    await at.until(lambda: written_for_it(at.kubectl) is not None, "the Prometheus Operator writes a configuration")
    prometheus = Prometheus(folder / "prometheus")
    written = written_for_it(at.kubectl)
    assert written is not None
    prometheus.take(*written)
    prometheus.check()
    return prometheus
