"""A replay shows what the feed showed: every view of every market, in the same order, at the same millisecond, through every mishap."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.feed.feed_examples import eventually
from tests.replay.made_tapes import played
from tests.support.paper import PaperServer, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.feed.settings import FeedSettings
from kabobagool.replay.market_run import MarketRun
from kabobagool.replay.recorder import TapeRecorder
from kabobagool.replay.tape_writer import TapeWriter
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import AiohttpTransport
from paper_exchange.app import ServeOptions
from paper_exchange.types import PaperMarket

SPEED = 20.0
RECORDED = ServeOptions(port=0, speed=SPEED, markets=5, from_offset_ms=120_000, inject=10)
PATIENCE = FeedSettings(start_jitter_s=0.1, close_timeout_s=0.2, max_ids_a_socket=4, max_ids_a_frame=2, silence_s=4.0, backoff_max_s=1.0)
Seen = tuple[str, int, int, int, int, int, bool]


def seen(view: PairView) -> Seen:
    yes, no = view.yes, view.no
    last_heard_ms = max(yes.received_ms, no.received_ms)
    return (view.market.slug, yes.best_bid, yes.best_ask, no.best_bid, no.best_ask, last_heard_ms, view.tick_is_current)


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


class RecordedFleet:
    """A live feed of all the exchange's markets with a recorder at its tap; `views` is what it showed."""

    def __init__(self, paper: PaperServer, tape: Path, transport: AiohttpTransport) -> None:
        clock = SystemClock(rate=SPEED, origin_ms=paper.clock.now_ms())
        clob = ClobReader(Reader(transport, clock=clock, rng=random.Random(1)), paper.urls["clob"], clock=clock)
        self.views: list[Seen] = []
        self.recorder = TapeRecorder(TapeWriter.open(tape), clock=clock, venue={})
        self.feed = MultiplexedMarketFeed(
            url=paper.urls["market_socket"],
            clock=clock,
            rng=random.Random(3),
            fetch_books=clob.books,
            on_defect=lambda condition_id, error: None,
            settings=PATIENCE,
            counters=FeedCounters(),
            tap=self.recorder,
        )
        for market in paper.exchange.markets:
            self.feed.add(as_known(market), on_view=lambda view: self.views.append(seen(view)))


@asynccontextmanager
async def recorded_fleet(paper: PaperServer, tape: Path) -> AsyncIterator[RecordedFleet]:
    transport = AiohttpTransport()
    fleet = RecordedFleet(paper, tape, transport)
    running = asyncio.create_task(fleet.feed.run())
    try:
        yield fleet
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await fleet.recorder.close()
        await transport.close()


@pytest.mark.parametrize("fault", [None, "disconnect", "duplicated_frames", "reordered_frames"])
async def test_every_view_of_a_live_feed_comes_again_in_the_replay(tmp_path, monkeypatch, fault):
    tape, again = tmp_path / "a.tape", list[Seen]()
    async with paper_exchange_server(options=RECORDED) as paper, recorded_fleet(paper, tape) as fleet:
        await eventually(lambda: len(fleet.views) > 60)
        if fault:
            paper.add_fault(fault, count=6, probability=0.3)
            await eventually(lambda: paper.exchange.faults.struck[fault] > 2)
        shown = len(fleet.views)
        await eventually(lambda: len(fleet.views) > shown + 60)
        gone = paper.exchange.markets[0]
        fleet.feed.remove(gone.condition_id)
        fleet.recorder.end()
        live = list(fleet.views)
    monkeypatch.setattr(MarketRun, "_on_view", lambda run, view: again.append(seen(view)))
    report = await asyncio.to_thread(played, tape)
    assert (report.tape.lost_connections > 0) == (fault == "disconnect")
    assert again == [*live, (gone.slug, 0, 10_000, 0, 10_000, 0, True)]
