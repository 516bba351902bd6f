"""A server of the tests' Kubernetes as a process that never outlives the tests.

Each is the head of a process group of its own, so that Ctrl-C reaches the tests alone and they can clear away in order. On Linux the kernel
ends it when the tests are killed; elsewhere the hook at exit has to do. Only `control_plane.py` starts any.
"""

import atexit
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
SHOWN_CHARACTERS = 3000
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_the_tests() -> None:
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ServerProcess:
    """One command, started and killed as often as a test likes; what it prints is appended to `log`.

    Start it from the main thread: the kernel's promise to end it is bound to the thread that started it.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.command = list(command)
        self.log = log
        self.paused = False
        self._process: subprocess.Popen[bytes] | None = None
        atexit.register(self.kill)

    @property
    def pid(self) -> int | None:
        """None: not running."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def answers(self) -> bool:
        """Whether it can be expected to: it runs, and nobody paused it."""
        return self.pid is not None and not self.paused

    def start(self) -> None:
        """Start, or start again."""
        assert self.pid is None, f"{self.command[0]} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0, preexec_fn=_die_with_the_tests
            )

    def kill(self) -> None:
        """As a host that lost power; nothing when it does not run."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self.paused = False

    def pause(self) -> None:
        """It keeps its connections and its port, and does nothing."""
        self._signal(signal.SIGSTOP)
        self.paused = True

    def resume(self) -> None:
        """As if it had only been slow."""
        self._signal(signal.SIGCONT)
        self.paused = False

    def last_words(self) -> str:
        """The end of its log, for the message of a test that fails."""
        return self.log.read_text(errors="replace")[-SHOWN_CHARACTERS:]

    def _signal(self, number: signal.Signals) -> None:
        assert self.pid is not None, f"{self.command[0]} does not run"
        os.killpg(self.pid, number)


def free_port() -> int:
    """A port nobody listens on, below those that the system gives to outgoing connections: none of them takes it during a restart."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("a hundred ports and none is free")
