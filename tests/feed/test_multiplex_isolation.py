"""One market of many ails or its strategy breaks: that market is hurt, said so, and nobody else notices."""

import asyncio
from collections.abc import Callable

from tests.feed.feed_examples import MICRO, eventually
from tests.feed.fleet_examples import PATIENT, FleetRig, FleetVenue, fleet, known, running

from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.reasons import ReconnectReason


def breaks_at(best_bid: int) -> Callable[[PairView], None]:
    """A strategy that cannot stand one price."""

    def look(view: PairView) -> None:
        if view.yes.best_bid == best_bid:
            raise ZeroDivisionError("strategy")

    return look


async def move_all(rig: FleetRig, best_bid: int) -> None:
    """One frame in which every market's best bid becomes this."""
    await rig.venue.say(*(live.change("BUY", best_bid, MICRO) for live in rig.venue.live.values()))


async def test_a_defect_in_one_strategy_ends_its_market_and_the_others_see_the_same_frame():
    async with fleet(5) as rig:
        broken, *others = rig.venue.markets
        view = rig.feed.add(broken, on_view=breaks_at(4900))
        rig.add(*others)
        await eventually(lambda: known(view)() and rig.all_known)
        await move_all(rig, 4900)
        await eventually(lambda: rig.all_true)
        ((condition_id, error),) = rig.defects
        assert condition_id == broken.condition_id
        assert isinstance(error, ZeroDivisionError)
        assert (view.yes.best_ask, view.no.best_ask) == (PRICE_ONE, PRICE_ONE)
        assert rig.feed.sockets == (4,)
        assert rig.counters.connects == 1
        await eventually(lambda: not set(broken.tokens) & set(rig.venue.subscribed))
        await move_all(rig, 4950)
        await eventually(lambda: rig.all_true)
        assert len(rig.defects) == 1


async def test_a_market_may_be_added_again_from_the_report_of_its_own_defect():
    async with fleet(3) as rig:
        broken, *others = rig.venue.markets
        rig.feed._on_defect = lambda condition_id, _: rig.add(broken)
        rig.feed.add(broken, on_view=breaks_at(4900))
        rig.add(*others)
        await eventually(lambda: rig.all_known)
        await move_all(rig, 4900)
        await eventually(lambda: len(rig.views) == 3 and rig.all_known and rig.all_true)


async def test_a_report_that_fails_hurts_nobody_either():
    async with fleet(3) as rig:
        broken, *others = rig.venue.markets

        def report(condition_id: str, error: Exception) -> None:
            raise RuntimeError("nobody listens")

        rig.feed._on_defect = report
        rig.feed.add(broken, on_view=breaks_at(4900))
        rig.add(*others)
        await eventually(lambda: rig.all_known)
        await move_all(rig, 4900)
        await eventually(lambda: rig.all_true)
        assert rig.feed.sockets == (2,)


async def test_every_strategy_may_break_at_once_and_the_feed_goes_on():
    async with fleet(4) as rig:
        views = [rig.feed.add(market, on_view=breaks_at(4900)) for market in rig.venue.markets]
        await eventually(lambda: all(known(view)() for view in views))
        await move_all(rig, 4900)
        await eventually(lambda: len(rig.defects) == 4)
        assert rig.feed.sockets == ()
        rig.add(rig.venue.markets[0])
        await eventually(lambda: rig.all_known and rig.all_true)


async def test_a_strategy_that_breaks_on_a_lost_connection_hurts_nobody():
    """The moment of the reset is the one at which every strategy is called outside a frame."""

    def look(view: PairView) -> None:
        if view.generation:
            raise ZeroDivisionError("reset")

    async with fleet(4) as rig:
        view = rig.feed.add(rig.venue.markets[0], on_view=look)
        rig.add(*rig.venue.markets[1:])
        await eventually(lambda: known(view)() and rig.all_known)
        await rig.venue.hang_up()
        await eventually(lambda: len(rig.defects) == 1 and rig.counters.connects == 2 and rig.all_known and rig.all_true)


async def test_a_strategy_may_remove_another_market_in_the_middle_of_a_frame():
    async with fleet(3) as rig:
        first, second, third = rig.venue.markets

        def look(view: PairView) -> None:
            if view.yes.best_bid == 4900:
                rig.remove(second)

        rig.feed.add(first, on_view=look)
        rig.add(second, third)
        await eventually(lambda: rig.all_known)
        shown = len(rig.shown[second.condition_id])
        gone, lives = rig.views[second.condition_id], rig.venue.live
        books = [lives[second.condition_id].book(token) for token in second.tokens]
        changes = [lives[market.condition_id].change("BUY", 4900, MICRO) for market in (first, third)]
        await rig.venue.say(*changes, *books)
        await eventually(lambda: rig.all_true and rig.views.keys() == {third.condition_id})
        assert len(rig.shown[second.condition_id]) == shown
        assert gone.yes.best_ask == PRICE_ONE


