"""A market's share of the shared feed: its own defect reaches its own bot, and nobody else's."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.feed.feed_examples import eventually
from tests.support.paper import PaperServer, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed, OnDefect
from kabobagool.feed.settings import FeedSettings
from kabobagool.feed.subscription import Subscriptions

SPEED = 20.0
PULSE = [(at_ms, [("0.47", 100 + at_ms // 200)], [("0.50", 100)]) for at_ms in range(0, 600_000, 200)]
BOTH = (ScriptedBooks(PULSE, slug="rain"), ScriptedBooks(PULSE, slug="snow"))


class Watcher:
    """Looks at views, and raises when told to."""

    def __init__(self) -> None:
        self.views = 0
        self.error: Exception | None = None

    def on_view(self, view: PairView) -> None:
        self.views += 1
        if self.error is not None:
            raise self.error


def as_known(paper: PaperServer, slug: str) -> Market:
    found = paper.exchange.market(slug)
    assert found is not None
    return Market(
        condition_id=found.condition_id,
        slug=slug,
        question=found.question,
        outcomes=found.outcomes,
        tokens=found.tokens,
        tick_size=found.tick_size,
        min_order_shares=found.min_order_size,
        fee=FeeSchedule(found.fee_rate_micros),
    )


@asynccontextmanager
async def running() -> AsyncIterator[tuple[PaperServer, Subscriptions]]:
    async with paper_exchange_server(*BOTH) as paper:

        def make(on_defect: OnDefect) -> MultiplexedMarketFeed:
            return MultiplexedMarketFeed(
                url=paper.urls["market_socket"],
                clock=SystemClock(rate=SPEED),
                rng=random.Random(1),
                fetch_books=_no_books,
                on_defect=on_defect,
                settings=FeedSettings(start_jitter_s=0.0, close_timeout_s=0.2),
                counters=FeedCounters(),
            )

        subscriptions = Subscriptions(make)
        run = asyncio.create_task(subscriptions.feed.run())
        try:
            yield paper, subscriptions
        finally:
            run.cancel()
            await asyncio.wait({run})


async def _no_books(tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
    return ()


async def test_the_defect_of_one_market_ends_its_run_with_that_error_and_the_others_go_on() -> None:
    async with running() as (paper, subscriptions):
        rain, snow = Watcher(), Watcher()
        broken = subscriptions.subscribe(as_known(paper, "rain"), on_view=rain.on_view)
        healthy = subscriptions.subscribe(as_known(paper, "snow"), on_view=snow.on_view)
        runs = [asyncio.create_task(broken.run()), asyncio.create_task(healthy.run())]
        await eventually(lambda: broken.view.yes.has_snapshot and healthy.view.yes.has_snapshot)
        rain.error = ZeroDivisionError("a rule that divides by nothing")
        with pytest.raises(ZeroDivisionError, match="divides by nothing"):
            await asyncio.wait_for(runs[0], 5)
        assert broken.view.yes.best_ask == PRICE_ONE
        seen = snow.views
        await eventually(lambda: snow.views > seen)
        assert not runs[1].done()
        runs[1].cancel()
        await asyncio.wait({runs[1]})


async def test_a_defect_before_anybody_runs_the_subscription_is_raised_when_somebody_does() -> None:
    async with running() as (paper, subscriptions):
        rain = Watcher()
        rain.error = KeyError("token")
        subscription = subscriptions.subscribe(as_known(paper, "rain"), on_view=rain.on_view)
        await eventually(lambda: not subscriptions.feed.sockets)
        with pytest.raises(KeyError, match="token"):
            await subscription.run()


async def test_a_market_that_failed_can_be_subscribed_again_and_is_fed_from_its_books_on() -> None:
    async with running() as (paper, subscriptions):
        market, rain = as_known(paper, "rain"), Watcher()
        rain.error = KeyError("token")
        first = subscriptions.subscribe(market, on_view=rain.on_view)
        await eventually(lambda: not subscriptions.feed.sockets)
        await subscriptions.end(market.condition_id)
        rain.error = None
        again = subscriptions.subscribe(market, on_view=rain.on_view)
        await eventually(lambda: again.view.yes.has_snapshot)
        assert again.view is not first.view
        assert not first.view.yes.has_snapshot, "the old view stays empty"


async def test_an_ended_subscription_is_told_nothing_any_more_and_ending_twice_is_no_error() -> None:
    async with running() as (paper, subscriptions):
        market, rain = as_known(paper, "rain"), Watcher()
        subscription = subscriptions.subscribe(market, on_view=rain.on_view)
        snow = subscriptions.subscribe(as_known(paper, "snow"), on_view=Watcher().on_view)
        await eventually(lambda: subscription.view.yes.has_snapshot and snow.view.yes.has_snapshot)
        await subscriptions.end(market.condition_id)
        await subscriptions.end(market.condition_id)
        seen = rain.views
        await eventually(lambda: not paper.venue.market_sockets.listening(market.tokens))
        assert rain.views == seen
        assert subscriptions.feed.sockets == (1,)


async def test_cancelling_one_that_waits_for_its_defect_leaves_the_subscription_whole() -> None:
    async with running() as (paper, subscriptions):
        rain = Watcher()
        subscription = subscriptions.subscribe(as_known(paper, "rain"), on_view=rain.on_view)
        run = asyncio.create_task(subscription.run())
        await eventually(lambda: subscription.view.yes.has_snapshot)
        run.cancel()
        await asyncio.wait({run})
        subscription.fail(KeyError("later"))
        subscription.fail(KeyError("later still"))
        with pytest.raises(KeyError, match="'later'"):
            await subscription.run()
