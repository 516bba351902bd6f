"""Frames become views: whole, forward in time, and never believed after a doubt."""

import pytest
from tests.feed.feed_examples import (
    CONDITION,
    MARKET,
    MICRO,
    NO,
    NOON_MS,
    YES,
    YES_BOOK,
    Message,
    book_message,
    change,
    decoded,
    first_books,
    mirrored,
    price_change,
    resolution,
    rest_book,
    tick_change,
    trade,
)

from kabobagool.domain.book import PairView
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.apply import FrameApplier, Verdict
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.reasons import ResnapshotReason


class Bench:
    """An applier with its view and counters, and the wall of receipt times."""

    def __init__(self) -> None:
        self.view = PairView(MARKET)
        self.counters = FeedCounters()
        self.applier = FrameApplier(self.view, self.counters)
        self.received_ms = NOON_MS

    def frame(self, *messages: Message):
        self.received_ms += 1
        return self.applier.apply(decoded(*messages), received_ms=self.received_ms)

    def rest(self, *books):
        self.received_ms += 1
        return self.applier.apply_rest(books, received_ms=self.received_ms)


@pytest.fixture
def bench() -> Bench:
    """Nothing received yet."""
    return Bench()


@pytest.fixture
def live(bench: Bench) -> Bench:
    """Both first books received."""
    bench.frame(*first_books())
    return bench


def test_before_any_snapshot_prices_read_one_dollar(bench):
    assert (bench.view.yes.best_ask, bench.view.no.best_ask) == (PRICE_ONE, PRICE_ONE)
    assert not bench.view.yes.has_snapshot


def test_the_first_books_fill_both_sides_whatever_the_order_of_levels(live):
    view = live.view
    assert (view.yes.best_bid, view.yes.best_ask) == (4800, 5000)
    assert (view.no.best_bid, view.no.best_ask) == (5000, 5200)
    assert view.yes.asks == {5200: 80 * MICRO, 5000: 25 * MICRO}
    assert live.counters.mirror_mismatch == 0


def test_a_book_of_one_token_leaves_the_other_alone(bench):
    bench.frame(book_message(YES, *YES_BOOK))
    assert bench.view.yes.has_snapshot
    assert not bench.view.no.has_snapshot
    assert bench.view.no.best_ask == PRICE_ONE


def test_a_price_change_moves_both_books_and_their_stamps(live):
    applied = live.frame(mirrored("BUY", 4900, 10 * MICRO, (4900, 5000), at=NOON_MS + 70))
    assert applied.changed
    assert applied.resnapshot == ()
    assert (live.view.yes.best_bid, live.view.no.best_ask) == (4900, 5100)
    assert live.view.yes.venue_ms == live.view.no.venue_ms == NOON_MS + 70
    assert live.view.yes.received_ms == live.received_ms
    assert live.counters.best_mismatch == 0


def test_size_zero_removes_the_level_and_the_next_best_shows(live):
    live.frame(mirrored("SELL", 5000, 0, (4800, 5200), at=NOON_MS + 1))
    assert live.view.yes.asks == {5200: 80 * MICRO}
    assert (live.view.yes.best_ask, live.view.no.best_bid) == (5200, 4800)


def test_changes_of_a_token_without_a_snapshot_are_ignored_and_counted(bench):
    applied = bench.frame(price_change(change(YES, "BUY", 4900, MICRO)))
    assert not applied.changed
    assert bench.view.yes.bids == {}
    assert bench.counters.without_snapshot == 1


def test_events_of_foreign_tokens_are_ignored_and_counted(live):
    before = dict(live.view.yes.bids)
    applied = live.frame(price_change(change("123", "BUY", 4900, MICRO)), book_message("123", [(4900, MICRO)], []), trade("123"))
    assert not applied.changed
    assert live.view.yes.bids == before
    assert live.counters.unknown_asset == 3


def test_kinds_nobody_knows_are_counted_and_change_nothing(live):
    assert not live.frame({"event_type": "weather", "rain": True}, {"event_type": "new_market", "id": "7"}).changed
    assert live.counters.unknown_events == 2


def test_an_empty_frame_changes_nothing(live):
    assert not live.applier.apply([], received_ms=NOON_MS).changed


def test_a_duplicate_frame_is_harmless(live):
    frame = mirrored("BUY", 4900, 10 * MICRO, (4900, 5000), at=NOON_MS + 5)
    live.frame(frame)
    assert live.frame(frame).resnapshot == ()
    assert live.view.yes.bids[4900] == 10 * MICRO


def test_a_late_duplicate_that_says_nothing_new_does_not_move_the_book_back(live):
    first = mirrored("BUY", 4900, 10 * MICRO, (4900, 5000), at=NOON_MS + 5)
    live.frame(first)
    live.frame(mirrored("BUY", 4600, 10 * MICRO, (4900, 5000), at=NOON_MS + 9))
    assert live.frame(first).resnapshot == ()
    assert live.view.yes.venue_ms == NOON_MS + 9
    assert live.counters.duplicates == 2


