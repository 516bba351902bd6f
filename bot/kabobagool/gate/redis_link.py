"""The way to the shared server: which keys a wallet has there, the scripts of `lua/`, and what every call must survive.

`redis_gate.py` and its neighbours call the server only through here. Whatever goes wrong (no connection, too slow, loading, read-only,
out of memory, forbidden) is one exception, `GateUnreachableError`: for an order it means the same, that nobody knows whether it may leave.
"""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, TypeVar

from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from kabobagool.clock import Clock
from kabobagool.gate.breaker import Breaker
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.redis_url import CONNECTIONS
from kabobagool.gate.script_line import NOT_DONE, ScriptLine, Unheard

log = logging.getLogger(__name__)

Result = TypeVar("Result")
SERVER_TIME: Final = "time"
"""The script that says what time it is on the server."""


class Keys:
    """The names of one wallet's keys; the hash tag keeps them together on one node of a cluster."""

    def __init__(self, wallet: str) -> None:
        if not re.fullmatch(r"[0-9A-Za-z_.-]+", wallet):
            raise ValueError(f"wallet={wallet!r}: letters, digits, dot, dash and underscore name a wallet")
        self._start = f"kabobagool:{{{wallet}}}"
        self.halts = self.of("halts")
        self.leases = self.of("leases")
        self.stakes = self.of("stakes")
        self.lifted = self.of("lifted")
        self.gate = (self.of("gate"), self.halts, self.leases, self.stakes)
        """What `numbers.lua` and `state.lua` want, in their order."""

    def of(self, *names: str) -> str:
        """Any other key of the wallet."""
        return ":".join((self._start, *names))


class RedisLink:
    """Calls to one server for one wallet, a bounded number at a time. Takes over `client`, and closes it.

    `time_source` names the script that defines the server's time.
    """

    def __init__(self, client: Redis, *, wallet: str, clock: Clock, rng: random.Random, time_source: str | None = None) -> None:
        self.client = client
        self.keys = Keys(wallet)
        self.calls = 0
        self.loss = "no new pairs"
        """What its user goes without while the server is gone, as the log says it."""
        self._breaker = Breaker(clock=clock, rng=rng)
        self._line = ScriptLine(client, on_batch=self._batch_ended)
        self._room = asyncio.Semaphore(CONNECTIONS - 1)  # one is the line's
        self._scripts: dict[tuple[str, ...], AsyncScript] = {}
        self._time_source = time_source or lua(SERVER_TIME)

    @property
    def broken(self) -> bool:
        """Whether the server counts as gone."""
        return self._breaker.open

    async def run(self, *scripts: str, keys: Sequence[str], args: Sequence[str | bytes], unheard: Unheard | None = None) -> list[Any]:
        """One round trip: the scripts, one after the other as one, after the server's time. GateUnreachableError when that failed.

        Whoever is cancelled meanwhile is gone at once; the question is asked to its end, and `unheard` is told the reply.
        """
        script = self._script(tuple(scripts))
        self._insist_on_hope()
        self.calls += 1
        try:
            return await self._line.ask(script, keys=keys, args=args, unheard=unheard)
        except NOT_DONE as e:
            raise GateUnreachableError(f"the server of the shared gate failed: {type(e).__name__}: {e}") from e

    async def call(self, work: Callable[[], Awaitable[Result]]) -> Result:
        """Anything else that is asked of the client. GateUnreachableError when it failed.

        Shielded: the client waits with `wait_for`, which on Python 3.11 swallows a cancellation that comes together with the reply, and a
        bot that was stopped would go on. So the caller is cancelled here, and what was asked is asked to its end.
        """
        asked = asyncio.ensure_future(self._call(work))
        try:
            return await asyncio.shield(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(_nobody_waits)
            raise

    async def _call(self, work: Callable[[], Awaitable[Result]]) -> Result:
        self._insist_on_hope()
        async with self._room:
            try:
                self.calls += 1
                result = await work()
            except NOT_DONE as e:
                self._failed(e)
                raise GateUnreachableError(f"the server of the shared gate failed: {type(e).__name__}: {e}") from e
        self._worked()
        return result

    async def close(self) -> None:
        """Let go of the connections."""
        await self._line.close()
        await self.client.aclose()

    def _script(self, names: tuple[str, ...]) -> AsyncScript:
        if names not in self._scripts:
            self._scripts[names] = self.client.register_script(self._time_source + "".join(map(lua, names)))
        return self._scripts[names]

    def _insist_on_hope(self) -> None:
        if not self._breaker.lets_through():
            raise GateUnreachableError("the server of the shared gate does not answer; it is tried again once a second")

    def _batch_ended(self, error: Exception | None) -> None:
        if error is None:
            self._worked()
        else:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        was_open = self._breaker.open
        self._breaker.failed()
        if self._breaker.open and not was_open:
            log.error(f"the shared gate cannot be reached: {self.loss}", extra={"error": f"{type(error).__name__}: {error}"})

    def _worked(self) -> None:
        if self._breaker.open:
            log.info("the shared gate answers again")
        self._breaker.worked()


def _nobody_waits(asked: "asyncio.Future[Any]") -> None:
    """Look at an error whose asker is gone: the link counted it already."""
    if not asked.cancelled():
        asked.exception()


@cache
def lua(name: str) -> str:
    """The text of one script."""
    return (resources.files("kabobagool.gate") / "lua" / f"{name}.lua").read_text(encoding="utf-8")


async def server_time_us(link: RedisLink) -> int:
    """What time it is on the server, in microseconds. GateUnreachableError when it does not answer."""
    seconds, micros = await link.call(link.client.time)
    return seconds * MICROSECONDS + micros
