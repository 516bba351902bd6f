"""The network between a gate and its server, in the test's hand: it can swallow what either side sends, and lead to another server."""

import asyncio
from contextlib import suppress

CHUNK = 1 << 16


class RedisWire:
    """Listens on a free port and forwards to `upstream_port`; connections that are open stay with the server they were made to."""

    def __init__(self, upstream_port: int) -> None:
        self.upstream_port = upstream_port
        self.port = 0
        self.requests_pass = asyncio.Event()
        self.replies_pass = asyncio.Event()
        self.mend()
        self._lines: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def half_open(self) -> None:
        """Nothing arrives any more on either side, and nobody is told."""
        self.requests_pass.clear()
        self.replies_pass.clear()

    def lose_replies(self) -> None:
        """The server hears everything, and is heard no more."""
        self.replies_pass.clear()

    def mend(self) -> None:
        self.requests_pass.set()
        self.replies_pass.set()

    async def lead_to(self, port: int) -> None:
        """Every connection breaks; new ones go to another server."""
        self.upstream_port = port
        await self._break()

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        await self._break()

    async def _break(self) -> None:
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._connect(client, back))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        with suppress(asyncio.CancelledError, OSError):
            await line

    async def _connect(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        replies, on = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        pumps = [
            asyncio.ensure_future(self._pump(client, on, self.requests_pass)),
            asyncio.ensure_future(self._pump(replies, back, self.replies_pass)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (on, back):
                writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        while chunk := await source.read(CHUNK):
            await passes.wait()
            target.write(chunk)
            await target.drain()
