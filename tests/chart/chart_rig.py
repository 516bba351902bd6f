"""helm as a user types it, and what it renders: for the tests of the chart, with or without a cluster."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.binaries import HELM, HELM_3, GoModule

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "kabobagool"
CI = {file.name.removesuffix("-values.yaml"): file for file in sorted((CHART / "ci").glob("*-values.yaml"))}
"""The sets of values that everything is tried with."""
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
PATIENCE_S = 280
OWN_FOLDER = Path(tempfile.gettempdir()) / "kabobagool-helm"
"""What a developer configured for helm is no part of the tests."""
RELEASE = "kabobagool"
NAMESPACE = "trading"
LIVE: dict[str, Any] = yaml.safe_load(CI["live"].read_text())

Body = dict[str, Any]
Values = Mapping[str, Any]


class HelmError(AssertionError):
    """helm said no."""


@dataclass(frozen=True)
class Helm:
    """One version of it; without a kubeconfig there is no cluster that it could ask."""

    module: GoModule = HELM
    kubeconfig: Path | None = None

    def __call__(self, *arguments: str, values: Values | Path | None = None) -> str:
        """What it printed. HelmError with what it complained of."""
        given: tuple[str, ...] = ()
        if values is not None:
            given = ("--values", str(values) if isinstance(values, Path) else "-")
        stdin = json.dumps(values) if values is not None and not isinstance(values, Path) else ""
        done = self._run([*arguments, *given], stdin)
        if done.returncode != 0:
            raise HelmError(done.stderr or done.stdout)
        return done.stdout

    def text(self, values: Values | Path | None = None, *options: str) -> str:
        """What `helm template` prints."""
        return self("template", RELEASE, str(CHART), "--namespace", NAMESPACE, *options, values=values)

    def template(self, values: Values | Path | None = None, *options: str) -> list[Body]:
        """Every object that is rendered."""
        return deepcopy(_bodies(self, values if isinstance(values, Path) or values is None else json.dumps(values), options))

    def _run(self, arguments: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
        own = {f"HELM_{what}_HOME": str(OWN_FOLDER / what.lower()) for what in ("CACHE", "CONFIG", "DATA")}
        surroundings = os.environ | own | {"KUBECONFIG": str(self.kubeconfig or os.devnull)}
        command = [str(self.module.binary), *arguments]
        return subprocess.run(command, input=stdin, env=surroundings, capture_output=True, text=True, timeout=PATIENCE_S, check=False)


@cache
def _bodies(helm: Helm, values: Path | str | None, options: tuple[str, ...]) -> list[Body]:
    """Rendering takes a while, and many tests look at the same."""
    given = json.loads(values) if isinstance(values, str) else values
    return [body for body in yaml.load_all(helm.text(given, *options), Loader=yaml.CSafeLoader) if body]


HELMS = {"helm-4": HELM, "helm-3": HELM_3}


def of_kind(bodies: list[Body], kind: str) -> dict[str, Body]:
    """Those of a kind, by what their name ends with."""
    return {body["metadata"]["name"].removeprefix(f"{RELEASE}-"): body for body in bodies if body["kind"] == kind}


def pods(bodies: list[Body]) -> Iterator[tuple[str, Body, Body]]:
    """Every Pod that is made of them: whose it is, its metadata and its spec."""
    for body in bodies:
        template = body if body["kind"] == "Pod" else body.get("spec", {}).get("template")
        if isinstance(template, dict) and "containers" in template.get("spec", {}):
            yield f"{body['kind']}/{body['metadata']['name']}", template["metadata"], template["spec"]


def environment(container: Body) -> dict[str, Body]:
    """A container's variables by name."""
    return {variable["name"]: variable for variable in container["env"]}
