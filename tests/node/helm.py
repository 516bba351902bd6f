"""Helm as a user types it, bound to one cluster."""

import os
import subprocess
import tempfile
from pathlib import Path

import yaml

PATIENCE_S = 400
CHART = Path(__file__).parents[2] / "charts" / "kabobagool"


class Helm:
    """`helm(*arguments)` is what it printed, and a failed assertion with its words when it fails."""

    def __init__(self, program: Path, kubeconfig: Path, namespace: str) -> None:
        self._program = program
        self._namespace = namespace
        self._home = tempfile.TemporaryDirectory(prefix="kabobagool-helm-")
        home = {f"HELM_{kind}_HOME": f"{self._home.name}/{kind.lower()}" for kind in ("CACHE", "CONFIG", "DATA")}
        self._environment = os.environ | {"KUBECONFIG": str(kubeconfig)} | home

    def __call__(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, f"helm {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The finished process, for a test that wants it to fail."""
        return subprocess.run(
            [str(self._program), *arguments, "--namespace", self._namespace],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def values_file(self, values: dict[str, object]) -> str:
        """A values file, as a user keeps one; its path."""
        file = Path(self._home.name, f"{abs(hash(repr(values)))}-values.yaml")
        file.write_text(yaml.safe_dump(values))
        return str(file)
