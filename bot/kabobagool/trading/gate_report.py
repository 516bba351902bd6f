"""What lies at a wallet's shared gate, read without changing it: leases, the budget, open orders.

Shown by `cli/gate.py`; a bot that is refused a lease reads here who has it, and metrics read the budget.
"""

from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from kabobagool.domain.money import Micros
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.redis_link import RedisLink

SCAN_COUNT: Final = 500
NUMBERS: Final = ("wallet", "pairs", "paused", "silent_until", "at_stake")


class HeldLease(msgspec.Struct, frozen=True, kw_only=True):
    """Who may trade a market (a condition id), and for how many seconds more unless it is renewed."""

    market: str
    number: int
    holder: str
    ends_in_s: float


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What the wallet may send now. `tokens_left` orders may leave at once, `pair_tokens_left` of them for new pairs.

    `paused_s` is how long the venue asked for silence, `silent_s` how long a server without memory gives no lease away. `known` is False
    before anybody asked this gate for anything.
    """

    known: bool
    tokens_left: int
    pair_tokens_left: int
    paused_s: float
    silent_s: float
    at_stake: Micros


async def read_leases(link: RedisLink) -> list[HeldLease]:
    """Leases that have not ended, by market. GateUnreachableError when the server does not answer."""
    now_us = await _server_time_us(link)
    rows = await link.call(lambda: cast(Awaitable[dict[str, str]], link.client.hgetall(link.keys.leases)))
    leases = [_lease(market, text, now_us) for market, text in sorted(rows.items())]
    return [lease for lease in leases if lease.ends_in_s > 0]


async def read_budget(link: RedisLink, limits: Limits) -> Budget:
    """The state of the wallet's rate under these limits. GateUnreachableError when the server does not answer."""
    now_us = await _server_time_us(link)
    names = list(NUMBERS)
    values = await link.call(lambda: cast(Awaitable[list[str | None]], link.client.hmget(link.keys.gate[0], names)))
    wallet, pairs, paused, silent, at_stake = (int(value or 0) for value in values)
    return Budget(
        known=values[0] is not None,
        tokens_left=_tokens(wallet, limits.interval_us, limits.burst, now_us),
        pair_tokens_left=_tokens(pairs, limits.pair_interval_us, limits.pair_burst, now_us),
        paused_s=max(paused - now_us, 0) / MICROSECONDS,
        silent_s=max(silent - now_us, 0) / MICROSECONDS,
        at_stake=at_stake,
    )


async def markets_with_open_intents(link: RedisLink) -> list[str]:
    """Condition ids of markets with an order whose end is not known. GateUnreachableError when the server does not answer."""
    start = link.keys.of("open", "")

    async def scan() -> list[str]:
        return [key async for key in link.client.scan_iter(match=start.replace("{", "[{]").replace("}", "[}]") + "*", count=SCAN_COUNT)]

    return sorted(key.removeprefix(start) for key in await link.call(scan))


async def _server_time_us(link: RedisLink) -> int:
    seconds, micros = await link.call(link.client.time)
    return seconds * MICROSECONDS + micros


def _lease(market: str, text: str, now_us: int) -> HeldLease:
    number, until_us, holder = text.split(" ", 2)
    return HeldLease(market=market, number=int(number), holder=holder, ends_in_s=(int(until_us) - now_us) / MICROSECONDS)


def _tokens(arrival_us: int, interval_us: int, burst: int, now_us: int) -> int:
    """Slots of a lane that may be taken now; all of them where the rate is not limited."""
    if not interval_us:
        return burst
    return min(max((now_us + burst * interval_us - max(arrival_us, now_us)) // interval_us, 0), burst)
