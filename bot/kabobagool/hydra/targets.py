"""The file in which Prometheus finds this process: written whole or not at all, so that a scrape never reads half of it.

`cli/hydra.py` writes it when the server listens and empties it at the end. The format is `file_sd`: a list of target groups.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class TargetsError(RuntimeError):
    """The file could not be written; the text names the variable to change."""


def write_targets(path: Path, *, target: str | None, labels: Mapping[str, str]) -> None:
    """Write one target (`host:port`) with its labels, or none. TargetsError when that is not possible."""
    groups = [{"targets": [target], "labels": dict(sorted(labels.items()))}] if target else []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, json.dumps(groups, indent=2) + "\n")
    except OSError as e:
        raise TargetsError(
            f"TARGETS_PATH={path}: cannot be written ({e.strerror or e}); name a file in a folder this user may write to"
        ) from e


def _replace(path: Path, text: str) -> None:
    """Write beside the file, then move over it: readable by Prometheus, which is another user."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
