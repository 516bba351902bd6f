"""The network between what is tested and the server it talks to, in the test's hand.

`Wire` is a plain TCP forwarder that can swallow what either side sends, lead to another server, and vanish and come back like a host that
died. `ExchangeWire` also reads what a bot sends to the paper exchange: it counts, holds an order or its reply, and answers in its place.
`tests/support/bot_rig.py` puts one before every exchange, the gate's tests put one before their server.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

POST_ORDER = b"POST /order "
MARKET_SOCKET = b"GET /ws/market"
HEAD_END = b"\r\n\r\n"
CHUNK = 1 << 16


@dataclass(slots=True)
class Line:
    """One connection: the way back to the client, and whether the reply to an order is still to come on it."""

    back: asyncio.StreamWriter
    order_under_way: bool = False


class Wire:
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
    def redis_url(self) -> str:
        """Where a shared gate's server is found at this end."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Listen; on the same port again after `go_down`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def half_open(self) -> None:
        """Nothing arrives any more on either side, and nobody is told."""
        self.requests_pass.clear()
        self.replies_pass.clear()

    def lose_replies(self) -> None:
        """The server hears everything, and is heard no more."""
        self.replies_pass.clear()

    def mend(self) -> None:
        """What was held arrives, and all that comes after it."""
        self.requests_pass.set()
        self.replies_pass.set()

    async def lead_to(self, port: int) -> None:
        """Every connection breaks; new ones go to another server."""
        self.upstream_port = port
        await self._break()

    async def go_down(self) -> None:
        """Every connection breaks and no new one is accepted."""
        if self._server is not None:
            self._server.close()
            self._server = None
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
        replies, on = await self._dial()
        line = Line(back)
        pumps = [asyncio.ensure_future(self._requests(client, on, line)), asyncio.ensure_future(self._replies(replies, line))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (on, back):
                writer.transport.abort()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.upstream_port)

    async def _requests(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, line: Line) -> None:
        while chunk := await client.read(CHUNK):
            await _forward(chunk, on, when=self.requests_pass)

    async def _replies(self, replies: asyncio.StreamReader, line: Line) -> None:
        while chunk := await replies.read(CHUNK):
            await _forward(chunk, line.back, when=self.replies_pass)


@asynccontextmanager
async def wire_to(port: int) -> AsyncIterator[Wire]:
    """A wire that listens until the block ends."""
    wire = Wire(port)
    await wire.start()
    try:
        yield wire
    finally:
        await wire.go_down()


class ExchangeWire(Wire):
    """A wire to the paper exchange. `orders` are the bodies of every POST /order that left the bot."""

    def __init__(self, upstream_port: int) -> None:
        super().__init__(upstream_port)
        self.orders: list[dict[str, Any]] = []
        self.order_times: list[float] = []
        """Seconds of the event loop's clock at which they left."""
        self.on_order: Callable[[int], None] = lambda number: None
        """Called with 1 for the first order, 2 for the second, ... before it is forwarded."""
        self.socket_connects = 0
        self.requests = 0
        self.broken: dict[bytes, int] = {}
        """Requests that start so are answered with this status and never forwarded."""
        self.forged: tuple[int, str] | None = None
        """Status and body that answer every order, which is then not forwarded."""
        self.orders_may_pass = asyncio.Event()
        self.replies_may_pass = asyncio.Event()
        """Whether the exchange's replies to orders arrive; those to anything else do."""
        self.orders_may_pass.set()
        self.replies_may_pass.set()

    @property
    def distinct_orders(self) -> int:
        """How many different orders were posted: salts differ between any two."""
        return len({(body["order"]["salt"], body["order"]["tokenId"]) for body in self.orders})

    async def _requests(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, line: Line) -> None:
        while chunk := await client.read(CHUNK):
            self.requests += 1
            self.socket_connects += chunk.startswith(MARKET_SOCKET)
            status = next((status for start, status in self.broken.items() if chunk.startswith(start)), None)
            if status is not None:
                line.back.write(answer(status, '{"error": "broken"}'))
                continue
            if chunk.startswith(POST_ORDER):
                chunk = await self._order(client, chunk, line)
                if self.forged is not None:
                    line.order_under_way = False
                    line.back.write(answer(*self.forged))
                    continue
            await _forward(chunk, on, when=self.requests_pass)

    async def _order(self, client: asyncio.StreamReader, chunk: bytes, line: Line) -> bytes:
        """The whole request of an order, once it may pass."""
        chunk = await _whole(client, chunk)
        self.orders.append(json.loads(chunk.partition(HEAD_END)[2]))
        self.order_times.append(asyncio.get_running_loop().time())
        line.order_under_way = True
        self.on_order(len(self.orders))
        await self.orders_may_pass.wait()
        return chunk

    async def _replies(self, replies: asyncio.StreamReader, line: Line) -> None:
        while chunk := await replies.read(CHUNK):
            if line.order_under_way:
                await self.replies_may_pass.wait()
                line.order_under_way = False
            await _forward(chunk, line.back, when=self.replies_pass)


async def _forward(chunk: bytes, target: asyncio.StreamWriter, *, when: asyncio.Event) -> None:
    await when.wait()
    target.write(chunk)
    await target.drain()


def answer(status: int, body: str) -> bytes:
    """A whole HTTP reply."""
    head = f"HTTP/1.1 {status} Forged\r\nContent-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()


async def _whole(client: asyncio.StreamReader, chunk: bytes) -> bytes:
    """The request that begins with this chunk, its body included."""
    while HEAD_END not in chunk:
        chunk += await client.read(CHUNK)
    head, _, body = chunk.partition(HEAD_END)
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    while len(body) < length:
        body += await client.read(CHUNK)
    return head + HEAD_END + body
