"""What became of an order whose reply was lost: asked by its hash, twice when in doubt, never by sending it again.

The order itself says whether it matched, the trades say how much. "Not found" proves nothing at first: only when the venue has said so
for a while, and no trade names the hash, did the order never arrive. Called by `live.py` and `fast.py` (and
through them by the engine and by `reconcile.py`).
"""

from typing import Protocol

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.market import Market
from kabobagool.domain.money import Micros
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome
from kabobagool.execution.fills import FillStatus, fills_of
from kabobagool.venue.rows import OrderRow, TradeRow

NOT_FOUND_AFTER_S = 60.0
LOOK_AGAIN_S = 2.0
"""Two looks that agree are at least this far apart."""
CLOCK_SLACK_S = 60
"""Trades are asked from well before the order was sent: the venue stamps them with whole seconds of its own clock."""
RESTING = frozenset({"LIVE", "DELAYED"})
MATCHED = "MATCHED"
NEVER_ARRIVED = "never arrived: the venue knows neither the order nor a trade of it"


class AccountReader(Protocol):
    """The part of `venue.clob.ClobReader` that says what a wallet did."""

    async def order(self, order_hash: str) -> OrderRow | None:
        """One order, None when the venue does not know it."""
        ...

    async def trades(self, condition_id: str, after_s: int) -> list[TradeRow]:
        """All trades of the wallet in a market since a moment in epoch seconds."""
        ...


class Sighting(msgspec.Struct, frozen=True):
    """What one look found: whether the venue knows the order, and what its trades add up to."""

    found: bool
    shares: Micros = 0
    dollars: Micros = 0


class OrderLookup:
    """Looks orders up; remembers what it saw before, so that a single look decides nothing doubtful."""

    def __init__(self, *, reader: AccountReader, clock: Clock, not_found_after_s: float = NOT_FOUND_AFTER_S) -> None:
        self._reader = reader
        self._clock = clock
        self._not_found_after_ms = round(not_found_after_s * 1000)
        self._seen: dict[str, tuple[Sighting, int]] = {}

    async def resolve(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """What became of the order; None while that cannot be said yet. Raises what the reader raises."""
        order = await self._reader.order(order_hash)
        trades = await self._reader.trades(market.condition_id, since_ms // 1000 - CLOCK_SLACK_S)
        fill = next((f for f in fills_of(trades, market) if f.order_hash == order_hash), None)
        if fill is None:
            outcome = self._without_trades(order_hash, order, since_ms)
        elif fill.status is FillStatus.FAILED:
            outcome = Killed("failed to settle")
        else:
            outcome = self._with_trades(order_hash, order, Filled(fill.fill.shares, fill.fill.dollars, fill.fill.fee))
        if outcome is not None and not isinstance(outcome, Delayed):
            self._seen.pop(order_hash, None)
        return outcome

    def _without_trades(self, order_hash: str, order: OrderRow | None, since_ms: int) -> OrderOutcome | None:
        if order is None:
            old_enough = self._clock.now_ms() - since_ms >= self._not_found_after_ms
            agreed = self._seen_before(order_hash, Sighting(found=False))
            return Killed(NEVER_ARRIVED) if agreed and old_enough else None
        self._seen.pop(order_hash, None)
        if order.status in RESTING:
            return Delayed(order.status)
        return None if order.status == MATCHED else Killed(order.status)

    def _with_trades(self, order_hash: str, order: OrderRow | None, filled: Filled) -> Filled | None:
        """Rows of one match can appear one by one: they are complete when the order agrees or a second look finds no more."""
        complete = order is not None and order.status == MATCHED and order.size_matched in (filled.shares, filled.dollars)
        sighting = Sighting(found=True, shares=filled.shares, dollars=filled.dollars)
        return filled if complete or self._seen_before(order_hash, sighting) else None

    def _seen_before(self, order_hash: str, sighting: Sighting) -> bool:
        now_ms = self._clock.now_ms()
        before, at_ms = self._seen.get(order_hash, (None, now_ms))
        if before != sighting:
            self._seen[order_hash] = (sighting, now_ms)
            return False
        return now_ms - at_ms >= LOOK_AGAIN_S * 1000
