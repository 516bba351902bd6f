"""Everything a run needs that takes longer than a test may: checked first, installed and built once, and found again afterwards.

`python -m tests.node prepare` is this; `conftest.py` calls it too, where it then takes seconds.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.container_engine import EngineError
from tests.cluster import existing_cluster
from tests.cluster.binaries import HELM, ensure_kubernetes, ensure_prometheus_operator
from tests.node.host import OTHERWISE, HostError, install, problems
from tests.node.images import build_archives
from tests.node.leftovers import FOLDER
from tests.node.programs import COREDNS, NETWORK_POLICIES, NODE

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prepared:
    """What a run starts from."""

    archives: tuple[Path, ...]
    helm: Path


def prepare(say: Say) -> Prepared:
    """Raises HostError or BuildError with everything that is missing and what to do."""
    own_node = not existing_cluster.is_wanted()
    if own_node:
        if missing := problems(FOLDER):
            raise HostError("this machine cannot be a Kubernetes node:\n  " + "\n  ".join([*missing, OTHERWISE]))
        install(say)
    ensure_kubernetes(say)
    for module in (NODE, COREDNS, NETWORK_POLICIES) if own_node else ():
        module.ensure(say)
    if own_node and shutil.which("prometheus"):
        ensure_prometheus_operator(say)
    try:
        return Prepared(tuple(build_archives(say)), HELM.ensure(say))
    except EngineError as error:
        raise HostError(f"the images cannot be built: {error}") from error
