"""Tells the shared server what every bot of this process does, so that a fleet in many processes can be seen from one place.

`gate_choice.py` runs it beside the gate's heartbeat; `market_bot.py` has each bot followed while it is open. `kabobagool gate status` and
the operator read what is written here. It has a link of its own: a report that fails must never count against the gate that orders ask.
"""

import asyncio
from contextlib import suppress
from typing import Final

from kabobagool.clock import Clock
from kabobagool.engine.bot import Bot
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import BotStatus, StatusBoard

LOOK_EVERY_S: Final = 3.0
"""Less than the pause between two reports that say the same, so that none of them is late."""


def status_of(bot: Bot, holder: str) -> BotStatus:
    """What a bot does now, in the words of its snapshot. `holder` is the name its process has at the gate."""
    said, position = bot.snapshot(), bot.engine.tracker.position
    return BotStatus(
        market=said.condition_id,
        holder=holder,
        mode=said.mode,
        phase=said.state,
        yes_shares=position.yes.shares,
        no_shares=position.no.shares,
        pair_cost=bot.pair_cost_micros(),
        locked_profit=position.locked_profit,
        feed_age_ms=_whole_seconds_ms(said.feed_age_s),
        last_fill_ms=said.last_fill_ms,
        reasons=said.reasons,
    )


def _whole_seconds_ms(age_s: float | None) -> int | None:
    """An age to the millisecond is new at every look, and would be written at every look."""
    return None if age_s is None else int(age_s) * 1000


class StatusReporter:
    """Reports every bot that it follows. Takes over `link`, and closes it."""

    def __init__(self, link: RedisLink, *, holder: str, clock: Clock) -> None:
        self._link = link
        link.loss = "reports of bots are not written"
        self._board = StatusBoard(link, clock=clock)
        self._holder = holder
        self._clock = clock
        self._bots: dict[str, Bot] = {}
        self._one_at_a_time = asyncio.Lock()

    def follow(self, bot: Bot) -> None:
        """Report this bot from the next look on."""
        self._bots[bot.market.condition_id] = bot

    async def forget(self, bot: Bot) -> None:
        """Report it no more and take its last report away: who ended in order is not silent. Without the server it disappears by itself."""
        market = bot.market.condition_id
        self._bots.pop(market, None)
        async with self._one_at_a_time:
            with suppress(GateUnreachableError):
                await self._board.forget(market, self._holder)

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_EVERY_S)

    async def look(self) -> None:
        """Report what is new of every bot. A server that does not answer hears it at a later look."""
        with suppress(GateUnreachableError):
            for market in tuple(self._bots):
                await self._report(market)

    async def close(self) -> None:
        """Let go of the server."""
        await self._link.close()

    async def _report(self, market: str) -> None:
        async with self._one_at_a_time:
            if (bot := self._bots.get(market)) is not None:  # else it ended while others were reported
                await self._board.report(status_of(bot, self._holder))
