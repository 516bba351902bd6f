"""Reads a saved image (`docker save`): its layers, how large they are, and its configuration.

`scripts/build_images.py` prints sizes from it, the same for every engine, because engines count in different ways; the tests of the images
compare layers and look at files.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Layer:
    """One layer: the digest of its uncompressed archive, and the sum of its files in bytes."""

    digest: str
    size: int


@dataclass(frozen=True)
class ImageArchive:
    """An image in a file."""

    file: Path

    @cached_property
    def configuration(self) -> Mapping[str, Any]:
        """As the image specification has it: `config`, `rootfs`, `history`."""
        with tarfile.open(self.file) as archive:
            return dict(self._json(archive, self._manifest(archive)["Config"]))

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """From the base upwards."""
        digests = self.configuration["rootfs"]["diff_ids"]
        sizes = [sum(member.size for member in members) for members in self._members()]
        return tuple(Layer(digest, size) for digest, size in zip(digests, sizes, strict=True))

    def above(self, base: "ImageArchive") -> tuple[Layer, ...]:
        """The layers that this image adds to `base`. ValueError when it was not built on it."""
        below = [layer.digest for layer in base.layers]
        if [layer.digest for layer in self.layers[: len(below)]] != below:
            raise ValueError(f"{self.file} was not built on {base.file}")
        return self.layers[len(below) :]

    def names(self) -> set[str]:
        """Every file that a container of this image would see, without a leading slash."""
        seen: set[str] = set()
        for members in self._members():
            for member in members:
                folder, _, name = member.name.removeprefix("./").rpartition("/")
                if name.startswith(".wh."):
                    gone = f"{folder}/{name.removeprefix('.wh.')}".removeprefix("/")
                    seen = {path for path in seen if path != gone and not path.startswith(f"{gone}/")}
                else:
                    seen.add(f"{folder}/{name}".removeprefix("/"))
        return seen

    def unpack(self, folder: Path) -> None:
        """Write the file system that a container of this image would see, owners and all: for root alone."""
        with tarfile.open(self.file) as archive:
            for entry in self._manifest(archive)["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(entry)) as layer:
                    for member in layer:
                        _unpack_member(layer, member, folder)

    def members(self) -> Iterator[tuple[int, tarfile.TarInfo]]:
        """Every entry of every layer, with the layer's number from the base upwards."""
        return ((number, member) for number, members in enumerate(self._members()) for member in members)

    def identity(self) -> str:
        """One text for all that is in it, whatever the archive around it looks like."""
        return hashlib.sha256(" ".join(layer.digest for layer in self.layers).encode()).hexdigest()

    def _members(self) -> Iterator[list[tarfile.TarInfo]]:
        with tarfile.open(self.file) as archive:
            for entry in self._manifest(archive)["Layers"]:
                with tarfile.open(fileobj=archive.extractfile(entry)) as layer:
                    yield layer.getmembers()

    def _manifest(self, archive: tarfile.TarFile) -> Mapping[str, Any]:
        return dict(self._json(archive, "manifest.json")[0])

    def _json(self, archive: tarfile.TarFile, name: str) -> Any:
        content = archive.extractfile(name)
        assert content, f"{self.file} holds no {name}: not a saved image"  # noqa: S101
        return json.load(content)


def _unpack_member(layer: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    place = folder / member.name.lstrip("./")
    if place.name.startswith(".wh."):
        gone = place.with_name(place.name.removeprefix(".wh."))
        shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink(missing_ok=True)
    elif not member.isdev():
        layer.extract(member, folder, numeric_owner=True, filter="fully_trusted")
