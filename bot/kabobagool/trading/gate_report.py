"""What lies at a wallet's shared gate, read without changing it: leases, the budget, stakes, open orders.

Shown by `cli/gate.py`; a bot that is refused a lease reads here who has it, and metrics read the budget.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable
from typing import Final, cast

import msgspec

from kabobagool.domain.money import MOST_MICROS, Micros
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.redis_link import RedisLink, server_time_us
from kabobagool.gate.stakes import DAY_MS, MarketDay

log = logging.getLogger(__name__)

SCAN_COUNT: Final = 500
DAY_US: Final = DAY_MS * 1000


class HeldLease(msgspec.Struct, frozen=True, kw_only=True):
    """Who may trade a market (a condition id), and for how many seconds more unless it is renewed."""

    market: str
    number: int
    holder: str
    ends_in_s: float


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What the wallet may send now. `tokens_left` orders may leave at once, `pair_tokens_left` of them for new pairs.

    `paused_s` is how long the venue asked for silence, `silent_s` how long a server without memory gives no lease away. `known` is False
    before anybody asked this gate for anything. The last three are what the caps are held against, over all markets: dollars at stake,
    what shares without a partner cost, and what was lost since midnight UTC (gains negative).
    """

    known: bool
    tokens_left: int
    pair_tokens_left: int
    paused_s: float
    silent_s: float
    at_stake: Micros
    orphans: Micros
    lost_today: Micros


class MarketStake(msgspec.Struct, frozen=True, kw_only=True):
    """What one market has at stake. `in_flight`: dollars of granted orders that its bot has not accounted for yet.

    `orphan`: what its shares without a partner cost. `result`: what it made so far; `lost_today`: lost of it since midnight UTC, gains
    negative.
    """

    market: str
    at_stake: Micros = 0
    in_flight: Micros = 0
    orphan: Micros = 0
    result: Micros = 0
    lost_today: Micros = 0

    @property
    def counts(self) -> bool:
        """Whether a cap is held against any of it."""
        return bool(self.at_stake or self.in_flight or self.orphan or self.lost_today)


async def read_leases(link: RedisLink) -> list[HeldLease]:
    """Leases that have not ended, by market. GateUnreachableError when the server does not answer."""
    now_us = await server_time_us(link)
    rows = await link.call(lambda: cast(Awaitable[dict[str, str]], link.client.hgetall(link.keys.leases)))
    leases = [_lease(market, text, now_us) for market, text in sorted(rows.items())]
    return [lease for lease in leases if lease is not None and lease.ends_in_s > 0]


async def read_budget(link: RedisLink, limits: Limits) -> Budget:
    """The state of the wallet's rate under these limits. GateUnreachableError when the server does not answer."""
    now_us, known, *named = await link.run("numbers", "budget", keys=link.keys.gate, args=())
    numbers = defaultdict(int, zip(named[::2], named[1::2], strict=True))
    return Budget(
        known=bool(known),
        tokens_left=_tokens(numbers["wallet"], limits.interval_us, limits.burst, now_us),
        pair_tokens_left=_tokens(numbers["pairs"], limits.pair_interval_us, limits.pair_burst, now_us),
        paused_s=max(numbers["paused"] - now_us, 0) / MICROSECONDS,
        silent_s=max(numbers["silent_until"] - now_us, 0) / MICROSECONDS,
        at_stake=numbers["at_stake"],
        orphans=numbers["orphans"],
        lost_today=numbers["lost"] if numbers["day"] == now_us // DAY_US else 0,
    )


async def read_stakes(link: RedisLink) -> list[MarketStake]:
    """What each market ever heard of has at stake, by market. GateUnreachableError when the server does not answer."""
    today = await server_time_us(link) // DAY_US
    rows = await link.call(lambda: cast(Awaitable[dict[str, str]], link.client.hgetall(link.keys.stakes)))
    markets = sorted({field.partition(":")[2] for field in rows})
    stakes = [_stake(market, rows.get(f"at:{market}"), rows.get(f"flight:{market}"), today) for market in markets]
    return [stake for stake in stakes if stake is not None]


async def markets_with_open_intents(link: RedisLink) -> list[str]:
    """Condition ids of markets with an order whose end is not known. GateUnreachableError when the server does not answer."""
    start = link.keys.of("open", "")

    async def scan() -> list[str]:
        return [key async for key in link.client.scan_iter(match=start.replace("{", "[{]").replace("}", "[}]") + "*", count=SCAN_COUNT)]

    return sorted(key.removeprefix(start) for key in await link.call(scan))


def _lease(market: str, text: str, now_us: int) -> HeldLease | None:
    """None for one that cannot be read: it must not hide the others."""
    try:
        number, until_us, holder = text.split(" ", 2)
        return HeldLease(market=market, number=_whole(number), holder=holder, ends_in_s=(_whole(until_us) - now_us) / MICROSECONDS)
    except ValueError as e:
        log.warning("a lease at the gate cannot be read", extra={"market": market, "error": str(e)})
        return None


def _stake(market: str, told: str | None, in_flight: str | None, today: int) -> MarketStake | None:
    """As `lua/exposure.lua` writes it down. None for what cannot be read: it must not hide the others."""
    try:
        at_stake, orphan, day, start, result = map(_whole, told.split()) if told else (0, 0, -1, 0, 0)
        flying = _whole(in_flight or "0")
    except ValueError as e:
        log.warning("what a market has at stake cannot be read", extra={"market": market, "error": str(e)})
        return None
    return MarketStake(
        market=market,
        at_stake=at_stake,
        in_flight=flying,
        orphan=orphan,
        result=result,
        lost_today=MarketDay(day, start, result).lost(day=today),
    )


def _whole(text: str) -> int:
    number = int(text)
    if abs(number) > MOST_MICROS:
        raise ValueError(f"{text[:40]} is out of range")
    return number


def _tokens(arrival_us: int, interval_us: int, burst: int, now_us: int) -> int:
    """Slots of a lane that may be taken now; all of them where the rate is not limited."""
    if not interval_us:
        return burst
    return min(max((now_us + burst * interval_us - max(arrival_us, now_us)) // interval_us, 0), burst)
