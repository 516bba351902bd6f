"""Where the whole thing is tried: a node of our own on this machine, or a cluster that a developer has anyway.

Both offer kubectl and know how an image gets in; only the node of our own can be hurt from below, so tests ask `own_node` and are skipped
with a reason elsewhere.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import existing_cluster
from tests.cluster.existing_cluster import ExistingCluster
from tests.cluster.kubectl import Kubectl
from tests.node.host import HostError
from tests.node.machine import Node
from tests.node.prepare import Prepared

LOCAL_REGISTRY = "localhost"
REGISTRY_VARIABLE = "KABOBAGOOL_TEST_REGISTRY"
WAYS_IN = f"""\
{{context}} is not one of kind's, so our images cannot be loaded into it. Push the archives that `python -m tests.node.images` prints to a
registry that the cluster pulls from, and name it: {REGISTRY_VARIABLE}=registry.example/path"""


@dataclass(frozen=True)
class Place:
    """A cluster. `registry` is where its nodes find our images; `node` is None when it is somebody else's."""

    kubeconfig: Path
    kubectl: Callable[[str | None], Kubectl]
    registry: str
    node: Node | None


@contextmanager
def open_place(prepared: Prepared) -> Iterator[Place]:
    """The one that the environment asks for. Raises HostError."""
    if existing_cluster.is_wanted():
        with ExistingCluster() as cluster:
            registry = _load_into(cluster, prepared)
            yield Place(cluster.kubeconfig, lambda namespace: cluster.kubectl(namespace=namespace), registry, None)
        return
    node = Node()
    try:
        node.start(prepared.archives)
        yield Place(node.kubeconfig, node.kubectl, LOCAL_REGISTRY, node)
    finally:
        node.stop()


def _load_into(cluster: ExistingCluster, prepared: Prepared) -> str:
    """Where the cluster's nodes find our images after this."""
    if registry := os.environ.get(REGISTRY_VARIABLE):
        return registry
    context = cluster.kubectl()("config", "current-context").strip()
    kind = shutil.which("kind")
    if not context.startswith("kind-") or kind is None:
        raise HostError(WAYS_IN.format(context=context))
    for archive in prepared.archives:
        subprocess.run([kind, "load", "image-archive", str(archive), "--name", context.removeprefix("kind-")], check=True)
    return LOCAL_REGISTRY
