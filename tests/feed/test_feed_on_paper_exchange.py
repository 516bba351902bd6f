"""The feed on recorded books of the paper exchange, through everything a socket does wrong: what it believes is what the venue has."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.feed.feed_examples import eventually
from tests.support.paper import PaperServer, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.rows import BookSummary
from kabobagool.venue.transport import AiohttpTransport
from paper_exchange.app import ServeOptions

SPEED = 20.0
RECORDED = ServeOptions(port=0, speed=SPEED, markets=1, from_offset_ms=120_000)
"""The first recorded market, two minutes in, twenty times as fast."""
STILL = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])


class Trial:
    """A feed on a paper exchange, and the exchange's own books to compare it with."""

    def __init__(self, paper: PaperServer, reader: ClobReader, settings: FeedSettings) -> None:
        market = paper.market
        self.paper = paper
        self.reader = reader
        self.counters = FeedCounters()
        self.half_applied = 0
        self.feed = MarketFeed(
            url=paper.urls["market_socket"],
            market=Market(
                condition_id=market.condition_id,
                slug=market.slug,
                question=market.question,
                outcomes=market.outcomes,
                tokens=market.tokens,
                tick_size=market.tick_size,
                min_order_shares=market.min_order_size,
                fee=None,
            ),
            clock=SystemClock(rate=SPEED, origin_ms=paper.clock.now_ms()),
            rng=random.Random(3),
            fetch_books=self.fetch,
            on_view=self._look,
            settings=settings,
            counters=self.counters,
        )

    async def fetch(self, tokens: Sequence[str]) -> list[BookSummary]:
        return await self.reader.books(tokens)

    @property
    def both_known(self) -> bool:
        return self.feed.view.yes.has_snapshot and self.feed.view.no.has_snapshot

    def _look(self, view: PairView) -> None:
        self.half_applied += view.frame_open

    async def compare(self) -> int:
        """How many of our believed books could be compared with the venue's of the same moment; they must be equal."""
        compared = 0
        for theirs in await self.fetch(self.feed.view.market.tokens):
            ours = self.feed.view.book(self.feed.view.market.outcome_of(theirs.asset_id))
            if ours.has_snapshot and ours.venue_ms == theirs.timestamp_ms:
                assert (ours.bids, ours.asks) == (dict(theirs.bids), dict(theirs.asks))
                compared += 1
        return compared

    async def compare_often(self, times: int) -> None:
        """Until that many comparisons were made."""
        compared = 0
        async with asyncio.timeout(40):
            while compared < times:
                compared += await self.compare()
                await asyncio.sleep(0.005)


@asynccontextmanager
async def trial(paper: PaperServer, **settings: float) -> AsyncIterator[Trial]:
    transport = AiohttpTransport()
    clock = SystemClock(rate=SPEED)
    reader = ClobReader(Reader(transport, clock=clock, rng=random.Random(1)), paper.urls["clob"], clock=clock)
    made = Trial(paper, reader, FeedSettings(start_jitter_s=0.0, close_timeout_s=0.2, **settings))
    task = asyncio.create_task(made.feed.run())
    try:
        yield made
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await transport.close()


async def test_recorded_books_arrive_as_the_venue_has_them():
    async with paper_exchange_server(options=RECORDED) as paper, trial(paper) as run:
        await eventually(lambda: run.both_known)
        await run.compare_often(60)
        assert run.counters.best_mismatch == run.counters.out_of_order == run.counters.unknown_asset == 0
        assert run.counters.decode_errors == 0
        assert run.half_applied == 0


@pytest.mark.parametrize("fault", ["duplicated_frames", "reordered_frames", "disconnect"])
async def test_what_is_believed_stays_true_while_frames_are_doubled_swapped_or_cut_off(fault):
    async with paper_exchange_server(options=RECORDED) as paper, trial(paper) as run:
        await eventually(lambda: run.both_known)
        paper.add_fault(fault, count=8, probability=0.3)
        await run.compare_often(60)
        await eventually(lambda: run.both_known)
        assert paper.exchange.faults.struck[fault] > 0


async def test_a_first_book_the_socket_withholds_comes_over_rest():
    async with paper_exchange_server(STILL, options=ServeOptions(port=0, speed=SPEED)) as paper:
        paper.add_fault("missing_first_snapshot", token=paper.market.tokens[0])
        async with trial(paper) as run:
            await eventually(lambda: run.both_known)
            assert run.counters.resnapshots[ResnapshotReason.FIRST_SNAPSHOT] == 1
            assert await run.compare() == 2


async def test_a_freeze_with_live_pongs_is_found_out_over_rest_and_left():
    async with paper_exchange_server(options=RECORDED) as paper, trial(paper, silence_s=5.0) as run:
        await eventually(lambda: run.both_known)
        paper.add_fault("silent_freeze", for_ms=600_000)
        await eventually(lambda: run.counters.reconnects[ReconnectReason.DISAGREEMENT] >= 1)
        assert run.counters.rest_disagreements >= 1
        assert run.counters.reconnects[ReconnectReason.DEAD] == 0
