"""The images that the real node runs, as archives that containerd imports: ours built from this checkout, and the few of others.

`python -m tests.node.images` builds what is missing and prints the archives; `prepare.py` calls `build_archives` before a node starts. An
archive lies under a key made of all it is built from, so that a second run takes what there is, and a changed source makes a new one. Every
image is named localhost/..., which `--set global.imageRegistry=localhost` makes the chart use.
"""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.build_images import IMAGES, ROOT, build, size_line, version
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
OWN_TOOLS = ("stand_ins.py", "pause/main.go")
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
"""Where a machine behind a proxy that opens TLS usually says what to trust."""
Say = Callable[[str], None]


def our_image(name: str) -> str:
    """The name of one of our images, for example localhost/kabobagool-bot:0.1.0."""
    return f"{REGISTRY}/kabobagool-{name}:{version()}"


def all_images() -> tuple[str, ...]:
    """The names of all images that the archives hold."""
    return (*(our_image(name) for name in IMAGES), stand_ins.redis_image(), PAUSE_IMAGE)


def existing_archives(key: str = "") -> list[Path]:
    """The archives of this very checkout, or of the sources with that key; empty when they are not built."""
    folder = _folder() / (key or _key())
    return sorted(folder.glob("*.tar")) if (folder / "complete").exists() else []


def build_archives(say: Say) -> list[Path]:
    """An archive for each image, made now if this machine has not yet. Raises EngineError."""
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / "lock"):
        key = _key()  # once: what changes while it is built belongs to the next build
        if found := existing_archives(key):
            return found
        _make_all(_engine(say), folder / key, say)
        (folder / key / "complete").touch()
        kept = sorted((made for made in folder.iterdir() if made.is_dir()), key=lambda made: made.stat().st_mtime)
        for older in kept[:-2]:  # the one before may be in use by a node that is about to start
            shutil.rmtree(older)
        return existing_archives(key)


def _folder() -> Path:
    return cache_folder() / "node" / "images"


def _make_all(engine: Engine, folder: Path, say: Say) -> None:
    folder.mkdir(exist_ok=True)
    base = stand_ins.python_base(engine, say)
    for name in IMAGES:
        say(f"building {our_image(name)} with {engine.name} ...")
        build(engine, name, our_image(name), base=base, ca_bundle=_certificates())
        engine.save_image(our_image(name), folder / f"{name}.tar")
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        engine.save_image(base, Path(aside, "base.tar"))
        below = ImageArchive(Path(aside, "base.tar"))
        (folder / BASE_LAYERS).write_text(json.dumps([layer.digest for layer in below.layers]))
        for name in IMAGES:
            say(size_line(name, ImageArchive(folder / f"{name}.tar"), below))
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


def _key() -> str:
    """The same for the same sources, wherever they lie."""
    digest = hashlib.sha256("\n".join(all_images()).encode())
    sources = [ROOT / name for name in SOURCES] + [Path(__file__).parent / name for name in OWN_TOOLS]
    for source in sources:
        files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if _counts(file))
        for file in files:
            digest.update(str(file.relative_to(ROOT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _counts(file: Path) -> bool:
    private = file.name == "base.env" or file.name.endswith(".local.env")
    return file.is_file() and "__pycache__" not in file.parts and not private


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
