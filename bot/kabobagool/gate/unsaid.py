"""What the shared server has yet to be told: dollars at stake, slots that were not used, a pause the venue asked for.

Telling must not hold up an engine, and must not be forgotten because the server was away. Nothing here can grant anything: said late or
never, it only makes the gate stricter. `redis_gate.py` collects here, and tells before it asks for anything.
"""

import asyncio
from collections import deque
from contextlib import suppress
from typing import NamedTuple

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.redis_wallet import RedisWallet


class GivenBack(NamedTuple):
    """An answer whose orders did not leave."""

    market: str
    notional: Micros
    ticket: int


class Unsaid:
    """Collects without waiting; `tell` empties it."""

    def __init__(self, wallet: RedisWallet, *, clock: Clock) -> None:
        self.paused_until_s = 0.0
        """Until when (seconds of the clock) this process was asked to be silent."""
        self._pause_is_told = True
        self._wallet = wallet
        self._clock = clock
        self._given_back: deque[GivenBack] = deque()
        self._exposure: dict[str, Micros] = {}
        self._untold: set[str] = set()
        self._uncertain: set[str] = set()
        self._telling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def give_back(self, answer: GivenBack) -> None:
        """Tell that these orders did not leave."""
        self._given_back.append(answer)
        self._soon()

    def expose(self, market: str, dollars: Micros) -> None:
        """Tell what a market has at stake, unless that is what the server counts."""
        if self._exposure.get(market) != dollars or market in self._uncertain:
            self._exposure[market] = dollars
            self._untold.add(market)
            self._soon()

    def asked(self, market: str) -> None:
        """The server may have counted dollars of this market on its own: what it was told no longer holds."""
        self._uncertain.add(market)

    async def pause(self, seconds: float) -> None:
        """Tell of a pause, now if that is possible."""
        self.paused_until_s = max(self.paused_until_s, self._clock.monotonic() + seconds)
        self._pause_is_told = False
        await self._try()

    async def tell(self) -> None:
        """Tell everything, and wait for what is being told. GateUnreachableError when nobody listens: what matters stays to be told."""
        if self._pause_is_told and not self._given_back and not self._untold and not self._telling.locked():
            return
        async with self._telling:
            await self._tell_pause()
            while self._given_back:
                # Taken out first: told twice it could free the dollars of another order; lost it only wastes slots.
                await self._wallet.ask("give_back", args=self._given_back.popleft())
            for market in list(self._untold):
                await self._tell_exposure(market)

    async def restore(self) -> None:
        """Put back what the server forgot."""
        await self._wallet.put_back("pause", args=(self._rest_of_pause_us(),))
        for market, dollars in list(self._exposure.items()):
            await self._wallet.put_back("exposure", args=(market, dollars))

    async def close(self) -> None:
        """Tell what is left, if anybody listens."""
        await self._try()
        if self._task is not None:
            await asyncio.wait({self._task})

    def _soon(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._try())

    async def _try(self) -> None:
        with suppress(GateUnreachableError):  # told before the next question, or with the next heartbeat
            await self.tell()

    async def _tell_pause(self) -> None:
        if not self._pause_is_told:
            await self._wallet.ask("pause", args=(self._rest_of_pause_us(),))
            self._pause_is_told = True

    async def _tell_exposure(self, market: str) -> None:
        dollars = self._exposure[market]
        self._untold.discard(market)
        self._uncertain.discard(market)
        try:
            await self._wallet.ask("exposure", args=(market, dollars))
        except GateUnreachableError:
            self._untold.add(market)
            raise

    def _rest_of_pause_us(self) -> int:
        return max(round((self.paused_until_s - self._clock.monotonic()) * MICROSECONDS), 0)
