"""What the chart makes of monitoring: nothing unless it is asked, and then what Prometheus and Grafana look for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.chart_rig import NAMESPACE, Helm, HelmError
from tests.monitoring.rule_files import CHART, DASHBOARDS, rules
from tests.monitoring.test_monitoring_alerts import promtool

from kabobagool_operator.labels import BOT, COMPONENT, MANAGED_BY, MANAGER

Body = dict[str, Any]
ALL = {part: {"enabled": True} for part in ("serviceMonitor", "prometheusRule", "dashboards")}


@pytest.fixture
def helm(helm_binaries: None) -> Helm:
    return Helm()


def of(helm: Helm, kind: str, **monitoring: Any) -> list[Body]:
    """The objects of a kind that monitoring with these values adds."""
    return [body for body in helm.template({"monitoring": monitoring}) if body["kind"] == kind and _is_monitoring(body)]


def _is_monitoring(body: Body) -> bool:
    return body["apiVersion"].startswith("monitoring.coreos.com") or "dashboard" in body["metadata"]["name"]


def rendered_rules(bodies: list[Body]) -> Iterator[Body]:
    (body,) = bodies
    return (rule for group in body["spec"]["groups"] for rule in group["rules"])


def test_nothing_is_made_unless_it_is_asked_for(helm: Helm) -> None:
    assert not [body for body in helm.template() if _is_monitoring(body)]


def test_the_service_monitors_select_the_services_of_the_operator_and_of_the_bots(helm: Helm) -> None:
    bodies = helm.template({"monitoring": ALL})
    services = [body for body in bodies if body["kind"] == "Service"]
    for monitor in (body for body in bodies if body["kind"] == "ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = [body for body in services if wanted <= body["metadata"]["labels"].items()]
        assert service["metadata"]["name"] == monitor["metadata"]["name"]
        (endpoint,) = monitor["spec"]["endpoints"]
        assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    bots = next(body for body in services if body["metadata"]["name"].endswith("-bots"))
    assert bots["spec"]["clusterIP"] == "None"
    assert bots["spec"]["selector"] == {MANAGED_BY: MANAGER, COMPONENT: BOT}


def test_pod_monitors_select_the_same_pods_without_a_service(helm: Helm) -> None:
    operator = next(body for body in helm.template() if body["kind"] == "Deployment" and body["metadata"]["name"].endswith("-operator"))
    by_name = {body["metadata"]["name"]: body["spec"] for body in of(helm, "PodMonitor", podMonitor={"enabled": True})}
    wanted = by_name["kabobagool-operator"]["selector"]["matchLabels"]
    assert wanted.items() <= operator["spec"]["template"]["metadata"]["labels"].items()
    assert by_name["kabobagool-bots"]["selector"]["matchLabels"] == {MANAGED_BY: MANAGER, COMPONENT: BOT}


@pytest.mark.parametrize("part", ["serviceMonitor", "podMonitor"])
def test_how_targets_are_read_can_be_chosen(helm: Helm, part: str) -> None:
    kind = part[0].upper() + part[1:]
    more = {"targetLabel": "cluster", "replacement": "east"}
    given = {"labels": {"release": "prometheus"}, "annotations": {"a": "b"}, "interval": "5s", "scrapeTimeout": "4s"}
    dropped = {"sourceLabels": ["__name__"], "regex": "kabobagool_edges_.*", "action": "drop"}
    for body in of(helm, kind, **{part: {"enabled": True, **given, "relabelings": [more], "metricRelabelings": [dropped]}}):
        assert body["metadata"]["labels"]["release"] == "prometheus"
        assert body["metadata"]["annotations"]["a"] == "b"
        (endpoint,) = body["spec"].get("endpoints") or body["spec"]["podMetricsEndpoints"]
        assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("5s", "4s")
        assert endpoint["relabelings"][0]["targetLabel"] == "job"
        assert endpoint["relabelings"][-1] == more
        assert endpoint["metricRelabelings"] == [dropped]


def test_both_monitors_at_once_are_refused(helm: Helm) -> None:
    with pytest.raises(HelmError, match="every figure would be read twice; choose one"):
        of(helm, "PodMonitor", serviceMonitor={"enabled": True}, podMonitor={"enabled": True})


def test_the_rules_are_those_of_the_files_in_this_namespace_only(helm: Helm, tmp_path: Path) -> None:
    bodies = of(helm, "PrometheusRule", prometheusRule={"enabled": True})
    found = {rule["alert"]: rule for rule in rendered_rules(bodies)}
    scoped = {rule["alert"]: {**rule, "expr": rule["expr"].replace("{job=", f'{{namespace="{NAMESPACE}",job=')} for rule in rules()}
    assert found == scoped
    assert all(rule["expr"].count("job=") == rule["expr"].count("namespace=") for rule in found.values())
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(bodies[0]["spec"]))
    assert f"SUCCESS: {len(rules())} rules found" in promtool("check", "rules", str(file))


def test_alerts_can_be_labelled_left_out_and_lead_to_runbooks_of_ones_own(helm: Helm) -> None:
    given = {
        "labels": {"release": "p"},
        "alertLabels": {"team": "desk"},
        "runbookUrl": "https://wiki.example/runbooks",
        "disabled": ["KabobagoolHalted"],
    }
    bodies = of(helm, "PrometheusRule", prometheusRule={"enabled": True, **given})
    found = {rule["alert"]: rule for rule in rendered_rules(bodies)}
    assert {rule["alert"] for rule in rules()} - found.keys() == {"KabobagoolHalted"}
    assert bodies[0]["metadata"]["labels"]["release"] == "p"
    for name, rule in found.items():
        assert rule["labels"].keys() == {"severity", "team"}
        assert rule["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{name}.md"


def test_a_group_of_which_nothing_is_wanted_is_left_out(helm: Helm) -> None:
    everything = [rule["alert"] for rule in yaml.safe_load((CHART / "rules" / "gate.yaml").read_text())["groups"][0]["rules"]]
    (body,) = of(helm, "PrometheusRule", prometheusRule={"enabled": True, "disabled": everything})
    assert [group["name"] for group in body["spec"]["groups"]] == ["kabobagool-bots", "kabobagool-money", "kabobagool-operator"]


def test_each_dashboard_is_a_config_map_that_grafana_finds(helm: Helm) -> None:
    bodies = of(helm, "ConfigMap", dashboards={"enabled": True})
    assert {body["metadata"]["name"] for body in bodies} == {f"kabobagool-dashboard-{file.stem}" for file in DASHBOARDS}
    for body in bodies:
        assert body["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((name, text),) = body["data"].items()
        assert json.loads(text) == json.loads((CHART / "dashboards" / name.removeprefix("kabobagool-")).read_text())


def test_where_grafana_looks_for_dashboards_can_be_chosen(helm: Helm) -> None:
    given = {"label": "board", "labelValue": "yes", "labels": {"x": "y"}, "annotations": {"folder": "Trading"}, "namespace": "grafana"}
    for body in of(helm, "ConfigMap", dashboards={"enabled": True, **given}):
        assert body["metadata"]["namespace"] == "grafana"
        assert {"board": "yes", "x": "y"}.items() <= body["metadata"]["labels"].items()
        assert body["metadata"]["annotations"]["folder"] == "Trading"


def test_two_renders_are_one(helm: Helm) -> None:
    assert helm.template({"monitoring": ALL}) == helm.template({"monitoring": ALL})
