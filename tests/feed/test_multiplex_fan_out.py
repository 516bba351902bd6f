"""Who gets which event, and what the venue has to be told: the pure parts of the multiplexed feed."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.feed_examples import MICRO, NOON_MS, Message
from tests.feed.fleet_examples import PATIENT, LiveMarket, fleet_market

from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.fan_out import FanOut
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.subscriptions import PendingChanges, chunks, greeting
from kabobagool.venue.messages import MarketEvent, PriceChangeEvent, decode_frame

LIVES = [LiveMarket(fleet_market(number)) for number in range(4)]


def a_desk(number: int, counters: FeedCounters) -> MarketDesk:
    return MarketDesk(fleet_market(number), on_view=lambda _: None, settings=PATIENT, counters=counters, now_ms=NOON_MS)


class Board:
    """A fan-out over the first three of four markets."""

    def __init__(self) -> None:
        self.counters = FeedCounters()
        self.fan_out = FanOut(self.counters)
        self.desks = [a_desk(number, self.counters) for number in range(3)]
        for desk in self.desks:
            self.fan_out.add(desk)

    def shares(self, *messages: Message) -> list[tuple[int, list[MarketEvent]]]:
        """By number of the market."""
        dealt = self.fan_out.shares(decode_frame(json.dumps(messages)))
        return [(self.desks.index(desk), list(events)) for desk, events in dealt]


@pytest.fixture
def board() -> Board:
    return Board()


def test_interleaved_events_are_dealt_market_by_market_and_keep_their_order(board):
    frame = [LIVES[number].change("BUY", 2000 + 100 * turn, MICRO) for turn in range(4) for number in (1, 0, 2)]
    dealt = board.shares(*frame)
    assert [number for number, _ in dealt] == [1, 0, 2]
    for number, events in dealt:
        assert [event.changes[0].price for event in events if isinstance(event, PriceChangeEvent)] == [2000, 2100, 2200, 2300]
        assert {event.market for event in events if isinstance(event, PriceChangeEvent)} == {fleet_market(number).condition_id}


@pytest.mark.parametrize("beside", [[], [LIVES[0].book(LIVES[0].market.tokens[0])]], ids=["alone", "in a frame"])
def test_a_change_of_two_markets_in_one_event_is_taken_apart(board, beside):
    mixed = LIVES[1].change("BUY", 3000, MICRO)
    mixed["price_changes"] += LIVES[2].change("SELL", 6000, MICRO)["price_changes"] + LIVES[3].change("BUY", 1, 1)["price_changes"]
    dealt = dict(board.shares(mixed, *beside))
    for number in (1, 2):
        (event,) = dealt[number]
        assert isinstance(event, PriceChangeEvent)
        assert [change.asset_id for change in event.changes] == list(fleet_market(number).tokens)
    assert board.counters.unknown_asset == 2


def test_events_about_nobody_here_are_counted_and_dealt_to_nobody(board):
    stranger = LIVES[3]
    messages = [
        stranger.change("BUY", 3000, MICRO),
        stranger.book(stranger.market.tokens[0]),
        {"event_type": "market_resolved", "market": stranger.market.condition_id, "timestamp": "1", "assets_ids": []},
        {"event_type": "new_market", "id": "7"},
        {"event_type": "invented_today"},
        {"event_type": "price_change", "market": "0x0", "timestamp": "1", "price_changes": []},
    ]
    assert board.shares(*messages) == []
    assert all(board.shares(message) == [] for message in messages)
    assert board.counters.unknown_asset == 2 * 3
    assert board.counters.unknown_events == 2 * 2


def test_a_discarded_desk_gets_nothing_and_its_successor_everything(board):
    gone = board.desks[1]
    board.fan_out.discard(gone)
    assert gone not in board.fan_out.desks
    assert board.shares(LIVES[1].change("BUY", 3000, MICRO)) == []
    board.desks[1] = a_desk(1, board.counters)
    board.fan_out.add(board.desks[1])
    assert gone not in board.fan_out.desks
    assert [number for number, _ in board.shares(LIVES[1].change("BUY", 3000, MICRO))] == [1]
    assert len(board.fan_out) == 3


def test_what_rest_answers_goes_to_whoever_has_the_token_by_then(board):
    tokens = [token for live in LIVES for token in live.market.tokens]
    books = [event for token in tokens for event in decode_frame(json.dumps(LIVES[tokens.index(token) // 2].book(token)))]
    assert [board.desks.index(desk) for desk in board.fan_out.asked(tokens)] == [0, 1, 2]
    assert {board.desks.index(desk): len(found) for desk, found in board.fan_out.books(books).items()} == {0: 2, 1: 2, 2: 2}


many_tokens = st.integers(0, 40).map(lambda count: [token for number in range(count) for token in fleet_market(number).tokens])
even = st.integers(1, 30).map(lambda half: 2 * half)


@given(many_tokens, even)
def test_a_greeting_names_every_token_once_in_frames_within_the_limit(tokens, most):
    frames = [json.loads(frame) for frame in greeting(tokens, most=most)]
    assert [token for frame in frames for token in frame["assets_ids"]] == tokens
    assert all(0 < len(frame["assets_ids"]) <= most for frame in frames)
    assert [frame.get("type") for frame in frames[:1]] == ["market"] * bool(tokens)
    assert all(frame["operation"] == "subscribe" for frame in frames[1:])
    assert list(chunks(tokens, most=most)) == [frame["assets_ids"] for frame in frames]


class ListeningVenue:
    """What a socket of the venue is subscribed to, and of which tokens it dumped the books since a moment."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.dumped: set[str] = set()

    def hear(self, frames: Sequence[str], *, most: int) -> None:
        for text in frames:
            frame = json.loads(text)
            ids = frame["assets_ids"]
            assert 0 < len(ids) <= most
            if frame["operation"] == "unsubscribe":
                assert set(ids) <= self.tokens, "nothing is left that was not joined"
                self.tokens -= set(ids)
            else:
                assert not set(ids) & self.tokens, "nothing is joined twice: there would be no books"
                self.tokens |= set(ids)
                self.dumped |= set(ids)


orders = st.lists(st.tuples(st.sampled_from(["toggle", "toggle", "renew", "speak"]), st.integers(0, 5)), max_size=40)


@given(orders, even)
def test_the_venue_ends_up_with_exactly_what_is_wanted_and_dumps_books_for_whoever_is_new(script, most):
    pending, venue, wanted = PendingChanges(), ListeningVenue(), set()
    fresh: set[str] = set()
    for order, number in script:
        tokens = fleet_market(number).tokens
        if order == "speak":
            venue.dumped.clear()
            venue.hear(pending.frames(most=most), most=most)
            assert venue.tokens == wanted
            assert fresh <= venue.dumped
            assert not pending
            fresh.clear()
        elif order == "renew" and set(tokens) <= wanted:
            pending.renew(tokens)
            fresh |= set(tokens)
        elif order == "toggle" and set(tokens) <= wanted:
            pending.leave(tokens)
            wanted -= set(tokens)
            fresh -= set(tokens)
        elif order == "toggle":
            pending.join(tokens)
            wanted |= set(tokens)
            fresh |= set(tokens)
    venue.hear(pending.frames(most=most), most=most)
    assert venue.tokens == wanted


def test_a_fresh_connection_forgets_what_was_still_to_be_said():
    pending = PendingChanges()
    pending.join(["1", "2"])
    pending.leave(["3", "4"])
    assert pending
    pending.clear()
    assert pending.frames(most=2) == []
