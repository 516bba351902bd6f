"""The operator's Role: what the code asks for and nothing else, and each verb of it is needed by a call that the code makes."""

import contextlib
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import CI, Helm, of_kind
from tests.cluster.control_plane import ControlPlane
from tests.cluster.plugin import RBAC
from tests.operator.api_server_rig import RequestTally

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.cluster_errors import Forbidden, Unavailable
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, LEASE, POD, Kind
from kabobagool_operator.rest import Rest
from kabobagool_operator.rights import RULES

Rules = list[dict[str, list[str]]]
Call = Callable[["Hands"], Awaitable[Any]]
LABELS = {"app": "rain"}
CONTAINER = {"name": "bot", "image": "registry.invalid/bot:1"}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": {"containers": [CONTAINER]}}
MARKET = {"metadata": {"name": "new"}, "spec": {"market": {"slug": "new"}}}
BOT = {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}
FINALIZERS = [{"op": "add", "path": "/metadata/finalizers", "value": ["kabobagool.io/drain"]}]
HAPPENED = {
    "metadata": {"generateName": "rain-"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "kabobagool.io/operator",
    "reportingInstance": "operator-1",
    "action": "Reconcile",
    "reason": "Starting",
    "type": "Normal",
}


class Hands:
    """The operator's port to the cluster as somebody with some rights, in a namespace that has one object of each kind."""

    def __init__(self, rest: Rest, namespace: str, market: dict[str, str]) -> None:
        self.cluster, self.rest, self.namespace, self.market = Cluster(rest), rest, namespace, market

    async def watch(self, kind: Kind) -> None:
        """A stream of changes is no JSON answer, so one that was let through ends with that complaint."""
        with contextlib.suppress(Unavailable):
            await self.rest.read(kind.path(self.namespace), query=[("watch", "1"), ("timeoutSeconds", "1")])

    async def renew(self) -> None:
        lease = await self.cluster.get(LEASE, self.namespace, "rain")
        await self.cluster.replace(LEASE, self.namespace, "rain", lease)

    async def own(self) -> None:
        owner = {"apiVersion": ARB_MARKET.api_version, "kind": "ArbMarket", "name": "rain", "uid": self.market["uid"]}
        body = {"metadata": {"ownerReferences": [owner | {"blockOwnerDeletion": True}]}}
        await self.cluster.apply(CONFIG_MAP, self.namespace, "owned", body)

    def regarding(self) -> dict[str, str]:
        return {"apiVersion": ARB_MARKET.api_version, "kind": "ArbMarket", "name": "rain", "namespace": self.namespace}


CALLS: dict[tuple[str, str], Call] = {
    ("arbmarkets", "create"): lambda at: at.cluster.create(ARB_MARKET, at.namespace, MARKET),
    ("arbmarkets", "delete"): lambda at: at.cluster.delete(ARB_MARKET, at.namespace, "rain"),
    ("arbmarkets", "list"): lambda at: at.cluster.list(ARB_MARKET, at.namespace),
    ("arbmarkets", "patch"): lambda at: at.cluster.patch_json(
        ARB_MARKET, at.namespace, "rain", FINALIZERS, resource_version=at.market["resourceVersion"]
    ),
    ("arbmarkets", "watch"): lambda at: at.watch(ARB_MARKET),
    ("arbmarkets/status", "patch"): lambda at: at.cluster.apply_status(ARB_MARKET, at.namespace, "rain", {"status": {"phase": "Pending"}}),
    ("arbmarkets/finalizers", "update"): lambda at: at.own(),
    ("configmaps", "create"): lambda at: at.cluster.apply(CONFIG_MAP, at.namespace, "new", {"data": {"A": "b"}}),
    ("configmaps", "delete"): lambda at: at.cluster.delete(CONFIG_MAP, at.namespace, "rain"),
    ("configmaps", "list"): lambda at: at.cluster.list(CONFIG_MAP, at.namespace),
    ("configmaps", "patch"): lambda at: at.cluster.apply(CONFIG_MAP, at.namespace, "rain", {"data": {"A": "c"}}),
    ("deployments", "create"): lambda at: at.cluster.apply(DEPLOYMENT, at.namespace, "new", BOT),
    ("deployments", "delete"): lambda at: at.cluster.delete(DEPLOYMENT, at.namespace, "rain"),
    ("deployments", "get"): lambda at: at.cluster.get(DEPLOYMENT, at.namespace, "rain"),
    ("deployments", "list"): lambda at: at.cluster.list(DEPLOYMENT, at.namespace),
    ("deployments", "patch"): lambda at: at.cluster.apply(DEPLOYMENT, at.namespace, "rain", BOT),
    ("deployments", "watch"): lambda at: at.watch(DEPLOYMENT),
    ("events", "create"): lambda at: at.cluster.create_event(at.namespace, HAPPENED | {"regarding": at.regarding()}),
    ("leases", "create"): lambda at: at.cluster.create(LEASE, at.namespace, {"metadata": {"name": "new"}, "spec": {}}),
    ("leases", "get"): lambda at: at.cluster.get(LEASE, at.namespace, "rain"),
    ("leases", "update"): lambda at: at.renew(),
    ("pods", "list"): lambda at: at.cluster.list(POD, at.namespace),
    ("pods", "watch"): lambda at: at.watch(POD),
}
"""The right to what it is for: the call by which the operator uses it."""


def pairs(rules: Any) -> list[tuple[str, str]]:
    return [(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]]


def without(right: tuple[str, str]) -> Rules:
    """All rights but one."""
    left = [{**rule, "verbs": [verb for verb in rule["verbs"] if (rule["resources"][0], verb) != right]} for rule in RULES]
    return [rule for rule in left if rule["verbs"]]


@pytest.mark.parametrize("name", [name for name in ["default", *CI] if name != "namespaced"])
def test_the_role_of_the_chart_is_what_the_operator_asks_for(name: str, helm: Helm) -> None:
    bodies = helm.template(CI.get(name))
    assert of_kind(bodies, "Role")["operator"]["rules"] == list(RULES)
    binding = of_kind(bodies, "RoleBinding")["operator"]
    assert binding["roleRef"]["name"] == "kabobagool-operator"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "kabobagool-operator", "namespace": "trading"}]


