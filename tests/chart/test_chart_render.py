"""The chart renders with every set of values, with both helms alike, and twice the same."""

from typing import Any

import pytest
from tests.chart.chart_rig import CHART, CI, HELMS, Helm

EVERY = ["default", *CI]


def is_extra(body: dict[str, Any]) -> bool:
    """One of `extraObjects` in ci/: a user's own business."""
    return str(body["metadata"]["name"]).endswith("-more")


def by_name(bodies: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(body["kind"], body["metadata"]["name"]): body for body in bodies}


@pytest.mark.parametrize("name", EVERY)
def test_the_linter_has_nothing_to_say(name: str, each_helm: Helm) -> None:
    said = each_helm("lint", str(CHART), "--strict", values=CI.get(name))
    assert "0 chart(s) failed" in said
    assert "[WARNING]" not in said
    assert "[ERROR]" not in said


@pytest.mark.parametrize("name", EVERY)
def test_two_renderings_are_the_same_and_both_helms_render_it_so(name: str, helm_binaries: None) -> None:
    newer, older = Helm(HELMS["helm-4"]), Helm(HELMS["helm-3"])
    assert newer.text(CI.get(name)) == newer.text(CI.get(name))
    assert by_name(newer.template(CI.get(name))) == by_name(older.template(CI.get(name)))


@pytest.mark.parametrize("name", EVERY)
def test_no_two_objects_have_the_same_name_and_all_but_those_of_the_cluster_are_in_the_namespace(name: str, helm: Helm) -> None:
    bodies = helm.template(CI.get(name))
    names = [(body["apiVersion"], body["kind"], body["metadata"]["name"]) for body in bodies]
    assert len(names) == len(set(names))
    of_the_cluster = {"CustomResourceDefinition", "ClusterRole"}
    own = [body for body in bodies if body["kind"] not in of_the_cluster and not is_extra(body)]
    assert {body["metadata"].get("namespace") for body in own} == {"trading"}


@pytest.mark.parametrize("name", EVERY)
def test_every_object_says_what_it_belongs_to(name: str, helm: Helm) -> None:
    for body in helm.template(CI.get(name)):
        if body["kind"] == "CustomResourceDefinition" or is_extra(body):
            continue
        labels = body["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "kabobagool", body["metadata"]["name"]
        assert labels["app.kubernetes.io/part-of"] == "kabobagool", body["metadata"]["name"]
        assert labels["app.kubernetes.io/component"], body["metadata"]["name"]


def test_labels_and_annotations_for_all_reach_all(helm: Helm) -> None:
    for body in helm.template(CI["full"]):
        if body["kind"] == "CustomResourceDefinition" or is_extra(body):
            continue
        assert body["metadata"]["labels"]["team"] == "trading", body["metadata"]["name"]
        assert body["metadata"]["annotations"]["contact"] == "trading@example.com", body["metadata"]["name"]


def test_a_long_name_of_a_release_still_gives_names_that_fit(helm: Helm) -> None:
    text = helm("template", "a" * 53, str(CHART))
    names = [line.split()[-1] for line in text.splitlines() if line.startswith("  name: ")]
    assert names
    assert max(map(len, names)) <= 63


def test_an_object_of_ones_own_is_rendered_as_a_template(helm: Helm) -> None:
    own = [body for body in helm.template(CI["full"]) if body["metadata"]["name"] == "kabobagool-more"]
    assert own == [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kabobagool-more"}, "data": {"KABOBAGOOL_WORKERS": "8"}}]


def test_an_upgrade_to_a_new_version_of_the_chart_changes_no_selector(helm: Helm) -> None:
    for body in helm.template():
        selector = body.get("spec", {}).get("selector", {}) if body["kind"] in ("Deployment", "StatefulSet") else {}
        assert "helm.sh/chart" not in selector.get("matchLabels", {})
        assert "app.kubernetes.io/version" not in selector.get("matchLabels", {})


def test_names_are_ones_own_where_that_is_wanted(helm: Helm) -> None:
    def deployments(values: dict[str, str]) -> set[str]:
        return {body["metadata"]["name"] for body in helm.template(values) if body["kind"] == "Deployment"}

    assert deployments({"nameOverride": "fleet"}) == {"kabobagool-fleet-operator", "kabobagool-fleet-paper"}
    assert deployments({"fullnameOverride": "arb"}) == {"arb-operator", "arb-paper"}
    assert {body["metadata"]["name"].split("-")[0] for body in helm.template({"fullnameOverride": "arb"}) if body["kind"] == "Service"} == {
        "arb"
    }
