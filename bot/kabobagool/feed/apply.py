"""One whole frame becomes one change of the view, or a reason to distrust it.

Pure: decoded events and a receipt time in, a changed `PairView` and an `Applied` out. `market_feed.py` calls it for every
frame and every REST snapshot. Three promises: nobody sees half a frame; a book never moves back in time; a book that may have
missed something reads 1.0 until it is snapshotted again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final, Protocol, assert_never

from kabobagool.domain.book import Book, Level, PairView
from kabobagool.domain.money import PRICE_ONE, Price
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.venue.messages import (
    BestBidAskEvent,
    BookEvent,
    LastTradeEvent,
    MarketEvent,
    MarketResolvedEvent,
    PriceChange,
    PriceChangeEvent,
    TickSizeEvent,
    UnknownEvent,
)

RareEvent = BookEvent | TickSizeEvent | LastTradeEvent | BestBidAskEvent | MarketResolvedEvent | UnknownEvent
SUPERSEDED_LAG_MS: Final = 5_000
"""How far a delta may trail behind a snapshot that contains it; one that trails further is out of order."""


class BookSnapshotLike(Protocol):
    """A whole book of one token as REST or the socket gives it: prices in 1/10,000 dollar, sizes in micro-shares."""

    @property
    def asset_id(self) -> str:
        """Token id."""
        ...

    @property
    def timestamp_ms(self) -> int:
        """Venue time of the snapshot."""
        ...

    @property
    def bids(self) -> Sequence[Level]:
        """Levels in any order."""
        ...

    @property
    def asks(self) -> Sequence[Level]:
        """Levels in any order."""
        ...

    @property
    def tick_size(self) -> Price | None:
        """None when the source did not say."""
        ...


class Verdict(Enum):
    """What a REST snapshot said about our book."""

    RESTORED = auto()
    AGREES = auto()
    DISAGREES = auto()
    STALE = auto()
    UNKNOWN_ASSET = auto()


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a frame: whether the view changed, and which tokens must be read again over REST, each with its reason."""

    changed: bool
    resnapshot: tuple[tuple[str, ResnapshotReason], ...] = ()


CHANGED: Final = Applied(changed=True)
UNCHANGED: Final = Applied(changed=False)


class TokenTrack:
    """What the feed knows about one token beyond its book: when it was last heard of, and what would be news."""

    __slots__ = ("announced", "book", "floor_ms", "last_data_ms", "snapshot_ms")

    def __init__(self, book: Book) -> None:
        self.book = book
        self.reset()

    def reset(self) -> None:
        """A new connection: nothing of the old one counts."""
        self.announced: PriceChange | None = None
        self.floor_ms = 0
        self.last_data_ms = 0
        self.snapshot_ms = 0


