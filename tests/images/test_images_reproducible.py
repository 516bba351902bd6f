"""The same sources make the same files, to the byte, the mode and the time: a layer of an image changes only when its sources do."""

import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest
from scripts.image_environment import CONSTRAINTS, EPOCH, install_code
from tests.images.dockerfiles import ROOT


def tree(folder: Path) -> dict[str, tuple[str, int, float]]:
    """Every file below with its content's digest, its mode and its time."""
    return {
        str(file.relative_to(folder)): (
            hashlib.sha256(b"" if file.is_dir() else file.read_bytes()).hexdigest(), file.stat().st_mode, file.stat().st_mtime
        )
        for file in folder.rglob("*")
    }  # fmt: skip


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment to install for, where the tool that makes the wheel can be fetched."""
    folder = tmp_path_factory.mktemp("environment")
    fetch = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--constraint",
        str(CONSTRAINTS),
        "--dest",
        str(folder / "tool"),
        "hatchling",
    ]
    fetched = subprocess.run(fetch, capture_output=True, text=True, check=False)
    if fetched.returncode != 0:
        pytest.skip(f"the package index is out of reach, and a wheel wants hatchling: {fetched.stderr[-300:]}")
    venv.create(folder / "prefix", symlinks=True, with_pip=False)
    return folder / "prefix"


@pytest.mark.timeout(900)  # two installations, and a package index that may be slow
def test_our_code_installed_twice_is_the_same_whatever_the_umask_and_the_hash_seed(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0o022)
    try:
        install_code(prefix, tmp_path / "first")
        os.umask(0o077)
        monkeypatch.setenv("PYTHONHASHSEED", "7")
        install_code(prefix, tmp_path / "second")
    finally:
        os.umask(before)
    first, second = tree(tmp_path / "first"), tree(tmp_path / "second")
    assert first == second
    assert {moment for _, _, moment in first.values()} == {EPOCH}
    place = str(prefix.relative_to("/"))
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert {f"{place}/bin/{script}" for script in scripts} <= first.keys()
    compiled = [name for name in first if name.endswith("kabobagool/__pycache__/clock.cpython-{}{}.pyc".format(*sys.version_info))]
    assert len(compiled) == 1
    assert str(tmp_path).encode() not in (tmp_path / "first" / compiled[0]).read_bytes()
