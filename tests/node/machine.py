"""A whole Kubernetes on this machine: the tests' control plane, and one node that really runs pods.

`Node().start(archives)` takes about half a minute; after that pods run, Services and names resolve, `kubectl logs | exec |
port-forward` work, NetworkPolicies are enforced. One can run on a machine at a time. Tests get it through `places.py`, developers through
`python -m tests.node up`.
"""

import fcntl
import subprocess
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Kubectl
from tests.cluster.processes import ServerProcess, free_port
from tests.node import leftovers
from tests.node.host import POD_NETWORK, SERVICE_NETWORK, HostError, node_address
from tests.node.leftovers import FOLDER, FORWARDING, FORWARDING_BEFORE, SOCKET, STATE
from tests.node.node_files import BRIDGE, DNS_ADDRESS, NODE_NAME, write_node_files
from tests.node.programs import COREDNS, NETWORK_POLICIES, NODE
from tests.node.storage import offer_volumes

LOCK = Path("/run/kabobagool-node.lock")
PATIENCE_S = 90.0
LOOK_S = 0.1
CONTEXT = "tests"
"""The one in every kubeconfig that the control plane writes."""


class ReachableControlPlane(ControlPlane):
    """A control plane that pods can reach: it listens at the machine's address, and asks the kubelet with a certificate."""

    def __init__(self, address: str, kubelet_client: Path) -> None:
        self._address = address
        self._kubelet_client = kubelet_client
        super().__init__(scheduler=True)

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return self._url

    @url.setter
    def url(self, given: str) -> None:
        self._url = given.replace("127.0.0.1", self._address)

    def _api_server_options(self) -> list[str]:
        """The last of two options counts."""
        return [
            *super()._api_server_options(),
            f"--bind-address={self._address}",
            "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-client-certificate={self._kubelet_client}.crt",
            f"--kubelet-client-key={self._kubelet_client}.key",
        ]


