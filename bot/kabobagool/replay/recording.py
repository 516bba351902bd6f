"""One recording: the feed, the tape it is written to, and the markets that come and go meanwhile.

`cli/record.py` runs it until it is told to stop. One market is named by the settings, or discovery names many and looks for more at every
interval; a market stays on the tape until it is over, whether it still qualifies or not.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from kabobagool.discovery.criteria import criteria_of
from kabobagool.discovery.discover import discover
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.replay.recorder import TapeRecorder
from kabobagool.replay.tape_writer import TapeWriter
from kabobagool.settings import Settings
from kabobagool.trading.session import Venue, feed_settings, find_market
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

OVER_AFTER_MS: Final = 600_000
"""A market this long past its scheduled end has nothing more to say, even if nobody said that it was resolved."""


class Recording:
    """A recording that is ready to run. `wall_ms` is the wall clock, which only the age of cached pages is measured by."""

    def __init__(self, settings: Settings, venue: Venue, writer: TapeWriter, *, wall_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._venue = venue
        self._wall_ms = wall_ms
        self._views: dict[str, PairView] = {}
        hosts = {"clob": settings.host, "gamma": settings.gamma_host, "market_socket": settings.market_socket_url}
        self.counters = FeedCounters()
        self.recorder = TapeRecorder(writer, clock=venue.clock, venue=hosts)
        self._feed = MultiplexedMarketFeed(
            url=settings.market_socket_url,
            clock=venue.clock,
            rng=venue.rng,
            fetch_books=venue.fetch_books,
            on_defect=lambda condition_id, error: None,  # nobody looks at these views, so nobody can fail to
            settings=feed_settings(settings),
            counters=self.counters,
            tap=self.recorder,
        )

    @property
    def is_one_market(self) -> bool:
        """Whether the settings name the market."""
        settings = self._settings
        return bool(settings.market_slug or settings.condition_id or settings.token_yes)

    async def find(self) -> int:
        """Put what is to be recorded on the tape. How many markets are on it now; VenueError when that cannot be found out."""
        if self.is_one_market:
            self._add(await find_market(self._settings, self._venue))
        else:
            await self._discover()
        return len(self._views)

    async def run(self, stop: asyncio.Event) -> None:
        """Record until `stop` is set, then close the tape. TapeError when the disk refuses."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(part) for part in (self._feed.run(), self.recorder.run(), self._look_for_more())]
                await stop.wait()
                self.recorder.end()
                for task in tasks:
                    task.cancel()
        finally:
            await self.recorder.close()

    async def _look_for_more(self) -> None:
        while True:
            await self._venue.clock.sleep(self._settings.discovery_interval_ms / 1000)
            if not self.is_one_market:
                self._let_go()
                with suppress(VenueError):
                    await self._discover()

    async def _discover(self) -> None:
        now_ms = self._venue.clock.now_ms()
        result = await discover(
            self._venue.reader,
            self._venue.clob,
            self._settings.gamma_host,
            criteria=criteria_of(self._settings),
            now_ms=now_ms,
            wall_ms=self._wall_ms,
            watched=self._views,
        )
        for found in result.found:
            self._add(found.market)

    def _add(self, market: Market) -> None:
        if market.condition_id not in self._views:
            self._views[market.condition_id] = self._feed.add(market, on_view=lambda view: None)

    def _let_go(self) -> None:
        now_ms = self._venue.clock.now_ms()
        over = [condition_id for condition_id, view in self._views.items() if is_over(view, now_ms)]
        for condition_id in over:
            self._feed.remove(condition_id)
            del self._views[condition_id]


def is_over(view: PairView, now_ms: int) -> bool:
    """Whether a market has nothing more to say."""
    end_ms = view.market.end_ms
    return view.resolved or (end_ms is not None and now_ms > end_ms + OVER_AFTER_MS)
