"""Where the programs of the tests' Kubernetes come from: built from Go modules once per machine, kept outside of the tree.

A module's folder beside this file holds go.mod, go.sum and perhaps a main.go; what is built from it lies under a key made of their content,
so a new version is a new file and nothing has to be thrown away. `plugin.py` builds before the first test, because a test's own time limit
is shorter than a build; `control_plane.py` and `kubectl.py` ask for commands.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
LOOK_S = 1.0
SAY_S = 60
SHOWN_CHARACTERS = 2000
WAYS_OUT = """\
A build needs Go (the dev extras bring one), about 3 GB of memory, 4 GB of disk, and a module proxy: set GOPROXY where proxy.golang.org is
out of reach. Or use what there is: KUBEBUILDER_ASSETS=FOLDER with etcd and kube-apiserver, or USE_EXISTING_CLUSTER=1 with KUBECONFIG."""


class BuildError(Exception):
    """No binary, and what to do about it."""


def cache_folder() -> Path:
    """Where built programs are kept: KABOBAGOOL_CACHE, or ~/.cache/kabobagool."""
    return Path(os.environ.get("KABOBAGOOL_CACHE") or Path.home() / ".cache" / "kabobagool")


@dataclass(frozen=True)
class GoModule:
    """A program built from a Go module of ours. `package` is what is built of it, `names` the module whose version it carries."""

    folder: Path
    program: str
    title: str
    minutes: int
    names: str
    package: str = "."
    stamps: tuple[str, ...] = ()
    """Variables that take the version, as the linker's -X wants them: `path.name=value` with {version}, {major} and {minor} filled in."""

    @property
    def version(self) -> str:
        """As go.mod pins it, for example v1.34.3."""
        found = re.search(rf"^\s*(?:require )?{re.escape(self.names)} (v\S+)", (self.folder / "go.mod").read_text(), re.MULTILINE)
        assert found, f"{self.folder}/go.mod does not name {self.names}"
        return found[1]

    @property
    def binary(self) -> Path:
        """Where it is, or will be."""
        digest = hashlib.sha256(f"{sys.platform} {platform.machine()} {self.package} {self.stamps}".encode())
        for source in sorted(file for pattern in ("go.mod", "go.sum", "*.go") for file in self.folder.glob(pattern)):
            digest.update(source.name.encode() + b"\0" + source.read_bytes())
        return cache_folder() / "cluster" / digest.hexdigest()[:16] / self.program

    def ensure(self, say: Callable[[str], None]) -> Path:
        """The binary, built now if this machine has not built it yet. Raises BuildError; two processes build once."""
        if not self.binary.exists():
            self.binary.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self.binary.parent / "lock", waiting=lambda: say(f"waiting for another process that builds {self.title}")):
                if not self.binary.exists():
                    self._build(say)
        return self.binary

    def _build(self, say: Callable[[str], None]) -> None:
        say(f"building {self.title} {self.version} once, about {self.minutes} minutes on 2 cores, into {self.binary.parent} ...")
        unfinished, log = self.binary.with_suffix(".unfinished"), self.binary.with_suffix(".log")
        began = time.monotonic()
        with log.open("wb") as output:
            build = subprocess.Popen(
                self._command(unfinished), cwd=self.folder, env=_environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            try:
                _watch(build, lambda minutes: say(f"  still building {self.title}: {minutes} min"))
            finally:
                build.kill()
        if build.returncode != 0:
            raise BuildError(f"{self.title} {self.version} could not be built:\n{log.read_text()[-SHOWN_CHARACTERS:]}\n{WAYS_OUT}")
        unfinished.replace(self.binary)
        say(f"built {self.title} in {time.monotonic() - began:.0f} s")

    def _command(self, output: Path) -> list[str]:
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        stamps = [f"-X {stamp.format(version=self.version, major=major, minor=minor)}" for stamp in self.stamps]
        flags = " ".join(["-s -w", *stamps])
        return [go(), "build", "-trimpath", "-buildvcs=false", f"-ldflags={flags}", "-o", str(output), self.package]


KUBERNETES = GoModule(
    folder=HERE / "kubernetes",
    program="kube",
    title="Kubernetes",
    minutes=10,
    names="k8s.io/kubernetes",
    stamps=(
        "k8s.io/component-base/version.gitVersion={version}",
        "k8s.io/component-base/version.gitMajor={major}",
        "k8s.io/component-base/version.gitMinor={minor}",
    ),
)
KWOK = GoModule(
    folder=HERE / "kwok", program="kwok", title="kwok", minutes=6, names="sigs.k8s.io/kwok", package="sigs.k8s.io/kwok/cmd/kwok"
)
"""Nodes and pods that only say they run: for the benchmarks of thousands of bots, no test needs it."""
HELM = GoModule(
    folder=HERE / "helm",
    program="helm",
    title="Helm",
    minutes=7,
    names="helm.sh/helm/v4",
    package="helm.sh/helm/v4/cmd/helm",
    stamps=(
        "helm.sh/helm/v4/internal/version.version={version}",
        "helm.sh/helm/v4/pkg/chart/common.k8sVersionMajor=1",
        "helm.sh/helm/v4/pkg/chart/common.k8sVersionMinor=34",
    ),
)
"""What users install the chart with: only the tests of the chart and of a whole node need it."""
HELM_3 = GoModule(
    folder=HERE / "helm",
    program="helm3",
    title="Helm 3",
    minutes=2,
    names="helm.sh/helm/v3",
    package="helm.sh/helm/v3/cmd/helm",
    stamps=(
        "helm.sh/helm/v3/internal/version.version={version}",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1",
        "helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=34",
    ),
)
"""And what many still have."""
PROMETHEUS_OPERATOR = GoModule(
    folder=HERE / "prometheus_operator",
    program="prometheus-operator",
    title="the Prometheus Operator",
    minutes=4,
    names="github.com/prometheus-operator/prometheus-operator",
    package="github.com/prometheus-operator/prometheus-operator/cmd/operator",
    stamps=("github.com/prometheus/common/version.Version={version}",),
)
"""It reads our ServiceMonitors, PodMonitors and rules and writes what Prometheus runs with: only the tests of monitoring need it."""
KUBERNETES_TARGETS = GoModule(
    folder=HERE / "kubernetes_targets",
    program="kubernetes-targets",
    title="Prometheus's discovery of Kubernetes",
    minutes=2,
    names="github.com/prometheus/prometheus",
)
"""What Debian's Prometheus is built without. Only the tests of monitoring need it."""
NEEDED = ("etcd", "kube-apiserver")
"""What a folder of somebody else's binaries must hold; what else it holds is used too."""


def command_of(component: str) -> list[str] | None:
    """How to start a component: from KUBEBUILDER_ASSETS if that is set, and else from our build. None: that folder does not have it."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        program = shutil.which(component, path=assets)
        return [program] if program else None
    return [str(KUBERNETES.binary), component]


def ensure_kubernetes(say: Callable[[str], None]) -> None:
    """Everything a control plane is started from is there after this. Raises BuildError."""
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        if missing := [name for name in NEEDED if command_of(name) is None]:
            raise BuildError(
                f"KUBEBUILDER_ASSETS={assets}: no {' and no '.join(missing)} in it; point it to envtest's binaries or unset it"
            )
        return
    KUBERNETES.ensure(say)


def ensure_prometheus_operator(say: Callable[[str], None]) -> None:
    """It and what Prometheus needs to run with what it writes are there after this. Raises BuildError."""
    for module in (PROMETHEUS_OPERATOR, KUBERNETES_TARGETS):
        module.ensure(say)


def ensure_helm(say: Callable[[str], None]) -> None:
    """Both helms are there after this. Raises BuildError."""
    for module in (HELM, HELM_3):
        module.ensure(say)


@cache
def go() -> str:
    """The Go on PATH if it is new enough, else the one that the dev extras put beside Python. Raises BuildError."""
    beside = str(Path(sys.executable).parent / "go")
    found = [program for program in (shutil.which("go"), shutil.which(beside)) if program]
    usable = next((program for program in found if _version_of(program) >= _version_wanted()), None)
    if usable is None:
        raise BuildError(f"no Go {'.'.join(map(str, _version_wanted()))} or newer: pip install -e '.[dev]' brings one\n{WAYS_OUT}")
    return usable


def _version_of(program: str) -> tuple[int, int]:
    said = subprocess.run([program, "version"], capture_output=True, text=True, check=False, cwd="/").stdout
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _version_wanted() -> tuple[int, int]:
    found = re.search(r"^go (\d+)\.(\d+)", (KUBERNETES.folder / "go.mod").read_text(), re.MULTILINE)
    assert found
    return int(found[1]), int(found[2])


def _environment() -> dict[str, str]:
    """Nothing of the user's own Go settings decides what is built; their proxy and caches stay."""
    return os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}


def _watch(build: subprocess.Popen[bytes], say_minutes: Callable[[int], None]) -> None:
    began, said = time.monotonic(), 0
    while build.poll() is None:
        time.sleep(LOOK_S)
        if (minutes := int((time.monotonic() - began) // SAY_S)) > said:
            said = minutes
            say_minutes(minutes)


@contextmanager
def _locked(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
