"""The shared order gate of several programs: the production gate and its Lua on a real Valkey, in virtual time.

Every call to the server is made and answered before anything else runs, and the scripts read the time from a key, so that a real server
is as deterministic as the rest. What lies between a program and the server (latency, a server that is away, a power cut) is acted out
here. `process.py` opens it where a history says `shared_gate`.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import redis
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from tests.gate.redis_rig import MANUAL_TIME
from tests.gate.redis_servers import shared_server
from tests.support.virtual_clock import START_MS

from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.local_budget import LocalBudget, split
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_link import Keys, RedisLink
from kabobagool.settings import Settings
from kabobagool.settings_wallet import wallet_name
from kabobagool.trading.gate_choice import AHEAD_S, LOCAL_SHARE, PROCESSES, OpenGate, _for_ever, _insist_on_an_answer, limits_of
from kabobagool.trading.gate_numbers import GateNumbers

if TYPE_CHECKING:
    from tests.simulation.process import Life
    from tests.simulation.world import World

GATE_TIMEOUT_S = 0.25
ROUND_TRIP_S = 0.001


@cache
def _server() -> redis.Redis:
    """One server for all histories of this process, one after the other."""
    return shared_server("valkey").admin


class GateServer:
    """The server as one world sees it: empty at first. `flush` makes it forget everything, as a restart does."""

    def __init__(self, world: "World", wallet: str) -> None:
        self.world = world
        self.admin = _server()
        self.admin.flushall()
        self.admin.script_flush()
        self.starts = 1
        self._time_key = Keys(wallet).gate[0] + ":test time"

    @property
    def run_id(self) -> str:
        """The name of this run of the server."""
        return f"simulated{self.starts}"

    def flush(self) -> None:
        """Forget."""
        self.admin.flushall()
        self.starts += 1

    def ask(self, commands: Sequence[bytes]) -> list[Any]:
        """Packed commands and their replies, in one go: the scripts read the world's time, which is told them first."""
        connection = cast(Any, self.admin.connection_pool.get_connection())
        try:
            told = connection.pack_command("SET", self._time_key, START_MS * 1000 + self.world.clock.now_us)
            connection.send_packed_command([*told, *commands])
            return [_reply(connection) for _ in range(1 + len(commands))][1:]
        finally:
            self.admin.connection_pool.release(connection)


class GateConnection:
    """What `ScriptLine` needs of a connection, over a synchronous one."""

    def __init__(self, server: GateServer, life: "Life") -> None:
        self._server, self._life = server, life
        self._run_id = ""
        self._replies: deque[Any] = deque()
        self.socket_timeout: float | None = GATE_TIMEOUT_S
        self.is_connected = False

    async def connect(self) -> None:
        """Reach the server. ConnectionError while it is away."""
        await self._way()
        self._run_id, self.is_connected = self._server.run_id, True

    async def disconnect(self) -> None:
        """Hang up."""
        self.is_connected = False
        self._replies.clear()

    async def can_read(self) -> bool:
        """Whether something can be read that nobody waits for: a late reply, or that the server hung up."""
        return bool(self._replies) or self._run_id != self._server.run_id

    async def send_command(self, *words: str) -> None:
        """INFO and SCRIPT LOAD."""
        await self._way()
        self._replies.append(f"run_id:{self._run_id}" if words[0] == "INFO" else self._server.admin.execute_command(*words))

    async def send_packed_command(self, commands: Sequence[bytes]) -> None:
        """Ask; what the server does is done when this returns, whoever dies then."""
        await self._way()
        self._life.power.touch("gate asked")
        self._replies.extend(self._server.ask(commands))
        self._life.power.touch("gate has answered")

    async def read_response(self) -> Any:
        """The next reply."""
        await self._life.clock.sleep(ROUND_TRIP_S)
        if self._life.host.gate_away:
            await self._life.clock.sleep(GATE_TIMEOUT_S)
        reply = self._replies.popleft()
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def _way(self) -> None:
        self._life.power.insist()
        if self._life.host.gate_away:
            await self.disconnect()
            raise redis.ConnectionError("the server is away")


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except redis.ResponseError as e:
        return e


class GateClient:
    """What the gate needs of the asynchronous client; it is its own connection pool."""

    def __init__(self, server: GateServer, life: "Life") -> None:
        self._server, self._life = server, life
        self.connection_kwargs = {"socket_timeout": GATE_TIMEOUT_S}

    @property
    def connection_pool(self) -> "GateClient":
        """Itself."""
        return self

    def get_encoder(self) -> Any:
        """How text becomes bytes."""
        return self._server.admin.get_encoder()

    def register_script(self, script: str) -> AsyncScript:
        """A script that is asked by its hash."""
        return AsyncScript(cast(Redis, self), script)

    async def get_connection(self) -> GateConnection:
        """A new one."""
        connection = GateConnection(self._server, self._life)
        await connection.connect()
        return connection

    async def release(self, connection: GateConnection) -> None:
        """Given back."""

    async def aclose(self) -> None:
        """Nothing to let go of."""

    def pipeline(self, *, transaction: bool) -> "GatePipeline":
        """Several commands at once."""
        return GatePipeline(self, self._server.admin.pipeline(transaction=transaction))

    async def carried_out(self, work: Callable[[], Any]) -> Any:
        """One command, there and back."""
        power = self._life.power
        power.touch("gate asked")
        if self._life.host.gate_away:
            raise redis.ConnectionError("the server is away")
        result = work()
        power.touch("gate has answered")
        await self._life.clock.sleep(ROUND_TRIP_S)
        return result

    def __getattr__(self, name: str) -> Any:
        command = getattr(self._server.admin, name)
        return lambda *args, **named: self.carried_out(lambda: command(*args, **named))


class GatePipeline:
    """Commands that are collected and then carried out together."""

    def __init__(self, client: GateClient, pipeline: Any) -> None:
        self._client, self._pipeline = client, pipeline

    async def execute(self) -> Any:
        """Carry them out."""
        return await self._client.carried_out(self._pipeline.execute)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pipeline, name)


async def open_shared_gate(server: GateServer, life: "Life", settings: Settings, rng: random.Random) -> OpenGate:
    """As `gate_choice.open_gate` does with REDIS_URL, but for the reports to the operator, which nobody reads here."""
    clock = life.clock
    shared, local_interval_us = split(limits_of(settings), share=LOCAL_SHARE, processes=PROCESSES)
    client = cast(Redis, GateClient(server, life))
    gate = RedisGate(
        RedisLink(client, wallet=wallet_name(settings), clock=clock, rng=rng, time_source=MANUAL_TIME),
        limits=shared,
        holder=life.name,
        clock=clock,
        rng=rng,
        local=LocalBudget(interval_us=local_interval_us, clock=clock),
    )
    await _insist_on_an_answer(gate, clock)
    task = asyncio.create_task(_for_ever(gate.run, clock, name="gate heartbeat"))
    numbers = GateNumbers(caps=limits_of(settings).caps)
    return OpenGate(gate=FairGate(gate, clock=clock, ahead_s=AHEAD_S), clock=clock, numbers=numbers, shared=gate, tasks=(task,))
