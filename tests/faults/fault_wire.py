"""The network between a bot and the paper exchange, in the test's hand.

A plain TCP forwarder: it counts what the bot sends, holds an order or its reply, answers a read with an error, and can vanish and come back
like a host that died. `tests/support/bot_rig.py` puts one before every exchange.
"""

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

POST_ORDER = b"POST /order "
MARKET_SOCKET = b"GET /ws/market"
HEAD_END = b"\r\n\r\n"
CHUNK = 1 << 16


def answer(status: int, body: str) -> bytes:
    """A whole HTTP reply."""
    head = f"HTTP/1.1 {status} Forged\r\nContent-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()


class Wire:
    """Listens on a free port and forwards to the exchange. `orders` are the bodies of every POST /order that left the bot."""

    def __init__(self, upstream_port: int) -> None:
        self.port = 0
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
        self.orders_may_pass.set()
        self.replies_may_pass.set()
        self._upstream_port = upstream_port
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; on the same port again after `go_down`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_down(self) -> None:
        """Every connection breaks and no new one is accepted."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in list(self._lines):
            line.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    @property
    def distinct_orders(self) -> int:
        """How many different orders were posted: salts differ between any two."""
        return len({(body["order"]["salt"], body["order"]["tokenId"]) for body in self.orders})

    async def _accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        line = asyncio.ensure_future(self._connect(client, back))
        self._lines.add(line)
        line.add_done_callback(self._lines.discard)
        with suppress(asyncio.CancelledError, OSError):
            await line

    async def _connect(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        replies, on = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        held: list[bool] = []
        pumps = [asyncio.ensure_future(self._requests(client, on, back, held)), asyncio.ensure_future(self._replies(replies, back, held))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for writer in (on, back):
                writer.transport.abort()

    async def _requests(self, client: asyncio.StreamReader, on: asyncio.StreamWriter, back: asyncio.StreamWriter, held: list[bool]) -> None:
        while chunk := await client.read(CHUNK):
            self.requests += 1
            self.socket_connects += chunk.startswith(MARKET_SOCKET)
            status = next((status for start, status in self.broken.items() if chunk.startswith(start)), None)
            if status is not None:
                back.write(answer(status, '{"error": "broken"}'))
                continue
            if chunk.startswith(POST_ORDER):
                chunk = await self._whole(client, chunk)
                self.orders.append(json.loads(chunk.partition(HEAD_END)[2]))
                self.order_times.append(asyncio.get_running_loop().time())
                held.append(True)
                self.on_order(len(self.orders))
                await self.orders_may_pass.wait()
                if self.forged is not None:
                    held.clear()
                    back.write(answer(*self.forged))
                    continue
            on.write(chunk)
            await on.drain()

    async def _whole(self, client: asyncio.StreamReader, chunk: bytes) -> bytes:
        while HEAD_END not in chunk:
            chunk += await client.read(CHUNK)
        head, _, body = chunk.partition(HEAD_END)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
        while len(body) < length:
            body += await client.read(CHUNK)
        return head + HEAD_END + body

    async def _replies(self, replies: asyncio.StreamReader, back: asyncio.StreamWriter, held: list[bool]) -> None:
        while chunk := await replies.read(CHUNK):
            if held:
                await self.replies_may_pass.wait()
                held.clear()
            back.write(chunk)
            await back.drain()