class FrameApplier:
    """Applies decoded frames and REST snapshots to the view of one market."""

    __slots__ = ("_changed", "_counters", "_tracks", "_wanted", "mirror_broken_since_ms", "tracks", "view")

    def __init__(self, view: PairView, counters: FeedCounters) -> None:
        self.view = view
        self.tracks = (TokenTrack(view.yes), TokenTrack(view.no))
        self.mirror_broken_since_ms: int | None = None
        self._tracks = {track.book.token: track for track in self.tracks}
        self._counters = counters
        self._changed = False
        self._wanted: dict[str, ResnapshotReason] = {}

    def reset(self) -> None:
        """The connection is gone: both books read 1.0, and the next connection starts without a past."""
        self.view.invalidate()
        self.view.generation += 1
        self.mirror_broken_since_ms = None
        for track in self.tracks:
            track.reset()

    def apply(self, events: Iterable[MarketEvent], *, received_ms: int) -> Applied:
        """Apply every event of one frame, then check the result against what the venue announced in it."""
        view = self.view
        view.frame_open = True
        try:
            for event in events:
                if isinstance(event, PriceChangeEvent):
                    self._apply_price_change(event, received_ms)
                else:
                    self._apply_rare(event, received_ms)
            self._verify(received_ms)
        except BaseException:
            view.invalidate()
            raise
        finally:
            view.frame_open = False
        return self._result()

    def distrust_all(self, reason: ResnapshotReason) -> Applied:
        """Something may have been missed for either token."""
        for track in self.tracks:
            self._distrust(track, reason)
        return self._result()

    def apply_rest(self, snapshots: Iterable[BookSnapshotLike], *, received_ms: int) -> tuple[Applied, dict[str, Verdict]]:
        """Take over REST snapshots that are not older than what the socket told, and say for each how it compares with our book."""
        self.view.frame_open = True
        try:
            verdicts = {snapshot.asset_id: self._apply_rest_book(snapshot, received_ms) for snapshot in snapshots}
            self._verify(received_ms)
        except BaseException:
            self.view.invalidate()
            raise
        finally:
            self.view.frame_open = False
        return self._result(), verdicts

    def _result(self) -> Applied:
        changed, self._changed = self._changed, False
        if not self._wanted:
            return CHANGED if changed else UNCHANGED
        wanted, self._wanted = self._wanted, {}
        return Applied(changed=changed, resnapshot=tuple(wanted.items()))

    def _apply_price_change(self, event: PriceChangeEvent, received_ms: int) -> None:
        venue_ms = event.timestamp_ms
        tracks = self._tracks
        for change in event.changes:
            track = tracks.get(change.asset_id)
            if track is None:
                self._counters.unknown_asset += 1
                continue
            book = track.book
            track.last_data_ms = received_ms
            if not book.has_snapshot or venue_ms < book.venue_ms:
                self._apply_untimely(track, change, venue_ms)
                continue
            if change.side == "BUY":
                book.set_bid(change.price, change.size)
            else:
                book.set_ask(change.price, change.size)
            book.venue_ms = venue_ms
            book.received_ms = received_ms
            track.announced = change
            self._changed = True

    def _apply_untimely(self, track: TokenTrack, change: PriceChange, venue_ms: int) -> None:
        """A delta without a snapshot to apply it to, or older than its book: never applied, and forgiven only when it cannot matter."""
        book = track.book
        if not book.has_snapshot:
            track.floor_ms = max(track.floor_ms, venue_ms)
            self._counters.without_snapshot += 1
            return
        levels = book.bids if change.side == "BUY" else book.asks
        if levels.get(change.price, 0) == change.size:
            self._counters.duplicates += 1
        elif track.snapshot_ms - SUPERSEDED_LAG_MS <= venue_ms < track.snapshot_ms:
            self._counters.superseded += 1
        else:
            self._counters.out_of_order += 1
            self._distrust(track, ResnapshotReason.OUT_OF_ORDER)

    def _apply_rare(self, event: RareEvent, received_ms: int) -> None:
        match event:
            case BookEvent():
                self._apply_socket_book(event, received_ms)
            case TickSizeEvent():
                self._apply_tick_size(event, received_ms)
            case MarketResolvedEvent():
                self._apply_resolved(event)
            case LastTradeEvent() | BestBidAskEvent():
                self._heard_of(event.asset_id, received_ms)
            case UnknownEvent():
                self._counters.unknown_events += 1
            case _:
                assert_never(event)

    def _heard_of(self, token: str, received_ms: int) -> TokenTrack | None:
        track = self._tracks.get(token)
        if track is None:
            self._counters.unknown_asset += 1
        else:
            track.last_data_ms = received_ms
        return track

    def _apply_socket_book(self, event: BookEvent, received_ms: int) -> None:
        track = self._heard_of(event.asset_id, received_ms)
        if track is None:
            return
        if event.timestamp_ms < max(track.floor_ms, track.book.venue_ms):
            self._counters.stale_snapshots += 1
            return
        self._take_over(track, event, received_ms)

    def _apply_rest_book(self, snapshot: BookSnapshotLike, received_ms: int) -> Verdict:
        track = self._tracks.get(snapshot.asset_id)
        if track is None:
            self._counters.unknown_asset += 1
            return Verdict.UNKNOWN_ASSET
        book = track.book
        if snapshot.timestamp_ms < max(track.floor_ms, book.venue_ms):
            self._counters.stale_snapshots += 1
            return Verdict.STALE
        had_snapshot, before = book.has_snapshot, best_levels(book)
        self._take_over(track, snapshot, received_ms)
        if not had_snapshot:
            return Verdict.RESTORED
        if best_levels(book) == before:
            return Verdict.AGREES
        self._counters.rest_disagreements += 1
        return Verdict.DISAGREES

    def _take_over(self, track: TokenTrack, snapshot: BookSnapshotLike, received_ms: int) -> None:
        tick_size = snapshot.tick_size
        if tick_size and tick_size != self.view.market.tick_size:
            self._change_tick_size(tick_size)
        venue_ms = snapshot.timestamp_ms
        track.book.apply_snapshot(snapshot.bids, snapshot.asks, venue_ms=venue_ms, received_ms=received_ms)
        track.snapshot_ms = venue_ms
        track.announced = None
        self._wanted.pop(track.book.token, None)
        self._changed = True
        if self.view.yes.has_snapshot and self.view.no.has_snapshot:
            self.view.tick_is_current = True

    def _apply_tick_size(self, event: TickSizeEvent, received_ms: int) -> None:
        if self._heard_of(event.asset_id, received_ms) is not None and event.new_tick_size != self.view.market.tick_size:
            self._change_tick_size(event.new_tick_size)

    def _change_tick_size(self, tick_size: Price) -> None:
        self.view.market = replace(self.view.market, tick_size=tick_size)
        self.view.tick_is_current = False
        for track in self.tracks:
            self._distrust(track, ResnapshotReason.TICK_SIZE)

    def _apply_resolved(self, event: MarketResolvedEvent) -> None:
        if event.market == self.view.market.condition_id and not self.view.resolved:
            self.view.resolved = True
            self._changed = True

    def _distrust(self, track: TokenTrack, reason: ResnapshotReason) -> None:
        book = track.book
        track.floor_ms = max(track.floor_ms, book.venue_ms)
        track.announced = None
        self._wanted.setdefault(book.token, reason)
        book.invalidate()
        self._changed = True

    def _verify(self, received_ms: int) -> None:
        """After a frame: our best prices are the announced ones and YES mirrors NO, or somebody must know."""
        for track in self.tracks:
            announced = track.announced
            if announced is not None:
                track.announced = None
                if contradicts(track.book, announced):
                    self._counters.best_mismatch += 1
                    self._distrust(track, ResnapshotReason.BEST_MISMATCH)
        yes, no = self.view.yes, self.view.no
        if yes.best_bid + no.best_ask == PRICE_ONE and yes.best_ask + no.best_bid == PRICE_ONE:
            self.mirror_broken_since_ms = None
        else:
            self._note_broken_mirror(received_ms)

    def _note_broken_mirror(self, received_ms: int) -> None:
        if not (self.view.yes.has_snapshot and self.view.no.has_snapshot):
            self.mirror_broken_since_ms = None
            return
        self._counters.mirror_mismatch += 1
        if self.mirror_broken_since_ms is None:
            self.mirror_broken_since_ms = received_ms


def contradicts(book: Book, announced: PriceChange) -> bool:
    """Does the book's best differ from the best the venue announced? An empty side may be announced as 0, 1 or not at all."""
    bid, ask = announced.best_bid, announced.best_ask
    if bid is not None and bid != book.best_bid:
        return True
    return ask is not None and ask != book.best_ask and (bool(ask) or bool(book.asks))


def best_levels(book: Book) -> tuple[Level, Level]:
    """Best bid and best ask with the shares resting there."""
    return (book.best_bid, book.bids.get(book.best_bid, 0)), (book.best_ask, book.asks.get(book.best_ask, 0))
