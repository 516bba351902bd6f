"""Where the operator is measured: a Kubernetes of its own, on which Pods become ready as soon as they are made.

The nodes are kwok's: it says of every Pod that it runs, and nothing does. Controllers and scheduler are the real ones and share the machine
with whoever is measured, the reference as well.
"""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.binaries import KWOK, command_of, ensure_kubernetes
from tests.cluster.control_plane import ControlPlane
from tests.cluster.processes import ServerProcess

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "bench"
NODES = 10
LOOK_S = 0.25
PATIENCE_S = 1_500.0
READING_VERBS = frozenset({"get", "list"})
UNBOUNDED = ("--kube-api-qps=1000", "--kube-api-burst=2000")
"""The scheduler is not what is measured."""


@dataclass
class Ground:
    """A control plane that is ready: our resources are known, the namespace is there."""

    plane: ControlPlane
    has_nodes: bool
    _http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        """Ask the API server over a connection of our own that stays open: looking must cost nothing."""
        headers = {"Authorization": f"Bearer {self.plane.token}"}
        self._http = httpx.Client(base_url=self.plane.url, headers=headers, verify=False, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def count(self, path: str) -> int:
        """How many objects there are at an address, without reading them."""
        page = self._http.get(path, params={"limit": 1}).raise_for_status().json()
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))

    def deployments(self) -> int:
        """How many Deployments there are."""
        return self.count(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")

    def written(self, kind: str, markets: int) -> float:
        """Have `operator_bare.py` write; the seconds that took."""
        arguments = (sys.executable, "-m", "tests.bench.operator_bare", kind, str(self.plane.kubeconfig), NAMESPACE, str(markets))
        ended = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True)
        return float(json.loads(ended.stdout)["took_s"])

    def asked(self, since: int, agent: str) -> tuple[int, int]:
        """How many objects a client wrote since a mark in the audit log, and how often it read some, but for its Lease."""
        everything = self.plane.requests(since)
        its = [request for request in everything if request.user_agent.startswith(agent) and request.resource not in ("", "leases")]
        writes = sum(request.writes for request in its)
        return writes, sum(request.verb in READING_VERBS for request in its)


def until(holds: Callable[[], bool], what: str, known: Callable[[], str] = str, *, look_s: float = LOOK_S) -> float:
    """Look until it holds; the seconds that took."""
    began = time.perf_counter()
    while not holds():
        assert time.perf_counter() - began < PATIENCE_S, f"never: {what}\n{known()}"
        time.sleep(look_s)
    return time.perf_counter() - began


@contextlib.contextmanager
def ground(*, nodes: bool = True) -> Iterator[Ground]:
    """A fresh one. Without nodes Pods are made and stay as they are."""
    say = lambda line: print(line, file=sys.stderr, flush=True)  # noqa: E731
    ensure_kubernetes(say)
    with ControlPlane() as plane, contextlib.ExitStack() as ending:
        kubectl = plane.kubectl()
        kubectl("apply", "--server-side", "--filename", str(ROOT / "crds"))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(ROOT / "crds"))
        kubectl("create", "namespace", NAMESPACE)
        until(lambda: kubectl.run("get", "serviceaccount", "default", "--namespace", NAMESPACE).returncode == 0, "a service account")
        if nodes:
            _give_nodes(plane, str(KWOK.ensure(say)), ending)
        found = Ground(plane, nodes)
        ending.callback(found.close)
        yield found


def _give_nodes(plane: ControlPlane, kwok: str, ending: contextlib.ExitStack) -> None:
    scheduler = [*(command_of("kube-scheduler") or ()), f"--kubeconfig={plane.kubeconfig}", "--secure-port=0", "--leader-elect=false"]
    commands = {
        "scheduler": [*scheduler, *UNBOUNDED],
        "kwok": [kwok, f"--kubeconfig={plane.kubeconfig}", "--manage-all-nodes=true", "--node-lease-duration-seconds=40", "-v=ERROR"],
    }
    for name, command in commands.items():
        process = ServerProcess(command, plane.folder / f"{name}.log")
        process.start()
        ending.callback(process.kill)
    nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(number) for number in range(NODES)]}
    kubectl = plane.kubectl()
    kubectl("apply", "--filename", "-", stdin=json.dumps(nodes))
    kubectl("wait", "--for=condition=Ready", "--timeout=60s", "nodes", "--all")


def _node(number: int) -> dict[str, Any]:
    room = {"cpu": "1k", "memory": "10Ti", "pods": "10k"}
    metadata = {"name": f"node-{number}", "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"allocatable": room, "capacity": room}}
