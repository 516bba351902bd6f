"""Every Pod that the chart makes keeps to the Pod Security level `restricted`, is bounded, and holds no more than it needs."""

import re
from typing import Any

import pytest
from tests.chart.chart_rig import CI, LIVE, Helm, of_kind, pods

EVERY = ["default", *CI]
WITH_TOKEN = ("Deployment/kabobagool-operator", "Job/kabobagool-uninstall")


@pytest.mark.parametrize("name", EVERY)
def test_every_pod_is_restricted(name: str, helm: Helm) -> None:
    found = list(pods(helm.template(CI.get(name))))
    assert found
    for whose, _, spec in found:
        context = spec["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"]) == (True, 65532, 65532), whose
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, whose
        assert not any(spec.get(shared) for shared in ("hostNetwork", "hostPID", "hostIPC")), whose
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            own = container["securityContext"]
            assert own == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}, whose
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= {"emptyDir", "configMap", "secret", "projected"}, whose


@pytest.mark.parametrize("name", EVERY)
def test_every_container_says_what_it_needs_and_may_use(name: str, helm: Helm) -> None:
    for whose, _, spec in pods(helm.template(CI.get(name))):
        for container in spec["containers"]:
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), whose
            assert "memory" in container["resources"]["limits"], whose


@pytest.mark.parametrize("name", EVERY)
def test_only_an_operator_gets_a_token_of_the_cluster_and_nobody_the_addresses_of_all_services(name: str, helm: Helm) -> None:
    for whose, _, spec in pods(helm.template(CI.get(name))):
        assert spec["automountServiceAccountToken"] is (whose in WITH_TOKEN), whose
        assert spec["enableServiceLinks"] is False, whose
        assert ("serviceAccountName" in spec) is (whose in WITH_TOKEN), whose


@pytest.mark.parametrize("name", EVERY)
def test_every_image_has_a_version_that_stays_what_it_is(name: str, helm: Helm) -> None:
    for whose, _, spec in pods(helm.template(CI.get(name))):
        for container in spec["containers"]:
            assert re.search(r"(@sha256:[0-9a-f]{64}|:[0-9][\w.-]*)$", container["image"]), f"{whose}: {container['image']}"


def test_a_digest_beats_the_tag_and_one_registry_all_others(helm: Helm) -> None:
    images = {whose: spec["containers"][0]["image"] for whose, _, spec in pods(helm.template(CI["full"]))}
    assert images["Deployment/kabobagool-operator"] == f"registry.example.com/mirror/kabobagool-operator@sha256:{'a' * 64}"
    assert images["Deployment/kabobagool-paper"] == "registry.example.com/mirror/kabobagool-paper:0.1.0-rc.1"
    assert images["StatefulSet/kabobagool-redis"] == f"registry.example.com/mirror/valkey/valkey@sha256:{'b' * 64}"


def test_a_registry_that_is_left_empty_is_left_out(helm: Helm) -> None:
    images = {whose: spec["containers"][0]["image"] for whose, _, spec in pods(helm.template({"image": {"registry": "", "tag": "2"}}))}
    assert images["Deployment/kabobagool-operator"] == "kabobagool-operator:2"


def test_the_operator_is_asked_for_its_health_and_has_the_time_it_needs_to_end(helm: Helm) -> None:
    spec = operator(helm.template())
    container = spec["containers"][0]
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
    assert container["startupProbe"]["periodSeconds"] * container["startupProbe"]["failureThreshold"] >= 60
    assert spec["terminationGracePeriodSeconds"] >= 30
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"metrics": 8080, "fleet": 8000}


def test_two_operators_are_spread_and_one_stays_while_nodes_are_drained(helm: Helm) -> None:
    bodies = helm.template()
    spread = operator(bodies)["topologySpreadConstraints"][0]
    budget = of_kind(bodies, "PodDisruptionBudget")["operator"]["spec"]
    deployment = of_kind(bodies, "Deployment")["operator"]["spec"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert spread["labelSelector"] == budget["selector"] == deployment["selector"]
    assert deployment["replicas"] > budget["maxUnavailable"]


def test_where_pods_may_run_is_said_for_each(helm: Helm) -> None:
    found = {whose: spec for whose, _, spec in pods(helm.template(CI["full"]))}
    for whose in WITH_TOKEN:
        assert found[whose]["nodeSelector"] == {"pool": "trading"}, whose
        assert found[whose]["tolerations"][0]["key"] == "trading", whose
    assert found["Deployment/kabobagool-operator"]["hostUsers"] is False
    assert found["Deployment/kabobagool-operator"]["priorityClassName"] == "trading-high"
    assert found["Deployment/kabobagool-paper"]["nodeSelector"] == {"pool": "paper"}
    assert found["StatefulSet/kabobagool-redis"]["priorityClassName"] == "trading-high"
    assert {secret["name"] for spec in found.values() for secret in spec["imagePullSecrets"]} == {"registry"}


def test_what_is_changed_in_profiles_or_users_starts_those_again_who_read_it(helm: Helm) -> None:
    def annotations(values: dict[str, Any] | None) -> dict[str, dict[str, str]]:
        return {whose: metadata.get("annotations", {}) for whose, metadata, _ in pods(helm.template(values))}

    usual, profile, live, memory = (
        annotations(values) for values in (None, {"profiles": {"x": "A=1"}}, {"mode": "dry-run"}, {"redis": {"maxMemory": "1gb"}})
    )
    deployment, server = "Deployment/kabobagool-operator", "StatefulSet/kabobagool-redis"
    assert usual[deployment]["checksum/profiles"] != profile[deployment]["checksum/profiles"]
    assert usual[server] == profile[server]
    assert usual[server]["checksum/gate"] != live[server]["checksum/gate"]
    assert usual[server]["checksum/configuration"] != memory[server]["checksum/configuration"]


def test_no_secret_of_a_user_is_in_what_is_rendered_and_the_play_key_is_only_in_mode_paper(helm: Helm) -> None:
    assert of_kind(helm.template(LIVE), "Secret") == {}
    names = set(of_kind(helm.template(), "Secret"))
    assert names == {"gate-operator", "gate-dry-run", "gate-paper", "redis-users", "play-wallet"}
    assert set(of_kind(helm.template({"mode": "dry-run"}), "Secret")) == {"gate-operator", "gate-dry-run", "redis-users"}


def test_the_play_wallets_address_is_that_of_its_key(helm: Helm) -> None:
    from base64 import b64decode

    from eth_account import Account

    bodies = helm.template()
    key = b64decode(of_kind(bodies, "Secret")["play-wallet"]["data"]["PRIVATE_KEY"]).decode()
    given = {variable["name"]: variable.get("value") for variable in operator(bodies)["containers"][0]["env"]}
    assert Account.from_key(key).address.lower() == given["KABOBAGOOL_PAPER_WALLET"]


def operator(bodies: list[Any]) -> dict[str, Any]:
    return dict(of_kind(bodies, "Deployment")["operator"]["spec"]["template"]["spec"])
