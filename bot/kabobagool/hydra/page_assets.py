"""The page's own files: read from the package once, served from memory by `task_health.py`.

Only names that are in the package folder exist, so no request can reach another file. Nothing is built, bundled or fetched from elsewhere.
"""

import hashlib
from importlib.resources import files
from typing import Final, NamedTuple

INDEX: Final = "index.html"
KINDS: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


class Asset(NamedTuple):
    """One file of the page; `etag` changes with its bytes."""

    body: bytes
    kind: str
    etag: str


def read_assets() -> dict[str, Asset]:
    """All files of the page by name."""
    folder = files("kabobagool.hydra") / "page"
    return {file.name: _asset(file.name, file.read_bytes()) for file in folder.iterdir() if _suffix(file.name) in KINDS}


def _asset(name: str, body: bytes) -> Asset:
    return Asset(body, KINDS[_suffix(name)], hashlib.sha256(body).hexdigest()[:16])


def _suffix(name: str) -> str:
    return name.rpartition(".")[2]