def test_nothing_of_the_chart_gives_the_operator_rights_in_the_whole_cluster(helm: Helm) -> None:
    assert of_kind(helm.template(), "ClusterRoleBinding") == {}


def test_where_somebody_else_hands_out_rights_the_chart_makes_none(helm: Helm) -> None:
    kinds = {body["kind"] for body in helm.template(CI["namespaced"])}
    assert kinds & {"Role", "RoleBinding", "ClusterRole", "ServiceAccount", "CustomResourceDefinition", "Job"} == set()
    pod = of_kind(helm.template(CI["namespaced"]), "Deployment")["operator"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "trading"


def test_whoever_may_view_or_edit_a_namespace_may_do_so_with_its_arbmarkets_but_not_write_their_status(helm: Helm) -> None:
    roles = {body["metadata"]["name"].rpartition("-")[2]: body for body in helm.template() if body["kind"] == "ClusterRole"}
    assert roles["view"]["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in roles["edit"]["metadata"]["labels"]
    assert set(roles["view"]["rules"][0]["verbs"]) == {"get", "list", "watch"}
    assert roles["edit"]["rules"][0]["resources"] == ["arbmarkets"]


def test_there_is_a_call_for_every_right_and_a_right_for_every_call() -> None:
    assert set(CALLS) == set(pairs(RULES))


class CheckingControlPlane(ControlPlane):
    """One that checks who blocks the deletion of an owner, as OpenShift does: only there the right to finalizers is asked about."""

    def _api_server_options(self) -> list[str]:
        return [*super()._api_server_options(), "--enable-admission-plugins=OwnerReferencesPermissionEnforcement"]


def place(right: tuple[str, str]) -> str:
    """The namespace in which a right is tried, and the name of who goes without it."""
    return "-".join(right).replace("/", "-")


def furniture(right: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """A namespace with an object of each kind, somebody who has all rights there, and somebody who has all but one."""

    def there(api_version: str, kind: str, name: str, **fields: Any) -> dict[str, Any]:
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": place(right)}, **fields}

    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place(right)}}
    yield there(ARB_MARKET.api_version, "ArbMarket", "rain", spec={"market": {"slug": "rain"}})
    yield there("v1", "ConfigMap", "rain", data={"A": "b"})
    yield there("apps/v1", "Deployment", "rain", spec=BOT["spec"] | {"replicas": 0})
    yield there("coordination.k8s.io/v1", "Lease", "rain", spec={})
    for user, rules in (("full", list(RULES)), (place(right), without(right))):
        subject = {"apiGroup": RBAC, "kind": "User", "name": user}
        yield there(f"{RBAC}/v1", "Role", user, rules=rules)
        yield there(f"{RBAC}/v1", "RoleBinding", user, roleRef={"apiGroup": RBAC, "kind": "Role", "name": user}, subjects=[subject])


@pytest.fixture(scope="module")
def checking(kubernetes_binaries: None) -> Iterator[ControlPlane]:
    with CheckingControlPlane(users={"full": [], **{place(right): [] for right in CALLS}}, controllers=False) as plane:
        kubectl = plane.kubectl()
        kubectl("apply", "--server-side", "--filename", str(Path(__file__).parents[2] / "crds"))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/arbmarkets.kabobagool.io")
        items = [body for right in CALLS for body in furniture(right)]
        kubectl("apply", "--server-side", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        yield plane


async def hands(plane: ControlPlane, user: str, right: tuple[str, str]) -> Hands:
    admin = Rest(await load_configuration(kubeconfig=plane.kubeconfig), rate=None, observer=RequestTally())
    market = (await Cluster(admin).get(ARB_MARKET, place(right), "rain"))["metadata"]
    await admin.close()
    rest = Rest(await load_configuration(kubeconfig=plane.kubeconfig_for(user)), rate=None, observer=RequestTally())
    return Hands(rest, place(right), market)


@pytest.mark.parametrize("right", list(CALLS), ids=place)
async def test_without_a_right_the_call_that_it_is_for_is_refused_and_with_it_done(right: tuple[str, str], checking: ControlPlane) -> None:
    short, full = await hands(checking, place(right), right), await hands(checking, "full", right)
    with pytest.raises(Forbidden):
        await CALLS[right](short)
    await CALLS[right](full)
    await short.rest.close()
    await full.rest.close()


def test_what_is_not_listed_is_refused(
    control_plane: Any, namespace: str, kubectl: Any, helm: Helm, installed_crds: None, service_account: Callable[[str, Rules], Path]
) -> None:
    account = service_account("operator", of_kind(helm.template(), "Role")["operator"]["rules"])
    own = control_plane.kubectl(namespace=namespace, kubeconfig=account)
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    said = json.loads(own("create", "--validate=false", "--filename", "-", "--output", "json", stdin=json.dumps(review)))
    of_everybody = {"authorization.k8s.io", "authentication.k8s.io"}
    granted = [rule for rule in said["status"]["resourceRules"] if not set(rule["apiGroups"]) & of_everybody]
    assert sorted(pairs(granted)) == sorted(pairs(RULES))
    refused = (
        ("get", "secrets"),
        ("get", "secret", "wallet"),
        ("delete", "pod", "rain"),
        ("delete", "lease", "rain"),
        ("get", "nodes"),
        ("get", "arb", "--all-namespaces"),
        ("get", "deployments", "--namespace", "kube-system"),
        ("create", "role", "more", "--verb=get", "--resource=secrets"),
        ("create", "token", "operator"),
        ("run", "shell", "--image=registry.invalid/shell:1"),
    )
    for command in refused:
        done = own.run(*command)
        assert done.returncode != 0, command
        assert "orbidden" in done.stderr, (command, done.stderr)
