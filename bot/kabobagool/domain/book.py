"""One outcome's order book as integers, and the pair of them that decisions look at.

The feed applies frames to a `Book`; nothing else writes to it. A book that cannot be trusted has no snapshot: its best ask reads 1.0 and
its best bid 0, so that no arithmetic on it can look like an edge.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kabobagool.domain.market import Market, Outcome
from kabobagool.domain.money import PRICE_ONE, Micros, Price

Level = tuple[Price, Micros]


class Book:
    """Price levels of one token: total resting shares by price, with the best of each side kept at hand."""

    __slots__ = ("asks", "best_ask", "best_bid", "bids", "has_snapshot", "received_ms", "token", "venue_ms")

    def __init__(self, token: str) -> None:
        self.token = token
        self.invalidate()

    def invalidate(self) -> None:
        """Forget everything: prices read 1.0 and 0 until the next snapshot."""
        self.bids: dict[Price, Micros] = {}
        self.asks: dict[Price, Micros] = {}
        self.best_bid: Price = 0
        self.best_ask: Price = PRICE_ONE
        self.has_snapshot = False
        self.venue_ms = 0
        self.received_ms = 0

    def apply_snapshot(self, bids: Iterable[Level], asks: Iterable[Level], *, venue_ms: int, received_ms: int) -> None:
        """Replace the whole book. The venue's order of levels does not matter; levels that are empty or at no price are dropped."""
        self.bids = {price: size for price, size in bids if size > 0 and 0 < price < PRICE_ONE}
        self.asks = {price: size for price, size in asks if size > 0 and 0 < price < PRICE_ONE}
        self.best_bid = max(self.bids, default=0)
        self.best_ask = min(self.asks, default=PRICE_ONE)
        self.has_snapshot = True
        self.venue_ms = venue_ms
        self.received_ms = received_ms

    def set_bid(self, price: Price, size: Micros) -> None:
        """The total resting at a bid is now `size`; 0 removes the level."""
        if size > 0:
            if not 0 < price < PRICE_ONE:
                return
            self.bids[price] = size
            if price > self.best_bid:
                self.best_bid = price
        else:
            self.bids.pop(price, None)
            if price == self.best_bid:
                self.best_bid = max(self.bids, default=0)

    def set_ask(self, price: Price, size: Micros) -> None:
        """The total resting at an ask is now `size`; 0 removes the level."""
        if size > 0:
            if not 0 < price < PRICE_ONE:
                return
            self.asks[price] = size
            if price < self.best_ask:
                self.best_ask = price
        else:
            self.asks.pop(price, None)
            if price == self.best_ask:
                self.best_ask = min(self.asks, default=PRICE_ONE)

    def ask_levels(self) -> list[Level]:
        """Asks, best first."""
        return sorted(self.asks.items())

    def bid_levels(self) -> list[Level]:
        """Bids, best first."""
        return sorted(self.bids.items(), reverse=True)


@dataclass(slots=True)
class PairView:
    """Both books of a market as of the last whole frame, with what the feed knows about them.

    `tick_is_current` turns false on a tick size change until both books were snapshotted again; `frame_open` is true only while a frame is
    being applied. `generation` counts connections: a view from before a reconnect is recognised by it.
    """

    market: Market
    yes: Book = field(init=False)
    no: Book = field(init=False)
    tick_is_current: bool = True
    frame_open: bool = False
    resolved: bool = False
    generation: int = 0

    def __post_init__(self) -> None:
        self.yes, self.no = Book(self.market.tokens[0]), Book(self.market.tokens[1])

    def book(self, outcome: Outcome) -> Book:
        """The outcome's book."""
        return self.no if outcome else self.yes

    def invalidate(self) -> None:
        """Distrust both books until both have a new snapshot."""
        self.yes.invalidate()
        self.no.invalidate()
