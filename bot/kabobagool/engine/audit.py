"""Looks, now and then, for trades of this market that no reply told of.

An order that was given up as never arrived can still arrive; somebody can buy by hand with the same wallet. Both change what is owned,
and a bot that does not know what it owns hedges the wrong way. So the venue's trades are read again while nothing is under way, and what
is new is taken over.
"""

import logging
from collections.abc import Callable
from typing import Final

from kabobagool.clock import Clock
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.execution.fills import FillStatus, OrderFill, fills_of
from kabobagool.execution.lookup import CLOCK_SLACK_S
from kabobagool.execution.reconcile import WalletReader
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

AUDIT_EVERY_S: Final = 30.0


class Audit:
    """Trades since the start against the tracker's orders. `adopt` has a surprise followed until it is settled."""

    def __init__(self, *, engine: MarketEngine, reader: WalletReader, adopt: Callable[[OrderFill], None], clock: Clock) -> None:
        self.surprises = 0
        self._engine = engine
        self._reader = reader
        self._adopt = adopt
        self._clock = clock
        self._since_s = clock.now_ms() // 1000 - CLOCK_SLACK_S

    async def run(self) -> None:
        """Audit until cancelled."""
        while True:
            await self._clock.sleep(AUDIT_EVERY_S)
            try:
                await self.look()
            except VenueError as e:
                log.warning("the trades could not be audited", extra={"error": str(e)})

    async def look(self) -> None:
        """Read the trades once and take over those of unknown orders. VenueError when they cannot be read."""
        if self._engine.is_busy():
            return
        rows = await self._reader.trades(self._engine.market.condition_id, self._since_s)
        if self._engine.is_busy():  # a reply may be about to tell of the same trades
            return
        for fill in fills_of(rows, self._engine.market):
            if fill.status is not FillStatus.FAILED and not self._engine.tracker.knows(fill.order_hash):
                self.surprises += 1
                log.error("trades of an order that no reply told of were taken over", extra={"order": fill.order_hash})
                self._adopt(fill)
                self._engine.take_over(fill, now_ms=self._clock.now_ms())
