"""What the judge knows by itself: the exchange's own trades of a market, and what its books really were at every moment.

Nothing here asks a bot. The invariants compare what bots did with this.
"""

from bisect import bisect_right
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
from tests.support.virtual_venue import WALLET

from paper_exchange.fees import taker_fee
from paper_exchange.rules import PRICE_ONE
from paper_exchange.types import BookUpdate, Event, PaperMarket, Side, Snapshot, Trade, TradeStatus

if TYPE_CHECKING:
    from tests.simulation.world import World

REMEMBERED_MS = 120_000


class Holding(msgspec.Struct, frozen=True):
    """What trades of one market add up to, in millionths. `spent` includes fees and is less what sales brought."""

    yes: int
    no: int
    bought: int
    sold: int
    fees: int

    @property
    def imbalance(self) -> int:
        """YES beyond NO."""
        return self.yes - self.no

    @property
    def spent(self) -> int:
        """Dollars that left and have not come back."""
        return self.bought - self.sold + self.fees


class Ledger:
    """The exchange's trades of the bots' wallet, market by market."""

    def __init__(self, world: "World") -> None:
        self._exchange = world.venue.exchange

    def trades(self, market: str) -> list[Trade]:
        """All of them, failed ones too, oldest first."""
        return self._exchange.trades(WALLET, market)

    def good(self, market: str, *, failed_after_ms: int | None = None) -> list[Trade]:
        """Those that did not fail, or failed so late that nobody may have heard of it."""
        late = failed_after_ms
        return [
            trade
            for trade in self.trades(market)
            if trade.status is not TradeStatus.FAILED or (late is not None and trade.updated_ms > late)
        ]

    def holding(self, market: str, *, failed_after_ms: int | None = None) -> Holding:
        """What the good trades add up to."""
        return holding_of(self.good(market, failed_after_ms=failed_after_ms))

    def broken_micros(self, market: str) -> int:
        """How many good trades cost no whole number of micro-dollars: a row names shares and price, and not how they were rounded."""
        return sum(trade.price * trade.shares % PRICE_ONE != 0 for trade in self.good(market))

    def changed_ms(self, market: str) -> int:
        """When a trade of the market last changed, 0 when there is none."""
        return max((max(trade.match_ms, trade.updated_ms) for trade in self.trades(market)), default=0)


def holding_of(trades: Iterable[Trade]) -> Holding:
    """What trades add up to."""
    shares, bought, sold, fees = [0, 0], 0, 0, 0
    for trade in trades:
        buying = trade.side is Side.BUY
        shares[trade.outcome] += trade.shares if buying else -trade.shares
        bought += trade.dollars if buying else 0
        sold += 0 if buying else trade.dollars
        fees += trade.fee
    return Holding(shares[0], shares[1], bought, sold, fees)


def newest_cost(trades: Iterable[Trade], outcome: int, shares: int) -> int:
    """Dollars with fees that the newest `shares` of an outcome cost, rounded up.

    All that one order bought has one price, whatever levels it took: none of its shares is newer than another.
    """
    lots: list[tuple[int, int]] = []
    for _, matched in groupby((trade for trade in trades if trade.outcome == outcome), key=lambda trade: trade.order_hash):
        of_order = list(matched)
        size = sum(trade.shares for trade in of_order)
        if of_order[0].side is Side.BUY:
            lots.append((size, sum(trade.dollars + trade.fee for trade in of_order)))
        else:
            _take(lots, size)
    return _take(lots, shares)


def _take(lots: list[tuple[int, int]], shares: int) -> int:
    taken = 0
    while shares > 0 and lots:
        size, cost = lots.pop()
        part = min(size, shares)
        part_cost = -(-cost * part // size)
        if part < size:
            lots.append((size - part, cost - part_cost))
        taken += part_cost
        shares -= part
    return taken


def fee_of(market: PaperMarket, price: int, shares: int) -> int:
    """The venue's own fee."""
    return taker_fee(shares=shares, price=price, rate_micros=market.fee_rate_micros, exponent=market.fee_exponent)


class Published:
    """Every book the venue published, each with the moment from which it held."""

    def __init__(self) -> None:
        self._books: dict[tuple[str, int], list[tuple[int, Snapshot]]] = {}

    def take_in(self, events: Iterable[Event]) -> None:
        """What the exchange has just done."""
        for event in events:
            if isinstance(event, BookUpdate):
                for snapshot in event.snapshots:
                    self._add(event.condition_id, event.venue_ms, snapshot)

    def at(self, market: str, outcome: int, at_ms: int) -> Snapshot | None:
        """The book that held at a moment."""
        books = self._books.get((market, outcome), [])
        place = bisect_right(books, at_ms, key=lambda entry: entry[0])
        return books[place - 1][1] if place else None

    def moments(self, market: str, from_ms: int, to_ms: int) -> list[int]:
        """When either book changed between two moments, both included, and the first moment itself."""
        found = {at_ms for outcome in (0, 1) for at_ms, _ in self._books.get((market, outcome), ()) if from_ms <= at_ms <= to_ms}
        return sorted(found)

    def _add(self, market: str, at_ms: int, snapshot: Snapshot) -> None:
        books = self._books.setdefault((market, snapshot.outcome), [])
        books.append((at_ms, snapshot))
        if len(books) > 64 and books[32][0] < at_ms - REMEMBERED_MS:
            del books[:32]
