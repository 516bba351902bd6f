"""Bots that share one order gate on a real Valkey, at one paper exchange, as on different hosts: nothing but the two is common to them."""

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tests.gate.redis_rig import gate_on
from tests.gate.redis_servers import PATIENCE_S, Server
from tests.support.bot_rig import BotProcess, Venue

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import Lease
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_url import connect
from kabobagool.trading.gate_report import HeldLease, read_leases


@contextmanager
def valkey(*options: str) -> Iterator[Server]:
    """A server of its own for a test that kills it or looks at all of it."""
    server = Server("valkey", *options)
    try:
        yield server
    finally:
        server.close()


def patient(url: str) -> str:
    """The way to a server of which no answer is too late for a busy machine: a bot waits for one only twentieths of a second."""
    return f"{url}?socket_timeout=20&socket_connect_timeout=20"


async def long_awake(server: Server, wallet: str) -> None:
    """A server that this wallet has used for longer than it is silent after a start."""
    gate = gate_on(server, wallet=wallet, holder="before", silence_at_start_s=0.0)
    assert isinstance(await gate.take_lease("another market"), Lease)
    await gate.close()


@asynccontextmanager
async def link_to(server: Server, wallet: str) -> AsyncIterator[RedisLink]:
    """What a person would look through at a wallet's gate."""
    link = RedisLink(connect(server.url, timeout_s=PATIENCE_S), wallet=wallet, clock=SystemClock(), rng=random.Random(1))
    try:
        yield link
    finally:
        await link.close()


async def lease_of(server: Server, venue: Venue) -> HeldLease | None:
    """Who has the venue's market now."""
    async with link_to(server, venue.address) as link:
        leases = await read_leases(link)
    return next((lease for lease in leases if lease.market == venue.paper.market.condition_id), None)


def end_lease(server: Server, venue: Venue, *, wallet: str | None = None) -> None:
    """As if as much time had passed as a dead bot's lease lasts: the scripted books would be over by then."""
    key, market = f"kabobagool:{{{wallet or venue.address}}}:leases", venue.paper.market.condition_id
    number, _, holder = str(server.admin.hget(key, market)).split(" ", 2)
    server.admin.hset(key, market, f"{number} 1 {holder}")


async def said_by_gate(server: Server, *arguments: str) -> str:
    """What `kabobagool gate` prints, once it prints anything."""
    command = (sys.executable, "-m", "kabobagool.cli.main", "gate", *arguments)
    env = {"PATH": os.environ["PATH"], "REDIS_URL": patient(server.url)}
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:
            process = await asyncio.create_subprocess_exec(*command, env=env, stdout=asyncio.subprocess.PIPE)
            out, _ = await process.communicate()
            if out:
                return out.decode()


def everything(server: Server) -> dict[str, object]:
    """Every key and its value."""
    readers = {"string": server.admin.get, "hash": server.admin.hgetall, "zset": lambda key: server.admin.zrange(key, 0, -1)}
    return {key: readers[server.admin.type(key)](key) for key in server.admin.scan_iter("*")}


def on_host(venue: Venue, server: Server, host: str, *, redis_url: str | None = None, **more: str) -> dict[str, str]:
    """Variables of a bot whose disk no other one sees, and that waits for the gate. `redis_url` is its own way to the server."""
    folder = venue.folder / host
    folder.mkdir(exist_ok=True)
    return {"REDIS_URL": redis_url or patient(server.url), "JOURNAL_PATH": str(folder / "journal.sqlite"), **more}


@asynccontextmanager
async def bot_on_host(venue: Venue, server: Server, host: str, *, redis_url: str | None = None, **more: str) -> AsyncIterator[BotProcess]:
    """A started `kabobagool run`, ended with the block. A fresh server lets it wait before it gives a lease."""
    bot = BotProcess(venue, **on_host(venue, server, host, redis_url=redis_url, **more))
    try:
        yield await started(bot)
    finally:
        await bot.put_away()


async def started(bot: BotProcess) -> BotProcess:
    """Start it, and wait longer than the first lease of a fresh server takes."""
    await bot.start(announced=False)
    assert bot.process.stdout is not None
    line = await asyncio.wait_for(bot.process.stdout.readline(), 60)
    assert line, f"the bot ended before it started: {await bot.ended()}"
    bot.facts = json.loads(line)
    return bot


async def refused(venue: Venue, server: Server, host: str, **more: str) -> str:
    """What a bot says that must not start. AssertionError when it did, or ended with anything but status 1."""
    bot = BotProcess(venue, **on_host(venue, server, host, **more))
    await bot.start(announced=False)
    try:
        status, said = await bot.ended(patience_s=3 * PATIENCE_S)
    finally:
        await bot.put_away()
    assert status == 1, said
    assert "Traceback" not in said
    return said
