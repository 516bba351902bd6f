"""Many markets over real sockets: what is shown is the venue's truth while markets come and go, and the venue's limits are kept."""

import asyncio
import random
from dataclasses import replace

import pytest
from tests.feed.feed_examples import MICRO, eventually
from tests.feed.fleet_examples import FAST, PATIENT, FleetRig, FleetVenue, fleet, fleet_market, known, running

from kabobagool.clock import SystemClock
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings


async def test_fifty_markets_under_load_stay_true_while_some_come_and_go():
    async with fleet(50) as rig:
        rng, venue = random.Random(11), rig.venue
        rig.add(*venue.markets[:40])
        await eventually(lambda: rig.all_known)
        absent = list(venue.markets[40:])
        for _ in range(120):
            for _ in range(5):
                lives = rng.sample(list(venue.live.values()), rng.randrange(1, 6))
                await venue.say(*(live.random_change(rng) for live in lives))
            gone = rng.choice([rig.views[condition_id].market for condition_id in rig.views])
            rig.remove(gone)
            absent.append(gone)
            rig.add(absent.pop(rng.randrange(len(absent))))
        await eventually(lambda: rig.all_known and rig.all_true)
        assert len(rig.views) == 40
        await eventually(lambda: len(venue.subscribed) == 80)
        assert rig.half_applied == 0
        assert rig.defects == []
        assert rig.counters.connects == 1
        assert rig.counters.best_mismatch == rig.counters.out_of_order == rig.counters.decode_errors == 0


async def test_one_frame_of_several_markets_is_whole_for_each_of_them_before_it_is_shown():
    """Each market's ask falls on YES and its bid follows; between the two halves its asks would sum to 0.92."""
    async with fleet(3) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        lives = list(rig.venue.live.values())
        frame = [live.change("SELL", 4000 + 100 * n, MICRO) for n, live in enumerate(lives)]
        for live in lives:
            live.bids = {3000: MICRO}
            live.stamp_ms += 1
        books = [live.book(live.market.tokens[n]) for n in (1, 0) for live in lives]
        await rig.venue.say(*frame, *books)
        await eventually(lambda: rig.all_true)
        for n, live in enumerate(lives):
            assert rig.shown[live.market.condition_id][1:] == [(4000 + 100 * n, 7000, 0)]
        assert rig.counters.frames == 2
        assert rig.half_applied == 0


async def test_subscriptions_are_chunked_and_spread_over_sockets_within_the_venues_limits():
    async with fleet(250) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        assert rig.feed.sockets == (100, 100, 50)
        assert sorted(len(message["assets_ids"]) for message in rig.venue.said) == [100] * 5
        for client in rig.venue.clients:
            assert client.most_tokens <= 200
            assert [message.get("type") for message in client.said] == ["market", None][: len(client.said)]
            assert all(message["custom_feature_enabled"] is True for message in client.said)
        whole = {market.tokens for market in rig.venue.markets}
        for message in rig.venue.said:
            ids = message["assets_ids"]
            assert set(zip(ids[::2], ids[1::2], strict=True)) <= whole, "both tokens of a market travel in one frame"


async def test_smaller_limits_are_kept_while_markets_are_added_and_removed():
    async with fleet(30, max_ids_a_frame=4, max_ids_a_socket=10) as rig:
        rng = random.Random(5)
        rig.add(*rig.venue.markets[:12])
        await eventually(lambda: rig.all_known)
        for _ in range(40):
            absent = [market for market in rig.venue.markets if market.condition_id not in rig.views]
            for market in rng.sample(absent, rng.randrange(4)):
                rig.add(market)
            for view in rng.sample(list(rig.views.values()), rng.randrange(4)):
                rig.remove(view.market)
            await asyncio.sleep(rng.choice([0, 0.002]))
        wanted = sorted(token for view in rig.views.values() for token in view.market.tokens)
        await eventually(lambda: rig.all_known and rig.venue.subscribed == wanted)
        assert max(len(message["assets_ids"]) for message in rig.venue.said) <= 4
        assert max(client.most_tokens for client in rig.venue.clients) <= 10
        assert sum(rig.feed.sockets) == len(rig.views)


