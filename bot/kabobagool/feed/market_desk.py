"""One market on a connection: its books, what is held against them, and whoever looks at them.

A connection, whether of one market (`market_feed.py`) or of many (`shared_socket.py`), decodes frames and hands each desk what concerns
it. A desk never waits for anything and knows nothing of sockets; that is why both kinds of feed show a market the same.
"""

from collections.abc import Callable, Iterable, Sequence

from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.apply import Applied, BookSnapshotLike, FrameApplier, TokenTrack
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.freshness import Action, FreshnessWatch
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import MarketEvent

OnView = Callable[[PairView], None]


class MarketDesk:
    """The view of one market and everything that changes it. Times are milliseconds of the venue's clock.

    Whatever changes the view may call `on_view` and raises what that raises; it returns whether the watchdog has to look now.
    """

    __slots__ = ("_counters", "_on_view", "_settings", "_watch", "applier", "condition_id", "retired", "tokens", "view")

    def __init__(self, market: Market, *, on_view: OnView, settings: FeedSettings, counters: FeedCounters, now_ms: int) -> None:
        self.condition_id = market.condition_id
        self.tokens = market.tokens
        self.view = PairView(market)
        self.applier = FrameApplier(self.view, counters)
        self.retired = False
        self._on_view = on_view
        self._settings = settings
        self._counters = counters
        self.begin(now_ms)

    @property
    def last_data_ms(self) -> int:
        """When an event last named one of the tokens on this connection, 0 when none did."""
        yes, no = self.applier.tracks
        return max(yes.last_data_ms, no.last_data_ms)

    def flowed_within(self, span_ms: int, *, now_ms: int) -> bool:
        """Whether a change arrived in that time. Books that were dumped on subscribing are no sign that changes still come."""
        return any(_moved_ms(track) > now_ms - span_ms for track in self.applier.tracks)

    def begin(self, now_ms: int) -> None:
        """Subscribed anew: the first books are awaited from now on, and old doubts are forgotten."""
        self._watch = FreshnessWatch(self.tokens, settings=self._settings, now_ms=now_ms)

    def reset(self) -> None:
        """Nothing is known any more: both books read 1.0. Nobody is told, see `publish`."""
        self.applier.reset()

    def retire(self) -> None:
        """Prices read 1.0 for good: whoever still holds this desk has to leave it alone."""
        self.retired = True
        self.reset()

    def publish(self) -> bool:
        """Show the view as it is."""
        self._counters.ticks += 1
        self._on_view(self.view)
        return False

    def take_in(self, events: Iterable[MarketEvent], now_ms: int) -> bool:
        """Apply what one frame says of this market, all of it, then show the result."""
        return self._take_in(self.applier.apply(events, received_ms=now_ms), now_ms)

    def distrust(self, reason: ResnapshotReason, now_ms: int) -> bool:
        """Something may have been missed."""
        return self._take_in(self.applier.distrust_all(reason), now_ms)

    def take_in_books(self, books: Iterable[BookSnapshotLike], tokens: Sequence[str], asked_ms: int, now_ms: int) -> bool:
        """REST, asked for `tokens` at `asked_ms`, answered with `books`, which may be fewer."""
        applied, verdicts = self.applier.apply_rest(books, received_ms=now_ms)
        self._watch.fetched(verdicts, tokens=tokens, asked_ms=asked_ms, now_ms=now_ms)
        return self._take_in(applied, now_ms)

    def check(self, *, now_ms: int, last_frame_ms: int) -> Action:
        """What the watchdog wants done; `last_frame_ms` is when the connection last delivered anything at all."""
        self._watch.last_frame_ms = last_frame_ms
        if self.view.resolved:  # nothing more will come, and nothing more is needed
            return self._watch.check((), now_ms=now_ms)
        return self._watch.check(self.applier.tracks, now_ms=now_ms, mirror_broken_since_ms=self.applier.mirror_broken_since_ms)

    def next_look_ms(self, now_ms: int) -> int:
        """When the watchdog, which has just found nothing, has to be asked again unless something asks for it sooner."""
        if self.view.resolved:
            return self._watch.next_look_ms((), now_ms=now_ms)
        return self._watch.next_look_ms(self.applier.tracks, now_ms=now_ms, mirror_broken_since_ms=self.applier.mirror_broken_since_ms)

    def _take_in(self, applied: Applied, now_ms: int) -> bool:
        if applied.resnapshot:
            self._watch.want(applied.resnapshot, now_ms=now_ms)
        if applied.changed:
            self.publish()
        return bool(applied.resnapshot) or (self.applier.mirror_broken_since_ms == now_ms and self._watch.mirror_broke(now_ms))


def _moved_ms(track: TokenTrack) -> int:
    """When the book last changed by more than a snapshot, 0 when it did not."""
    return track.book.received_ms if track.book.venue_ms > track.snapshot_ms else 0
