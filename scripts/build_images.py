"""Builds the container images with whichever engine works here, and prints how large each is over its base.

`make images` runs it; tests/node builds the images of the real cluster through it. Standard library alone, so it needs no installation.

    python -m scripts.build_images [bot] [operator] [paper] [--engine podman] [--ca-bundle FILE] [--tag 0.1.0] [--base IMAGE]
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.container_engine import ENGINES, Engine, EngineError, Recipe, find_engine
from scripts.image_archive import ImageArchive

ROOT: Final = Path(__file__).resolve().parents[1]
MB: Final = 1_000_000


@dataclass(frozen=True)
class Image:
    """One of our images, and how many bytes it may add to its base."""

    dockerfile: str
    arguments: Mapping[str, str]
    most_bytes: int


IMAGES: Final = {
    "bot": Image("Dockerfile.bot", {}, 160 * MB),
    "operator": Image("Dockerfile.operator", {}, 220 * MB),
    "paper": Image("Dockerfile.bot", {"EXTRAS": "paper"}, 400 * MB),
}


def version() -> str:
    """The version of the project, which is the tag of its images."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert found, "pyproject.toml names no version"  # noqa: S101
    return found[1]


def base_of(name: str) -> str:
    """What an image is built on unless somebody says otherwise."""
    found = re.search(r"^ARG BASE=(\S+)$", (ROOT / IMAGES[name].dockerfile).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{IMAGES[name].dockerfile} has no ARG BASE"  # noqa: S101
    return found[1]


def extras_of(name: str) -> list[str]:
    """Which of the project's extras an image holds."""
    found = re.search(r"^ARG EXTRAS=(\S+)$", (ROOT / IMAGES[name].dockerfile).read_text(encoding="utf-8"), re.MULTILINE)
    assert found, f"{IMAGES[name].dockerfile} has no ARG EXTRAS"  # noqa: S101
    return IMAGES[name].arguments.get("EXTRAS", found[1]).split(",")


def build(
    engine: Engine, name: str, tag: str, *, base: str = "", ca_bundle: Path | None = None, revision: str = "", afresh: bool = False
) -> None:
    """Build one image as `tag`. Raises EngineError."""
    arguments = {**IMAGES[name].arguments, **({"BASE": base} if base else {})}
    labels = {"org.opencontainers.image.version": version(), "org.opencontainers.image.base.name": base or base_of(name)}
    labels |= {"org.opencontainers.image.revision": revision} if revision else {}
    recipe = Recipe(ROOT / IMAGES[name].dockerfile, ROOT, arguments, labels, ca_bundle, afresh)
    engine.build_image(tag, recipe)


def revision() -> str:
    """The commit that is checked out, empty where there is none or where files differ from it."""
    told = [_git("status", "--porcelain"), _git("rev-parse", "HEAD")]
    return told[1] if told[0] == "" else ""


def _git(*words: str) -> str:
    try:
        said = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return ""
    return said.stdout.strip() if said.returncode == 0 else ""


def size_line(name: str, image: ImageArchive, base: ImageArchive) -> str:
    """For example `bot: 137.2 MB over the base of 122.5 MB (at most 160 MB)`."""
    added, below = (sum(layer.size for layer in layers) for layers in (image.above(base), base.layers))
    verdict = "at most" if added <= IMAGES[name].most_bytes else "TOO LARGE: at most"
    return f"{name}: {added / MB:.1f} MB over the base of {below / MB:.1f} MB ({verdict} {IMAGES[name].most_bytes // MB} MB)"


def main(arguments: Sequence[str]) -> None:
    """Build, then say the sizes."""
    parser = argparse.ArgumentParser(description="Build the container images and print their sizes.")
    parser.add_argument("names", nargs="*", choices=[[], *IMAGES], help="default: all")
    parser.add_argument("--engine", default="", choices=[engine.name for engine in ENGINES], help="default: the first that works")
    parser.add_argument("--base", default="", help="another base image; default: the one in the Dockerfile")
    parser.add_argument("--ca-bundle", type=Path, help="certificates to trust while building (behind a proxy that opens TLS)")
    parser.add_argument("--tag", default=version(), help="default: the version")
    parser.add_argument("--registry", default="", help="for example ghcr.io/kabobagool")
    given = parser.parse_args(arguments)
    try:
        _build_all(find_engine(given.engine), given)
    except EngineError as error:
        sys.exit(str(error))


def _build_all(engine: Engine, given: argparse.Namespace) -> None:
    registry = f"{given.registry}/" if given.registry else ""
    with tempfile.TemporaryDirectory() as folder:
        saved, base = Path(folder, "image.tar"), Path(folder, "base.tar")
        for name in given.names or IMAGES:
            tag = f"{registry}kabobagool-{name}:{given.tag}"
            sys.stdout.write(f"building {tag} with {engine.name} ...\n")
            sys.stdout.flush()
            build(engine, name, tag, base=given.base, ca_bundle=given.ca_bundle, revision=revision())
            if not base.exists():
                _save_base(engine, given.base or base_of(name), base)
            engine.save_image(tag, saved)
            sys.stdout.write(f"{size_line(name, ImageArchive(saved), ImageArchive(base))}\n")


def _save_base(engine: Engine, image: str, file: Path) -> None:
    if not engine.has_image(image):  # a builder may keep what it builds on to itself
        engine.fetch(image)
    engine.save_image(image, file)


if __name__ == "__main__":
    main(sys.argv[1:])
