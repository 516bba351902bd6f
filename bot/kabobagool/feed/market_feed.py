"""Keeps one market's view true: connect, subscribe, apply, doubt, and start over.

One `MarketFeed` is one socket and one view. The engine hands in `on_view` (usually `ConflatingPriceBuffer.publish`) and runs
`run()` as a task that ends only by cancellation or by a defect, never quietly: whatever ends a connection, both books read
1.0 before anything else happens.
"""

import random
from collections.abc import Sequence

from websockets.asyncio.client import ClientConnection

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.connection import FeedConnection, FetchBooks, Wanted
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.freshness import Action
from kabobagool.feed.market_desk import MarketDesk, OnView
from kabobagool.feed.settings import FeedSettings
from kabobagool.feed.subscriptions import subscribe_frame
from kabobagool.venue.messages import MarketEvent

__all__ = ["MarketFeed", "subscribe_frame"]


class MarketFeed(FeedConnection):
    """The view of one market and the connection that keeps it.

    `fetch_books` reads books of the given tokens over REST; it may raise anything and may hang. `on_view` is called on the
    event loop after every whole frame that changed something and must return at once; what it raises ends `run`.
    """

    def __init__(
        self,
        *,
        url: str,
        market: Market,
        clock: Clock,
        rng: random.Random,
        fetch_books: FetchBooks,
        on_view: OnView,
        settings: FeedSettings,
        counters: FeedCounters,
    ) -> None:
        super().__init__(name=market.slug, url=url, clock=clock, rng=rng, fetch_books=fetch_books, settings=settings, counters=counters)
        self._on_view = on_view
        self._desk = MarketDesk(market, on_view=self._show, settings=settings, counters=counters, now_ms=clock.now_ms())

    @property
    def view(self) -> PairView:
        """The view as of the last whole frame; always the same object."""
        return self._desk.view

    def _show(self, view: PairView) -> None:
        self._on_view(view)

    def _desks(self) -> Sequence[MarketDesk]:
        return (self._desk,)

    async def _greet(self, socket: ClientConnection) -> None:
        await socket.send(subscribe_frame(self._desk.tokens))

    def _on_events(self, events: Sequence[MarketEvent], now_ms: int) -> None:
        self._tend(self._desk, self._desk.take_in, events, now_ms)

    def _check(self) -> Action:
        return self._desk.check(now_ms=self._clock.now_ms(), last_frame_ms=self._last_frame_ms)

    def _on_books(self, books: Sequence[BookSnapshotLike], wanted: Wanted, asked_ms: int, now_ms: int) -> None:
        self._tend(self._desk, self._desk.take_in_books, books, [token for token, _ in wanted], asked_ms, now_ms)

    def _on_defect(self, desk: MarketDesk, error: Exception) -> None:
        raise error
