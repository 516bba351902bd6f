"""One wallet's memory on the shared server, and what happens when the server lost it.

Every answer carries an epoch: which server process has counted since when. One that was restarted, flushed or promoted begins a new
epoch and refuses whoever still names the old one. That caller first puts back what only it knows (its leases, the halts it saw, its
exposure, its open intents) and then asks again: nothing new leaves on a memory with holes.

The parts of `redis_gate.py` ask the server through here.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.redis_link import RedisLink

log = logging.getLogger(__name__)

GRANTED: Final = "granted"
MEMORY_LOST: Final = "memory_lost"
UNKNOWN_EPOCH: Final = ""
Restore = Callable[[], Awaitable[None]]


class Reply(NamedTuple):
    """What a script said in one word, and the values that come with it."""

    word: str
    values: list[Any]

    def without_epoch(self) -> "Reply":
        """What the script itself said."""
        return Reply(self.word, self.values[1:])


class RedisWallet:
    """Asks the scripts of one wallet. `restorers` are called in their order when the server lost its memory."""

    def __init__(self, link: RedisLink, *, limits: Limits, silence_at_start_s: float) -> None:
        self.link = link
        self._limits, self._lanes = limits, _lanes(limits)
        self.restorers: list[Restore] = []
        self._epoch = UNKNOWN_EPOCH
        self._silence_us = round(silence_at_start_s * MICROSECONDS)
        self._restoring = asyncio.Lock()

    @property
    def epoch(self) -> str:
        """Since when the server has counted, as this process last heard it; `UNKNOWN_EPOCH` before it asked."""
        return self._epoch

    @property
    def limits(self) -> Limits:
        """The budget that holds from the next question on."""
        return self._limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        self._limits, self._lanes = limits, _lanes(limits)

    async def ask(
        self, *scripts: str, args: Sequence[Any], keys: Sequence[str] = (), unheard: Callable[[Reply], None] | None = None
    ) -> Reply:
        """Run the scripts after `state`. A lost memory is restored first. GateUnreachableError when the server does not do it.

        `unheard` is told the reply when the caller was cancelled before it came.
        """
        reply = await self._run(self._epoch, scripts, args, keys, unheard)
        if reply.word == MEMORY_LOST:
            await self._restore(reply.values[0])
            reply = await self._run(self._epoch, scripts, args, keys, unheard)
        if reply.word == MEMORY_LOST:
            raise GateUnreachableError("the server of the shared gate lost its memory again while it was restored")
        if self._epoch == UNKNOWN_EPOCH:
            self._epoch = reply.values[0]
        return reply.without_epoch()

    async def put_back(self, *scripts: str, args: Sequence[Any], keys: Sequence[str] = ()) -> Reply:
        """As `ask`, for restorers: whatever the epoch."""
        reply = await self._run(UNKNOWN_EPOCH, scripts, args, keys)
        return reply.without_epoch()

    async def _run(
        self,
        epoch: str,
        scripts: Sequence[str],
        args: Sequence[Any],
        keys: Sequence[str],
        unheard: Callable[[Reply], None] | None = None,
    ) -> Reply:
        given = msgspec.msgpack.encode((epoch, self._silence_us, *self._lanes, args))
        late = None if unheard is None else lambda values: unheard(Reply(values[0], values[1:]).without_epoch())
        word, *values = await self.link.run("numbers", "state", *scripts, keys=(*self.link.keys.gate, *keys), args=(given,), unheard=late)
        return Reply(word, values)

    async def _restore(self, epoch: str) -> None:
        async with self._restoring:
            if epoch == self._epoch:
                return
            log.error("the shared gate lost its memory: leases, halts, exposure and open intents are put back", extra={"epoch": epoch})
            for restore in self.restorers:
                await restore()
            self._epoch = epoch


def _lanes(limits: Limits) -> tuple[int, ...]:
    """The wallet's lane and that of new pairs, as `lua/state.lua` wants them."""
    wallet = (limits.interval_us, limits.burst, limits.tokens_at_start)
    return (*wallet, limits.pair_interval_us, limits.pair_burst, limits.pair_tokens_at_start)
