"""A process of its own that plays the venue's market socket: started by `sockets.py`, never imported by anything else.

It says its port on standard output. A client's first message is answered with both books; what follows is asked for in the path:
`/flood/COUNT` sends that many frames as fast as the other side takes them, `/paced/COUNT/MICROSECONDS` one every so often. Each frame's
`timestamp` is the monotonic clock (plus `STAMP_ORIGIN`) at the moment of sending, which on one machine every process can compare with its
own.
"""

import asyncio
import sys
import time

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.bench.worlds import books_frame, change_frame, change_frames

CHUNK = 64
"""Frames handed to the kernel together in a flood: the sender must be faster than whoever is measured."""
STAMP_ORIGIN = 10**13
"""Added to the monotonic clock, so that every stamp has as many digits and the bare loop finds it by its place."""
STAMPS = 8 * STAMP_ORIGIN
"""So many there are before they begin anew, for the bot believes no moment with more digits."""
STAMP_NS = 100
"""A stamp's unit: they begin anew after three months."""
SPIN_S = 0.0002
"""The event loop's timers are too coarse for a steady pace: the last stretch is spent looking at the clock."""


def stamp_at(now_ns: int) -> int:
    """The stamp of a moment of the monotonic clock."""
    return STAMP_ORIGIN + now_ns // STAMP_NS % STAMPS


def age_ns(stamp: int) -> int:
    """Nanoseconds since a stamp was made, on this machine."""
    return (stamp_at(time.monotonic_ns()) - stamp) % STAMPS * STAMP_NS


def stamped_frame(now_ns: int) -> bytes:
    """A frame with its time of sending; always the same length."""
    return change_frame(5_000, 20_250_000, stamp=str(stamp_at(now_ns)))


async def attend(socket: ServerConnection) -> None:
    """Serve one client until it leaves."""
    kind, *numbers = (socket.request.path if socket.request else "").strip("/").split("/")
    try:
        await socket.recv()
        await socket.send(books_frame(40), text=True)
        await asyncio.sleep(0.05)
        await (flood(socket, int(numbers[0])) if kind == "flood" else paced(socket, int(numbers[0]), int(numbers[1])))
        await socket.wait_closed()
    except ConnectionClosed:
        return


async def flood(socket: ServerConnection, number: int) -> None:
    """Send frames that were prepared before, in large writes."""
    prepared = [Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in change_frames(CHUNK)]
    for first in range(0, number, CHUNK):
        socket.transport.write(b"".join(prepared[: number - first]))
        await socket.drain()


async def paced(socket: ServerConnection, number: int, interval_us: int) -> None:
    """Send one frame every `interval_us` microseconds."""
    due = time.monotonic()
    for _ in range(number):
        due += interval_us / 1e6
        await asyncio.sleep(max(0.0, due - time.monotonic() - SPIN_S))
        while time.monotonic() < due:
            pass
        await socket.send(stamped_frame(time.monotonic_ns()), text=True)


async def main() -> None:
    """Serve until the parent closes standard input."""
    async with serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        (listener,) = server.sockets
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)
        for connection in list(server.connections):
            await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
