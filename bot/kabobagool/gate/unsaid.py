"""What the shared server has yet to be told: dollars at stake, slots that were not used, a pause the venue asked for.

Telling must not hold up an engine, and must not be forgotten because the server was away. Nothing here can grant anything: slots and
dollars that come back late only make the gate stricter, and a loss or a naked leg is told before this process asks for anything.
`redis_gate.py` collects here.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.gate.interface import Exposure, GateUnreachableError
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.redis_wallet import RedisWallet, Reply
from kabobagool.gate.stakes import NEVER_HEARD_OF, MarketDay


class GivenBack(NamedTuple):
    """An answer whose orders did not leave."""

    market: str
    notional: Micros
    ticket: int


class Unsaid:
    """Collects without waiting; `tell` empties it."""

    def __init__(self, wallet: RedisWallet, *, lease_number: Callable[[str], int], clock: Clock) -> None:
        self.paused_until_s = 0.0
        """Until when (seconds of the clock) this process was asked to be silent."""
        self._pause_is_told = True
        self._wallet = wallet
        self._lease_number = lease_number
        self._clock = clock
        self._given_back: deque[GivenBack] = deque()
        self._exposure: dict[str, Exposure] = {}
        self._days: dict[str, MarketDay] = {}
        self._untold: set[str] = set()
        self._uncertain: set[str] = set()
        self._telling = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    def give_back(self, answer: GivenBack) -> None:
        """Tell that these orders did not leave."""
        self._given_back.append(answer)
        self._soon()

    def expose(self, market: str, exposure: Exposure) -> None:
        """Tell what a market has at stake, unless that is what the server counts."""
        if self._exposure.get(market) != exposure or market in self._uncertain:
            self._exposure[market] = exposure
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
        for market, exposure in list(self._exposure.items()):
            self._heard(market, exposure, await self._wallet.put_back("exposure", args=self._args(market, exposure)))

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
        exposure = self._exposure[market]
        self._untold.discard(market)
        self._uncertain.discard(market)
        try:
            reply = await self._wallet.ask("exposure", args=self._args(market, exposure))
        except GateUnreachableError:
            self._untold.add(market)
            raise
        self._heard(market, exposure, reply)

    def _args(self, market: str, exposure: Exposure) -> tuple[str | Micros, ...]:
        """With what the server said of the market's day: it may have forgotten, and only its own clock says which day it is."""
        known = self._days.get(market, NEVER_HEARD_OF)
        return (
            market,
            exposure.at_stake,
            exposure.orphan,
            exposure.result,
            known.day,
            known.start,
            known.result,
            self._lease_number(market),
        )

    def _heard(self, market: str, exposure: Exposure, reply: Reply) -> None:
        day, start = reply.values
        self._days[market] = MarketDay(day, start, exposure.result)

    def _rest_of_pause_us(self) -> int:
        return max(round((self.paused_until_s - self._clock.monotonic()) * MICROSECONDS), 0)
