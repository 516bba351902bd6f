"""The operator's own mark at a wallet's gate: no new pair in this market, because its ArbMarket is drained.

It is a halt like those that people set, and theirs come first: where one stands already ours is not written, and what a person wrote only
a person lifts, as on the fleet's page, which does so here. Written into the halts directly, without the gate's scripts: those count orders
by the limits of whoever runs them, and the operator trades nothing and has none. `gate_view.py` calls this, and reads the halts here too.
"""

from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from kabobagool.clock import Clock
from kabobagool.gate.interface import DRAINING, Halt
from kabobagool.gate.redis_halts import LIFTS_REMEMBERED_MS
from kabobagool.gate.redis_link import RedisLink, server_time_us
from kabobagool.unreadable import UNREADABLE

WHO: Final = "kabobagool-operator"
LIFT_IF_UNCHANGED: Final = """
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then
    return redis.call('HDEL', KEYS[1], ARGV[1])
end
return 0
"""


def is_ours(halt: Halt | None) -> bool:
    """Whether the operator set it."""
    return halt is not None and halt.who == WHO


async def read_halts(link: RedisLink) -> dict[str, Halt]:
    """Everything that is halted, by scope. GateUnreachableError when the server does not answer."""
    texts = await link.call(lambda: cast(Awaitable[dict[str, str]], link.client.hgetall(link.keys.halts)))
    halts = {scope: _halt(text) for scope, text in texts.items()}
    return {scope: halt for scope, halt in halts.items() if halt is not None}


async def mark(link: RedisLink, condition_id: str, *, why: str, clock: Clock) -> Halt:
    """Let no new pair be opened in the market, unless something says so already. GateUnreachableError when that is not certain."""
    halt = Halt(scope=DRAINING + condition_id, who=WHO, why=why, since_ms=clock.now_ms())
    text = await _written(link, halt)
    await link.call(lambda: cast(Awaitable[bool], link.client.hsetnx(link.keys.halts, halt.scope, text)))
    return halt


async def lift(link: RedisLink, condition_id: str) -> None:
    """Take our mark away; nothing happens to anybody else's. GateUnreachableError when that is not certain."""
    scope, halts = DRAINING + condition_id, link.keys.halts
    text = await link.call(lambda: cast(Awaitable[str | None], link.client.hget(halts, scope)))
    if text is not None and is_ours(_halt(text)):
        script = link.client.register_script(LIFT_IF_UNCHANGED)
        await link.call(lambda: cast(Awaitable[int], script(keys=[halts], args=[scope, text])))


async def set_halt(link: RedisLink, halt: Halt) -> None:
    """Stop what a person wants stopped, whatever stood there before. GateUnreachableError when that is not certain."""
    text = await _written(link, halt)
    await link.call(lambda: link.client.hset(link.keys.halts, halt.scope, text))


async def lift_halt(link: RedisLink, scope: str) -> None:
    """Let a scope go on, and remember it as the gate does. GateUnreachableError when that is not certain."""
    lifted_us = await server_time_us(link)
    await link.call(lambda: link.client.hset(link.keys.lifted, scope, lifted_us))
    await link.call(lambda: link.client.pexpire(link.keys.lifted, LIFTS_REMEMBERED_MS))
    await link.call(lambda: link.client.hdel(link.keys.halts, scope))


async def _written(link: RedisLink, halt: Halt) -> str:
    """A halt as the gate writes it: after its place among the others."""
    return f"{await server_time_us(link)} {msgspec.json.encode(halt).decode()}"


def _halt(text: str) -> Halt | None:
    """A halt as the gate writes it, after its place among the others. None when another version wrote it, or nobody."""
    try:
        return msgspec.json.decode(text.partition(" ")[2], type=Halt)
    except UNREADABLE:
        return None