def test_a_delta_out_of_order_costs_the_book_its_trust(live):
    live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO), at=NOON_MS + 9))
    applied = live.frame(price_change(change(YES, "BUY", 4900, 77 * MICRO), at=NOON_MS + 5))
    assert applied.resnapshot == ((YES, ResnapshotReason.OUT_OF_ORDER),)
    assert live.view.yes.best_ask == PRICE_ONE
    assert live.view.no.has_snapshot
    assert live.counters.out_of_order == 1


def test_deltas_that_a_newer_snapshot_already_contains_are_skipped_without_alarm(live):
    """After a REST snapshot the slower socket still delivers what the snapshot knew: doubting it would fetch for ever."""
    live.rest(rest_book(YES, at=NOON_MS + 100))
    applied = live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO), at=NOON_MS + 50))
    assert applied.resnapshot == ()
    assert 4900 not in live.view.yes.bids
    assert live.counters.superseded == 1


def test_a_snapshot_from_the_far_future_cannot_silence_the_deltas(live):
    live.frame(book_message(YES, *YES_BOOK, at=NOON_MS + 3_600_000))
    applied = live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO), at=NOON_MS + 50))
    assert applied.resnapshot == ((YES, ResnapshotReason.OUT_OF_ORDER),)
    assert not live.view.yes.has_snapshot


def test_an_older_book_does_not_replace_a_newer_one(live):
    live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO), at=NOON_MS + 9))
    assert not live.frame(book_message(YES, *YES_BOOK, at=NOON_MS + 8)).changed
    assert live.view.yes.best_bid == 4900
    assert live.counters.stale_snapshots == 1


def test_a_distrusted_book_is_not_revived_by_a_snapshot_older_than_what_it_missed(live):
    live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO, (4800, 5000)), at=NOON_MS + 9))
    live.frame(price_change(change(YES, "BUY", 4950, 10 * MICRO), at=NOON_MS + 20))
    live.frame(book_message(YES, *YES_BOOK, at=NOON_MS + 15))
    assert not live.view.yes.has_snapshot
    live.frame(book_message(YES, *YES_BOOK, at=NOON_MS + 20))
    assert live.view.yes.has_snapshot


def test_a_distrusted_book_is_not_revived_by_a_snapshot_older_than_what_it_knew(live):
    live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO, (4800, 5000)), at=NOON_MS + 9))
    _, verdicts = live.rest(rest_book(YES, at=NOON_MS + 8))
    assert verdicts == {YES: Verdict.STALE}
    assert live.view.yes.best_ask == PRICE_ONE


@pytest.mark.parametrize("best", [(4800, 5000), (4900, 5100)], ids=["bid differs", "ask differs"])
def test_a_best_price_other_than_announced_costs_the_book_its_trust(live, best):
    applied = live.frame(price_change(change(YES, "BUY", 4900, 10 * MICRO, best)))
    assert applied.resnapshot == ((YES, ResnapshotReason.BEST_MISMATCH),)
    assert live.view.yes.best_bid == 0
    assert live.counters.best_mismatch == 1


def test_the_best_is_compared_after_the_whole_frame_with_the_last_announcement(live):
    applied = live.frame(price_change(change(YES, "BUY", 4900, MICRO, (4900, 5000)), change(YES, "SELL", 4950, MICRO, (4900, 4950))))
    assert applied.resnapshot == ()
    assert (live.view.yes.best_bid, live.view.yes.best_ask) == (4900, 4950)


@pytest.mark.parametrize("announced_ask", [0, 10_000], ids=["0", "1"])
def test_an_emptied_side_may_be_announced_as_zero_or_one(live, announced_ask):
    live.frame(price_change(change(YES, "SELL", 5200, 0), at=NOON_MS + 1))
    applied = live.frame(price_change(change(YES, "SELL", 5000, 0, (4800, announced_ask)), at=NOON_MS + 2))
    assert applied.resnapshot == ()
    assert live.view.yes.best_ask == PRICE_ONE


def test_an_announced_empty_side_contradicts_a_book_that_has_one(live):
    applied = live.frame(price_change(change(YES, "BUY", 4600, MICRO, (4800, 0))))
    assert applied.resnapshot == ((YES, ResnapshotReason.BEST_MISMATCH),)


def test_a_book_later_in_the_frame_overrules_what_was_announced_before(live):
    applied = live.frame(
        price_change(change(YES, "BUY", 4900, MICRO, (4600, 5000)), at=NOON_MS + 1),
        book_message(YES, *YES_BOOK, at=NOON_MS + 1),
    )
    assert applied.resnapshot == ()
    assert live.view.yes.best_bid == 4800


def test_a_mirror_that_breaks_is_counted_and_dated_until_it_holds_again(live):
    live.frame(price_change(change(YES, "BUY", 4900, MICRO), at=NOON_MS + 1))
    broken_since = live.applier.mirror_broken_since_ms
    live.frame(price_change(change(YES, "BUY", 4600, MICRO), at=NOON_MS + 2))
    assert live.applier.mirror_broken_since_ms == broken_since == live.received_ms - 1
    assert live.counters.mirror_mismatch == 2
    live.frame(price_change(change(NO, "SELL", 5100, MICRO), at=NOON_MS + 3))
    assert live.applier.mirror_broken_since_ms is None


