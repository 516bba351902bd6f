"""What the GitHub workflows promise: they parse, they do what .ci/run does, and nothing they run can be changed under them."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from scripts.build_images import IMAGES, extras_of
from tests.cluster.binaries import BuildError, GoModule
from tests.images.dockerfiles import ROOT

FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
ACTIONLINT = GoModule(
    folder=Path(__file__).parent / "actionlint",
    program="actionlint",
    title="actionlint",
    minutes=1,
    names="github.com/rhysd/actionlint",
    package="github.com/rhysd/actionlint/cmd/actionlint",
)


def workflow(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text()))


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job.get("steps", [])]


def test_actionlint_finds_nothing_in_the_workflows() -> None:
    try:
        program = ACTIONLINT.ensure(print)
    except BuildError as error:
        pytest.skip(f"actionlint could not be built: {error}")
    said = subprocess.run([str(program), *map(str, FILES)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_to_a_commit_and_says_its_version(file: Path) -> None:
    used = re.findall(r"uses: (?!\./)(.+)", file.read_text())
    assert used
    assert [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)] == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_workflow_may_only_read_unless_a_job_says_what_for(file: Path) -> None:
    assert workflow(file.name)["permissions"] == {"contents": "read"}


def test_ci_runs_what_a_developer_s_ci_runs_and_the_real_node() -> None:
    ran = [step.get("run", "") for step in steps("ci.yml")]
    assert any("bash .ci/run" in line for line in ran)
    assert any("make test-cluster" in line for line in ran)
    assert workflow("release.yml")["jobs"]["images"]["needs"] == ["versions", "ci"]


def ci(folder: Path, *, minutes: int, make: str, python: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/run where `make` and the venv's Python are these shell scripts."""
    script = folder / ".ci" / "run"
    stand_ins = {"bin/make": f'echo "make $*"\n{make}', "bin/id": "echo 1000", ".venv/bin/python": python}
    for name, text in stand_ins.items():
        program = folder / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    script.parent.mkdir()
    script.write_text((ROOT / ".ci" / "run").read_text())
    environment = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "CI_MINUTES": str(minutes)}
    return subprocess.run(["bash", str(script)], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("minutes", "python", "said"),
    [
        (45, "exit 0", "make test-cluster"),
        (44, "exit 0", "left out: the tests on a real node (make test-cluster), which may take 45 minutes: 44 of 44 are left"),
        (45, "exit 1", "left out: the tests on a real node (make test-cluster), for what is said above or want of time"),
    ],
    ids=["time and a machine", "no time", "no machine that can"],
)
def test_ci_tries_the_real_node_when_there_is_time_and_says_so_when_not(tmp_path: Path, minutes: int, python: str, said: str) -> None:
    done = ci(tmp_path, minutes=minutes, make="", python=python)
    assert (done.returncode, done.stdout.splitlines()) == (0, ["make lint", "make test", said])


@pytest.mark.parametrize(("second", "status"), [("true", 0), ("exit 1", 1)], ids=["it passes then", "it fails again"])
def test_what_fails_on_a_real_node_gets_a_second_try_and_no_third(tmp_path: Path, second: str, status: int) -> None:
    first_fails = f'if [ "$1" = test-cluster ]; then test -d tried || {{ mkdir tried; exit 1; }}; {second}; fi'
    done = ci(tmp_path, minutes=90, make=first_fails, python="exit 0")
    tries = ["make test-cluster", "once more, on a fresh node:", "make test-cluster"]
    assert (done.returncode, done.stdout.splitlines()) == (status, ["make lint", "make test", *tries])


def test_a_test_that_fails_elsewhere_ends_ci(tmp_path: Path) -> None:
    done = ci(tmp_path, minutes=90, make='[ "$1" != test ]', python="exit 0")
    assert (done.returncode, done.stdout.splitlines()) == (1, ["make lint", "make test"])


def test_a_release_builds_every_image_as_the_build_script_does() -> None:
    built = workflow("release.yml")["jobs"]["images"]["strategy"]["matrix"]["include"]
    assert {image["name"]: (image["dockerfile"], image["extras"].split(",")) for image in built} == {
        name: (image.dockerfile, extras_of(name)) for name, image in IMAGES.items()
    }


def test_images_and_chart_are_signed_by_digest_and_carry_their_provenance() -> None:
    jobs = workflow("release.yml")["jobs"]
    for name in ("images", "chart"):
        signing = " ".join(step.get("run", "") for step in jobs[name]["steps"])
        assert "cosign sign --yes" in signing
        assert any("attest-build-provenance" in step.get("uses", "") for step in jobs[name]["steps"])
        assert jobs[name]["permissions"]["id-token"] == "write"
    (build,) = (step["with"] for step in jobs["images"]["steps"] if "build-push-action" in step.get("uses", ""))
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["provenance"], build["sbom"]) == ("mode=max", True)
