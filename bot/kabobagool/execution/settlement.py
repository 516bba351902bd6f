"""The ledger of a market's fills, from the reply that reported them until the chain has confirmed or undone them.

A match is a promise: in bad weeks a third of them failed later. So a fill is booked as pending, followed by the trades the venue
reports, replaced by their exact amounts, and taken out again when it failed, which turns a pair into an orphan leg. Held by the engine,
one for each market.
"""

import asyncio
from collections.abc import Callable, Iterable

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.domain.position import Fill, Position, position_of
from kabobagool.execution.fills import FillStatus, OrderFill, fills_of
from kabobagool.execution.lookup import CLOCK_SLACK_S, AccountReader
from kabobagool.venue.errors import VenueError

POLL_EVERY_S = 2.0
SLOW_POLL_EVERY_S = 30.0
"""After `SLOW_AFTER_MS` without an end: nothing is forgotten, but nobody is hurried either."""
SLOW_AFTER_MS = 120_000
SHORT_AFTER_MS = 60_000
"""Rows that add up to less than the reply said are believed only after this long: the others may still be on their way."""
DUST_MICROS = 10


class SettlementTracker:
    """Fills of one market and their settlement.

    `on_change` is called with every fill whose amounts or status changed, also with failed ones.
    """

    def __init__(self, *, market: Market, reader: AccountReader, clock: Clock, on_change: Callable[[OrderFill], None]) -> None:
        self.market = market
        self.failed_polls = 0
        self._reader = reader
        self._clock = clock
        self._on_change = on_change
        self._ledger: dict[str, OrderFill] = {}
        self._something_pending = asyncio.Event()

    def book(self, order_hash: str, fill: Fill) -> None:
        """Add a provisional fill, as the reply to an order or its look-up told it. An order that is booked already is left as it is."""
        if order_hash not in self._ledger:
            self.adopt([OrderFill(order_hash, fill, FillStatus.PENDING, self._clock.now_ms())])

    def adopt(self, fills: Iterable[OrderFill]) -> None:
        """Take over fills that reconciliation found."""
        self._ledger.update({fill.order_hash: fill for fill in fills})
        if self.pending:
            self._something_pending.set()

    @property
    def pending(self) -> list[OrderFill]:
        """Fills that are neither confirmed nor failed."""
        return [fill for fill in self._ledger.values() if fill.status is FillStatus.PENDING]

    @property
    def fills(self) -> list[OrderFill]:
        """Fills that stand, pending ones included."""
        return [fill for fill in self._ledger.values() if fill.status is not FillStatus.FAILED]

    @property
    def position(self) -> Position:
        """What is owned when every pending fill settles."""
        return position_of(fill.fill for fill in self.fills)

    @property
    def settled_position(self) -> Position:
        """What is owned for sure: the most that can be sold or merged now."""
        return position_of(fill.fill for fill in self.fills if fill.status is FillStatus.CONFIRMED)

    async def run(self) -> None:
        """Follow pending fills until cancelled. A venue that does not answer is asked again; `failed_polls` counts how often in a row."""
        while True:
            await self._something_pending.wait()
            try:
                await self.poll()
                self.failed_polls = 0
            except VenueError:
                self.failed_polls += 1
            if not self.pending:
                self._something_pending.clear()
            await self._clock.sleep(self._pause_s())

    async def poll(self) -> None:
        """Read the trades once and bring the pending fills up to date. VenueError when the venue cannot be read."""
        pending = self.pending
        if not pending:
            return
        after_s = min(fill.match_ms for fill in pending) // 1000 - CLOCK_SLACK_S
        rows = await self._reader.trades(self.market.condition_id, after_s)
        found = {fill.order_hash: fill for fill in fills_of(rows, self.market)}
        for provisional in pending:
            reported = found.get(provisional.order_hash)
            if reported is not None and reported != provisional and self._is_complete(reported, provisional):
                self._ledger[reported.order_hash] = reported
                self._on_change(reported)

    def _is_complete(self, reported: OrderFill, provisional: OrderFill) -> bool:
        accounted = reported.fill.shares + reported.failed_shares
        promised = provisional.fill.shares + provisional.failed_shares
        return accounted + DUST_MICROS >= promised or self._clock.now_ms() - provisional.match_ms >= SHORT_AFTER_MS

    def _pause_s(self) -> float:
        pending = self.pending
        newest_ms = max((fill.match_ms for fill in pending), default=0)
        slow = pending and self._clock.now_ms() - newest_ms >= SLOW_AFTER_MS
        return SLOW_POLL_EVERY_S if slow else POLL_EVERY_S
