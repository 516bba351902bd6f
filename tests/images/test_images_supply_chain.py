"""What the audit lets pass and what it does not, how the engines are spoken to, and what an image's environment is installed from."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from scripts import audit
from scripts.container_engine import BUILDAH, DOCKER, ENGINES, PODMAN, Engine, EngineError, Recipe, find_engine
from scripts.image_environment import EPOCH, requirements, settle

PYPROJECT = """
[project]
dependencies = ["aiohttp>=3"]
[project.optional-dependencies]
redis = ["redis>=8"]
bot = ["coincurve>=21", "kabobagool[redis]"]
"""


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 AND CNRI-Python", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(GPL-3.0-only OR MIT) AND BSD-2-Clause", True),
        ("(GPL-3.0-only OR LGPL-2.1-only) AND MIT", False),
        ("MIT AND (GPL-3.0-only AND (MIT OR ISC))", False),
        ("LGPL-3.0-or-later", False),
        ("Proprietary", False),
    ],
)
def test_a_licence_is_allowed_when_some_way_through_its_conditions_is(expression: str, allowed: bool) -> None:
    assert audit.is_allowed(expression) is allowed


def component(*said: dict[str, Any]) -> dict[str, Any]:
    return {"name": "a", "version": "1", "licenses": list(said)}


def test_a_package_passes_only_when_all_it_says_about_its_licence_is_allowed() -> None:
    classifier = {"license": {"name": "License :: OSI Approved :: BSD License"}}
    fine = [component({"license": {"id": "MIT"}}), component({"expression": "MIT OR GPL-2.0-only"}), component(classifier)]
    assert list(audit.refused(fine)) == []
    mixed = component({"license": {"id": "MIT"}}, {"license": {"id": "AGPL-3.0-only"}})
    assert list(audit.refused([mixed])) == ["a 1: MIT and AGPL-3.0-only"]


def test_a_package_that_says_nothing_about_its_licence_does_not_pass() -> None:
    assert list(audit.refused([component()])) == ["a 1: says nothing about its licence"]


def test_a_known_weakness_is_named_with_the_version_that_mends_it() -> None:
    weak = {"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}, {"id": "PYSEC-2", "fix_versions": []}]}
    report = {"dependencies": [weak, {"name": "b", "version": "1", "vulns": []}]}
    assert audit.weaknesses(report) == ["a 1: PYSEC-1, mended in 2", "a 1: PYSEC-2, mended in no version yet"]


def test_what_could_not_be_asked_after_is_no_pass() -> None:
    skipped = [{"name": name, "skip_reason": "not found"} for name in ("a", "kabobagool")]
    assert audit.unchecked({"dependencies": [*skipped, {"name": "b", "version": "1", "vulns": []}]}) == ["a"]


def test_an_image_holds_what_its_extras_need_and_no_reference_to_ourselves() -> None:
    assert requirements(PYPROJECT, ["bot"]) == ["aiohttp>=3", "coincurve>=21", "redis>=8"]
    with pytest.raises(ValueError, match="EXTRAS=bott: bott is none of bot, redis"):
        requirements(PYPROJECT, ["bott"])


def test_files_get_the_same_time_and_mode_whatever_the_builder_s_are(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir(mode=0o700)
    program, text = tmp_path / "bin" / "program", tmp_path / "text"
    program.touch(mode=0o700)
    text.touch(mode=0o666)
    (tmp_path / "link").symlink_to("nowhere")
    settle(tmp_path)
    assert [oct(path.stat().st_mode & 0o777) for path in (program.parent, program, text)] == ["0o755", "0o755", "0o644"]
    assert {path.lstat().st_mtime for path in (tmp_path, program.parent, program, text, tmp_path / "link")} == {EPOCH}


@pytest.fixture
def spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs named like the engines that only write down how they were called."""
    log = tmp_path / "spoken"
    for engine in ENGINES:
        program = tmp_path / engine.name
        program.write_text(f'#!/bin/sh\necho "{engine.name} $*" >> {log}\ntest "$1" != info || test "{engine.name}" != docker\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return log


def said_by(spoken: Path) -> list[list[str]]:
    return [shlex.split(line) for line in spoken.read_text().splitlines()]


def test_a_docker_without_its_daemon_is_passed_over(spoken: Path) -> None:
    assert find_engine() is PODMAN
    assert find_engine("buildah") is BUILDAH
    with pytest.raises(EngineError, match="no docker works here: install one, or start its daemon"):
        find_engine("docker")
    with pytest.raises(EngineError, match="crane: not one of docker, podman, buildah"):
        find_engine("crane")


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_each_engine_is_given_the_same_recipe(engine: Engine, spoken: Path) -> None:
    recipe = Recipe(Path("Dockerfile.bot"), Path("."), {"EXTRAS": "paper"}, {"a": "b"}, Path("ca.crt"), afresh=True)
    engine.build_image("image:1", recipe)
    (words,) = said_by(spoken)
    assert words[:2] == [engine.name, "build"]
    assert words[-1] == "."
    pairs = dict(zip(words, words[1:], strict=False))
    assert pairs["--build-arg"] == "EXTRAS=paper"
    assert pairs["--label"] == "a=b"
    assert pairs["--secret"] == "id=ca_bundle,src=ca.crt"
    assert pairs["--file"] == "Dockerfile.bot"
    assert "--no-cache" in words


def test_docker_is_told_to_build_with_buildkit_which_older_ones_do_not_do_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\ntest "$DOCKER_BUILDKIT" = 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    DOCKER.build_image("image:1", Recipe(Path("Dockerfile.bot"), Path(".")))


def test_an_image_named_by_tag_and_digest_is_asked_for_by_its_digest(spoken: Path, tmp_path: Path) -> None:
    named = "docker.io/library/python:3.11-slim@sha256:abc"
    assert DOCKER.has_image(named)
    BUILDAH.save_image(named, tmp_path / "base")
    assert said_by(spoken) == [
        ["docker", "image", "inspect", "docker.io/library/python@sha256:abc"],
        [
            "buildah",
            "push",
            "docker.io/library/python@sha256:abc",
            f"docker-archive:{tmp_path}/base:docker.io/library/python:3.11-slim",
        ],
    ]
