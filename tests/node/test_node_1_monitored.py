"""The chart's ServiceMonitors and alerts on the node: every pod of the release is read, one that takes another's place too."""

from tests.monitoring.prometheus_rig import Prometheus
from tests.monitoring.rule_files import rules
from tests.node.fleet import Fleet, is_ready
from tests.node.patience import until
from tests.node.release import PINNED
from tests.node.steps import Steps

OPERATOR = "app.kubernetes.io/component=operator"


def test_the_operators_and_every_bot_are_targets_that_are_up(fleet: Fleet, prometheus: Prometheus, steps: Steps) -> None:
    with steps.timed("Prometheus reads both operators and every bot") as step:
        until("every pod is a target that is up", lambda: (_wanted(fleet), _up(prometheus)), lambda seen: seen[0] == seen[1])
        step.note(f"{len(_up(prometheus))} targets")
    assert len(fleet.objects("pods", OPERATOR)) == 2


def test_a_bot_that_takes_anothers_place_is_read_in_its_place(fleet: Fleet, prometheus: Prometheus, steps: Steps) -> None:
    before = fleet.bots()[PINNED]["metadata"]["name"]
    with steps.timed("Prometheus follows a bot whose pod is deleted"):
        fleet.kubectl("delete", "pod", before)
        until("another bot is read", lambda: (_wanted(fleet), _up(prometheus)), lambda seen: seen[0] == seen[1] and before not in seen[0])
    fleet.converged()


def test_what_prometheus_read_is_what_the_bots_and_the_status_say(fleet: Fleet, prometheus: Prometheus) -> None:
    def shares() -> tuple[float | None, float]:
        read = prometheus.value(f'sum(kabobagool_position_shares{{job="kabobagool-bots",market="{PINNED}"}})')
        said = fleet.markets()[PINNED]["status"]["position"]
        return read, float(said["yesShares"]) + float(said["noShares"])

    until("the shares of the pinned market", shares, lambda seen: seen[0] == seen[1])
    until(
        "all markets run",
        lambda: prometheus.value('sum(kabobagool_operator_markets{phase="Running"})'),
        lambda seen: seen == len(fleet.markets()),
    )


def test_every_alert_is_reckoned_and_a_fleet_that_is_well_pages_nobody(fleet: Fleet, prometheus: Prometheus) -> None:
    until("every alert was reckoned", prometheus.rule_health, lambda health: health == {rule["alert"]: "ok" for rule in rules()})
    pages = {name for name, alert in prometheus.firing().items() if alert["labels"]["severity"] == "page"}
    assert pages == set()


def _wanted(fleet: Fleet) -> set[str]:
    """Pods that are to be read."""
    pods = [*fleet.bots().values(), *fleet.objects("pods", OPERATOR).values()]
    return {pod["metadata"]["name"] for pod in pods if is_ready(pod)}


def _up(prometheus: Prometheus) -> set[str]:
    """Pods that are read, and answer."""
    return {labels["pod"] for labels, health in prometheus.target_health() if health == "up"}
