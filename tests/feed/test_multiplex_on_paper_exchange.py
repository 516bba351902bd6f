"""The multiplexed feed on recorded markets of the paper exchange, side by side: what it believes of each is what the venue has."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.feed.feed_examples import eventually
from tests.support.paper import PaperServer, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.rows import BookSummary
from kabobagool.venue.transport import AiohttpTransport
from paper_exchange.app import ServeOptions
from paper_exchange.types import PaperMarket

SPEED = 10.0
RECORDED = ServeOptions(port=0, speed=SPEED, markets=6, from_offset_ms=120_000)


def as_known(market: PaperMarket) -> Market:
    return Market(
        condition_id=market.condition_id,
        slug=market.slug,
        question=market.question,
        outcomes=market.outcomes,
        tokens=market.tokens,
        tick_size=market.tick_size,
        min_order_shares=market.min_order_size,
        fee=None,
    )


class Fleet:
    """A feed of all the exchange's markets, two or three to a socket, and the exchange's books to compare with."""

    def __init__(self, paper: PaperServer, reader: ClobReader) -> None:
        self.reader = reader
        self.counters = FeedCounters()
        self.defects: list[tuple[str, Exception]] = []
        self.markets = [as_known(market) for market in paper.exchange.markets]
        self.feed = MultiplexedMarketFeed(
            url=paper.urls["market_socket"],
            clock=SystemClock(rate=SPEED, origin_ms=paper.clock.now_ms()),
            rng=random.Random(3),
            fetch_books=self.fetch,
            on_defect=lambda condition_id, error: self.defects.append((condition_id, error)),
            settings=FeedSettings(start_jitter_s=0.1, close_timeout_s=0.2, max_ids_a_socket=6, max_ids_a_frame=4),
            counters=self.counters,
        )
        self.views: dict[str, PairView] = {}
        for market in self.markets:
            self.add(market)

    def add(self, market: Market) -> None:
        self.views[market.condition_id] = self.feed.add(market, on_view=lambda view: None)

    async def fetch(self, tokens: Sequence[str]) -> list[BookSummary]:
        return await self.reader.books(tokens)

    @property
    def all_known(self) -> bool:
        return all(view.yes.has_snapshot and view.no.has_snapshot for view in self.views.values())

    async def compare_often(self, times: int) -> set[str]:
        """Compare our believed books with the venue's of the same moment that many times; the markets that could be compared."""
        compared, markets = 0, set()
        async with asyncio.timeout(40):
            while compared < times:
                for theirs in await self.fetch([token for view in self.views.values() for token in view.market.tokens]):
                    view = next(view for view in self.views.values() if theirs.asset_id in view.market.tokens)
                    ours = view.book(view.market.outcome_of(theirs.asset_id))
                    if ours.has_snapshot and ours.venue_ms == theirs.timestamp_ms:
                        assert (ours.bids, ours.asks) == (dict(theirs.bids), dict(theirs.asks))
                        markets.add(view.market.condition_id)
                        compared += 1
                await asyncio.sleep(0.005)
        return markets


@asynccontextmanager
async def fleet_on(paper: PaperServer) -> AsyncIterator[Fleet]:
    transport = AiohttpTransport()
    clock = SystemClock(rate=SPEED)
    reader = ClobReader(Reader(transport, clock=clock, rng=random.Random(1)), paper.urls["clob"], clock=clock)
    made = Fleet(paper, reader)
    task = asyncio.create_task(made.feed.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()


async def test_recorded_markets_side_by_side_are_each_what_the_venue_has():
    async with paper_exchange_server(options=RECORDED) as paper, fleet_on(paper) as fleet:
        await eventually(lambda: fleet.all_known)
        assert fleet.feed.sockets == (3, 3)
        assert await fleet.compare_often(200) == fleet.views.keys()
        gone = fleet.markets[0]
        fleet.feed.remove(gone.condition_id)
        await eventually(lambda: not paper.venue.market_sockets.listening(gone.tokens))
        fleet.add(gone)
        await eventually(lambda: fleet.all_known)
        assert await fleet.compare_often(100) == fleet.views.keys()
        assert fleet.counters.best_mismatch == fleet.counters.out_of_order == fleet.counters.decode_errors == 0
        assert fleet.counters.connects == 2
        assert fleet.defects == []


@pytest.mark.parametrize("fault", ["duplicated_frames", "reordered_frames", "disconnect"])
async def test_what_is_believed_of_any_market_stays_true_through_faults_of_the_socket(fault):
    async with paper_exchange_server(options=RECORDED) as paper, fleet_on(paper) as fleet:
        await eventually(lambda: fleet.all_known)
        paper.add_fault(fault, count=8, probability=0.3)
        await fleet.compare_often(200)
        await eventually(lambda: fleet.all_known)
        assert paper.exchange.faults.struck[fault] > 0
