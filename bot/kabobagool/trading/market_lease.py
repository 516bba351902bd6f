"""One market, one bot: the lease at the order gate that a bot holds for as long as it lives.

`market_bot.py` takes it before anything else and keeps it with the bot. Without REDIS_URL the gate has one process and never refuses.
"""

import asyncio
import logging
from typing import Final

from kabobagool.domain.market import Market
from kabobagool.engine.bot import RunningFeed
from kabobagool.gate.interface import GateUnreachableError, Lease, Refusal, Refused
from kabobagool.trading.gate_choice import GateAwayError, OpenGate, StartError

log = logging.getLogger(__name__)

PATIENCE_S: Final = 30.0
"""A server that was just started gives no lease away for 20 s: it may have forgotten one."""
LOOK_EVERY_S: Final = 10.0


async def take_market(at_gate: OpenGate, market: Market) -> Lease:
    """Become the only bot of a market. StartError that says who is, or that the gate gives no lease."""
    clock = at_gate.clock
    deadline_s = clock.monotonic() + PATIENCE_S
    while isinstance(refused := await at_gate.gate.take_lease(market.condition_id), Refused):
        if refused.reason is Refusal.LEASE_LOST:
            raise StartError(await _taken(at_gate, market))
        if clock.monotonic() >= deadline_s:
            raise GateAwayError(f"the shared order gate gave nobody market {market.slug} within {PATIENCE_S:g} s: see that its server runs")
        log.info("the shared order gate gives no lease yet", extra={"market": market.slug, "again_in_s": refused.retry_after_s})
        await clock.sleep(refused.retry_after_s)
    at_gate.numbers.lease_changes += 1
    return refused


async def _taken(at_gate: OpenGate, market: Market) -> str:
    advice = "stop that bot first, or give this one its own market"
    holder = await _holder(at_gate, market)
    return f"another bot trades market {market.slug}{f': {holder}' if holder else ''}; {advice}"


async def _holder(at_gate: OpenGate, market: Market) -> str | None:
    """Who and for how long, when that can still be said."""
    if at_gate.shared is None:
        return None
    from kabobagool.trading.gate_report import read_leases

    try:
        leases = await read_leases(at_gate.shared.link)
    except GateUnreachableError:
        return None
    found = next((lease for lease in leases if lease.market == market.condition_id), None)
    return f"{found.holder}, lease {found.number}, renewed until {found.ends_in_s:.0f} s from now" if found else None


class LeasedFeed:
    """A bot's feed that ends, and the bot with it, when the market has another holder: the next bot begins with what is true then."""

    def __init__(self, feed: RunningFeed, *, at_gate: OpenGate, market: Market, lease: Lease) -> None:
        self._feed = feed
        self._at_gate = at_gate
        self._market = market
        self._lease = lease

    async def run(self) -> None:
        """Feed until cancelled. StartError when the lease was lost."""
        parts = [asyncio.create_task(part) for part in (self._feed.run(), self._watch())]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                await part
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await self._at_gate.clock.sleep(LOOK_EVERY_S)
            answer = await self._at_gate.gate.take_lease(self._market.condition_id)
            lost = answer.reason is Refusal.LEASE_LOST if isinstance(answer, Refused) else answer.number != self._lease.number
            if lost:
                self._at_gate.numbers.lease_changes += 1
                raise StartError(
                    f"another bot took over market {self._market.slug}: this one was out of reach of the shared gate for too long"
                )
