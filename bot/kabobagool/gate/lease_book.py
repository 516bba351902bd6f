"""The leases this process holds at the shared gate: which number of which market, and for how long that is certain without asking.

`redis_gate.py` sends the number with every order and renews it with every grant and heartbeat. A number that was lost is kept: orders
go on naming it and are refused, until somebody takes the market anew on purpose.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from kabobagool.clock import Clock
from kabobagool.gate.interface import Lease, Refusal, Refused
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.redis_wallet import GRANTED, RedisWallet, Reply

log = logging.getLogger(__name__)

LEASE_S: Final = 20.0
"""Longer than anything that was granted may wait and than several missed heartbeats; a market whose bot was killed waits this long."""
NO_LEASE: Final = 0


class Held(NamedTuple):
    """A lease's number, and until when (seconds of the clock) nobody else can have got it."""

    number: int
    until_s: float


class LeaseBook:
    """Leases of one holder, whose name no other process has."""

    def __init__(self, wallet: RedisWallet, *, holder: str, clock: Clock, lease_s: float = LEASE_S) -> None:
        self.holder = holder
        self.lease_us = round(lease_s * MICROSECONDS)
        self._wallet = wallet
        self._clock = clock
        self._held: dict[str, Held] = {}

    def number(self, market: str) -> int:
        """What an order of this market has to name; `NO_LEASE` when the market was never held."""
        return self._held[market].number if market in self._held else NO_LEASE

    def is_certain(self, market: str) -> bool:
        """Whether nobody else can hold the market yet, even if the server is out of reach."""
        return market in self._held and self._clock.monotonic() < self._held[market].until_s

    def renewed(self, market: str, number: int, *, asked_s: float) -> None:
        """The server renewed a lease in answer to a question of that moment."""
        self._held[market] = Held(number, asked_s + self.lease_us / MICROSECONDS)

    def lost(self, market: str) -> None:
        """Somebody else holds the market."""
        if self.is_certain(market):
            log.error("another bot trades this market now: this one sends nothing more", extra={"market": market})
        if market in self._held:
            self._held[market] = self._held[market]._replace(until_s=self._clock.monotonic())

    async def take(self, market: str) -> Lease | Refused:
        """Hold the market, if nobody alive does. GateUnreachableError when the server does not answer."""
        asked_s = self._clock.monotonic()
        reply = await self._wallet.ask("take_lease", args=(market, self.holder, self.lease_us))
        number, remaining_us = reply.values
        if reply.word == Refusal.LEASE_LOST:
            self.lost(market)
        if reply.word != GRANTED:
            return Refused(Refusal(reply.word), remaining_us / MICROSECONDS)
        self.renewed(market, number, asked_s=asked_s)
        return Lease(number, self.lease_us / MICROSECONDS)

    async def drop(self, market: str) -> None:
        """Let the next holder in. GateUnreachableError when the server does not answer: the lease then ends by itself."""
        held = self._held.pop(market, None)
        if held is not None:
            await self._wallet.ask("drop_lease", args=(market, held.number))

    async def drop_all(self) -> None:
        """Let the next holders in."""
        for market in list(self._held):
            await self.drop(market)

    async def renew(self) -> None:
        """The heartbeat. GateUnreachableError when the server does not answer."""
        await self._renew(list(self._held), self._wallet.ask)

    async def restore(self) -> None:
        """Put back what the server forgot; not what somebody else may have had meanwhile, and may have forgotten to put back first."""
        await self._renew([market for market in self._held if self.is_certain(market)], self._wallet.put_back)

    async def _renew(self, markets: list[str], ask: Callable[..., Awaitable[Reply]]) -> None:
        if not markets:
            return
        asked_s = self._clock.monotonic()
        numbers = {market: self._held[market].number for market in markets}
        parts = [part for market_and_number in numbers.items() for part in market_and_number]
        lost = (await ask("renew_leases", args=[self.holder, self.lease_us, *parts])).values
        for market, number in numbers.items():
            if market in lost:
                self.lost(market)
            elif self.number(market) == number:
                self.renewed(market, number, asked_s=asked_s)
