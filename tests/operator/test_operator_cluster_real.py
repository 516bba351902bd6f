"""The port and the drift judgement against a real API server: what is written, what comes back, and that nothing is written twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from tests.operator.api_server_rig import RequestTally

from kabobagool.clock import SystemClock
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.cluster_errors import Conflict, Denial, Forbidden, Invalid, NotFound, Unavailable
from kabobagool_operator.drift import covers
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, POD, Kind
from kabobagool_operator.labels import FENCE
from kabobagool_operator.rest import Rest
from kabobagool_operator.write_rate import WriteRate

Object = dict[str, Any]
ARM = {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["arm64"]}]}
TOKEN = {"serviceAccountToken": {"path": "token"}}
QUOTA = Kind("v1", "ResourceQuota", "resourcequotas")
SETTLED = {"metadata": {"labels": {"app": "bot"}}, "data": {"a": "1"}}


async def cluster_at(kubeconfig: Path, *, fence: Callable[[], int] = lambda: 1) -> tuple[Cluster, Rest]:
    rest = Rest(
        await load_configuration(kubeconfig=kubeconfig),
        rate=WriteRate(clock=SystemClock(), per_second=500, burst=500),
        observer=RequestTally(),
        fence=fence,
    )
    return Cluster(rest), rest


@pytest.fixture
async def cluster(control_plane: Any) -> AsyncIterator[Cluster]:
    cluster, rest = await cluster_at(control_plane.kubeconfig)
    yield cluster
    await rest.close()


def bot(name: str = "rain") -> Object:
    """A Deployment with everything that an API server rewrites, fills in or leaves out."""
    labels = {"app.kubernetes.io/name": "bot", "app.kubernetes.io/instance": name}
    container = {
        "name": "bot",
        "image": "registry.invalid/bot:1",
        "args": ["run"],
        "env": [
            {"name": "MODE", "value": "dry-run"},
            {"name": "EMPTY", "value": ""},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "wallet", "key": "key", "optional": False}}},
            {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1000m"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "rain"}}],
        "ports": [{"containerPort": 8080, "name": "health"}, {"containerPort": 8081}],
        "resources": {"requests": {"cpu": "0.1", "memory": "1024Mi"}, "limits": {"cpu": 2, "memory": "1.5Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "privileged": False, "capabilities": {"drop": ["ALL"]}},
        "startupProbe": {"httpGet": {"path": "/health", "port": "health"}, "failureThreshold": 30, "periodSeconds": 2},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "certs", "mountPath": "/certs", "readOnly": True}],
    }
    volumes = [
        {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "64.0Mi"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "certs", "projected": {"sources": [{"configMap": {"name": "ca", "items": [{"key": "ca", "path": "ca"}]}}, TOKEN]}},
    ]
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": volumes,
        "nodeSelector": {"pool": "bots", "zone": "a"},
        "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [ARM]}}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {"matchLabels": labels}}
        ],
    }
    spec = {
        "replicas": 0,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": {**labels}, "annotations": {"kabobagool.io/config-hash": "abc"}}, "spec": pod},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {**labels}}, "spec": spec}


async def test_what_was_applied_is_covered_and_another_apply_changes_nothing(cluster: Cluster, namespace: str) -> None:
    live = await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    assert covers(live, bot())
    assert covers(await cluster.get(DEPLOYMENT, namespace, "rain"), bot())
    again = await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    assert again["metadata"]["generation"] == live["metadata"]["generation"]
    configuration = await cluster.apply(CONFIG_MAP, namespace, "rain", SETTLED)
    assert await cluster.apply(CONFIG_MAP, namespace, "rain", SETTLED) == configuration


async def test_an_owned_configuration_is_covered(cluster: Cluster, namespace: str) -> None:
    owner = await cluster.apply(CONFIG_MAP, namespace, "owner", {"data": {"a": "1"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"], "controller": True}
    body = {
        "metadata": {"ownerReferences": [reference], "finalizers": ["kabobagool.io/drain"]},
        "data": {"a": "1", "b": ""},
        "immutable": False,
    }
    live = await cluster.apply(CONFIG_MAP, namespace, "owned", body)
    assert covers(live, body)
    body["metadata"] |= {"finalizers": [], "labels": {}}  # type: ignore[operator]
    assert not covers(live, body)
    assert covers(await cluster.apply(CONFIG_MAP, namespace, "owned", body), body)


async def test_a_new_leader_rewrites_nothing_and_leaves_its_number_on_what_it_changes(control_plane: Any, namespace: str) -> None:
    first, first_rest = await cluster_at(control_plane.kubeconfig, fence=lambda: 1)
    second, second_rest = await cluster_at(control_plane.kubeconfig, fence=lambda: 2)
    live = await first.apply(DEPLOYMENT, namespace, "rain", bot())
    assert live["metadata"]["annotations"][FENCE] == "1"
    assert covers(live, bot())
    changed = bot()
    changed["spec"]["replicas"] = 1
    assert not covers(live, changed)
    live = await second.apply(DEPLOYMENT, namespace, "rain", changed)
    assert live["metadata"]["annotations"][FENCE] == "2"
    assert covers(live, changed)
    await first_rest.close()
    await second_rest.close()


TAMPERING: dict[str, list[Object]] = {
    "scaled": [{"op": "replace", "path": "/spec/replicas", "value": 3}],
    "another image": [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1"}],
    "a token": [{"op": "remove", "path": "/spec/template/spec/automountServiceAccountToken"}],
    "privilege": [{"op": "replace", "path": "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation", "value": True}],
    "less memory": [{"op": "replace", "path": "/spec/template/spec/containers/0/resources/limits/memory", "value": "1.25Gi"}],
    "an argument": [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": "--live"}],
    "a variable": [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "live"}],
    "an empty variable": [{"op": "add", "path": "/spec/template/spec/containers/0/env/1/value", "value": "x"}],
    "no variable": [{"op": "remove", "path": "/spec/template/spec/containers/0/env/0"}],
    "a selector more": [{"op": "add", "path": "/spec/template/spec/nodeSelector/disk", "value": "a"}],
    "a label": [{"op": "replace", "path": "/metadata/labels/app.kubernetes.io~1name", "value": "x"}],
    "the host's network": [{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": True}],
    "a volume": [{"op": "remove", "path": "/spec/template/spec/volumes/1"}],
}


@pytest.mark.parametrize("what", TAMPERING)
async def test_what_somebody_changed_of_ours_is_seen_and_applied_away(cluster: Cluster, kubectl: Any, namespace: str, what: str) -> None:
    before = await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    kubectl("patch", "deployment", "rain", "--type=json", "--patch", json.dumps(TAMPERING[what]))
    assert not covers(await cluster.get(DEPLOYMENT, namespace, "rain"), bot())
    repaired = await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    assert covers(repaired, bot())
    assert repaired["spec"] == before["spec"]


async def test_what_others_add_beside_ours_is_left_alone(cluster: Cluster, kubectl: Any, namespace: str) -> None:
    await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    kubectl("annotate", "deployment", "rain", "team=weather")
    kubectl("set", "env", "deployment/rain", "EXTRA=1")
    assert covers(await cluster.get(DEPLOYMENT, namespace, "rain"), bot())


async def test_fields_that_we_no_longer_apply_go_away(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    smaller = bot()
    del smaller["spec"]["template"]["spec"]["containers"][0]["env"][1:]
    del smaller["spec"]["template"]["spec"]["nodeSelector"]["zone"]
    del smaller["spec"]["template"]["spec"]["tolerations"][0]["effect"]
    smaller["metadata"]["labels"].pop("app.kubernetes.io/name")
    assert not covers(await cluster.get(DEPLOYMENT, namespace, "rain"), smaller)
    live = await cluster.apply(DEPLOYMENT, namespace, "rain", smaller)
    assert covers(live, smaller)
    assert [e["name"] for e in live["spec"]["template"]["spec"]["containers"][0]["env"]] == ["MODE"]
    assert live["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "bots"}
    assert live["spec"]["template"]["spec"]["tolerations"] == [{"key": "spot", "operator": "Exists"}]


async def test_a_finalizer_is_changed_only_in_the_version_that_was_seen(cluster: Cluster, namespace: str) -> None:
    seen = await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED)
    await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED | {"data": {"a": "2"}})
    addition = [{"op": "add", "path": "/metadata/finalizers", "value": ["kabobagool.io/drain"]}]
    with pytest.raises(Conflict):
        await cluster.patch_json(CONFIG_MAP, namespace, "x", addition, resource_version=seen["metadata"]["resourceVersion"])
    version = await version_of(cluster, CONFIG_MAP, namespace, "x")
    patched = await cluster.patch_json(CONFIG_MAP, namespace, "x", addition, resource_version=version)
    assert patched["metadata"]["finalizers"] == ["kabobagool.io/drain"]
    wrong = [{"op": "add", "path": "/metadata/finalizers", "value": ["no such form"]}]
    with pytest.raises(Invalid, match="finalizers"):
        await cluster.patch_json(CONFIG_MAP, namespace, "x", wrong, resource_version=patched["metadata"]["resourceVersion"])


async def test_a_deletion_spares_an_object_that_is_another_by_now(cluster: Cluster, namespace: str) -> None:
    first = await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED)
    assert await cluster.delete(CONFIG_MAP, namespace, "x", uid=first["metadata"]["uid"])
    assert not await cluster.delete(CONFIG_MAP, namespace, "x")
    await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED)
    with pytest.raises(Conflict):
        await cluster.delete(CONFIG_MAP, namespace, "x", uid=first["metadata"]["uid"])
    with pytest.raises(Conflict):
        await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED | {"metadata": {"uid": first["metadata"]["uid"]}})
    assert await cluster.delete(CONFIG_MAP, namespace, "x")
    with pytest.raises(Conflict):
        await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED | {"metadata": {"uid": first["metadata"]["uid"]}})
    with pytest.raises(NotFound):
        await cluster.get(CONFIG_MAP, namespace, "x")


async def test_wrong_things_are_refused_with_the_field_and_missing_ones_are_not_found(cluster: Cluster, namespace: str) -> None:
    body = bot()
    body["spec"]["replicas"] = -1
    with pytest.raises(Invalid) as raised:
        await cluster.apply(DEPLOYMENT, namespace, "rain", body)
    assert raised.value.fields == ("spec.replicas",)
    with pytest.raises(Invalid, match="replica_count"):
        await cluster.apply(DEPLOYMENT, namespace, "rain", {"spec": {"replica_count": 1}})
    with pytest.raises(NotFound):
        await cluster.get(DEPLOYMENT, namespace, "rain")
    with pytest.raises(NotFound):
        await cluster.apply(CONFIG_MAP, "no-such-namespace", "x", SETTLED)
    with pytest.raises(NotFound):
        await cluster.apply_status(DEPLOYMENT, namespace, "rain", {"status": {"replicas": 1}})
    await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED)
    with pytest.raises(Conflict):
        await cluster.create(CONFIG_MAP, namespace, {"metadata": {"name": "x"}})


async def test_a_status_is_applied_apart_from_the_rest(cluster: Cluster, namespace: str) -> None:
    await cluster.apply(DEPLOYMENT, namespace, "rain", bot())
    ready = {"type": "Available", "status": "True", "reason": "Test", "message": ""}
    desired: Object = {"status": {"observedGeneration": 1, "replicas": 0, "conditions": [ready]}}
    live = await cluster.apply_status(DEPLOYMENT, namespace, "rain", desired)
    assert covers(live, desired, subresource="status")
    assert covers(live, bot())
    ready["status"] = "False"
    assert not covers(live, desired, subresource="status")


async def test_an_arbmarket_and_its_status_are_covered_each_by_itself(
    installed_crds: None, cluster: Cluster, kubectl: Any, namespace: str
) -> None:
    market: Object = {"spec": {"market": {"slug": "rain"}, "suspend": False, "bot": {"resources": {"limits": {"cpu": "1000m"}}}}}
    moment = "2026-11-26T00:00:00Z"
    ready = {"type": "Ready", "status": "True", "reason": "BotReady", "message": "", "lastTransitionTime": moment, "observedGeneration": 1}
    status: Object = {"status": {"phase": "Running", "observedGeneration": 1, "conditions": [ready]}}
    await cluster.apply(ARB_MARKET, namespace, "rain", market)
    live = await cluster.apply_status(ARB_MARKET, namespace, "rain", status)
    assert covers(live, market)
    assert covers(live, status, subresource="status")
    kubectl("patch", "arbmarket", "rain", "--type=merge", "--patch", '{"spec": {"suspend": true}}')
    live = await cluster.get(ARB_MARKET, namespace, "rain")
    assert not covers(live, market)
    assert covers(live, status, subresource="status")
    ready |= {"status": "False", "reason": "BotStarting"}
    assert not covers(live, status, subresource="status")
    live = await cluster.apply_status(ARB_MARKET, namespace, "rain", status)
    assert covers(live, status, subresource="status")
    assert live["spec"]["suspend"] is True


async def test_a_list_is_complete_however_small_its_chunks_and_picks_by_label(cluster: Cluster, namespace: str) -> None:
    names = [f"x-{n}" for n in range(7)]
    await asyncio.gather(*(cluster.apply(CONFIG_MAP, namespace, name, SETTLED) for name in names))
    await cluster.create(CONFIG_MAP, namespace, {"metadata": {"name": "other"}})
    found = await cluster.list(CONFIG_MAP, namespace, labels="app=bot", chunk=2)
    assert [item["metadata"]["name"] for item in found] == names
    assert all(covers(item, SETTLED) for item in found)
    everywhere = await cluster.list(CONFIG_MAP, None, labels="app=bot", chunk=3)
    assert {item["metadata"]["name"] for item in everywhere} >= set(names)


async def test_events_are_taken(cluster: Cluster, kubectl: Any, namespace: str) -> None:
    subject = await cluster.apply(CONFIG_MAP, namespace, "x", SETTLED)
    regarding = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "namespace": namespace, "uid": subject["metadata"]["uid"]}
    event = {
        "metadata": {"generateName": "x-"},
        "eventTime": "2026-11-26T00:00:00.000000Z",
        "reportingController": "kabobagool.io/operator",
        "reportingInstance": "operator-0",
        "action": "Drain",
        "reason": "PositionLeft",
        "type": "Warning",
        "regarding": regarding,
        "note": "3 YES are left",
    }
    await cluster.create_event(namespace, event)
    assert "3 YES are left" in kubectl("get", "events")


async def test_a_used_up_quota_and_missing_rights_are_told_apart(
    cluster: Cluster, namespace: str, service_account: Callable[..., Path]
) -> None:
    await cluster.create(QUOTA, namespace, {"metadata": {"name": "small"}, "spec": {"hard": {"count/deployments.apps": "0"}}})
    with pytest.raises(Forbidden) as raised:
        await until_the_quota_counts(cluster, namespace)
    assert raised.value.denial is Denial.QUOTA
    limited, rest = await cluster_at(
        service_account("reader", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}])
    )
    await limited.list(CONFIG_MAP, namespace)
    with pytest.raises(Forbidden) as raised:
        await limited.apply(CONFIG_MAP, namespace, "x", SETTLED)
    assert raised.value.denial is Denial.RIGHTS
    with pytest.raises(Forbidden) as raised:
        await limited.list(POD, namespace)
    assert raised.value.denial is Denial.RIGHTS
    await rest.close()


async def until_the_quota_counts(cluster: Cluster, namespace: str) -> None:
    """The API server learns of a new quota from its own watch."""
    for n in range(300):
        await cluster.apply(DEPLOYMENT, namespace, f"rain-{n}", bot(f"rain-{n}"))
        await asyncio.sleep(0.1)


async def test_a_token_that_is_not_known_is_told_apart_from_missing_rights(control_plane: Any, namespace: str) -> None:
    stranger, rest = await cluster_at(control_plane.kubeconfig_with("no-such-token"))
    with pytest.raises(Forbidden) as raised:
        await stranger.get(POD, namespace, "x")
    assert raised.value.denial is Denial.CREDENTIALS
    assert "no-such-token" not in str(raised.value)
    await rest.close()


async def test_an_api_server_that_dies_is_unavailable_and_is_found_again(own_control_plane: Callable[..., Any]) -> None:
    plane = own_control_plane(controllers=False)
    cluster, rest = await cluster_at(plane.kubeconfig)
    body = deepcopy(SETTLED)
    live = await cluster.apply(CONFIG_MAP, "default", "x", body)
    plane.kill_api_server()
    with pytest.raises(Unavailable):
        await cluster.apply(CONFIG_MAP, "default", "x", body)
    await asyncio.to_thread(plane.restart_api_server)
    assert (await cluster.apply(CONFIG_MAP, "default", "x", body))["metadata"]["uid"] == live["metadata"]["uid"]
    await rest.close()


async def version_of(cluster: Cluster, kind: Kind, namespace: str, name: str) -> str:
    """The version that is stored now; controllers write too."""
    return str((await cluster.get(kind, namespace, name))["metadata"]["resourceVersion"])
