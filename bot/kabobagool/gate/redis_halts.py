"""The halts of a wallet on the shared server, and what this process last saw of them.

A halt must outlive everything. It lies on the server; what was seen of it is put back when the server forgets, and stops this process's
own hedges while the server is out of reach. What was seen is also kept on a disk, where the next process finds it: the server may forget
while nobody lives who could put it back. `redis_gate.py` calls this.
"""

from collections.abc import Awaitable
from functools import partial
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import Halt, HaltDisk, KeptHalts, Priority, halting_scopes
from kabobagool.gate.redis_wallet import UNKNOWN_EPOCH, RedisWallet
from kabobagool.unreadable import UNREADABLE

MOST_DIGITS: Final = 20
"""Of the place of a halt among the others, microseconds of the server."""


class RedisHalts:
    """Every method raises GateUnreachableError when the server does not answer."""

    def __init__(self, wallet: RedisWallet, *, clock: Clock) -> None:
        self._wallet = wallet
        self._clock = clock
        self._seen: dict[str, str] = {}
        self._disk: HaltDisk | None = None
        self._kept = KeptHalts()

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
        self._seen.update(_pairs(said))  # what a server without memory does not name is still to be put back
        await self._keep()

    async def lift(self, scope: str) -> None:
        """Let the scope go on."""
        client, keys = self._wallet.link.client, self._wallet.link.keys
        await self._wallet.link.call(lambda: client.hdel(keys.halts, scope))
        self._seen.pop(scope, None)
        await self._keep()

    async def look(self) -> None:
        """See what is halted now. Whoever never asked for anything only reads."""
        if self._wallet.epoch == UNKNOWN_EPOCH:
            client, keys = self._wallet.link.client, self._wallet.link.keys
            self._seen = await self._wallet.link.call(lambda: cast(Awaitable[dict[str, str]], client.hgetall(keys.halts)))
        else:
            await self._ask()

    async def keep_on(self, disk: HaltDisk) -> None:
        """Keep on this disk what is seen from now on. What an earlier process kept there is put back if the server forgot it since."""
        kept = await disk.kept_halts()
        self._disk, self._kept = disk, kept
        self._seen = kept.texts | self._seen
        self._wallet.know(kept.epoch)
        await self._ask()

    async def restore(self) -> None:
        """Put back what the server forgot; a halt that is there already is the newer one."""
        client, keys = self._wallet.link.client, self._wallet.link.keys
        for scope, text in list(self._seen.items()):
            await self._wallet.link.call(partial(client.hsetnx, keys.halts, scope, text))

    async def _ask(self) -> None:
        """Memory that the server lost is put back before it answers."""
        self._seen = _pairs((await self._wallet.ask("halts", args=())).values)
        await self._keep()

    async def _keep(self) -> None:
        now = KeptHalts(epoch=self._wallet.epoch, texts=dict(self._seen))
        if self._disk is None or now == self._kept or not (now.texts or self._kept.texts):
            return
        if await self._disk.keep_halts(now):
            self._kept = now


def _pairs(said: list[str]) -> dict[str, str]:
    """Scope and text in turn."""
    return dict(zip(said[::2], said[1::2], strict=True))


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
