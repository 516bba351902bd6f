"""The fixtures of the tests on a real node: one cluster and one release for all of them, and the table of what they did.

They run with `make test-cluster` and not with `make test`: pyproject.toml keeps pytest from walking in here by itself. Tests run in the
order of their files' names, each leaves the fleet as it found it, and any one of them can be run alone.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cluster.binaries import BuildError
from tests.cluster.kubectl import Kubectl
from tests.monitoring.prometheus_rig import Prometheus
from tests.monitoring.rule_files import program
from tests.node.api import Api, open_api
from tests.node.faults import Fault, faults_of
from tests.node.fleet import Fleet
from tests.node.helm import CHART, Helm
from tests.node.host import HostError
from tests.node.machine import Node
from tests.node.monitor import VALUES, know_monitors, reading
from tests.node.patience import until
from tests.node.places import Place, open_place
from tests.node.prepare import Prepared, prepare
from tests.node.release import NAMESPACE, RECORDED, RELEASE, pin, restricted_namespace, values_for
from tests.node.steps import Steps

HERE = Path(__file__).parent
REPORT = HERE.parents[1] / "build" / "node.json"
LIMIT_S = 1200
STEPS = pytest.StashKey[Steps]()
FLEET = pytest.StashKey[Fleet]()
SHOWN_LINES = 60


def pytest_configure(config: pytest.Config) -> None:
    config.stash[STEPS] = Steps()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(LIMIT_S))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    steps = config.stash[STEPS]
    if steps.made:
        terminalreporter.section("on a real node")
        for line in steps.lines():
            terminalreporter.write_line(line)
        steps.write(REPORT)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """What the cluster looked like is worth more than the line that failed."""
    report = yield
    fleet = item.config.stash.get(FLEET, None)
    if report.failed and fleet is not None:
        report.sections.append(("the cluster", _picture(fleet)))
    return report


@pytest.fixture(scope="session")
def steps(request: pytest.FixtureRequest) -> Steps:
    """The table that is printed at the end."""
    return request.config.stash[STEPS]


@pytest.fixture(scope="session")
def prepared(request: pytest.FixtureRequest) -> Prepared:
    """Programs and images; most of the time they are there already."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    try:
        return prepare(lambda line: terminal.write_line(line, flush=True))
    except (HostError, BuildError) as error:
        pytest.exit(str(error), returncode=2)


@pytest.fixture(scope="session")
def place(prepared: Prepared, steps: Steps) -> Iterator[Place]:
    """The cluster."""
    with ExitStack() as opened:
        try:
            with steps.timed("a Kubernetes of one node starts"):
                found = opened.enter_context(open_place(prepared))
        except HostError as error:
            pytest.exit(str(error), returncode=2)
        yield found


@pytest.fixture
def own_node(place: Place) -> Node:
    """The node, for a test that hurts it from below."""
    if place.node is None:
        pytest.skip("USE_EXISTING_CLUSTER is set: this fault is caused below Kubernetes, on a node of our own")
    return place.node


@pytest.fixture(scope="session")
def kubectl(place: Place) -> Kubectl:
    """kubectl as the administrator, in the release's namespace."""
    return place.kubectl(NAMESPACE)


@pytest.fixture(scope="session")
def api(place: Place) -> Iterator[Api]:
    """The same, for those who look often."""
    with open_api(place.kubeconfig) as opened:
        yield opened


@pytest.fixture(scope="session")
def helm(place: Place, prepared: Prepared) -> Helm:
    """helm in the release's namespace."""
    return Helm(prepared.helm, place.kubeconfig, NAMESPACE)


@pytest.fixture(scope="session")
def fleet(place: Place, kubectl: Kubectl, api: Api, helm: Helm, steps: Steps, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    """The release, installed as a user does it, with every market running; uninstalled at the end."""
    found = Fleet(kubectl, api, NAMESPACE, RELEASE)
    request.config.stash[FLEET] = found
    kubectl("apply", "--filename", "-", stdin=json.dumps(restricted_namespace(NAMESPACE)))
    with steps.timed("helm install") as step:
        helm("install", RELEASE, str(CHART), "--values", helm.values_file(values_for(place)), "--wait", "--timeout", "5m")
        step.note("everything is ready, in a namespace that enforces Pod Security `restricted`")
    with steps.timed("discovery finds the recorded markets, a person applies one, a bot runs for each") as step:
        kubectl("apply", "--filename", "-", stdin=json.dumps(pin(found.exchange.made_up())))
        until(f"{RECORDED} markets and one", found.markets, lambda markets: len(markets) == RECORDED + 1)
        found.converged()
        step.note(f"{RECORDED + 1} bots")
    yield found
    if place.node is None:
        helm.run("uninstall", RELEASE, "--wait", "--timeout", "5m")
        kubectl.run("delete", "namespace", NAMESPACE, "--timeout=60s")


@pytest.fixture(scope="session")
def prometheus(place: Place, fleet: Fleet, helm: Helm, steps: Steps, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that reads the release from here to the end of all tests."""
    if place.node is None:
        pytest.skip(
            "USE_EXISTING_CLUSTER is set: Prometheus runs beside the node and reads pods by their addresses, as on a node of our own"
        )
    program("prometheus")
    with ExitStack() as started:
        with steps.timed("the chart's monitors, rules and dashboards are switched on, Prometheus reads") as step:
            know_monitors(place.node)
            values = helm.values_file(values_for(place) | VALUES)
            helm("upgrade", RELEASE, str(CHART), "--values", values, "--wait", "--timeout", "5m")
            found = started.enter_context(reading(place.node, tmp_path_factory.mktemp("prometheus")))
            step.note("what the real Prometheus Operator makes of them, in the hands of a real Prometheus")
        yield found


@pytest.fixture
def fault(fleet: Fleet, steps: Steps) -> Fault:
    """The frame of a fault."""
    return faults_of(fleet, steps)


def _picture(fleet: Fleet) -> str:
    kubectl = fleet.kubectl
    asked = (
        ("get", "pods,arb", "--output", "wide"),
        ("get", "events", "--sort-by=.lastTimestamp", "--field-selector=type!=Normal"),
        ("logs", "--selector=app.kubernetes.io/component=operator", f"--tail={SHOWN_LINES}"),
    )
    asked += tuple(("logs", pod["metadata"]["name"], f"--tail={SHOWN_LINES // 4}") for pod in fleet.bots().values())
    said = (kubectl.run(*arguments) for arguments in asked)
    return "\n".join([*fleet.complaints(), *("\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:]) for done in said)])
