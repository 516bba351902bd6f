"""Faults of the order gate's server: it goes, it forgets, its disk is full. New pairs wait, positions stay, and the status says why."""

import shutil
from pathlib import Path

from tests.cluster.kubectl import Kubectl
from tests.node.faults import Fault, said
from tests.node.fleet import Fleet
from tests.node.machine import Node
from tests.node.patience import until
from tests.node.release import RELEASE
from tests.node.storage import folder_of_claim

SERVER = f"statefulset/{RELEASE}-redis"
POD = "app.kubernetes.io/component=redis"
CLAIM = f"data-{RELEASE}-redis-0"
BLOCK = 1 << 20


def test_a_gate_that_lost_everything_is_told_again_by_the_bots(fleet: Fleet, kubectl: Kubectl, own_node: Node, fault: Fault) -> None:
    with fault("Redis is killed and its disk is wiped") as step:
        kubectl("scale", SERVER, "--replicas=0")
        said(step, fleet.until_condition("Degraded", "GateUnavailable"))
        disk = folder_of_claim(kubectl, CLAIM)
        until("its files are closed", lambda: fleet.objects("pods", POD), lambda pods: not pods)
        _wipe(disk)
        kubectl("scale", SERVER, "--replicas=1")
        fleet.rolled_out(SERVER)


def test_a_gate_that_is_killed_is_back_with_what_it_wrote_down(fleet: Fleet, kubectl: Kubectl, fault: Fault) -> None:
    with fault("Redis is killed"):
        kubectl("delete", "pod", f"{RELEASE}-redis-0", "--grace-period=0", "--force")
        fleet.rolled_out(SERVER)


def test_a_full_disk_stops_new_pairs_and_room_lets_them_go_on(fleet: Fleet, kubectl: Kubectl, own_node: Node, fault: Fault) -> None:
    ballast = folder_of_claim(kubectl, CLAIM) / "ballast"
    with fault("Redis' disk is full") as step:
        try:
            _fill(ballast)
            said(step, fleet.until_condition("Degraded", "GateUnavailable"))
        finally:
            ballast.unlink()


def _wipe(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        for block in (BLOCK, 4096):
            try:
                while True:
                    ballast.write(b"\0" * block)
            except OSError:
                continue
