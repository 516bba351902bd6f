"""The binaries are built once per version and machine, by real Go; and who has no Go, or another Kubernetes, is told what to do."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.cluster.binaries import HELM, HELM_3, KUBERNETES, KWOK, BuildError, GoModule, command_of, ensure_kubernetes, go

GO_MOD = """\
module example.com/greeter

go 1.25

require example.com/greeting v1.2.3

replace example.com/greeting => ./greeting
"""
MAIN = """\
package main

import "example.com/greeting"

var version string

func main() { println(greeting.Words, version) }
"""


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoModule:
    """A module that is built in a second, in a cache of its own."""
    monkeypatch.setenv("KABOBAGOOL_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "greeter"
    (folder / "greeting").mkdir(parents=True)
    (folder / "go.mod").write_text(GO_MOD)
    (folder / "main.go").write_text(MAIN)
    (folder / "greeting" / "go.mod").write_text("module example.com/greeting\n\ngo 1.25\n")
    (folder / "greeting" / "greeting.go").write_text('package greeting\n\nconst Words = "good day"\n')
    return GoModule(folder, "greet", "the greeter", 1, "example.com/greeting", stamps=("main.version={version}",))


def greeting(binary: Path) -> str:
    return subprocess.run([binary], capture_output=True, text=True, check=True).stderr.strip()


def program(folder: Path, name: str, script: str) -> Path:
    """A program of a few lines of shell."""
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_a_program_is_built_once_and_says_its_version(greeter: GoModule, tmp_path: Path) -> None:
    said: list[str] = []
    first = greeter.ensure(said.append)
    assert first.is_relative_to(tmp_path / "cache" / "cluster")
    assert greeting(first) == "good day v1.2.3"
    assert said[0].startswith("building the greeter v1.2.3 once, about 1 minutes on 2 cores, into")
    built, since = first.stat(), len(said)
    assert greeter.ensure(said.append) == first
    assert (first.stat().st_ino, len(said)) == (built.st_ino, since)


def test_a_changed_source_is_another_program(greeter: GoModule) -> None:
    before = greeter.ensure(print)
    (greeter.folder / "main.go").write_text(MAIN.replace("version)", 'version, "again")'))
    after = greeter.ensure(print)
    assert (greeting(before), greeting(after)) == ("good day v1.2.3", "good day v1.2.3 again")


def test_two_that_want_it_at_once_build_it_once(greeter: GoModule) -> None:
    said: list[str] = []
    with ThreadPoolExecutor(2) as both:
        built = [done.result() for done in [both.submit(greeter.ensure, said.append) for _ in range(2)]]
    assert built[0] == built[1]
    assert len([line for line in said if line.startswith("building")]) == 1
    assert len([line for line in said if line.startswith("waiting for another process that builds the greeter")]) <= 1


def test_a_failed_build_says_why_and_what_to_do_and_leaves_nothing_to_start(greeter: GoModule) -> None:
    (greeter.folder / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(BuildError) as failed:
        greeter.ensure(print)
    assert "undefined: nonsense" in str(failed.value)
    assert "USE_EXISTING_CLUSTER=1 with KUBECONFIG" in str(failed.value)
    assert not greeter.binary.exists()


def test_a_go_that_is_too_old_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "go", "echo go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    go.cache_clear()
    assert go() == str(Path(sys.executable).parent / "go")
    go.cache_clear()


def test_without_any_go_the_way_to_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    go.cache_clear()
    with pytest.raises(BuildError, match=r"no Go 1\.25 or newer: pip install -e '\.\[dev\]' brings one"):
        go()
    go.cache_clear()


def test_the_versions_are_those_of_the_modules() -> None:
    assert KUBERNETES.version == "v1.34.3"
    assert KWOK.version == "v0.7.0"
    assert (HELM.version, HELM_3.version) == ("v4.0.5", "v3.19.5")
    assert len({module.binary.parent for module in (KUBERNETES, KWOK, HELM, HELM_3)}) == 4


def test_somebody_elses_binaries_are_used_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    etcd = program(tmp_path, "etcd", "true")
    with pytest.raises(BuildError, match=f"KUBEBUILDER_ASSETS={tmp_path}: no kube-apiserver in it; point it to envtest's binaries"):
        ensure_kubernetes(print)
    program(tmp_path, "kube-apiserver", "true")
    ensure_kubernetes(print)
    assert command_of("etcd") == [str(etcd)]
    assert command_of("kube-controller-manager") is None
