"""The chart's monitors and alerts in the hands of the real Prometheus Operator and Prometheus, over real bots and a real operator."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import NAMESPACE
from tests.monitoring.monitored_cluster import OPERATOR, Monitored, bot, monitored
from tests.monitoring.prometheus_rig import operator_crds
from tests.monitoring.rule_files import ROOT, RUNBOOKS, program, rules
from tests.operator.operator_rig import World, world

pytestmark = [pytest.mark.timeout(600), pytest.mark.flaky(reruns=1, reruns_delay=1)]
"""A control plane of its own, three more servers, and an alert that must hold for a minute, on a machine that may be busy with others."""
FIRES_WITHIN_S = 150.0
"""It must hold for a minute first."""
GATE_GONE = "KabobagoolGateUnreachable"


@pytest.fixture
def plane(own_control_plane: Callable[..., Any], helm_binaries: None, prometheus_operator_binary: None) -> Any:
    """A control plane that knows our resources and those of the Prometheus Operator."""
    program("prometheus")
    started = own_control_plane()
    kubectl = started.kubectl()
    kubectl("create", "namespace", NAMESPACE)
    for folder in (ROOT / "crds", operator_crds()):
        kubectl("apply", "--server-side", "--filename", str(folder))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(folder))
    return started


def summary(watched: Monitored) -> str:
    """What the alert says while it fires."""
    return str(watched.prometheus.firing().get(GATE_GONE, {"annotations": {"summary": ""}})["annotations"]["summary"])


@pytest.fixture
async def at(tmp_path: Path, plane: Any) -> AsyncIterator[World]:
    async with world(tmp_path, plane, NAMESPACE, "rain", "snow", "hail") as around:
        yield around


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
async def test_the_operator_and_every_bot_are_targets_and_one_that_comes_or_goes_is_followed(
    at: World, plane: Any, tmp_path: Path, monitor: str
) -> None:
    async with monitored(at, plane, tmp_path, monitor=monitor) as watched:
        await watched.sees(OPERATOR)
        await watched.start_bot("rain")
        await watched.sees(OPERATOR, bot("rain"))
        await watched.start_bot("snow")
        await watched.sees(OPERATOR, bot("rain"), bot("snow"))
        assert {(labels["namespace"], labels.get("mode")) for labels, _ in watched.prometheus.target_health()} == {
            (NAMESPACE, None),
            (NAMESPACE, "dry_run"),
        }
        await at.ask("delete", "arb", "rain", "--wait=false")
        await watched.fleet.bot_ends("rain")
        await watched.sees(OPERATOR, bot("snow"))


async def test_an_alert_fires_leads_to_its_runbook_and_resolves(at: World, plane: Any, tmp_path: Path) -> None:
    async with monitored(at, plane, tmp_path, monitor="serviceMonitor") as watched:
        for market in ("rain", "hail"):
            await watched.start_bot(market)
        await watched.says('count(kabobagool_market_feed_age_seconds{job="kabobagool-bots"} < 60)', 2)
        await watched.says('sum(kabobagool_operator_conditions{job="kabobagool-operator",type="Ready"})', 2)
        await watched.says('sum(kabobagool_gate_reachable{job="kabobagool-bots"})', 2)
        health, well = watched.prometheus.rule_health, {rule["alert"]: "ok" for rule in rules()}
        await at.until(lambda: health() == well, "every alert was reckoned", health)
        assert GATE_GONE not in watched.prometheus.firing()
        at.server.kill()
        await at.until(lambda: GATE_GONE in watched.prometheus.firing(), "it fires", watched.prometheus.firing, patience_s=FIRES_WITHIN_S)
        await at.until(lambda: summary(watched) == "2 dry_run bot(s) cannot reach the order gate", "of both", watched.prometheus.firing)
        alert = watched.prometheus.firing()[GATE_GONE]
        assert alert["labels"] == {"alertname": GATE_GONE, "severity": "page", "namespace": NAMESPACE, "mode": "dry_run"}
        assert (RUNBOOKS / alert["annotations"]["runbook_url"].rpartition("/")[2]).exists()
        at.server.start()
        await at.until(lambda: GATE_GONE not in watched.prometheus.firing(), "it resolves", watched.prometheus.firing)
