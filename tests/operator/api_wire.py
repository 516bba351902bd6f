"""The network between an operator and a real API server, where it can be read: plain HTTP at the operator's end, TLS at the other.

So a test says which requests are left without an answer, or at which write the operator dies, and all else goes on as it would.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster.kubeconfig import write_kubeconfig
from tests.support.wire import CHUNK, Line, Wire

READING = b"GET "
METHODS = (READING, b"PATCH ", b"POST ", b"PUT ", b"DELETE ")
LEASE = b"/leases/"


class ApiWire(Wire):
    """Requests always arrive. The answers to some may not."""

    def __init__(self, upstream_port: int) -> None:
        self.unanswered = 0
        """So many answers were kept back so far."""
        self._asked: dict[asyncio.StreamWriter, bytes] = {}
        self._kept_back: tuple[bytes, ...] = ()
        self._answers_again = asyncio.Event()
        super().__init__(upstream_port)

    def keep_back(self, *parts: bytes) -> None:
        """From now on nobody hears the answer to a request with one of these in its first line; nor what is still to come of one."""
        self._kept_back = parts
        self._answers_again.clear()

    def mend(self) -> None:
        """What was kept back arrives, and everything after it."""
        super().mend()
        self._kept_back = ()
        self._answers_again.set()

    def mend_for_new_ones(self) -> None:
        """What was kept back never arrives, nor anything else on those connections; all others work."""
        self._answers_again = asyncio.Event()
        self._kept_back = ()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # this very machine
        return await asyncio.open_connection("127.0.0.1", self.upstream_port, ssl=trust)

    async def _requests(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, line: Line) -> None:
        while chunk := await client.read(CHUNK):
            if chunk.startswith(METHODS):
                self._asked[line.back] = chunk.partition(b"\r\n")[0]
                await self._arrives(self._asked[line.back])
            on.write(chunk)
            await on.drain()

    async def _replies(self, replies: asyncio.StreamReader, line: Line) -> None:
        while chunk := await replies.read(CHUNK):
            asked = self._asked.get(line.back, b"")
            await self._may_be_answered(asked)
            if any(part in asked for part in self._kept_back):
                self.unanswered += 1
                await self._answers_again.wait()
            line.back.write(chunk)
            await line.back.drain()
        self._asked.pop(line.back, None)

    async def _arrives(self, asked: bytes) -> None:
        """A request is about to be handed on."""

    async def _may_be_answered(self, asked: bytes) -> None:
        """An answer, or a part of one, is about to be handed back."""


class Place(NamedTuple):
    """Where an operator dies: at its write of this number, when it has left (`sent`) and before its answer comes, or before it leaves.

    Counted are those whose first line holds `of`.
    """

    number: int
    sent: bool
    of: bytes = b""


class DeadlyWire(ApiWire):
    """A wire on which the operator can be stopped at any of its writes, the Lease's not counted."""

    def __init__(self, upstream_port: int) -> None:
        super().__init__(upstream_port)
        self.reached = asyncio.Event()
        self.at = b""
        """The write at which it was stopped."""
        self._place: Place | None = None
        self._writes = 0
        self._dead = asyncio.Event()

    def stop_at(self, place: Place | None) -> None:
        """The next operator comes as far as this, and no byte further; None: all the way."""
        self._dead.set()
        self._dead = asyncio.Event()
        self._place, self._writes, self.at = place, 0, b""
        self.reached.clear()

    async def _arrives(self, asked: bytes) -> None:
        if self._place is None or asked.startswith(READING) or LEASE in asked or self._place.of not in asked:
            return
        self._writes += 1
        if self._writes == self._place.number:
            self.at = asked
            if not self._place.sent:
                await self._end()
        elif self._writes > self._place.number and not self._place.sent:
            await self._end()

    async def _may_be_answered(self, asked: bytes) -> None:
        if self.at and asked == self.at:
            await self._end()

    async def _end(self) -> None:
        dead = self._dead
        self.reached.set()
        await dead.wait()
        raise ConnectionAbortedError


def kubeconfig_over(wire: ApiWire, control_plane: Any, folder: Path) -> Path:
    """The administrator's, that leads there."""
    url = f"http://127.0.0.1:{wire.port}"
    return write_kubeconfig(folder / f"wire-{wire.port}.kubeconfig", url=url, certificate_authority={}, token=control_plane.token)


@contextlib.asynccontextmanager
async def wired(wire: ApiWire) -> AsyncIterator[None]:
    """It listens until the block ends."""
    await wire.start()
    try:
        yield
    finally:
        await wire.go_down()
