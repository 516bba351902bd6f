"""The recorded markets: exact numbers, honest times, and what they say about pairs below one dollar."""

import time
from dataclasses import dataclass

import pytest

from paper_exchange.exchange import Exchange
from paper_exchange.recorded import ATTRIBUTION, RecordedBooks, token_id
from paper_exchange.types import MICRO, BookUpdate, Event, TickSizeChanged

START_MS = 1_795_000_000_000
SLUG = "btc-updown-15m-1790586000"
LONG_AFTER_MS = 10**8


@pytest.fixture(scope="module")
def everything() -> RecordedBooks:
    return RecordedBooks(start_ms=START_MS)


@pytest.fixture(scope="module")
def one() -> RecordedBooks:
    return RecordedBooks(start_ms=START_MS, only=SLUG)


def test_all_eighteen_markets_and_all_snapshots_are_there(everything: RecordedBooks) -> None:
    markets = everything.markets()
    assert len(markets) == 18
    assert sum(len(everything.snapshots(market.condition_id)) for market in markets) == 38_333


def test_the_first_snapshot_is_the_recorded_one_to_the_last_cent(one: RecordedBooks) -> None:
    down, up = one.snapshots(one.markets()[0].condition_id)[:2]
    assert (down.outcome, up.outcome, down.venue_ms, up.venue_ms) == (1, 0, START_MS, START_MS)
    assert (down.bids[0].price, down.bids[0].size) == (5_000, 205 * MICRO)
    assert (down.bids[2].price, down.bids[2].size) == (4_800, 232_250_000)
    assert (up.asks[0].price, up.asks[0].size, len(up.asks)) == (5_000, 205 * MICRO, 20)


def test_every_book_is_sorted_best_first_within_the_ends_and_never_empty_of_size(everything: RecordedBooks) -> None:
    for market in everything.markets():
        snapshots = everything.snapshots(market.condition_id)
        assert [snapshot.venue_ms for snapshot in snapshots] == sorted(snapshot.venue_ms for snapshot in snapshots)
        for snapshot in snapshots:
            asks, bids = ([level.price for level in side] for side in (snapshot.asks, snapshot.bids))
            assert asks == sorted(set(asks))
            assert bids == sorted(set(bids), reverse=True)
            assert all(0 < price < 10_000 for price in (*asks[:1], *asks[-1:], *bids[:1], *bids[-1:]))
            assert all(level.size > 0 for level in (*snapshot.asks, *snapshot.bids))


def test_one_market_loads_within_a_second() -> None:
    began = time.process_time()
    source = RecordedBooks(start_ms=START_MS, only=SLUG)
    source.snapshots(source.markets()[0].condition_id)
    assert time.process_time() - began < 1.0


def test_markets_are_moved_side_by_side_and_keep_their_length(everything: RecordedBooks) -> None:
    for market in everything.markets():
        assert everything.snapshots(market.condition_id)[0].venue_ms == START_MS
        assert market.end_ms - market.start_ms == 900_000
        assert 850_000 < market.start_ms - START_MS < 900_000


def test_an_offset_begins_in_the_middle_with_the_books_that_stood_then() -> None:
    source = RecordedBooks(start_ms=START_MS, only=SLUG, from_offset_ms=60_000)
    (market,) = source.markets()
    assert market.start_ms == START_MS - 60_000
    snapshots = source.snapshots(market.condition_id)
    past = [snapshot for snapshot in snapshots if snapshot.venue_ms <= START_MS]
    assert sorted(snapshot.outcome for snapshot in past) == [0, 1]
    assert all(snapshot.venue_ms > START_MS - 10_000 for snapshot in past)


def test_market_facts_are_those_of_the_recording(one: RecordedBooks) -> None:
    (market,) = one.markets()
    assert market.slug == SLUG
    assert market.question == "Bitcoin Up or Down - September 28, 5:00AM-5:15AM ET"
    assert (market.outcomes, market.payout, market.origin) == (("Up", "Down"), (0, MICRO), "recorded")
    assert market.volume_24h > market.liquidity > 0


def test_token_ids_look_like_the_venues_and_are_all_different(everything: RecordedBooks) -> None:
    tokens = [token for market in everything.markets() for token in market.tokens]
    assert len(set(tokens)) == 36
    assert all(len(token) == 77 and token.isdecimal() for token in tokens)
    assert tokens[0] == token_id(everything.markets()[0].condition_id, 0)


def test_an_unknown_slug_is_answered_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match=f"slug='rain': not recorded; choose one of {SLUG}"):
        RecordedBooks(start_ms=START_MS, only="rain")


def test_the_source_of_the_books_is_credited() -> None:
    assert "resolvedmarkets.com" in ATTRIBUTION
    assert "CC BY 4.0" in ATTRIBUTION


@dataclass(frozen=True)
class Replay:
    """All eighteen markets played to the end, and the processor seconds it took."""

    exchange: Exchange
    events: list[Event]
    cpu_s: float

    def total(self, name: str) -> int:
        counts = [self.exchange.naive_edges(market.condition_id) for market in self.exchange.markets]
        return sum(getattr(count, name) for count in counts)


@pytest.fixture(scope="module")
def replay(everything: RecordedBooks) -> Replay:
    exchange = Exchange(everything, seed=1, start_ms=START_MS)
    began = time.process_time()
    events = exchange.advance(START_MS + LONG_AFTER_MS)
    return Replay(exchange, events, time.process_time() - began)


def test_the_recordings_hold_1156_pairs_below_a_dollar_and_next_to_none_can_be_bought(replay: Replay) -> None:
    assert replay.total("below_one") == 1_156
    assert replay.total("whole_updates") == 43
    assert replay.total("fillable") <= 5
    assert replay.total("profitable") <= replay.total("fillable")


def test_every_recorded_market_pays_out_in_the_end(replay: Replay) -> None:
    exchange = replay.exchange
    assert all(exchange.resolved(market.condition_id) for market in exchange.markets)
    assert exchange.next_event_ms() is None
    exchange.ledger.check()


def test_all_recordings_are_replayed_in_a_few_seconds(replay: Replay) -> None:
    assert replay.cpu_s < 3.0
    assert len([event for event in replay.events if isinstance(event, BookUpdate)]) > 19_000


def test_the_grid_becomes_fine_at_most_once_and_never_coarse_again(replay: Replay) -> None:
    changes = [event for event in replay.events if isinstance(event, TickSizeChanged)]
    assert {(event.old, event.new) for event in changes} == {(100, 10)}
    assert len({event.condition_id for event in changes}) == len(changes)


def test_step_by_step_and_in_one_leap_the_replay_is_the_same(one: RecordedBooks) -> None:
    leap = Exchange(one, seed=1, start_ms=START_MS)
    steps = Exchange(one, seed=1, start_ms=START_MS)
    stepped = []
    while (due_ms := steps.next_event_ms()) is not None:
        stepped += steps.advance(due_ms)
    assert stepped == leap.advance(START_MS + LONG_AFTER_MS)
    assert leap.naive_edges(leap.markets[0].condition_id) == steps.naive_edges(steps.markets[0].condition_id)
