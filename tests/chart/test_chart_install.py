"""The chart on a real API server with the Pod Security level `restricted` enforced: installed, used, upgraded, and gone without a trace."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import CHART, CI, LIVE, ROOT, Helm, HelmError
from tests.chart.node_rig import OperatorNode, eventually
from tests.cluster.control_plane import ControlPlane
from tests.operator.operator_rig import world

NAMESPACE = "trading"
SLUGS = ("rain-0", "rain-1", "rain-2")
RESTRICTED = "pod-security.kubernetes.io/enforce=restricted"
OF_EVERY_NAMESPACE = {"configmap/kube-root-ca.crt", "serviceaccount/default"}
UNSEEN = {"events", "events.events.k8s.io", "bindings"}
QUICK = {"KABOBAGOOL_DISCOVERY_INTERVAL_S": "2", "KABOBAGOOL_CREATIONS_PER_SECOND": "50"}


@pytest.fixture
def plane(kubernetes_binaries: None) -> Iterator[ControlPlane]:
    """Its own: definitions are of the whole cluster."""
    with ControlPlane() as own:
        kubectl = own.kubectl()
        kubectl("create", "namespace", NAMESPACE)
        kubectl("label", "namespace", NAMESPACE, RESTRICTED)
        account = own.kubectl(namespace=NAMESPACE)
        eventually(lambda: account.run("get", "serviceaccount", "default").returncode == 0, "Pods can be made at all")
        yield own


@pytest.fixture
def there(plane: ControlPlane, helm_binaries: None) -> Helm:
    """helm at that cluster."""
    return Helm(kubeconfig=plane.kubeconfig)


def everything(plane: ControlPlane) -> set[str]:
    """Every object in the namespace, or what is complained of when a kind goes in this very moment."""
    kubectl = plane.kubectl(namespace=NAMESPACE)
    kinds = set(kubectl("api-resources", "--verbs=list", "--namespaced", "--output=name").split()) - UNSEEN
    found = kubectl.run("get", ",".join(sorted(kinds)), "--output=name")
    return set(found.stdout.split()) if found.returncode == 0 else {found.stderr}


def passwords(plane: ControlPlane) -> dict[str, str]:
    secrets = plane.kubectl(namespace=NAMESPACE).json("get", "secrets")["items"]
    found = {secret["metadata"]["name"]: secret["data"].get("PASSWORD") for secret in secrets if secret["type"] == "Opaque"}
    return {name: base64.b64decode(password).decode() for name, password in found.items() if password}


def install(helm: Helm, values: Any = None, *options: str, verb: tuple[str, ...] = ("install",)) -> str:
    return helm(*verb, "kabobagool", str(CHART), "--namespace", NAMESPACE, *options, values=values)


def test_the_api_server_takes_every_object_of_every_set_of_values(plane: ControlPlane, helm: Helm) -> None:
    kubectl = plane.kubectl(namespace=NAMESPACE)
    for name in ("trading-high", "trading-low"):
        kubectl("create", "priorityclass", name, "--value=1000")
    for name in ("default", *CI):
        bodies = [body for body in helm.template(CI.get(name)) if not body["apiVersion"].startswith("monitoring.coreos.com")]
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies})
        said = kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename", "-", stdin=document)
        assert len(said.splitlines()) == len(bodies), name


def test_passwords_are_made_at_random_once_stay_at_upgrades_and_reach_the_server(plane: ControlPlane, there: Helm) -> None:
    install(there)
    first = passwords(plane)
    assert set(first) == {"kabobagool-gate-operator", "kabobagool-gate-dry-run", "kabobagool-gate-paper"}
    assert len(set(first.values())) == 3
    assert all(len(password) == 40 for password in first.values())
    offline = {body["metadata"]["name"]: body["data"] for body in Helm().template() if body["kind"] == "Secret"}
    assert all(base64.b64decode(offline[name]["PASSWORD"]).decode() != password for name, password in first.items())
    once = there("template", "kabobagool", str(CHART), "--namespace", NAMESPACE, "--dry-run=server")
    assert once == there("template", "kabobagool", str(CHART), "--namespace", NAMESPACE, "--dry-run=server")
    before = plane.kubectl(namespace=NAMESPACE).json("get", "statefulset", "kabobagool-redis")["spec"]["template"]
    install(there, {"operator": {"replicas": 3}}, verb=("upgrade",))
    assert passwords(plane) == first
    assert plane.kubectl(namespace=NAMESPACE).json("get", "statefulset", "kabobagool-redis")["spec"]["template"] == before
    there("rollback", "kabobagool", "--namespace", NAMESPACE)
    assert passwords(plane) == first
    assert plane.kubectl(namespace=NAMESPACE).json("get", "deployment", "kabobagool-operator")["spec"]["replicas"] == 2


def test_live_is_installed_with_passwords_of_its_own_and_a_user_for_the_wallet(plane: ControlPlane, there: Helm) -> None:
    said = install(there, {**LIVE, "redis": {}})
    assert "REAL ORDERS for 0x" + "1" * 40 in said
    users = plane.kubectl(namespace=NAMESPACE).json("get", "secret", "kabobagool-redis-users")["data"]["users.acl"]
    lines = {line.split()[1]: line for line in base64.b64decode(users).decode().splitlines()}
    assert set(lines) == {"default", "probe", "operator", "dry-run", "live"}
    keys = [word for word in lines["live"].split() if word.startswith("~")]
    assert keys == [f"~kabobagool:{{0x{digit * 40}}}:*" for digit in "12"]


def test_every_pod_is_let_in_under_the_level_restricted(plane: ControlPlane, there: Helm) -> None:
    install(there)
    kubectl = plane.kubectl(namespace=NAMESPACE)
    wanted = {"operator": 2, "redis": 1, "paper": 1}

    def made() -> bool:
        pods = kubectl.json("get", "pods")["items"]
        found = [pod["metadata"]["labels"].get("app.kubernetes.io/component") for pod in pods]
        return {name: found.count(name) for name in wanted} == wanted

    eventually(made, "all Pods are made")
    failed = [event["message"] for event in kubectl.json("get", "events")["items"] if event["reason"] == "FailedCreate"]
    assert failed == []


def test_what_the_notes_say_to_type_is_what_there_is(plane: ControlPlane, there: Helm) -> None:
    said = install(there, {"redis": {"persistence": {"enabled": False}}, "operator": {"replicas": 1}})
    assert "Mode PAPER" in said
    assert "redis.persistence.enabled=false" in said
    assert "operator.replicas=1" in said
    lines = [line.split("    ")[0].split() for line in said.splitlines() if line.startswith("  kubectl ")]
    commands = [line[1:] for line in lines if "NAME" not in line and "port-forward" not in line]
    assert ["--namespace", NAMESPACE, "get", "arb"] in commands
    plane.kubectl()("wait", "--for=condition=Established", "--timeout=60s", "crd/arbmarkets.kabobagool.io")
    for command in commands:
        plane.kubectl()(*command)
    forward = next(line for line in lines if "port-forward" in line)
    service = plane.kubectl(namespace=NAMESPACE).json("get", forward[forward.index("port-forward") + 1])
    assert int(forward[-1]) in [port["port"] for port in service["spec"]["ports"]]


def test_the_examples_of_the_documentation_are_taken(plane: ControlPlane, there: Helm) -> None:
    install(there)
    plane.kubectl()("wait", "--for=condition=Established", "--timeout=60s", "crd/arbmarkets.kabobagool.io")
    said = plane.kubectl(namespace=NAMESPACE)("apply", "--dry-run=server", "--filename", str(ROOT / "docs" / "examples"))
    assert len(said.splitlines()) == len(list((ROOT / "docs" / "examples").glob("*.yaml")))


@pytest.fixture
async def node(plane: ControlPlane, there: Helm, tmp_path: Path) -> AsyncIterator[OperatorNode]:
    """The chart installed, and its operator at work on a venue with three markets."""
    async with world(tmp_path, plane, NAMESPACE, *SLUGS) as around:
        urls = around.paper.urls
        really = {"REDIS_URL": around.server.url, "GAMMA_URL": urls["gamma"], "CLOB_URL": urls["clob"], "WS_URL": urls["market_socket"]}
        running = OperatorNode(plane, NAMESPACE, tmp_path, {f"KABOBAGOOL_{name}": url for name, url in really.items()} | QUICK)
        await asyncio.to_thread(install, there, {"crds": {"keep": False}})
        yield running
        running.close()


def markets(node: OperatorNode) -> set[str]:
    return {body["metadata"]["name"] for body in node.kubectl.json("get", "arb")["items"]}


def bots(node: OperatorNode) -> set[str]:
    found = node.kubectl.json("get", "deployments", "--selector", "app.kubernetes.io/managed-by=kabobagool")
    return {body["metadata"]["name"] for body in found["items"]}


async def test_an_uninstall_drains_everything_and_leaves_nothing_behind_though_markets_are_looked_for(
    plane: ControlPlane, there: Helm, node: OperatorNode
) -> None:
    await asyncio.to_thread(eventually, lambda: bots(node) == set(SLUGS), "every market has a bot")
    modes = {body["metadata"]["name"]: body["spec"]["mode"] for body in node.kubectl.json("get", "arb")["items"]}
    assert set(modes.values()) == {"Paper"}
    user = f"system:serviceaccount:{NAMESPACE}:kabobagool-operator"
    assert [request for request in plane.requests() if request.user == user and request.code == 403] == []
    await asyncio.to_thread(there, "uninstall", "kabobagool", "--namespace", NAMESPACE)
    said = node.log("kabobagool-uninstall")
    assert "Deployment kabobagool-operator was told to end" in said
    assert "there are no ArbMarkets any more" in said
    assert "not drained in time" not in said
    await asyncio.to_thread(eventually, lambda: everything(plane) <= OF_EVERY_NAMESPACE, "nothing is left")
    await asyncio.to_thread(eventually, lambda: plane.kubectl()("get", "crd", "--output=name") == "", "the definition is gone")
    await asyncio.to_thread(node.kubectl, "delete", "namespace", NAMESPACE, "--timeout=100s")


def test_the_definition_stays_with_its_markets_when_it_is_to_and_a_new_installation_takes_it_over(plane: ControlPlane, there: Helm) -> None:
    install(there)
    there("uninstall", "kabobagool", "--namespace", NAMESPACE, "--no-hooks")
    assert plane.kubectl()("get", "crd", "--output=name").strip().endswith("/arbmarkets.kabobagool.io")
    install(there)
    with pytest.raises(HelmError, match=r"arbmarkets\.kabobagool\.io"):
        there("install", "second", str(CHART), "--namespace", "default")
    there("install", "second", str(CHART), "--namespace", "default", "--set", "crds.enabled=false")
