"""The halts of a wallet on the shared server, and what this process last saw of them.

A halt must outlive everything. It lies on the server; what was seen of it is put back when the server forgets, and stops this process's
own hedges while the server is out of reach. `redis_gate.py` calls this.
"""

from collections.abc import Awaitable
from functools import partial
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import Halt, Priority, halting_scopes
from kabobagool.gate.redis_wallet import RedisWallet
from kabobagool.unreadable import UNREADABLE

MOST_DIGITS: Final = 20
"""Of the place of a halt among the others, microseconds of the server."""


class RedisHalts:
    """Every method raises GateUnreachableError when the server does not answer."""

    def __init__(self, wallet: RedisWallet, *, clock: Clock) -> None:
        self._wallet = wallet
        self._clock = clock
        self._seen: dict[str, str] = {}

    @property
    def seen(self) -> tuple[Halt, ...]:
        """What was halted when the server was last asked, oldest first."""
        return tuple(_halt(scope, text) for scope, text in sorted(self._seen.items(), key=lambda item: _place(item[1])))

    def stop(self, market: str, priority: Priority) -> bool:
        """Whether a halt that was seen stops such an order."""
        return any(scope in self._seen for scope in halting_scopes(market, priority))

    async def set(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a scope anywhere."""
        halt = Halt(scope=scope, who=who, why=why, since_ms=self._clock.now_ms())
        said = (await self._wallet.ask("halt", args=(scope, msgspec.json.encode(halt).decode()))).values
        self._seen = dict(zip(said[::2], said[1::2], strict=True))

    async def lift(self, scope: str) -> None:
        """Let the scope go on."""
        client, keys = self._wallet.link.client, self._wallet.link.keys
        await self._wallet.link.call(lambda: client.hdel(keys.halts, scope))
        self._seen.pop(scope, None)

    async def look(self) -> None:
        """See what is halted now."""
        client, keys = self._wallet.link.client, self._wallet.link.keys
        self._seen = await self._wallet.link.call(lambda: cast(Awaitable[dict[str, str]], client.hgetall(keys.halts)))

    async def restore(self) -> None:
        """Put back what the server forgot; a halt that is there already is the newer one."""
        client, keys = self._wallet.link.client, self._wallet.link.keys
        for scope, text in list(self._seen.items()):
            await self._wallet.link.call(partial(client.hsetnx, keys.halts, scope, text))


def _place(text: str) -> int:
    """0 for one that cannot be read."""
    place = text.partition(" ")[0]
    return int(place) if place.isdecimal() and len(place) <= MOST_DIGITS else 0


def _halt(scope: str, text: str) -> Halt:
    """One that cannot be read is a halt all the same: it stops, and somebody has to know why."""
    try:
        return msgspec.json.decode(text.partition(" ")[2], type=Halt)
    except UNREADABLE:
        return Halt(scope=scope, who="unknown", why="what was written cannot be read; lift it once you know why it is there", since_ms=0)
