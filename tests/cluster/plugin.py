"""The fixtures of every test that wants a Kubernetes, and the build before the first of them. pyproject.toml loads it as a pytest plugin.

`control_plane` is the one that most tests share: give each thing a name in `namespace`, which is fresh, and look only there.
`own_control_plane` starts one that a test may kill. `kubectl` types commands in the test's namespace, `kubernetes_client` is an
asynchronous client of the administrator, `service_account` makes somebody who may do only what RBAC allows. `helm_binaries` is for who
starts helm. Nothing of Kubernetes is imported or built when no selected test asks for it.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.existing_cluster import ExistingCluster
    from tests.cluster.kubectl import Kubectl

    Cluster: TypeAlias = ControlPlane | ExistingCluster

Rules: TypeAlias = list[dict[str, list[str]]]
RBAC = "rbac.authorization.k8s.io"
FAILED_BUILD = pytest.StashKey[str]()
FAILED_HELM = pytest.StashKey[str]()
FAILED_PROMETHEUS_OPERATOR = pytest.StashKey[str]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need: it takes longer than a test may."""
    if session.config.option.collectonly:
        return
    from tests.cluster import existing_cluster
    from tests.cluster.binaries import ensure_helm, ensure_kubernetes, ensure_prometheus_operator

    if not existing_cluster.is_wanted():
        _build(session, "kubernetes_binaries", ensure_kubernetes, FAILED_BUILD)
    _build(session, "helm_binaries", ensure_helm, FAILED_HELM)
    _build(session, "prometheus_operator_binary", ensure_prometheus_operator, FAILED_PROMETHEUS_OPERATOR)


def _build(session: pytest.Session, fixture: str, ensure: Callable[[Callable[[str], None]], None], failed: pytest.StashKey[str]) -> None:
    """What is behind a fixture, if a selected test wants it; a failure is told to those tests."""
    from tests.cluster.binaries import BuildError

    if not any(fixture in getattr(item, "fixturenames", ()) for item in session.items):
        return
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    try:
        ensure(lambda line: terminal.write_line(line, flush=True) if terminal else None)
    except BuildError as error:
        session.config.stash[failed] = str(error)


@pytest.fixture(scope="session")
def kubernetes_binaries(request: pytest.FixtureRequest) -> None:
    """Built before the first test; every test that needs them fails with the reason when they could not be."""
    if reason := request.config.stash.get(FAILED_BUILD, None):
        pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def helm_binaries(request: pytest.FixtureRequest) -> None:
    """The same for helm, of both major versions."""
    if reason := request.config.stash.get(FAILED_HELM, None):
        pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def prometheus_operator_binary(request: pytest.FixtureRequest) -> None:
    """The same for the Prometheus Operator."""
    if reason := request.config.stash.get(FAILED_PROMETHEUS_OPERATOR, None):
        pytest.fail(reason, pytrace=False)


@pytest.fixture(scope="session")
def control_plane(kubernetes_binaries: None) -> "Iterator[Cluster]":
    """The one that tests share, with controllers and without nodes; or the developer's cluster."""
    from tests.cluster import existing_cluster
    from tests.cluster.binaries import command_of
    from tests.cluster.control_plane import ControlPlane

    if existing_cluster.is_wanted():
        with existing_cluster.ExistingCluster() as existing:
            yield existing
    else:
        with ControlPlane(controllers=command_of("kube-controller-manager") is not None) as shared:
            yield shared


@pytest.fixture(scope="session")
def controllers(control_plane: "Cluster") -> None:
    """For a test that waits for what controllers do: Deployments become pods, children go with their owner, namespaces end."""
    if not control_plane.has_controllers:
        pytest.skip("no kube-controller-manager in KUBEBUILDER_ASSETS: unset it to use our own build")


@pytest.fixture
def own_control_plane(kubernetes_binaries: None) -> "Iterator[Callable[..., ControlPlane]]":
    """A function that starts a control plane for this test alone; its options are those of `ControlPlane`."""
    from tests.cluster import existing_cluster
    from tests.cluster.control_plane import ControlPlane

    if existing_cluster.is_wanted():
        pytest.skip("USE_EXISTING_CLUSTER is set: this test wants a control plane that it may kill")
    started: list[ControlPlane] = []

    def start(**options: Any) -> ControlPlane:
        started.append(ControlPlane(**options))
        return started[-1].start()

    yield start
    for plane in started:
        plane.stop()


@pytest.fixture
def namespace(control_plane: "Cluster") -> Iterator[str]:
    """A fresh one for this test; its removal is not waited for."""
    name = f"test-{secrets.token_hex(4)}"
    kubectl = control_plane.kubectl(namespace=name)
    kubectl("create", "namespace", name)
    yield name
    _drop_finalizers(kubectl)
    kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def kubectl(control_plane: "Cluster", namespace: str) -> "Kubectl":
    """kubectl as the administrator in the test's namespace."""
    return control_plane.kubectl(namespace=namespace)


@pytest.fixture
async def kubernetes_client(control_plane: "Cluster") -> "AsyncIterator[ApiClient]":
    """The asynchronous client that the operator uses, as the administrator."""
    from tests.cluster.clients import client_of

    async with client_of(control_plane.kubeconfig) as client:
        yield client


@pytest.fixture
def service_account(control_plane: "Cluster", kubectl: "Kubectl", namespace: str) -> Callable[[str, Rules], Path]:
    """A function (name, RBAC rules) that makes a service account with these rights in the test's namespace; returns its kubeconfig."""
    from tests.cluster.cluster_rig import eventually

    def make(name: str, rules: Rules) -> Path:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        role = {"apiGroup": RBAC, "kind": "Role", "name": name}
        kubectl.apply("v1", "ServiceAccount", name)
        kubectl.apply(f"{RBAC}/v1", "Role", name, rules=rules)
        kubectl.apply(f"{RBAC}/v1", "RoleBinding", name, roleRef=role, subjects=[subject])
        eventually(lambda: _may(kubectl, f"system:serviceaccount:{namespace}:{name}", rules[0]), f"{name} has its rights")
        return control_plane.kubeconfig_with(kubectl("create", "token", name).strip())

    return make


def _may(kubectl: "Kubectl", user: str, rule: dict[str, list[str]]) -> bool:
    """Whether the API server, which hears of rights from a watch of its own, lets somebody do what a rule says."""
    resource, _, subresource = rule["resources"][0].partition("/")
    kind = f"{resource}.{rule['apiGroups'][0]}".removesuffix(".")
    return kubectl.run("auth", "can-i", rule["verbs"][0], kind, f"--subresource={subresource}", f"--as={user}").returncode == 0


@pytest.fixture(scope="session")
def installed_crds(control_plane: "Cluster") -> None:
    """Our own resources are known to the API server after this."""
    folder = Path(__file__).parents[2] / "crds"
    kubectl = control_plane.kubectl()
    kubectl("apply", "--server-side", "--filename", str(folder))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(folder))


def _drop_finalizers(kubectl: "Kubectl") -> None:
    """The operator that would answer them is gone, and an object that waits for it would keep the namespace for ever."""
    for name in kubectl.run("get", "arbmarkets", "--output", "name").stdout.split():
        kubectl.run("patch", name, "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
