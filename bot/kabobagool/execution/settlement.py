"""Follows fills from the reply that reported them until the chain has confirmed or undone them.

A match is a promise: in bad weeks a third of them failed later. Whoever keeps the position (`engine/position_tracker.py`) books a fill at
once and has it followed here; what the venue's trade rows say of it is reported back, exact amounts or failure, which turns a pair into
an orphan leg.
"""

import asyncio
from collections.abc import Callable, Iterable

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.domain.position import Fill
from kabobagool.execution.fills import FillStatus, OrderFill, fills_of
from kabobagool.execution.lookup import CLOCK_SLACK_S, AccountReader
from kabobagool.venue.errors import VenueError

POLL_EVERY_S = 2.0
SLOW_POLL_EVERY_S = 30.0
"""After `SLOW_AFTER_MS` without an end: nothing is forgotten, but nobody is hurried either."""
SLOW_AFTER_MS = 120_000
SHORT_AFTER_MS = 60_000
"""Rows that add up to less than the reply said are believed only after this long: the others may still be on their way."""
LONGEST_LOOK_BACK_S = 72 * 60 * 60
"""A fill may be older than it was told: its reply was lost, and it was looked up much later."""
DUST_MICROS = 10


class SettlementTracker:
    """Fills of one market that are not settled yet.

    `on_change` is called with every fill whose amounts or status changed, also with failed ones; what is final is forgotten then.
    """

    def __init__(self, *, market: Market, reader: AccountReader, clock: Clock, on_change: Callable[[OrderFill], None]) -> None:
        self.market = market
        self.failed_polls = 0
        self._reader = reader
        self._clock = clock
        self._on_change = on_change
        self._pending: dict[str, OrderFill] = {}
        self._final: set[str] = set()
        self._look_back_s = CLOCK_SLACK_S
        self._something_pending = asyncio.Event()

    def book(self, order_hash: str, fill: Fill) -> None:
        """Follow a provisional fill, as a reply or a look-up told it. One that is followed or final already is left alone."""
        if order_hash not in self._pending:
            self.adopt([OrderFill(order_hash, fill, FillStatus.PENDING, self._clock.now_ms())])

    def adopt(self, fills: Iterable[OrderFill]) -> None:
        """Follow those of the fills that reconciliation found unsettled."""
        for fill in fills:
            if fill.status is FillStatus.PENDING and fill.order_hash not in self._final:
                self._pending[fill.order_hash] = fill
                self._something_pending.set()

    @property
    def pending(self) -> list[OrderFill]:
        """Fills that are neither confirmed nor failed."""
        return list(self._pending.values())

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
        after_s = min(fill.match_ms for fill in pending) // 1000 - self._look_back_s
        rows = await self._reader.trades(self.market.condition_id, after_s)
        found = {fill.order_hash: fill for fill in fills_of(rows, self.market)}
        missing = any(fill.order_hash not in found for fill in pending)
        self._look_back_s = min(2 * self._look_back_s, LONGEST_LOOK_BACK_S) if missing else CLOCK_SLACK_S
        for provisional in pending:
            reported = found.get(provisional.order_hash)
            if reported is not None and reported != provisional and self._is_complete(reported, provisional):
                self._take(reported)

    def _take(self, reported: OrderFill) -> None:
        if reported.status is FillStatus.PENDING:
            self._pending[reported.order_hash] = reported
        else:
            del self._pending[reported.order_hash]
            self._final.add(reported.order_hash)
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
