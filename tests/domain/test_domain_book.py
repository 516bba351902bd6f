"""Best prices at hand are the best prices, whatever the feed says and in whatever order it says it."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.domain_strategies import market

from kabobagool.domain.book import Book, PairView
from kabobagool.domain.market import Outcome

Levels = list[tuple[int, int]]


@dataclass
class NaiveBook:
    """Two dictionaries, searched from end to end each time."""

    bids: dict[int, int] = field(default_factory=dict)
    asks: dict[int, int] = field(default_factory=dict)

    def best_bid(self) -> int:
        return max((price for price, size in self.bids.items() if size), default=0)

    def best_ask(self) -> int:
        return min((price for price, size in self.asks.items() if size), default=10_000)


prices = st.integers(1, 9_999) | st.integers(4_990, 5_010)
sizes = st.sampled_from((0, 0, 1, 5_000_000, 10**12))
change = st.tuples(st.sampled_from(("bid", "ask")), prices, sizes)
snapshot = st.tuples(st.just("snapshot"), st.lists(st.tuples(prices, sizes), max_size=8), st.lists(st.tuples(prices, sizes), max_size=8))
forget = st.just(("invalidate",))


def _apply(book: Book, naive: NaiveBook, event: tuple[object, ...]) -> None:
    match event:
        case ("bid", int(price), int(size)):
            book.set_bid(price, size)
            naive.bids[price] = size
        case ("ask", int(price), int(size)):
            book.set_ask(price, size)
            naive.asks[price] = size
        case ("snapshot", list(bids), list(asks)):
            unique_bids, unique_asks = dict(bids), dict(asks)
            book.apply_snapshot(unique_bids.items(), unique_asks.items(), venue_ms=1, received_ms=2)
            naive.bids, naive.asks = unique_bids, unique_asks
        case _:
            book.invalidate()
            naive.bids, naive.asks = {}, {}


@given(st.lists(change | change | snapshot | forget, max_size=40))
def test_the_best_prices_are_those_of_a_book_searched_from_end_to_end(events: list[tuple[object, ...]]) -> None:
    book, naive = Book("111"), NaiveBook()
    for event in events:
        _apply(book, naive, event)
        assert (book.best_bid, book.best_ask) == (naive.best_bid(), naive.best_ask())
    assert book.ask_levels() == sorted((price, size) for price, size in naive.asks.items() if size)
    assert book.bid_levels() == sorted(((price, size) for price, size in naive.bids.items() if size), reverse=True)


@given(st.lists(change | snapshot, max_size=30))
def test_the_best_ask_always_has_a_size_unless_the_side_is_empty(events: list[tuple[object, ...]]) -> None:
    book, naive = Book("111"), NaiveBook()
    for event in events:
        _apply(book, naive, event)
        assert book.best_ask == 10_000 or book.asks[book.best_ask] > 0
        assert book.best_bid == 0 or book.bids[book.best_bid] > 0


def test_a_new_book_reads_as_no_edge_at_all() -> None:
    book = Book("111")
    assert (book.best_bid, book.best_ask, book.has_snapshot) == (0, 10_000, False)


def test_the_order_of_levels_in_a_snapshot_does_not_matter() -> None:
    levels: Levels = [(4_800, 5), (4_700, 6), (4_900, 7)]
    for arrangement in (levels, levels[::-1], sorted(levels)):
        book = Book("111")
        book.apply_snapshot(arrangement, [], venue_ms=1, received_ms=2)
        assert book.best_bid == 4_900


def test_a_snapshot_replaces_what_was_there_and_drops_empty_levels() -> None:
    book = Book("111")
    book.apply_snapshot([(4_000, 1)], [(6_000, 1)], venue_ms=1, received_ms=2)
    book.apply_snapshot([(3_000, 1), (3_500, 0)], [(7_000, 1), (6_500, 0)], venue_ms=5, received_ms=6)
    assert (book.bids, book.asks) == ({3_000: 1}, {7_000: 1})
    assert (book.best_bid, book.best_ask, book.venue_ms, book.received_ms) == (3_000, 7_000, 5, 6)


@pytest.mark.parametrize("outcome", [Outcome.YES, Outcome.NO])
def test_a_view_hands_out_the_book_of_the_outcome(outcome: Outcome) -> None:
    view = PairView(market())
    assert view.book(outcome).token == view.market.token(outcome)
    assert view.book(outcome) is not view.book(outcome.other)


def test_an_invalidated_view_has_no_snapshot_on_either_side() -> None:
    view = PairView(market())
    for outcome in Outcome:
        view.book(outcome).apply_snapshot([(4_000, 1)], [(4_500, 1)], venue_ms=1, received_ms=1)
    view.invalidate()
    assert [view.book(outcome).has_snapshot for outcome in Outcome] == [False, False]
    assert view.yes.best_ask + view.no.best_ask == 20_000
