"""Whichever container engine works on this machine, behind the four things we ask of one: have, fetch, build and save an image.

`scripts/build_images.py` and the tests of the images ask. docker, podman and buildah take the same Dockerfiles; only their words differ.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

PATIENCE_S: Final = 600
QUICK_S: Final = 20
SHOWN_CHARACTERS: Final = 3000
BUILDKIT: Final = {"DOCKER_BUILDKIT": "1"}
"""Before version 23 docker builds without it unless told, and then knows no secrets."""


class EngineError(Exception):
    """An engine is missing or refused something; the text says which, and what to do."""


@dataclass(frozen=True)
class Recipe:
    """What an image is built from."""

    dockerfile: Path
    context: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ca_bundle: Path | None = None
    """Certificates to trust while building, handed over as a secret."""
    afresh: bool = False
    """Take nothing from the engine's cache."""


@dataclass(frozen=True)
class Engine:
    """One engine. Its words for each thing we ask; `{image}`, `{plain}` (without a digest) and `{file}` are filled in."""

    name: str
    works: tuple[str, ...]
    build: tuple[str, ...]
    has: tuple[str, ...]
    pull: tuple[str, ...]
    save: tuple[str, ...]
    remove: tuple[str, ...]

    def answers(self) -> bool:
        """Whether it is installed and does something when asked: a docker without its daemon does not."""
        return shutil.which(self.name) is not None and self._ask(self.works, QUICK_S) == 0

    def has_image(self, image: str) -> bool:
        """Whether the image is on this machine."""
        return self._ask(self._filled(self.has, image), QUICK_S) == 0

    def fetch(self, image: str, patience_s: float = PATIENCE_S) -> bool:
        """Fetch an image from its registry. False when that is impossible."""
        return self._ask(self._filled(self.pull, image), patience_s) == 0

    def build_image(self, image: str, recipe: Recipe) -> None:
        """Build an image, showing what the engine says. Raises EngineError."""
        arguments = [word for name, value in recipe.arguments.items() for word in ("--build-arg", f"{name}={value}")]
        labels = [word for name, value in recipe.labels.items() for word in ("--label", f"{name}={value}")]
        secret = ["--secret", f"id=ca_bundle,src={recipe.ca_bundle}"] if recipe.ca_bundle else []
        cache = ["--no-cache"] if recipe.afresh else []
        place = ["--tag", image, "--file", str(recipe.dockerfile), str(recipe.context)]
        self._do([self.name, *self.build, *cache, *arguments, *labels, *secret, *place], "build", image)

    def save_image(self, image: str, file: Path) -> None:
        """Write an image as an archive that every engine and containerd can load. Raises EngineError."""
        file.unlink(missing_ok=True)  # some refuse to write over an archive
        self._do([self.name, *self._filled(self.save, image, file)], "save", image)

    def remove_image(self, image: str) -> None:
        """Forget an image, if it is there."""
        self._ask(self._filled(self.remove, image), PATIENCE_S)

    def _filled(self, words: Sequence[str], image: str, file: Path | None = None) -> list[str]:
        # A reference is a tag or a digest: with both, the digest says it all.
        plain, _, digest = image.partition("@")
        exact = f"{plain.rpartition(':')[0] if ':' in plain.rpartition('/')[2] else plain}@{digest}" if digest else image
        return [word.format(image=exact, plain=plain, file=file) for word in words]

    def _ask(self, words: Sequence[str], patience_s: float) -> int:
        try:
            return subprocess.run([self.name, *words], capture_output=True, check=False, timeout=patience_s).returncode  # noqa: S603
        except subprocess.TimeoutExpired:
            return -1

    def _do(self, command: Sequence[str], what: str, image: str) -> None:
        done = subprocess.run(command, env=os.environ | BUILDKIT, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise EngineError(f"{self.name} could not {what} {image}:\n{(done.stdout + done.stderr)[-SHOWN_CHARACTERS:]}")


_LIKE_DOCKER: Final = {"has": ("image", "inspect", "{image}"), "pull": ("pull", "{image}"), "remove": ("image", "rm", "{image}")}
DOCKER: Final = Engine("docker", works=("info",), build=("build",), save=("save", "--output", "{file}", "{image}"), **_LIKE_DOCKER)
PODMAN: Final = Engine(
    "podman",
    works=("info",),
    # The format of OCI has no health check.
    build=("build", "--format", "docker"),
    save=("save", "--format", "docker-archive", "--output", "{file}", "{image}"),
    **_LIKE_DOCKER,
)
BUILDAH: Final = Engine(
    "buildah",
    works=("info",),
    # chroot needs no right to make namespaces, so it works in containers and small virtual machines too.
    build=("build", "--format", "docker", "--isolation", "chroot", "--layers"),
    has=("inspect", "--type", "image", "{image}"),
    pull=("pull", "{image}"),
    save=("push", "{image}", "docker-archive:{file}:{plain}"),
    remove=("rmi", "{image}"),
)
ENGINES: Final = (DOCKER, PODMAN, BUILDAH)


def find_engine(wanted: str = "") -> Engine:
    """The engine of that name, or the first that works. Raises EngineError."""
    named = [engine for engine in ENGINES if wanted in ("", engine.name)]
    if not named:
        raise EngineError(f"{wanted}: not one of {', '.join(engine.name for engine in ENGINES)}")
    found = next((engine for engine in named if engine.answers()), None)
    if found is None:
        silent = " or ".join(engine.name for engine in named)
        raise EngineError(f"no {silent} works here: install one, or start its daemon (Debian, without a daemon: apt install buildah)")
    return found
