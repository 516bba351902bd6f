"""A process of its own that plays the venue for a fleet: started by `fleet.py`, never imported by anything else but its tests.

It is told how many markets there are and says in one line of JSON where catalogue, exchange and market socket are. As soon as every market
is subscribed, on whichever socket, it sends what `fleet_traffic.plan` says: single changes at a steady pace (each with its time of sending,
see `frame_server.py`), then single changes and frames of many changes as fast as they are taken.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import chain, cycle, islice

from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from tests.bench import fleet_traffic
from tests.bench.frame_server import CHUNK, SPIN_S, stamp_at

PAGE = 100
FIRST_REST_S, REST_S = 1.5, 0.5
"""After the last subscription: time to open the last bot and to look at memory. Before each kind of traffic: time to grow calm."""
Frames = Callable[[Sequence[int], int], list[bytes]]
FRAMES: dict[str, Frames] = {"flood": fleet_traffic.flood_frames, "crowded": fleet_traffic.crowded_frames}


class FleetVenue:
    """The markets, who is subscribed to them, and the traffic that starts when all of them are."""

    def __init__(self, markets: int) -> None:
        self._markets = markets
        self._sockets: dict[ServerConnection, list[int]] = {}
        self._all_subscribed = asyncio.Event()

    async def attend(self, socket: ServerConnection) -> None:
        """Serve one socket: books for whatever it subscribes to."""
        numbers = self._sockets[socket] = []
        try:
            async for message in socket:
                if message == "PING":
                    await socket.send("PONG")
                    continue
                joined = sorted({fleet_traffic.number_of(token) for token in json.loads(message)["assets_ids"]})
                await socket.send(fleet_traffic.books(joined), text=True)
                numbers += joined
                if sum(map(len, self._sockets.values())) >= self._markets:
                    self._all_subscribed.set()
        except ConnectionClosed:
            pass
        finally:
            del self._sockets[socket]

    async def act(self) -> None:
        """All traffic, once."""
        await self._all_subscribed.wait()
        try:
            await asyncio.sleep(FIRST_REST_S)
            for kind, count in fleet_traffic.plan():
                await asyncio.sleep(REST_S)
                await (self._paced(count) if kind == "paced" else self._flood(FRAMES[kind], count))
        except ConnectionClosed:
            return

    async def _paced(self, count: int) -> None:
        rows = zip(*([(socket, number) for number in numbers] for socket, numbers in self._sockets.items()), strict=True)
        addresses = islice(cycle(chain.from_iterable(rows)), count)
        due = time.monotonic()
        for variant, (socket, number) in enumerate(addresses):
            due += 1 / fleet_traffic.PACED_PER_S
            await asyncio.sleep(max(0.0, due - time.monotonic() - SPIN_S))
            while time.monotonic() < due:
                pass
            await socket.send(fleet_traffic.change(number, variant, stamp=stamp_at(time.monotonic_ns())), text=True)

    async def _flood(self, frames: Frames, count: int) -> None:
        """Every socket gets its share, all at the same time, in writes that were prepared before."""
        shares = list(fleet_traffic.share(count, len(self._sockets)))
        prepared = [(socket, _writes(frames(numbers, part))) for (socket, numbers), part in zip(self._sockets.items(), shares, strict=True)]
        await asyncio.gather(*(_send(socket, writes) for socket, writes in prepared))


def _writes(frames: Sequence[bytes]) -> list[bytes]:
    raw = [Frame(Opcode.TEXT, frame).serialize(mask=False) for frame in frames]
    return [b"".join(raw[start : start + CHUNK]) for start in range(0, len(raw), CHUNK)]


async def _send(socket: ServerConnection, writes: Sequence[bytes]) -> None:
    for write in writes:
        socket.transport.write(write)
        await socket.drain()


def rest_application(markets: int) -> web.Application:
    """What a fleet asks of catalogue and exchange before it trades. Books over REST are never needed, so there are none."""
    routes = web.RouteTableDef()

    @routes.get("/version")
    async def version(request: web.Request) -> web.Response:
        return web.json_response({"version": 2})

    @routes.get("/markets/keyset")
    async def listing(request: web.Request) -> web.Response:
        first = int(request.query.get("after_cursor", "0"))
        last = min(first + PAGE, markets)
        page = {"markets": [fleet_traffic.catalogue_entry(number) for number in range(first, last)]}
        return web.json_response(page | ({"next_cursor": str(last)} if last < markets else {}))

    @routes.get("/clob-markets/{condition_id}")
    async def market(request: web.Request) -> web.Response:
        return web.json_response(fleet_traffic.exchange_entry(int(request.match_info["condition_id"], 16)))

    @routes.post("/books")
    async def no_books(request: web.Request) -> web.Response:
        return web.json_response([])

    application = web.Application()
    application.add_routes(routes)
    return application


async def main(markets: int) -> None:
    """Serve until the parent ends this process."""
    venue, runner = FleetVenue(markets), web.AppRunner(rest_application(markets), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    rest = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with serve(venue.attend, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sys.stdout.write(json.dumps({"rest": rest, "socket": f"ws://127.0.0.1:{port}"}) + "\n")
        sys.stdout.flush()
        await venue.act()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
