"""kubectl as a user types it, for the tests of what users see: `kubectl apply -f`, `kubectl get arb`, `kubectl wait`.

It is the one of our own build, or what KUBEBUILDER_ASSETS or PATH has. `plugin.py` hands one out that is bound to the test's namespace.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.binaries import command_of

PATIENCE_S = 120


class Kubectl:
    """`kubectl(*arguments)` is what it printed, and a failed assertion with its words when it fails."""

    def __init__(self, kubeconfig: Path, cache: Path, namespace: str | None = None) -> None:
        self.kubeconfig = kubeconfig
        self._cache = cache
        self.namespace = namespace

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The finished process, for a test that wants it to fail."""
        own = [] if self.namespace is None else ["--namespace", self.namespace]
        environment = os.environ | {"KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self._cache), "KUBERC": "off"}
        return subprocess.run(
            [*command(), *own, *arguments],
            input=stdin,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def apply(self, api_version: str, kind: str, name: str, **fields: Any) -> None:
        """One object as a user's file would hold it."""
        self("apply", "--filename", "-", stdin=json.dumps({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}))

    def json(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get ... -o json` says."""
        said: dict[str, Any] = json.loads(self(*arguments, "--output", "json"))
        return said


def command() -> list[str]:
    """How kubectl is started on this machine. A test that needs one where there is none is skipped."""
    ours, on_path = command_of("kubectl"), shutil.which("kubectl")
    if ours and Path(ours[0]).exists():
        return ours
    return [on_path] if on_path else pytest.skip("no kubectl in KUBEBUILDER_ASSETS and none on PATH")