class Node:
    """`plane` is its control plane, `kubectl` the administrator's; both are there once it was started. HostError when it cannot be."""

    def __init__(self) -> None:
        self._ended = ExitStack()
        self.address = node_address()
        self.plane: ControlPlane
        self.containerd: ServerProcess
        self.kubelet: ServerProcess
        self._others: list[ServerProcess] = []
        self._policies: ServerProcess

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.plane.kubeconfig

    def kubectl(self, namespace: str | None = None) -> Kubectl:
        """kubectl as the administrator."""
        return self.plane.kubectl(namespace=namespace)

    def start(self, images: Iterable[Path]) -> Self:
        """Return when the node is ready and the images, docker archives, are in it."""
        self._take_the_machine()
        self._write_files()
        self._start_runtime()
        with ThreadPoolExecutor() as beside:  # what lasts longest goes on while everything else starts
            imported = [beside.submit(self.import_image, archive) for archive in images]
            self.plane.start()
            self._make_network()
            self._start_programs()
            self._wait("the node is ready", lambda: "True" in self._ready())
            self._policies.start()  # it wants to find the node
            offer_volumes(self.kubectl())
            for image in imported:
                image.result()
        return self

    def stop(self) -> None:
        """Nothing of it is left."""
        self._ended.close()

    def import_image(self, archive: Path) -> None:
        """Make an image known to the node, from a docker archive."""
        self.ctr("images", "import", str(archive))

    def ctr(self, *arguments: str) -> str:
        """Ask the container runtime behind Kubernetes' back."""
        done = subprocess.run(
            ["ctr", "--address", str(SOCKET), "--namespace", "k8s.io", *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"ctr {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def container(self, namespace: str, pod: str, name: str) -> str:
        """The id of a pod's container that runs now."""
        labels = {"io.kubernetes.pod.namespace": namespace, "io.kubernetes.pod.name": pod, "io.kubernetes.container.name": name}
        wanted = ",".join(f'labels."{label}"=={value}' for label, value in labels.items())
        running = {line.split()[0] for line in self.ctr("tasks", "list").splitlines() if "RUNNING" in line or "PAUSED" in line}
        found = [container for container in self.ctr("containers", "list", "--quiet", wanted).split() if container in running]
        assert found, f"no container {name} of {namespace}/{pod} runs"
        return found[0]

    def _take_the_machine(self) -> None:
        lock = self._ended.enter_context(LOCK.open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HostError("another node runs on this machine; wait for its end, or end it: python -m tests.node down") from None
        leftovers.remove()
        if left := leftovers.found():
            raise HostError("an earlier run left what cannot be removed; restart the machine:\n" + "\n".join(left))
        self._ended.callback(leftovers.remove)

    def _write_files(self) -> None:
        FOLDER.mkdir(parents=True, mode=0o700)
        STATE.mkdir(parents=True, mode=0o700)
        client = FOLDER / "kubelet-client"
        _make_certificate(client)
        self.plane = ReachableControlPlane(self.address, client)
        self._ended.callback(self.plane.stop)
        write_node_files(
            FOLDER, state=STATE / "containerd", socket=SOCKET, address=self.address, kubeconfig=self.plane.kubeconfig, context=CONTEXT
        )
        self.containerd = ServerProcess(["containerd", "--config", str(FOLDER / "containerd.toml")], FOLDER / "containerd.log")
        self.kubelet = ServerProcess([str(NODE.binary), "kubelet", *self._kubelet_options()], FOLDER / "kubelet.log")
        proxy = ServerProcess([str(NODE.binary), "kube-proxy", *self._proxy_options()], FOLDER / "kube-proxy.log")
        names = ServerProcess([str(COREDNS.binary), "-conf", str(FOLDER / "Corefile")], FOLDER / "coredns.log")
        self._policies = ServerProcess([str(NETWORK_POLICIES.binary), *self._policies_options()], FOLDER / "kube-router.log")
        self._others = [proxy, names]
        for server in (self.containerd, *self._others, self.kubelet, self._policies):
            self._ended.callback(server.kill)

    def _make_network(self) -> None:
        """The bridge is there before the first pod, so that the cluster DNS can listen on it."""
        FORWARDING_BEFORE.write_text(FORWARDING.read_text())
        FORWARDING.write_text("1\n")
        for line in (
            f"link add {BRIDGE} type bridge",
            f"address add {DNS_ADDRESS}/{POD_NETWORK.prefixlen} dev {BRIDGE}",
            f"link set {BRIDGE} up",
        ):
            subprocess.run(["ip", *line.split()], check=True)

    def _start_runtime(self) -> None:
        self.containerd.start()
        self._wait("the container runtime answers", lambda: SOCKET.exists() and self._runtime_answers())

    def _start_programs(self) -> None:
        for server in (self.kubelet, *self._others):
            server.start()

    def _runtime_answers(self) -> bool:
        done = subprocess.run(["ctr", "--address", str(SOCKET), "version"], capture_output=True, check=False)
        return done.returncode == 0

    def _ready(self) -> str:
        path = '{.status.conditions[?(@.type=="Ready")].status}'
        return self.kubectl().run("get", "node", NODE_NAME, "--output", f"jsonpath={path}").stdout

    def _wait(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            for server in (self.containerd, self.kubelet, *self._others):
                begun = server.log.exists()
                assert not begun or server.pid is not None, f"{' '.join(server.command[:2])} ended:\n{server.last_words()}"
            assert time.monotonic() < deadline, f"never: {what}\n{self.kubelet.last_words() if self.kubelet.log.exists() else ''}"
            time.sleep(LOOK_S)

    def _kubelet_options(self) -> list[str]:
        return [
            f"--config={FOLDER / 'kubelet.yaml'}",
            f"--kubeconfig={self.plane.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            f"--root-dir={FOLDER / 'kubelet'}",
            f"--cert-dir={FOLDER / 'kubelet-certificates'}",
        ]

    def _policies_options(self) -> list[str]:
        return [
            f"--kubeconfig={self.plane.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            f"--service-cluster-ip-range={SERVICE_NETWORK}",
            "--run-firewall=true",
            "--run-router=false",
            "--run-service-proxy=false",
            "--health-port=0",
        ]

    def _proxy_options(self) -> list[str]:
        """The limits of connection tracking stay as they are on this machine."""
        return [
            f"--kubeconfig={self.plane.kubeconfig}",
            f"--hostname-override={NODE_NAME}",
            f"--cluster-cidr={POD_NETWORK}",
            "--proxy-mode=iptables",
            "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0",
            "--conntrack-tcp-timeout-close-wait=0",
            f"--healthz-bind-address=127.0.0.1:{free_port()}",
            f"--metrics-bind-address=127.0.0.1:{free_port()}",
        ]


def _make_certificate(client: Path) -> None:
    """By which the kubelet knows the API server: its own authority, for a day."""
    who = ["-subj", "/O=system:masters/CN=kube-apiserver-kubelet-client", "-keyout", f"{client}.key", "-out", f"{client}.crt"]
    key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1"
    subprocess.run(["openssl", *key.split(), *who], check=True, capture_output=True)
