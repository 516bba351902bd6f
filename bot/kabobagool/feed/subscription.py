"""A market's share of a multiplexed feed, as if it had a feed of its own: a view, and a `run` that ends with the market's own defect.

A bot is built on something that runs and keeps a view (`engine/bot.py`). Alone it gets a `MarketFeed`; in a fleet it gets a
`Subscription`, and the supervisor runs the one feed behind all of them.
"""

import asyncio
from collections.abc import Callable

from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.market_desk import OnView
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed, OnDefect


class Subscription:
    """One market on the shared feed, from the moment it is made until it is closed."""

    def __init__(self, view: PairView) -> None:
        self.view = view
        self._defect: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: Exception) -> None:
        """The feed dropped this market, because whoever looks at its view raised `error`."""
        if not self._defect.done():
            self._defect.set_exception(error)
            self._defect.exception()  # looked at: nobody may be running it, and that is no second error

    async def run(self) -> None:
        """Wait for the market's own defect and raise it; the feed's connections are not its business."""
        await asyncio.shield(self._defect)


class Subscriptions:
    """The markets of a multiplexed feed, each told of its own defect. `make` builds the feed, given where to report defects."""

    def __init__(self, make: Callable[[OnDefect], MultiplexedMarketFeed]) -> None:
        self.feed = make(self._fail)
        self._open: dict[str, Subscription] = {}

    def subscribe(self, market: Market, *, on_view: OnView) -> Subscription:
        """Feed this market from now on. ValueError when it is fed already."""
        subscription = Subscription(self.feed.add(market, on_view=on_view))
        self._open[market.condition_id] = subscription
        return subscription

    async def end(self, condition_id: str) -> None:
        """Feed this market no more; nothing happens when it is not fed."""
        self._open.pop(condition_id, None)
        self.feed.remove(condition_id)

    def _fail(self, condition_id: str, error: Exception) -> None:
        subscription = self._open.get(condition_id)
        if subscription is not None:
            subscription.fail(error)