async def test_an_unreadable_frame_costs_every_book_of_its_socket_and_rest_brings_them_back():
    async with fleet(6) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        shown = {condition_id: len(seen) for condition_id, seen in rig.shown.items()}
        await rig.venue.clients[0].socket.send('{"event_type": "price_change", "market": 7')
        await eventually(lambda: rig.counters.decode_errors == 1 and rig.all_known)
        for condition_id, seen in rig.shown.items():
            assert seen[shown[condition_id]] == (PRICE_ONE, PRICE_ONE, 0)
        assert rig.all_true
        assert [len(tokens) for tokens in rig.venue.fetched] == [12]


async def test_a_contradicted_book_of_one_market_is_read_again_and_the_others_are_not_touched():
    async with fleet(4, check_s=1e4) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        live = rig.venue.live[rig.venue.markets[2].condition_id]
        shown = {condition_id: len(seen) for condition_id, seen in rig.shown.items()}
        live.change("BUY", 4900, MICRO)  # a change that gets lost
        await rig.venue.say(live.change("BUY", 3000, MICRO))
        await eventually(lambda: rig.counters.best_mismatch > 0 and rig.all_true)
        assert [set(tokens) for tokens in rig.venue.fetched] == [set(live.market.tokens)]
        changed = {condition_id for condition_id, seen in rig.shown.items() if len(seen) > shown[condition_id]}
        assert changed == {live.market.condition_id}


class Flow:
    """Changes of some markets that keep coming: the proof that a connection lives."""

    def __init__(self, rig: FleetRig, *markets: Market) -> None:
        self._rig = rig
        self._lives = [rig.venue.live[market.condition_id] for market in markets]

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        for number in range(1, 10**6):
            await self._rig.venue.say(*(live.change("BUY", 4600, number * MICRO) for live in self._lives))
            await asyncio.sleep(0.01)


async def test_a_token_that_froze_is_subscribed_anew_while_the_connection_feeds_the_others():
    async with fleet(4, silence_s=10.0) as rig:
        frozen, *others = rig.venue.markets
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        rig.venue.frozen = set(frozen.tokens)
        async with Flow(rig, *others):
            rig.venue.live[frozen.condition_id].change("BUY", 4900, MICRO)
            await eventually(lambda: rig.counters.resubscribed == 1)
            rig.venue.frozen = set()
            view = rig.views[frozen.condition_id]
            await eventually(lambda: known(view)() and rig.is_true(view))
        assert view.generation == 1
        assert rig.counters.connects == 1
        assert all(rig.views[market.condition_id].generation == 0 for market in others)
        renewed = [message for message in rig.venue.said if message.get("operation")]
        assert [message["operation"] for message in renewed] == ["unsubscribe", "subscribe"]
        assert all(message["assets_ids"] == list(frozen.tokens) for message in renewed)


async def test_a_connection_that_froze_for_everybody_is_left():
    async with fleet(4, silence_s=10.0) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        rig.venue.frozen = set(rig.venue.of_token)
        await move_all(rig, 4900)
        await eventually(lambda: rig.counters.reconnects[ReconnectReason.DISAGREEMENT] == 1)
        rig.venue.frozen = set()
        await eventually(lambda: rig.counters.connects == 2 and rig.all_known and rig.all_true)
        assert rig.counters.resubscribed == 0


async def test_a_market_nobody_has_books_of_does_not_cost_the_quiet_others_their_connection():
    async with FleetVenue(4) as venue:
        rig = FleetRig(venue, PATIENT, first_snapshot_s=1.0, retry_s=0.5, retry_limit=2)
        fetch = venue.fetch_books
        unknown = set(venue.markets[0].tokens)

        async def fetch_books(tokens):
            return await fetch([token for token in tokens if token not in unknown])

        rig.feed._fetch_books = fetch_books
        venue.withheld = unknown
        rig.add(*venue.markets)
        async with running(rig):
            await eventually(lambda: rig.counters.resubscribed >= 3)
            assert rig.counters.connects == 1
            assert [view.generation for view in rig.views.values()][1:] == [0, 0, 0]
            assert len(venue.fetched) >= 2 * rig.counters.resubscribed, "each time it is given its full patience again"


async def test_a_connection_without_even_a_pong_is_dead_for_all():
    async with fleet(3, dead_s=30.0, ping_s=1e4) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        await move_all(rig, 4900)
        await eventually(lambda: rig.counters.reconnects[ReconnectReason.DEAD] == 1)
        assert rig.counters.resubscribed == 0, "what flowed before the silence is no excuse for it"
        await eventually(lambda: rig.counters.connects == 2 and rig.all_known)


async def test_a_resolution_reaches_its_market_only():
    async with fleet(3) as rig:
        rig.add(*rig.venue.markets)
        await eventually(lambda: rig.all_known)
        over = rig.venue.markets[1]
        resolved = {
            "event_type": "market_resolved",
            "market": over.condition_id,
            "assets_ids": list(over.tokens),
            "winning_asset_id": over.tokens[0],
            "timestamp": "1795305600001",
        }
        await rig.venue.say(resolved)
        await eventually(lambda: rig.views[over.condition_id].resolved)
        assert [view.resolved for view in rig.views.values()] == [False, True, False]
