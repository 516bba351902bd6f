"""The hand-over to the strategy: latest wins, nothing queues, nobody waits."""

import asyncio

import pytest
from tests.feed.feed_examples import MARKET

from kabobagool.domain.book import PairView
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.price_buffer import ConflatingPriceBuffer


@pytest.fixture
def counters():
    """Fresh."""
    return FeedCounters()


@pytest.fixture
def buffer(counters):
    """Empty."""
    return ConflatingPriceBuffer(counters)


async def test_a_view_published_before_anybody_waited_is_not_lost(buffer, counters):
    view = PairView(MARKET)
    buffer.publish(view)
    assert await buffer.wait() is view
    assert counters.conflated == 0


async def test_a_waiting_consumer_is_woken(buffer):
    view = PairView(MARKET)
    waiting = asyncio.create_task(buffer.wait())
    await asyncio.sleep(0)
    buffer.publish(view)
    assert await asyncio.wait_for(waiting, 1) is view


async def test_a_slow_consumer_gets_the_latest_once_and_the_rest_is_counted(buffer, counters):
    views = [PairView(MARKET) for _ in range(10)]
    for view in views:
        buffer.publish(view)
    assert await buffer.wait() is views[-1]
    assert counters.conflated == 9
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(buffer.wait(), 0.01)


async def test_views_published_between_waking_and_running_are_conflated_too(buffer, counters):
    waiting = asyncio.create_task(buffer.wait())
    await asyncio.sleep(0)
    first, second = PairView(MARKET), PairView(MARKET)
    buffer.publish(first)
    buffer.publish(second)
    assert await waiting is second
    assert counters.conflated == 1


async def test_a_consumer_that_was_cancelled_leaves_the_buffer_usable(buffer):
    waiting = asyncio.create_task(buffer.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    view = PairView(MARKET)
    buffer.publish(view)
    assert await buffer.wait() is view


async def test_a_second_consumer_is_told_that_there_is_one_already(buffer):
    waiting = asyncio.create_task(buffer.wait())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="two consumers"):
        await buffer.wait()
    waiting.cancel()