async def test_a_lost_connection_invalidates_every_view_before_the_first_is_shown():
    async with fleet(5) as rig:
        sums: list[list[int]] = []

        def look(_: object) -> None:
            sums.append([view.yes.best_ask + view.no.best_ask for view in rig.views.values()])

        for market in rig.venue.markets:
            rig.views[market.condition_id] = rig.feed.add(market, on_view=look)
        await eventually(lambda: rig.all_known)
        rig.venue.withheld = set(rig.venue.of_token)
        sums.clear()
        await rig.venue.hang_up()
        await eventually(lambda: rig.counters.connects == 2)
        assert sums == [[2 * PRICE_ONE] * 5] * 5
        assert {view.generation for view in rig.views.values()} == {1}
        assert rig.counters.reconnects[ReconnectReason.CLOSED] == 1


async def test_after_a_reset_the_new_connection_is_told_of_all_markets_and_they_are_true_again():
    async with fleet(60) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        await rig.venue.hang_up()
        for live in rig.venue.live.values():
            live.change("BUY", 4900, MICRO)
        rig.remove(rig.venue.markets[0])
        await eventually(lambda: rig.counters.connects == 2 and rig.all_known and rig.all_true)
        assert [len(message["assets_ids"]) for message in rig.venue.clients[1].said] == [100, 18]
        assert rig.venue.markets[0].tokens[0] not in rig.venue.subscribed


async def test_a_removed_market_reads_one_at_once_and_is_never_shown_again():
    async with fleet(2) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        gone = rig.venue.markets[0]
        view = rig.remove(gone)
        shown = len(rig.shown[gone.condition_id])
        assert (view.yes.best_ask, view.no.best_ask, view.generation) == (PRICE_ONE, PRICE_ONE, 1)
        client, live = rig.venue.clients[0], rig.venue.live[gone.condition_id]
        await rig.venue.send(client, [live.change("BUY", 4900, MICRO), live.book(gone.tokens[0])])
        await rig.venue.say(rig.venue.live[rig.venue.markets[1].condition_id].change("BUY", 4850, MICRO))
        await eventually(lambda: rig.all_true)
        assert len(rig.shown[gone.condition_id]) == shown
        await eventually(lambda: len(client.said) == 2)
        assert client.said[1] == {"operation": "unsubscribe", "assets_ids": list(gone.tokens)}
        rig.feed.remove(gone.condition_id)


async def test_a_market_added_again_starts_over_with_the_venues_books():
    async with fleet(2) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        market = rig.venue.markets[0]
        old = rig.remove(market)
        rig.add(market)
        await eventually(lambda: rig.all_known and rig.all_true)
        assert rig.views[market.condition_id] is not old
        operations = [message.get("operation") for message in rig.venue.clients[0].said]
        assert operations == [None, "unsubscribe", "subscribe"]
        assert old.yes.best_ask == PRICE_ONE


async def test_a_market_or_token_that_is_fed_already_is_refused():
    async with fleet(2) as rig:
        market, other = rig.venue.markets
        rig.add(market)
        with pytest.raises(ValueError, match=r"market-0 .* is fed already"):
            rig.add(market)
        with pytest.raises(ValueError, match=f"token {market.tokens[0]} is already fed"):
            rig.feed.add(replace(other, tokens=(market.tokens[0], other.tokens[1])), on_view=rig.look)
        rig.add(other)
        await eventually(lambda: rig.all_known)


async def test_a_socket_without_markets_is_closed_and_the_next_market_opens_another():
    async with fleet(2) as rig:
        rig.add(rig.venue.markets[0])
        await eventually(lambda: rig.all_known)
        rig.remove(rig.venue.markets[0])
        assert rig.feed.sockets == ()
        await eventually(lambda: rig.venue.clients[0].socket.close_code is not None)
        rig.add(rig.venue.markets[1])
        await eventually(lambda: rig.all_known)
        assert len(rig.venue.clients) == 2


