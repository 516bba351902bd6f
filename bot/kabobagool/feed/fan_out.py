"""Which market an event is about: one frame in, each market's share of it out.

`shared_socket.py` asks for every frame, so this is on the hot path of a fleet. Nothing here waits and nothing here calls a strategy.
"""

from collections.abc import Iterable, Sequence

from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.venue.messages import MarketEvent, MarketResolvedEvent, PriceChange, PriceChangeEvent, UnknownEvent

Share = tuple[MarketDesk, Sequence[MarketEvent]]


class FanOut:
    """The desks of one connection by token and by condition id."""

    __slots__ = ("_by_condition", "_by_token", "_counters")

    def __init__(self, counters: FeedCounters) -> None:
        self._by_condition: dict[str, MarketDesk] = {}
        self._by_token: dict[str, MarketDesk] = {}
        self._counters = counters

    def __len__(self) -> int:
        return len(self._by_condition)

    @property
    def desks(self) -> tuple[MarketDesk, ...]:
        """All of them, as of now."""
        return tuple(self._by_condition.values())

    def add(self, desk: MarketDesk) -> None:
        """Events of this market are for this desk from now on."""
        self._by_condition[desk.condition_id] = desk
        self._by_token.update(dict.fromkeys(desk.tokens, desk))

    def discard(self, desk: MarketDesk) -> None:
        """Nothing is for this desk any more."""
        del self._by_condition[desk.condition_id]
        for token in desk.tokens:
            del self._by_token[token]

    def shares(self, events: Sequence[MarketEvent]) -> Iterable[Share]:
        """Each market's events in their order, one entry a market. Events about nobody here are counted."""
        if len(events) == 1:
            return self._parts(events[0])
        shares: dict[MarketDesk, list[MarketEvent]] = {}
        for event in events:
            for desk, part in self._parts(event):
                shares.setdefault(desk, []).extend(part)
        return shares.items()

    def asked(self, tokens: Iterable[str]) -> dict[MarketDesk, list[str]]:
        """The tokens by desk; those of nobody are left out, for their market was removed while they were read."""
        found: dict[MarketDesk, list[str]] = {}
        for token in tokens:
            desk = self._by_token.get(token)
            if desk is not None:
                found.setdefault(desk, []).append(token)
        return found

    def books(self, books: Iterable[BookSnapshotLike]) -> dict[MarketDesk, list[BookSnapshotLike]]:
        """What REST answered, by desk."""
        found: dict[MarketDesk, list[BookSnapshotLike]] = {}
        for book in books:
            desk = self._by_token.get(book.asset_id)
            if desk is not None:
                found.setdefault(desk, []).append(book)
        return found

    def _parts(self, event: MarketEvent) -> Sequence[Share]:
        if isinstance(event, PriceChangeEvent):
            return self._parts_of_change(event)
        if isinstance(event, MarketResolvedEvent):
            desk = self._by_condition.get(event.market)
            return ((desk, (event,)),) if desk else ()
        if isinstance(event, UnknownEvent):
            self._counters.unknown_events += 1
            return ()
        desk = self._by_token.get(event.asset_id)
        if desk is None:
            self._counters.unknown_asset += 1
            return ()
        return ((desk, (event,)),)

    def _parts_of_change(self, event: PriceChangeEvent) -> Sequence[Share]:
        """Nearly always whole: the venue's changes come market by market."""
        find = self._by_token.get
        only = find(event.changes[0].asset_id) if event.changes else None
        for change in event.changes:
            if find(change.asset_id) is not only:
                return self._taken_apart(event)
        if only is None:
            self._counters.unknown_asset += len(event.changes)
            return ()
        return ((only, (event,)),)

    def _taken_apart(self, event: PriceChangeEvent) -> Sequence[Share]:
        changes: dict[MarketDesk, list[PriceChange]] = {}
        for change in event.changes:
            desk = self._by_token.get(change.asset_id)
            if desk is None:
                self._counters.unknown_asset += 1
            else:
                changes.setdefault(desk, []).append(change)
        return [(desk, (PriceChangeEvent(event.market, event.timestamp_ms, part),)) for desk, part in changes.items()]
