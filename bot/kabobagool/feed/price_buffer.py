"""The hand-over from feed to strategy: the latest view wins, nothing queues, the feed never waits.

A strategy that is busy while ten frames arrive must not trade on the first nine. The feed calls `publish` after each whole
frame; one consumer (`engine/market_engine.py`) awaits `wait`.
"""

import asyncio

from kabobagool.domain.book import PairView
from kabobagool.feed.counters import FeedCounters


class ConflatingPriceBuffer:
    """Holds at most one view that nobody has looked at yet. For one consumer on the feed's event loop."""

    __slots__ = ("_counters", "_pending", "_waiter")

    def __init__(self, counters: FeedCounters) -> None:
        self._counters = counters
        self._pending: PairView | None = None
        self._waiter: asyncio.Future[None] | None = None

    def publish(self, view: PairView) -> None:
        """Replace whatever was not looked at yet and wake the consumer. Never blocks."""
        if self._pending is not None:
            self._counters.conflated += 1
        self._pending = view
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def wait(self) -> PairView:
        """The latest view, once there is one that was not returned before. RuntimeError when somebody else is waiting already."""
        while self._pending is None:
            await self._sleep_until_published()
        view, self._pending = self._pending, None
        return view

    async def _sleep_until_published(self) -> None:
        if self._waiter is not None:
            raise RuntimeError("two consumers wait on one price buffer: each market has exactly one strategy")
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
