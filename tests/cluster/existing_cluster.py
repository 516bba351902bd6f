"""A cluster that a developer has anyway, for example kind's, in the place of the tests' own control plane.

USE_EXISTING_CLUSTER=1 chooses it, KUBECONFIG says where it is. Tests that look into the API server or take it away are skipped there.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NoReturn, Self

import pytest
from tests.cluster.kubeconfig import write_kubeconfig
from tests.cluster.kubectl import Kubectl


def is_wanted() -> bool:
    """Whether the developer asked for it."""
    return os.environ.get("USE_EXISTING_CLUSTER", "").lower() in ("1", "true")


class ExistingCluster:
    """What of a `ControlPlane` can be had of somebody else's cluster; it is left running."""

    def __init__(self) -> None:
        self.kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")
        if not self.kubeconfig.is_file():
            pytest.fail(
                f"USE_EXISTING_CLUSTER is set, but KUBECONFIG={self.kubeconfig} is no file: point it to the cluster's", pytrace=False
            )
        self.has_controllers = True
        self.folder = Path(tempfile.mkdtemp(prefix="kabobagool-cluster-"))
        self._cluster = self.kubectl().json("config", "view", "--minify", "--raw")["clusters"][0]["cluster"]
        self.url = str(self._cluster["server"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubectl(self, *, namespace: str | None = None, kubeconfig: Path | None = None) -> Kubectl:
        """kubectl as the developer, or as somebody else."""
        return Kubectl(kubeconfig or self.kubeconfig, self.folder / "kubectl-cache", namespace)

    def kubeconfig_with(self, token: str) -> Path:
        """A kubeconfig with any token, as that of a service account."""
        trust = {name: value for name, value in self._cluster.items() if name != "server"}
        file = self.folder / f"{len(list(self.folder.iterdir()))}.kubeconfig"
        return write_kubeconfig(file, url=self.url, certificate_authority=trust, token=token)

    def mark(self) -> NoReturn:
        """Not to be had."""
        self.requests()

    def requests(self, since: int = 0) -> NoReturn:
        """Not to be had."""
        pytest.skip("USE_EXISTING_CLUSTER is set: its audit log cannot be read")

    def writes(self, since: int = 0) -> NoReturn:
        """Not to be had."""
        self.requests(since)

    @property
    def audit(self) -> NoReturn:
        """Not to be had."""
        self.requests()