def test_a_tick_size_change_makes_both_books_worthless_until_both_are_new(live):
    applied = live.frame(tick_change())
    assert {token for token, _ in applied.resnapshot} == {YES, NO}
    assert {reason for _, reason in applied.resnapshot} == {ResnapshotReason.TICK_SIZE}
    assert live.view.market.tick_size == 10
    assert not live.view.tick_is_current
    live.rest(rest_book(YES, at=NOON_MS + 6, tick_size="0.001"))
    assert not live.view.tick_is_current
    live.rest(rest_book(NO, at=NOON_MS + 6, tick_size="0.001"))
    assert live.view.tick_is_current
    assert live.view.no.best_ask == 5200


def test_the_second_tokens_message_of_the_same_tick_change_does_no_further_harm(live):
    live.frame(tick_change(YES))
    live.rest(rest_book(YES, at=NOON_MS + 6, tick_size="0.001"), rest_book(NO, at=NOON_MS + 6, tick_size="0.001"))
    assert live.frame(tick_change(NO)).resnapshot == ()
    assert live.view.tick_is_current


def test_a_tick_change_that_was_missed_is_learnt_from_the_next_book(live):
    applied = live.frame(book_message(YES, *YES_BOOK, at=NOON_MS + 4, tick_size="0.001"))
    assert live.view.market.tick_size == 10
    assert applied.resnapshot == ((NO, ResnapshotReason.TICK_SIZE),)
    assert live.view.yes.has_snapshot
    assert not live.view.tick_is_current


def test_a_resolution_is_noted_and_that_of_another_market_is_not(live):
    assert not live.frame(resolution("0xother")).changed
    assert not live.view.resolved
    assert live.frame(resolution(CONDITION)).changed
    assert live.view.resolved


def test_every_event_that_names_a_token_is_a_sign_of_its_life(live):
    yes_track, no_track = live.applier.tracks
    no_heard = no_track.last_data_ms
    live.frame(trade(YES))
    assert yes_track.last_data_ms == live.received_ms
    assert no_track.last_data_ms == no_heard


def test_a_price_change_is_a_sign_of_life_even_where_it_cannot_be_applied(bench):
    bench.frame(mirrored("BUY", 4900, MICRO, (4900, 5000), at=NOON_MS + 1))
    assert [track.last_data_ms for track in bench.applier.tracks] == [bench.received_ms] * 2


def test_rest_is_compared_with_our_book(live):
    _, verdicts = live.rest(rest_book(YES, at=NOON_MS + 3), rest_book("9", at=NOON_MS))
    assert verdicts == {YES: Verdict.AGREES, "9": Verdict.UNKNOWN_ASSET}
    _, verdicts = live.rest(rest_book(YES, at=NOON_MS + 4, book=([(4800, 31 * MICRO)], [(5000, 25 * MICRO)])))
    assert verdicts == {YES: Verdict.DISAGREES}
    assert live.view.yes.bids == {4800: 31 * MICRO}
    assert live.counters.rest_disagreements == 1


def test_a_rest_book_older_than_ours_is_ignored(live):
    live.frame(price_change(change(YES, "BUY", 4900, MICRO), at=NOON_MS + 9))
    applied, verdicts = live.rest(rest_book(YES, at=NOON_MS + 8))
    assert verdicts == {YES: Verdict.STALE}
    assert not applied.changed
    assert live.view.yes.best_bid == 4900


def test_a_rest_book_gives_a_distrusted_book_its_trust_back(live):
    live.frame(price_change(change(YES, "BUY", 4900, MICRO, (1, 2)), at=NOON_MS + 9))
    applied, verdicts = live.rest(rest_book(YES, at=NOON_MS + 9))
    assert applied.changed
    assert verdicts == {YES: Verdict.RESTORED}
    assert live.view.yes.best_bid == 4800


def test_a_reset_forgets_prices_and_past_and_counts_a_generation(live):
    live.frame(price_change(change(YES, "BUY", 4900, MICRO), at=NOON_MS + 9_000))
    live.applier.reset()
    assert live.view.generation == 1
    assert (live.view.yes.best_ask, live.view.no.best_ask) == (PRICE_ONE, PRICE_ONE)
    live.frame(*first_books(at=NOON_MS + 5))
    assert live.view.yes.best_bid == 4800


def test_a_frame_that_breaks_in_the_middle_leaves_nothing_to_trade_on(live):
    def breaking():
        yield from decoded(price_change(change(YES, "SELL", 4000, MICRO), at=NOON_MS + 1))
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        live.applier.apply(breaking(), received_ms=NOON_MS)
    assert not live.view.frame_open
    assert live.view.yes.best_ask == PRICE_ONE


def test_while_a_frame_is_applied_the_view_says_so(live):
    seen = []

    def watching():
        seen.append(live.view.frame_open)
        yield from decoded(mirrored("BUY", 4900, MICRO, (4900, 5000), at=NOON_MS + 1))
        seen.append(live.view.frame_open)

    live.applier.apply(watching(), received_ms=NOON_MS)
    assert seen == [True, True]
    assert not live.view.frame_open
