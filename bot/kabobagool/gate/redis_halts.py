"""The halts of a wallet on the shared server, and what this process last saw of them.

A halt must outlive everything. It lies on the server; what was seen of it is put back when the server forgets, and stops this process's
own hedges while the server is out of reach. What was seen is also kept on a disk, where the next process finds it: the server may forget
while nobody lives who could put it back. Whoever saw the halts latest is believed, so a disk that missed that one was lifted puts nothing
back where a process or another disk knows better.

`redis_gate.py` calls this.
"""

from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import Halt, HaltDisk, KeptHalts, Priority, halting_scopes
from kabobagool.gate.redis_wallet import UNKNOWN_EPOCH, RedisWallet, Reply
from kabobagool.unreadable import UNREADABLE

MOST_DIGITS: Final = 20
"""Of the place of a halt among the others, microseconds of the server."""
LIFTS_REMEMBERED_MS: Final = 30 * 24 * 60 * 60 * 1000
"""A disk that nobody has started with for so long may put back what was lifted."""


class RedisHalts:
    """Every method raises GateUnreachableError when the server does not answer."""

    def __init__(self, wallet: RedisWallet, *, clock: Clock) -> None:
        self._wallet = wallet
        self._clock = clock
        self._lifted = [wallet.link.keys.lifted]
        self._seen: dict[str, str] = {}
        self._seen_us = 0
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
        await self._hear(await self._wallet.ask("halt", args=(scope, msgspec.json.encode(halt).decode())))

    async def lift(self, scope: str) -> None:
        """Let the scope go on."""
        self._seen = {other: text for other, text in self._seen.items() if other != scope}
        await self._hear(await self._wallet.ask("lift", keys=self._lifted, args=(scope, LIFTS_REMEMBERED_MS)))

    async def look(self) -> None:
        """See what is halted now. Whoever never asked for anything only reads."""
        if self._wallet.epoch == UNKNOWN_EPOCH:
            client, keys = self._wallet.link.client, self._wallet.link.keys
            self._seen = await self._wallet.link.call(lambda: cast(Awaitable[dict[str, str]], client.hgetall(keys.halts)))
        else:
            await self._hear(await self._wallet.ask("halts", args=()))

    async def keep_on(self, disk: HaltDisk) -> None:
        """Keep on this disk what is seen from now on; what an earlier process kept there is put back if the server forgot it since."""
        self._kept = await disk.kept_halts()
        await self._wallet.ask("halts", args=())  # restores what this process knows, and learns the epoch
        reply = await self._wallet.put_back("put_halts", keys=self._lifted, args=_said(self._kept.seen_us, self._kept.texts))
        self._disk = disk
        await self._hear(reply)

    async def restore(self) -> None:
        """Put back what the server forgot."""
        await self._wallet.put_back("put_halts", keys=self._lifted, args=_said(self._seen_us, self._seen))

    async def _hear(self, reply: Reply) -> None:
        self._seen_us, said = reply.values
        self._seen = dict(zip(said[::2], said[1::2], strict=True))
        if self._disk is None or self._seen == self._kept.texts:
            return
        now = KeptHalts(seen_us=self._seen_us, texts=self._seen)
        if await self._disk.keep_halts(now):
            self._kept = now


def _said(seen_us: int, texts: dict[str, str]) -> tuple[int | str, ...]:
    """What `put_halts` is asked."""
    return (seen_us, *(part for scope_and_text in texts.items() for part in scope_and_text))


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
