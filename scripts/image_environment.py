"""Installs what an image runs, in two parts, so that each becomes a layer: what others wrote, and what we wrote.

The Dockerfiles call it in their build stages, and `scripts/sbom.py` for the same packages without a container engine. Standard library
alone: it runs before anything is installed. The same sources make the same files to the byte, with the same times, so that a new release
does not make every node fetch the dependencies again.

    python scripts/image_environment.py dependencies PREFIX --root FOLDER --extras bot,cli
    python scripts/image_environment.py code PREFIX --root FOLDER
    python scripts/image_environment.py settle FOLDER

PREFIX is where the environment is in the image; FOLDER becomes the image's root, so that the folders above PREFIX have fixed times as well.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]
CONSTRAINTS = SOURCE / "constraints.txt"
CA_BUNDLE = Path("/run/secrets/ca_bundle")
"""Certificates that the build trusts besides the usual ones: a build secret for those behind a proxy that opens TLS."""
EPOCH = 1580601600
"""The time of every file we install, unless SOURCE_DATE_EPOCH says otherwise: what hatchling stamps into wheels too."""
PROJECT = "kabobagool"


def requirements(pyproject: str, extras: Sequence[str]) -> list[str]:
    """What the project needs with these extras, its references to its own extras followed. ValueError names an extra that is none."""
    project = tomllib.loads(pyproject)["project"]
    offered: dict[str, list[str]] = project["optional-dependencies"]
    if unknown := [extra for extra in extras if extra not in offered]:
        raise ValueError(f"EXTRAS={','.join(extras)}: {unknown[0]} is none of {', '.join(sorted(offered))}")
    return sorted({*project["dependencies"], *_of_extras(offered, extras)})


def _of_extras(offered: dict[str, list[str]], extras: Sequence[str]) -> Iterator[str]:
    for line in (line for extra in extras for line in offered[extra]):
        if own := re.fullmatch(rf"{PROJECT}\[(.+)\]", line):
            yield from _of_extras(offered, own[1].split(","))
        else:
            yield line


def install_dependencies(prefix: Path, extras: Sequence[str], root: Path = Path("/")) -> None:
    """Make the environment `prefix` with all that these extras need, without pip, and the same below `root`.

    Only wheels are taken: an image has no compiler.
    """
    wanted = requirements((SOURCE / "pyproject.toml").read_text(encoding="utf-8"), extras)
    venv.create(prefix, symlinks=True, with_pip=False)
    with tempfile.TemporaryDirectory() as folder:
        _pip(_tools(Path(folder)), "--python", _python(prefix), "install", "--no-compile", "--only-binary", ":all:", *wanted)
    _compile(prefix, prefix)
    place = _below(root, prefix)
    if place != prefix:
        shutil.copytree(prefix, place, symlinks=True, copy_function=os.link)
    settle(place if place == prefix else root)


def install_code(prefix: Path, root: Path = Path("/")) -> None:
    """Install the project for the environment `prefix`, below `root`: laid over the environment it completes it."""
    place = _below(root, prefix)
    with tempfile.TemporaryDirectory() as folder:
        tools, wheels = _tools(Path(folder, "tools")), Path(folder, "wheels")
        _pip(tools, "install", "hatchling")
        _pip(tools, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, SOURCE)
        offline = ["--no-deps", "--no-index", "--find-links", str(wheels), "--no-compile"]
        where = ["--ignore-installed", "--prefix", str(place), "--no-warn-script-location"]
        _pip(tools, "--python", _python(prefix), "install", *offline, *where, PROJECT)
    _compile(place, prefix)
    settle(place if place == prefix else root)


def _below(root: Path, prefix: Path) -> Path:
    return root / prefix.absolute().relative_to("/")


def settle(folder: Path) -> None:
    """Give every file below, and the folder itself, the same time and an ordinary mode, whatever the builder's clock and umask are."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or EPOCH)
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        os.utime(path, (moment, moment), follow_symlinks=False)


def _python(prefix: Path) -> Path:
    return prefix / "bin" / "python"


def _tools(folder: Path) -> Path:
    """An environment with pip that is thrown away."""
    venv.create(folder, symlinks=True, with_pip=True)
    return folder


def _pip(tools: Path, *arguments: str | Path) -> None:
    certificates = {"PIP_CERT": str(CA_BUNDLE)} if CA_BUNDLE.is_file() and CA_BUNDLE.stat().st_size else {}
    settings = {"PIP_CONSTRAINT": str(CONSTRAINTS), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_QUIET": "1"}
    own = {"PIP_ROOT_USER_ACTION": "ignore", "SOURCE_DATE_EPOCH": os.environ.get("SOURCE_DATE_EPOCH") or str(EPOCH)}
    command = [str(_python(tools)), "-m", "pip", *map(str, arguments)]
    subprocess.run(command, env=os.environ | settings | own | certificates, check=True)  # noqa: S603


def _compile(place: Path, prefix: Path) -> None:
    """Byte code that is never checked against its source: the image cannot be written to, and no time of a file may be in it."""
    library = next((place / "lib").glob("python3*"))
    places = ["-s", str(place), "-p", str(prefix), str(library)]
    command = [str(_python(prefix)), "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *places]
    subprocess.run(command, env=os.environ | {"PYTHONHASHSEED": "0"}, check=True)  # noqa: S603


def main(arguments: Sequence[str]) -> None:
    """One of the three commands of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("dependencies", "code"):
        command = commands.add_parser(name)
        command.add_argument("prefix", type=Path)
        command.add_argument("--root", required=True, type=Path)
    commands.choices["dependencies"].add_argument("--extras", required=True, type=lambda text: text.split(","))
    commands.add_parser("settle").add_argument("folder", type=Path)
    given = parser.parse_args(arguments)
    try:
        if given.command == "dependencies":
            install_dependencies(given.prefix, given.extras, given.root)
        elif given.command == "code":
            install_code(given.prefix, given.root)
        else:
            settle(given.folder)
    except ValueError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed with status {error.returncode}: {' '.join(map(str, error.cmd))}")


if __name__ == "__main__":
    main(sys.argv[1:])
