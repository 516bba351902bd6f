"""Fifty processes, one budget: what all of them together send stays within burst and rate, whatever happens to the server meanwhile.

The server is kept busy, killed, flushed and failed over in one life of the fleet, each as soon as the fleet trades again after the one
before. What is checked is the log of all grants together, over every window of time there is in it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from pathlib import Path

import redis.asyncio
from redis.exceptions import RedisError
from tests.gate.gate_process import LOCAL_SHARE, LoggedGrant, read_log
from tests.gate.gate_rig import Departure, no_window_overflows
from tests.gate.redis_rig import new_wallet
from tests.gate.redis_servers import Server, every_server
from tests.support.wire import Wire, wire_to

from kabobagool.gate.limits import Limits
from kabobagool.gate.local_budget import split

PROCESSES = 50
LIMITS = Limits(interval_us=10_000, burst=10, reserve_fraction=Fraction(0))
SHARED = split(LIMITS, share=LOCAL_SHARE, processes=PROCESSES).shared
SILENCE_S = 1.0
PATIENCE_S = 120.0
STALL = "local n = 0; for _ = 1, 2000000 do n = n + 1 end; return n"
"""Holds the server up for some hundredths of a second, as somebody else's slow query does."""
OPTIONS = ("--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0")
"""A server that keeps what it acknowledged, and a replica that has it soon."""


class Fleet:
    """The processes and their log."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def grants(self) -> list[LoggedGrant]:
        """What was granted so far."""
        return read_log(self._log.read_text(encoding="utf-8")) if self._log.exists() else []

    async def until(self, condition: Callable[[list[LoggedGrant]], bool], what: str) -> None:
        """Wait for what the log must show sooner or later."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition(self.grants()):
                await asyncio.sleep(0.1)
        assert condition(self.grants()), what

    async def trades_again(self) -> None:
        """Until a tenth of the fleet was granted something by the server that was not granted before."""
        before = len(self.grants())
        await self.until(lambda grants: len({each.process for each in grants[before:] if each.shared}) >= PROCESSES // 10, "grants")


@asynccontextmanager
async def fleet_on(wire: Wire, folder: Path) -> AsyncIterator[Fleet]:
    """Fifty processes whose way to the server is this wire; killed with the block."""
    log = folder / "grants"
    budget = {"interval_us": LIMITS.interval_us, "burst": LIMITS.burst}
    asked = {"url": wire.redis_url, "wallet": new_wallet(), "log": str(log), "processes": PROCESSES, "silence_s": SILENCE_S, **budget}
    command = (sys.executable, "-m", "tests.gate.gate_process", json.dumps(asked))
    parent = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE)
    try:
        yield Fleet(log)
    finally:
        assert parent.stdin is not None
        parent.stdin.close()
        await parent.wait()
    assert parent.returncode == 0


@asynccontextmanager
async def busy(wire: Wire) -> AsyncIterator[None]:
    """Somebody else writes to the server all the time, and holds it up now and then."""
    client = redis.asyncio.Redis(port=wire.port)

    async def work() -> None:
        while True:
            try:
                async with client.pipeline(transaction=False) as pipeline:
                    for number in range(200):
                        pipeline.set(f"somebody else's {number}", "x" * 1_000)
                    await pipeline.execute()
                await client.eval(STALL, 0)
            except (RedisError, OSError):
                pass  # the server is in trouble, which is what this is about
            await asyncio.sleep(0.1)

    working = asyncio.ensure_future(work())
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await client.aclose()


async def killed_and_restarted(fleet: Fleet, server: Server) -> None:
    """Away until some of the fleet live on what was set aside for their hedges."""
    alone = sum(not each.shared for each in fleet.grants())
    await asyncio.to_thread(server.kill)
    await fleet.until(lambda grants: sum(not each.shared for each in grants) >= alone + 3, "hedges without the server")
    await asyncio.to_thread(server.start)


async def failed_over(primary: Server, replica: Server, wire: Wire) -> None:
    """The replica that followed all along is the primary now."""
    async with asyncio.timeout(PATIENCE_S):
        while replica.admin.info("replication")["master_link_status"] != "up":
            await asyncio.sleep(0.1)
    await asyncio.to_thread(primary.kill)
    replica.admin.replicaof("NO", "ONE")
    await wire.lead_to(replica.port)


@asynccontextmanager
async def primary_and_replica(kind: str) -> AsyncIterator[tuple[Server, Server]]:
    primary = Server(kind, *OPTIONS)
    replica = Server(kind, *OPTIONS, "--replicaof", "127.0.0.1", str(primary.port))
    try:
        yield primary, replica
    finally:
        replica.close()
        primary.close()


def within_the_limits(grants: list[LoggedGrant]) -> None:
    """No window holds more than burst and rate: of what the server granted, and of everything with one hedge more for each process."""
    left = [(each.shared, Departure(each.leaves_us, each.cost)) for each in grants]
    no_window_overflows([departure for shared, departure in left if shared], SHARED.interval_us, SHARED.burst)
    no_window_overflows([departure for _, departure in left], LIMITS.interval_us, LIMITS.burst + PROCESSES)


@every_server
async def test_no_window_over_fifty_processes_holds_more_than_burst_and_rate_through_load_kill_flush_and_failover(
    kind: str, tmp_path: Path
) -> None:
    async with (
        primary_and_replica(kind) as (primary, replica),
        wire_to(primary.port) as wire,
        fleet_on(wire, tmp_path) as fleet,
        busy(wire),
    ):
        await fleet.until(lambda grants: len({each.process for each in grants if each.shared}) == PROCESSES, "all are served")
        troubles: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: killed_and_restarted(fleet, primary),
            lambda: asyncio.to_thread(primary.admin.flushall),
            lambda: failed_over(primary, replica, wire),
        )
        for trouble in troubles:
            await trouble()
            await fleet.trades_again()
            within_the_limits(fleet.grants())
