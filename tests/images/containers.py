"""Runs a saved image as a real container, as hardened as in the cluster: a file system that cannot be written to, user 65532, no rights.

`test_images_containers.py` uses it. runc is the runtime underneath every engine and Kubernetes; the container sees this machine's network.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.image_archive import ImageArchive

PATIENCE_S = 90
LOOK_S = 0.2
USER = 65532
_FOLDERS = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777", "size=65536k"]},
)


class Container:
    """One image, unpacked once; commands run in it one after the other or at the same time."""

    def __init__(self, archive: ImageArchive, folder: Path) -> None:
        self.archive = archive
        self.folder = folder
        self._root = folder / "root"
        self._root.mkdir()
        archive.unpack(self._root)
        self._number = 0

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        with self.running(command, environment) as (process, _):
            output, _ = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(command, process.returncode, output)

    @contextmanager
    def running(self, command: Sequence[str], environment: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
        """A command as the container's first process, and the container's name. Nothing of it is left afterwards."""
        self._number += 1
        name = f"{self.folder.name}-{self._number}"
        bundle = self.folder / name
        bundle.mkdir()
        (bundle / "config.json").write_text(json.dumps(self._configuration(command, environment)))
        process = subprocess.Popen(
            [*self._runc(), "run", "--bundle", str(bundle), name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        try:
            yield process, name
        finally:
            subprocess.run([*self._runc(), "delete", "--force", name], capture_output=True, check=False)
            process.wait(PATIENCE_S)

    def terminate(self, name: str) -> None:
        """What a stop does: SIGTERM to the first process."""
        subprocess.run([*self._runc(), "kill", name, "TERM"], check=True)

    def becomes_healthy(self, process: subprocess.Popen[str], check: Sequence[str], name: str) -> None:
        """Ask in the container, as an engine does for a health check, until the answer is yes."""
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run([*self._runc(), "exec", name, *check], capture_output=True, check=False).returncode:
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert time.monotonic() < deadline, f"{check} never succeeded"
            time.sleep(LOOK_S)

    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self.folder / "state")]

    def _configuration(self, command: Sequence[str], environment: Mapping[str, str]) -> dict[str, object]:
        image = self.archive.configuration["config"]
        user, _, group = image["User"].partition(":")
        own = dict(line.split("=", 1) for line in image["Env"])
        process: dict[str, object] = {
            "user": {"uid": int(user), "gid": int(group)},
            "args": list(command),
            "env": [f"{name}={value}" for name, value in {**own, **environment}.items()],
            "cwd": image.get("WorkingDir") or "/",
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "ambient")},
        }
        return {
            "ociVersion": "1.0.2",
            "process": process,
            "root": {"path": str(self._root), "readonly": True},
            "hostname": "container",
            "mounts": list(_FOLDERS),
            "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]},
        }
