"""The images that the real node runs, as archives that containerd imports: ours built from this checkout, and the few of others.

`python -m tests.node.images` builds what is missing and prints the archives; `prepare.py` calls `build_archives` before a node starts. An
archive lies under a key made of all it is built from, so that a second run takes what there is, and a changed source makes a new one; the
packages of others are a layer below our code, which the engine keeps until constraints.txt or pyproject.toml changes. Every image is named
localhost/..., which `--set global.imageRegistry=localhost` makes the chart use.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.build_images import IMAGES, ROOT, build, version
from scripts.container_engine import Engine, EngineError, find_engine
from scripts.image_archive import ImageArchive
from tests.cluster.binaries import cache_folder
from tests.node import stand_ins
from tests.node.node_files import PAUSE_IMAGE

REGISTRY = "localhost"
BASE_LAYERS = "base-layers.json"
"""Beside the archives: the digests of the layers that are the base's."""
SOURCES = (
    ".dockerignore", ".env.profiles", "Dockerfile.bot", "Dockerfile.operator", "LICENSE", "README.md", "bot", "constraints.txt", "crds",
    "operator", "pyproject.toml", "scripts/build_images.py", "scripts/image_environment.py",
)  # fmt: skip
"""What our images are made of."""
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where a machine behind a proxy that opens TLS usually says what to trust."""
Say = Callable[[str], None]


def our_image(name: str) -> str:
    """The name of one of our images, for example localhost/kabobagool-bot:0.1.0."""
    return f"{REGISTRY}/kabobagool-{name}:{version()}"


def existing_archives() -> list[Path]:
    """The archives of this very checkout; empty when they are not all built."""
    found = [_found(kind, _key(kind)) for kind in KINDS]
    return [archive for archives in found for archive in archives] if all(found) else []


def build_archives(say: Say) -> list[Path]:
    """An archive for each image, made now if this machine has not yet. Raises EngineError."""
    _folder().mkdir(parents=True, exist_ok=True)
    with _alone(_folder() / "lock"):
        return [archive for kind in KINDS for archive in _built(kind, say)]


def _folder() -> Path:
    return cache_folder() / "node" / "images"


def _found(kind: str, key: str) -> list[Path]:
    folder = _folder() / kind / key
    return sorted(folder.glob("*.tar")) if (folder / "complete").exists() else []


def _built(kind: str, say: Say) -> list[Path]:
    key = _key(kind)  # once: what changes while it is built belongs to the next build
    if found := _found(kind, key):
        return found
    folder = _folder() / kind / key
    folder.mkdir(parents=True, exist_ok=True)
    KINDS[kind].make(_engine(say), folder, say)
    (folder / "complete").touch()
    for older in sorted(folder.parent.iterdir(), key=lambda made: made.stat().st_mtime)[:-2]:
        shutil.rmtree(older)  # the one before may be in use by a node that is about to start
    return _found(kind, key)


def _make_ours(engine: Engine, folder: Path, say: Say) -> None:
    base = stand_ins.python_base(engine, say)
    with ThreadPoolExecutor() as beside:
        made = [beside.submit(_make_one, engine, name, base, folder, say) for name in IMAGES]
        _write_base_layers(engine, base, folder)
        for image in made:
            image.result()


def _make_one(engine: Engine, name: str, base: str, folder: Path, say: Say) -> None:
    say(f"building {our_image(name)} with {engine.name} ...")
    build(engine, name, our_image(name), base=base, ca_bundle=_certificates())
    engine.save_image(our_image(name), folder / f"{name}.tar")
    say(f"built {our_image(name)}")


def _write_base_layers(engine: Engine, base: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        engine.save_image(base, Path(aside, "base.tar"))
        layers = ImageArchive(Path(aside, "base.tar")).layers
        (folder / BASE_LAYERS).write_text(json.dumps([layer.digest for layer in layers]))


def _make_others(engine: Engine, folder: Path, say: Say) -> None:
    engine.save_image(stand_ins.build_redis(engine, say), folder / "redis.tar")
    engine.save_image(stand_ins.build_pause(engine), folder / "pause.tar")


def _engine(say: Say) -> Engine:
    try:
        return find_engine()
    except EngineError:
        stand_ins.install(["buildah"], say)
        return find_engine("buildah")


def _certificates() -> Path | None:
    named = (os.environ.get(name) for name in CERTIFICATES)
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def _key(kind: str) -> str:
    """The same for the same sources, wherever they lie."""
    digest = hashlib.sha256("\n".join(KINDS[kind].images()).encode())
    for source in (ROOT / name for name in KINDS[kind].sources):
        files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if _counts(file))
        for file in files:
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _counts(file: Path) -> bool:
    private = file.name == "base.env" or file.name.endswith(".local.env")
    return file.is_file() and "__pycache__" not in file.parts and not private


@dataclass(frozen=True)
class _Kind:
    """Images that are made together: their names, what they are made of, and how they get into a folder."""

    images: Callable[[], tuple[str, ...]]
    sources: tuple[str, ...]
    make: Callable[[Engine, Path, Say], None]


KINDS = {
    "ours": _Kind(lambda: tuple(our_image(name) for name in IMAGES), (*SOURCES, "tests/node/stand_ins.py"), _make_ours),
    "others": _Kind(lambda: (stand_ins.redis_image(), PAUSE_IMAGE), ("tests/node/stand_ins.py", "tests/node/pause/main.go"), _make_others),
}
"""Each with a key of its own: a change of our code makes the images of others none the older."""


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build, and print where the archives are; progress goes to standard error."""
    try:
        for archive in build_archives(lambda line: print(line, file=sys.stderr, flush=True)):
            print(archive)
    except EngineError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
