"""The tests' Kubernetes is a real one: it stores, controls, refuses, and tells afterwards who wrote what."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kubernetes.aio.client import ApiClient, ApiException, CoreV1Api
from tests.cluster.clients import client_of
from tests.cluster.cluster_rig import deployment, eventually
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Kubectl
from tests.cluster.plugin import Rules

MANAGER = "tests.kabobagool.io"


def pods(kubectl: Kubectl, app: str) -> list[str]:
    return kubectl("get", "pods", "--selector", f"app={app}", "--output", "name").split()


@pytest.mark.usefixtures("controllers")
def test_a_deployment_becomes_a_replica_set_and_pods(kubectl: Kubectl) -> None:
    kubectl.apply("apps/v1", "Deployment", "bot", **deployment("bot", replicas=2))
    eventually(lambda: len(pods(kubectl, "bot")) == 2, "two pods")
    sets = kubectl.json("get", "replicasets")["items"]
    assert [(owned["metadata"]["ownerReferences"][0]["name"], owned["spec"]["replicas"]) for owned in sets] == [("bot", 2)]
    eventually(lambda: kubectl.json("get", "deployment", "bot")["status"].get("unavailableReplicas") == 2, "a status from the controller")


@pytest.mark.usefixtures("controllers")
def test_a_deleted_deployment_takes_its_pods_along(kubectl: Kubectl) -> None:
    kubectl.apply("apps/v1", "Deployment", "bot", **deployment("bot"))
    eventually(lambda: len(pods(kubectl, "bot")) == 2, "two pods")
    kubectl("delete", "deployment", "bot")
    eventually(lambda: pods(kubectl, "bot") == [], "no pod")


@pytest.mark.usefixtures("controllers")
def test_a_deleted_namespace_ends_with_all_that_is_in_it(kubectl: Kubectl, namespace: str) -> None:
    second = f"{namespace}-second"
    kubectl("create", "namespace", second)
    kubectl("create", "configmap", "something", f"--namespace={second}")
    kubectl("delete", "namespace", second, "--wait=false")
    eventually(lambda: "not found" in kubectl.run("get", "namespace", second).stderr, "no namespace")


def test_each_test_has_a_namespace_that_is_its_own(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "mine")
    assert kubectl.json("get", "configmap", "mine")["metadata"]["namespace"] == namespace
    assert kubectl("config", "view", "--minify", "--output", "jsonpath={..namespace}") == ""


def test_what_is_wrong_is_refused_by_the_real_validation(kubectl: Kubectl) -> None:
    refused = kubectl.run("create", "configmap", "Not_A_Name")
    assert refused.returncode == 1
    assert "Invalid value" in refused.stderr
    with pytest.raises(AssertionError, match="Invalid value"):
        kubectl("create", "configmap", "Not_A_Name")


async def test_every_write_is_counted_with_who_made_it_and_how_it_was_answered(
    control_plane: ControlPlane, kubernetes_client: ApiClient, namespace: str
) -> None:
    since = control_plane.audit.mark()
    core = CoreV1Api(kubernetes_client)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counted"}}
    await core.create_namespaced_config_map(namespace, body)
    await core.patch_namespaced_config_map("counted", namespace, {"data": {"a": "b"}}, field_manager=MANAGER)
    await core.create_namespaced_config_map(namespace, body | {"metadata": {"name": "tried"}}, dry_run="All")
    with pytest.raises(ApiException):
        await core.delete_namespaced_config_map("absent", namespace)
    await core.delete_namespaced_config_map("counted", namespace)

    own = [write for write in control_plane.writes(since) if write.namespace == namespace and write.user == "admin"]
    assert [(write.verb, write.resource, write.code) for write in own] == [
        ("create", "configmaps", 201),
        ("patch", "configmaps", 200),
        ("delete", "configmaps", 404),
        ("delete", "configmaps", 200),
    ]
    assert [write.field_manager for write in own][1] == MANAGER
    assert {write.name for write in own[1:]} == {"counted", "absent"}


@pytest.mark.usefixtures("controllers")
def test_the_controllers_own_writes_are_told_apart(control_plane: ControlPlane, kubectl: Kubectl, namespace: str) -> None:
    since = control_plane.audit.mark()
    kubectl.apply("apps/v1", "Deployment", "bot", **deployment("bot"))
    eventually(lambda: len(pods(kubectl, "bot")) == 2, "two pods")
    sets = [write for write in control_plane.writes(since) if (write.namespace, write.resource) == (namespace, "replicasets")]
    assert {write.user for write in sets if write.verb == "create"} == {"system:serviceaccount:kube-system:deployment-controller"}


async def test_a_service_account_may_do_what_its_rules_say_and_nothing_else(
    service_account: Callable[[str, Rules], Path], namespace: str
) -> None:
    reader = service_account("reader", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}])
    async with client_of(reader) as client:
        core = CoreV1Api(client)
        assert [item.metadata.name for item in (await core.list_namespaced_config_map(namespace)).items] in (["kube-root-ca.crt"], [])
        with pytest.raises(ApiException) as refused:
            await core.list_namespaced_secret(namespace)
    assert refused.value.status == 403
