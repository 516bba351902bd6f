"""Faults of Pods and of what makes them: everything that Kubernetes and its users do to a fleet on an ordinary day."""

import time

from tests.cluster.kubectl import Kubectl
from tests.node.faults import Fault, said
from tests.node.fleet import BOTS, Fleet
from tests.node.machine import Node
from tests.node.node_files import NODE_NAME, PAUSE_IMAGE
from tests.node.patience import until
from tests.node.release import PINNED

AWAY_S = 15.0
DRAIN_S = 15.0
EVERYTHING_BUT_THE_VENUE = "app.kubernetes.io/component!=paper"


def test_bots_that_are_deleted_come_back_and_know_what_they_own(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    before = _bots(fleet)
    with fault("all bot pods are killed") as step:
        kubectl("delete", "pods", "--selector", BOTS, "--grace-period=0", "--force")
        said(step, fleet.until_condition("Ready", "Starting"))
        until("other bots", lambda: not before & _bots(fleet))


def test_deployments_that_are_deleted_are_made_again(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    before = {body["metadata"]["uid"] for body in fleet.objects("deployments", BOTS).values()}
    with fault("all Deployments of bots are deleted") as step:
        kubectl("delete", "deployments", "--selector", BOTS, "--wait=false")
        said(step, fleet.until_condition("Ready", "Starting"))
        until("other Deployments", lambda: not before & {body["metadata"]["uid"] for body in fleet.objects("deployments", BOTS).values()})


def test_deployments_that_are_edited_are_repaired(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    with fault("a Deployment is scaled to 0, another one's image and command are edited") as step:
        first, second, *_ = fleet.objects("deployments", BOTS)
        kubectl("scale", "deployment", first, "--replicas=0")
        edit = '[{"op": "replace", "path": "/spec/template/spec/containers/0/command", "value": ["sleep", "3600"]}]'
        kubectl("patch", "deployment", second, "--type=json", "--patch", edit)
        until("both are as they were", lambda: _repaired(fleet, first, second))
        step.note("both repaired")


def test_the_fleet_goes_on_when_the_leader_is_killed(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    bots = _bots(fleet)
    with fault("the operator's leader is killed") as step:
        leader = fleet.leader()
        kubectl("delete", "pod", leader, "--grace-period=0", "--force")
        other = until("another leader", fleet.leader, lambda now: now not in ("", leader))
        step.note(f"{other} leads")
    assert bots == _bots(fleet), "no bot noticed"


def test_the_fleet_trades_on_while_the_api_server_is_away(fleet: Fleet, own_node: Node, fault: Fault) -> None:
    bots = _bots(fleet)
    with fault("the API server is away and comes back") as step:
        own_node.plane.kill_api_server()
        time.sleep(AWAY_S)
        own_node.plane.restart_api_server()
        step.note(f"away for {AWAY_S:.0f} s")
    assert bots == _bots(fleet), "no bot was started again"


def test_a_drained_node_stops_the_fleet_and_an_uncordoned_one_brings_it_back(fleet: Fleet, own_node: Node, fault: Fault) -> None:
    """All but the exchange, which stands for a venue far away. The budget keeps one operator, so the drain ends with a timeout."""
    kubectl = own_node.kubectl()
    with fault("the node is drained of everything but the exchange") as step:
        before = _bots(fleet)
        try:
            kubectl("cordon", NODE_NAME)
            until("the scheduler knows that the node is closed", lambda: _is_refused(kubectl))
            until("only the budget keeps a Pod here", lambda: _drain(kubectl), lambda heard: "disruption budget" in heard)
            until("every bot had to go", lambda: not before & _bots(fleet))
            said(step, fleet.until_condition("Degraded", "Unschedulable"))
        finally:
            kubectl("uncordon", NODE_NAME)


def test_a_wrong_image_is_said_and_a_right_one_heals(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    with fault("a market's bot gets an image that does not exist") as step:
        try:
            _patch(kubectl, '{"spec": {"bot": {"image": "localhost/kabobagool-bot:none"}}}')
            said(step, fleet.until_condition("Degraded", "ImagePullFailed", market=PINNED))
        finally:
            _patch(kubectl, '{"spec": {"bot": {"image": null}}}')


def test_a_bot_without_enough_memory_is_said_and_more_heals(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    with fault("a market's bot has too little memory") as step:
        try:
            _patch(kubectl, '{"spec": {"bot": {"resources": {"requests": {"memory": "24Mi"}, "limits": {"memory": "24Mi"}}}}}')
            said(step, fleet.until_condition("Degraded", "CrashLoop", market=PINNED))
            until("the kernel ended it", lambda: "OOMKilled" in str(fleet.bots()[PINNED]["status"]))
        finally:
            _patch(kubectl, '{"spec": {"bot": {"resources": null}}}')


def _bots(fleet: Fleet) -> set[str]:
    """The Pods of bots that are not about to end."""
    return {pod["metadata"]["uid"] for pod in fleet.bots().values()}


def _drain(kubectl: Kubectl) -> str:
    """What an attempt said: there is always a Pod that must stay, so it ends with its time."""
    chosen = f"--pod-selector={EVERYTHING_BUT_THE_VENUE}"
    return kubectl.run("drain", NODE_NAME, "--delete-emptydir-data", chosen, f"--timeout={DRAIN_S:.0f}s").stderr


def _is_refused(kubectl: Kubectl) -> bool:
    """Whether a new Pod finds no node. A scheduler whose watch was cut, as by the test before, hears late of a node that was closed."""
    kubectl("run", "probe", f"--image={PAUSE_IMAGE}", "--restart=Never")
    try:
        return bool(until("the scheduler has looked", lambda: _scheduling(kubectl)) == "Unschedulable")
    finally:
        kubectl("delete", "pod", "probe", "--now")


def _scheduling(kubectl: Kubectl) -> str:
    """What the scheduler said of it: the reason why not, or that it has a node; empty before it looked."""
    found = {said["type"]: said for said in kubectl.json("get", "pod", "probe")["status"].get("conditions", [])}.get("PodScheduled", {})
    return str(found.get("reason") or found.get("type", ""))


def _patch(kubectl: Kubectl, change: str) -> None:
    kubectl("patch", "arb", PINNED, "--type=merge", "--patch", change)


def _repaired(fleet: Fleet, scaled: str, edited: str) -> bool:
    found = fleet.objects("deployments", BOTS)
    return found[scaled]["spec"]["replicas"] == 1 and found[edited]["spec"]["template"]["spec"]["containers"][0]["command"][0] != "sleep"
