"""Whatever the venue sends, however it is cut into frames: the view equals a naive model, or it is not believed."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.feed_examples import (
    MARKET,
    MICRO,
    NO,
    NOON_MS,
    YES,
    book_message,
    change,
    decoded,
    first_books,
    price_change,
    resolution,
    tick_change,
    trade,
)

from kabobagool.domain.book import PairView
from kabobagool.domain.money import PRICE_ONE
from kabobagool.feed.apply import FrameApplier
from kabobagool.feed.counters import FeedCounters
from kabobagool.venue.messages import MessageError, decode_frame

Levels = dict[int, int]


@dataclass(frozen=True)
class LevelChange:
    token: str
    side: str
    price: int
    size: int


level_changes = st.builds(
    LevelChange,
    token=st.sampled_from([YES, NO]),
    side=st.sampled_from(["BUY", "SELL"]),
    price=st.integers(1, 99).map(lambda cents: cents * 100),
    size=st.sampled_from([0, 0, MICRO, 7 * MICRO, 12_345_678]),
)
frames_of_changes = st.lists(st.lists(level_changes, min_size=1, max_size=6), max_size=25)


class NaiveBooks:
    """Two plain dictionaries for each token, best prices by looking at everything."""

    def __init__(self) -> None:
        self.levels: dict[tuple[str, str], Levels] = {(t, s): {} for t in (YES, NO) for s in ("BUY", "SELL")}

    def put(self, level: LevelChange) -> None:
        side = self.levels[level.token, level.side]
        side.pop(level.price, None)
        if level.size:
            side[level.price] = level.size

    def best(self, token: str) -> tuple[int, int]:
        return max(self.levels[token, "BUY"], default=0), min(self.levels[token, "SELL"], default=PRICE_ONE)


def empty_books() -> tuple[PairView, FrameApplier, FeedCounters]:
    view, counters = PairView(MARKET), FeedCounters()
    applier = FrameApplier(view, counters)
    applier.apply(decoded(book_message(YES, [], []), book_message(NO, [], [])), received_ms=NOON_MS)
    return view, applier, counters


def announced(frame: list[LevelChange], naive: NaiveBooks) -> list[dict[str, str]]:
    """The frame's changes, each carrying its token's best as the venue would know it then."""
    entries = []
    for level in frame:
        naive.put(level)
        entries.append(change(level.token, level.side, level.price, level.size, naive.best(level.token)))
    return entries


@settings(deadline=None, max_examples=60)
@given(frames_of_changes)
def test_any_split_of_any_changes_into_frames_equals_a_naive_model(frames):
    view, applier, counters = empty_books()
    naive = NaiveBooks()
    for number, frame in enumerate(frames, start=1):
        entries = announced(frame, naive)
        applied = applier.apply(decoded(price_change(*entries, at=NOON_MS + number)), received_ms=NOON_MS + number)
        assert applied.resnapshot == ()
        for book in (view.yes, view.no):
            assert (book.best_bid, book.best_ask) == naive.best(book.token)
            assert (book.bids, book.asks) == (naive.levels[book.token, "BUY"], naive.levels[book.token, "SELL"])
    assert counters.best_mismatch == 0


@settings(deadline=None, max_examples=60)
@given(frames_of_changes, st.data())
def test_a_lost_frame_is_noticed_as_soon_as_the_venue_names_another_best(frames, data):
    """A book that is still believed shows the best the venue announced last; one that cannot is not believed."""
    view, applier, _ = empty_books()
    naive = NaiveBooks()
    told: dict[str, tuple[int, int]] = {}
    for number, frame in enumerate(frames, start=1):
        entries = announced(frame, naive)
        if data.draw(st.booleans(), label="lost"):
            continue
        told |= {level.token: naive.best(level.token) for level in frame}
        applier.apply(decoded(price_change(*entries, at=NOON_MS + number)), received_ms=NOON_MS + number)
        for book in (view.yes, view.no):
            if book.has_snapshot and book.token in told:
                assert (book.best_bid, book.best_ask) == told[book.token]
            if not book.has_snapshot:
                assert (book.best_bid, book.best_ask) == (0, PRICE_ONE)


messages = st.one_of(
    level_changes.flatmap(
        lambda level: st.integers(-8_000, 50).map(
            lambda lag: price_change(change(level.token, level.side, level.price, level.size), at=NOON_MS + 100 + lag)
        )
    ),
    st.tuples(st.sampled_from([YES, NO, "99"]), st.integers(0, 200)).map(
        lambda drawn: book_message(drawn[0], [(4000, MICRO)], [(6000, MICRO)], at=NOON_MS + drawn[1])
    ),
    st.sampled_from([tick_change(YES), tick_change(NO, "0.01"), trade(YES), trade("99"), resolution()]),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(messages, min_size=1, max_size=4), max_size=20))
def test_books_never_move_back_in_time_and_distrust_always_asks_for_a_snapshot(frames):
    view, applier, _ = empty_books()
    missing: set[str] = set()
    for number, frame in enumerate(frames):
        before = {book.token: book.venue_ms for book in (view.yes, view.no) if book.has_snapshot}
        applied = applier.apply(decoded(*frame), received_ms=NOON_MS + number)
        missing |= {token for token, _ in applied.resnapshot}
        for book in (view.yes, view.no):
            if book.has_snapshot:
                missing.discard(book.token)
                assert book.venue_ms >= before.get(book.token, 0)
            else:
                assert book.token in missing
                assert book.best_ask == PRICE_ONE
        assert not view.frame_open


junk = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"PONG", b"[]", b"{}", b"[[]]", b"null", b"[1]", b'{"event_type":"book"}', b"INVALID OPERATION"]),
    st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)).map(
        lambda value: repr(value).encode()
    ),
)


@settings(deadline=None, max_examples=60)
@given(st.lists(junk, max_size=10))
def test_junk_either_raises_a_message_error_or_changes_nothing(frames):
    view, applier, _ = empty_books()
    applier.apply(decoded(*first_books()), received_ms=NOON_MS)
    for frame in frames:
        try:
            events = decode_frame(frame)
        except MessageError:
            continue
        assert not applier.apply(events, received_ms=NOON_MS).changed
    assert view.yes.best_bid == 4800
