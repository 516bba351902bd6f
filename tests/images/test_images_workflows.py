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


@pytest.mark.parametrize(
    ("minutes", "can", "said"),
    [
        ("35", True, "make test-cluster"),
        ("34", True, "left out: the tests on a real node (make test-cluster), which may take 35 minutes: 34 of 34 are left"),
        ("35", False, "left out: the tests on a real node (make test-cluster), for what is said above"),
    ],
    ids=["time and a machine", "no time", "no machine that can"],
)
def test_ci_tries_the_real_node_when_there_is_time_and_says_so_when_not(tmp_path: Path, minutes: str, can: bool, said: str) -> None:
    script = tmp_path / ".ci" / "run"
    stand_ins = {"bin/make": 'echo "make $*"', "bin/id": "echo 1000", ".venv/bin/python": f"exit {0 if can else 1}"}
    for name, text in stand_ins.items():
        program = tmp_path / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    script.parent.mkdir()
    script.write_text((ROOT / ".ci" / "run").read_text())
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "CI_MINUTES": minutes}
    done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["make lint", "make test", said]


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