async def test_markets_added_before_the_feed_runs_are_fed_when_it_does_and_read_one_when_it_stops():
    async with FleetVenue(3) as venue:
        rig = FleetRig(venue)
        rig.add(*venue.markets)
        assert all(view.yes.best_ask == PRICE_ONE for view in rig.views.values())
        async with running(rig):
            await eventually(lambda: rig.all_known)
            with pytest.raises(RuntimeError, match="running already"):
                await rig.feed.run()
        assert {(view.yes.best_ask, view.no.best_ask) for view in rig.views.values()} == {(PRICE_ONE, PRICE_ONE)}
        assert all(shown[-1][:2] == (PRICE_ONE, PRICE_ONE) for shown in rig.shown.values())


async def test_connections_of_a_fleet_are_dialled_one_after_the_other():
    class ListeningClock(SystemClock):
        """Remembers the first sleeps it was asked for."""

        def __init__(self) -> None:
            super().__init__(rate=FAST)
            self.asked: list[float] = []

        async def sleep(self, seconds: float) -> None:
            self.asked.append(seconds)
            await super().sleep(seconds)

    async with FleetVenue(8) as venue:
        clock = ListeningClock()
        rig = FleetRig(venue, clock=clock, max_ids_a_socket=4, start_jitter_s=1.0)
        rig.add(*venue.markets)
        async with running(rig):
            await eventually(lambda: rig.all_known)
        first = clock.asked[:4]
        assert all(n - 0.1 <= delay <= n + 1 for n, delay in enumerate(first))
        assert len({round(delay % 1, 3) for delay in first}) == 4


async def test_a_feed_reset_reaches_every_buffer():
    async with fleet(3) as rig:
        buffers = [ConflatingPriceBuffer(rig.counters) for _ in rig.venue.markets]
        for market, buffer in zip(rig.venue.markets, buffers, strict=True):
            rig.views[market.condition_id] = rig.feed.add(market, on_view=buffer.publish)
        await eventually(lambda: rig.all_known)
        assert [(await buffer.wait()).yes.best_ask for buffer in buffers] == [5000] * 3
        rig.venue.withheld = set(rig.venue.of_token)
        await rig.venue.hang_up()
        for buffer in buffers:
            view = await asyncio.wait_for(buffer.wait(), 20)
            assert (view.yes.best_ask, view.generation) == (PRICE_ONE, 1)


async def test_a_url_that_is_none_ends_the_feed_loudly():
    feed = MultiplexedMarketFeed(
        url="nonsense",
        clock=SystemClock(rate=FAST),
        rng=random.Random(1),
        fetch_books=FleetVenue(0).fetch_books,
        on_defect=lambda *_: None,
        settings=PATIENT,
        counters=FeedCounters(),
    )
    feed.add(fleet_market(1), on_view=lambda _: None)
    with pytest.raises(Exception, match="nonsense"):
        await asyncio.wait_for(feed.run(), 20)


@pytest.mark.parametrize("bound", [{"max_ids_a_frame": 3}, {"max_ids_a_socket": 0}])
def test_a_limit_that_would_tear_a_market_apart_is_refused(bound):
    with pytest.raises(ValueError, match="has two token ids"):
        FeedSettings(**bound)


async def test_books_of_several_markets_are_read_over_rest_in_one_go():
    async with fleet(20, first_snapshot_s=5.0) as rig:
        rig.venue.withheld = set(rig.venue.of_token)
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        assert [len(tokens) for tokens in rig.venue.fetched] == [40]
        assert rig.counters.resnapshots[ResnapshotReason.FIRST_SNAPSHOT] == 40
        assert rig.all_true


async def test_an_answer_over_rest_for_a_market_that_is_gone_by_then_is_dropped():
    async with fleet(2, first_snapshot_s=5.0) as rig:
        venue, fetch = rig.venue, rig.venue.fetch_books
        asked, answer = asyncio.Event(), asyncio.Event()

        async def slow(tokens):
            asked.set()
            await answer.wait()
            return await fetch(tokens)

        rig.feed._fetch_books = slow
        venue.withheld = set(venue.of_token)
        rig.add(*venue.markets)
        await asyncio.wait_for(asked.wait(), 20)
        view = rig.remove(venue.markets[0])
        answer.set()
        await eventually(lambda: rig.all_known)
        assert not known(view)()
        assert rig.defects == []
