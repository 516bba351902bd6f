"""The books of one market as time passes: what is visible, what is really there, and how often a naive bot would be fooled.

`exchange.py` steps it from one recorded instant to the next, asks it for depth when an order arrives, and tells it what was taken.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from paper_exchange.fees import taker_fee
from paper_exchange.matching import Depth, Fill, Ghosts, OutcomeView, depth_for, visible_levels
from paper_exchange.types import MICRO, PRICE_ONE, BookUpdate, PaperMarket, Side, Snapshot, TickSizeChanged

_GRIDS = (100, 10, 1)


@dataclass(slots=True)
class EdgeCounts:
    """How often YES ask + NO ask lay below one dollar.

    `views` counts snapshots applied while both asks were known, `below_one` those whose last-known asks summed below a dollar, as a bot
    sees that looks after each message. `whole_updates` looks only when all of an instant has been applied; `fillable` are those of them in
    which both legs could have been bought, `profitable` those that would also have paid their fees.
    """

    views: int = 0
    below_one: int = 0
    whole_updates: int = 0
    fillable: int = 0
    profitable: int = 0


@dataclass(slots=True)
class GhostCounts:
    """Orders and micro-shares that the visible book promised and the fillability rule denied, by reason."""

    next_snapshot_orders: int = 0
    next_snapshot_shares: int = 0
    mirror_orders: int = 0
    mirror_shares: int = 0


class MarketBooks:
    """The two mirrored books of one market and the recording that drives them."""

    def __init__(self, market: PaperMarket, snapshots: Sequence[Snapshot]) -> None:
        self.market = market
        self.closed = False
        self.resolved = False
        self.unsettled = 0
        self.edges = EdgeCounts()
        self.ghosts = GhostCounts()
        self._snapshots = snapshots
        self._position = 0
        self._followers = _followers(snapshots)
        self._views = [OutcomeView(), OutcomeView()]
        for snapshot in reversed(snapshots):
            self._views[snapshot.outcome].following = snapshot

    @property
    def next_ms(self) -> int | None:
        """Venue time of the next snapshot, None at the end of the recording."""
        return self._snapshots[self._position].venue_ms if self._position < len(self._snapshots) else None

    def accepting(self, now_ms: int) -> bool:
        """Tell whether orders are taken: not closed, not resolved, not past the end."""
        return not (self.closed or self.resolved) and now_ms < self.market.end_ms

    def step(self) -> list[BookUpdate | TickSizeChanged]:
        """Apply all snapshots of the next instant and return what changed."""
        time_ms = self.next_ms
        before: dict[int, Snapshot | None] = {}
        while time_ms is not None and self.next_ms == time_ms:
            snapshot = self._snapshots[self._position]
            before.setdefault(snapshot.outcome, self.visible(snapshot.outcome))
            self._views[snapshot.outcome] = self._views[snapshot.outcome].replaced_by(snapshot, self._followers[self._position])
            self._position += 1
            self._count_view()
        if time_ms is None:
            return []
        self._count_update()
        return [*self._finer_tick(time_ms, before), self._update(time_ms, before)]

    def visible(self, outcome: int) -> Snapshot | None:
        """Return the book of one outcome less our own fills; None before its first snapshot."""
        view = self._views[outcome]
        current = view.current
        if current is None or not (view.taken_bids or view.taken_asks):
            return current
        bids, asks = visible_levels(current.bids, view.taken_bids), visible_levels(current.asks, view.taken_asks)
        return replace(current, bids=bids, asks=asks, venue_ms=max(current.venue_ms, view.touched_ms))

    def depth(self, outcome: int, side: Side) -> tuple[Depth, ...]:
        """Return what an order of `side` for `outcome` meets now, best price first."""
        return depth_for(side, self._views[outcome], self._views[1 - outcome])

    def take(self, outcome: int, side: Side, fills: Iterable[Fill], now_ms: int) -> BookUpdate:
        """Remove filled shares from both mirrored books until each outcome's next snapshot; returns the new books."""
        before = {number: self.visible(number) for number in (0, 1)}
        own, other = self._views[outcome], self._views[1 - outcome]
        mine, mirrored = (own.taken_asks, other.taken_bids) if side is Side.BUY else (own.taken_bids, other.taken_asks)
        for fill in fills:
            mine[fill.price] = mine.get(fill.price, 0) + fill.shares
            mirrored[PRICE_ONE - fill.price] = mirrored.get(PRICE_ONE - fill.price, 0) + fill.shares
        own.touched_ms = other.touched_ms = now_ms
        return replace(self._update(now_ms, before), full=True)

    def count_ghosts(self, ghosts: Ghosts) -> None:
        """Add what one order was shown but could not have."""
        self.ghosts.next_snapshot_orders += ghosts.next_snapshot > 0
        self.ghosts.next_snapshot_shares += ghosts.next_snapshot
        self.ghosts.mirror_orders += ghosts.mirror > 0
        self.ghosts.mirror_shares += ghosts.mirror

    def _update(self, time_ms: int, before: dict[int, Snapshot | None]) -> BookUpdate:
        """Describe the change from `before` to the books now."""
        now = {outcome: self.visible(outcome) for outcome in before}
        known = {outcome: snapshot for outcome, snapshot in now.items() if snapshot is not None}
        return BookUpdate(time_ms, self.market.condition_id, tuple(known.values()), tuple(before[outcome] for outcome in known))

    def _finer_tick(self, time_ms: int, changed: Iterable[int]) -> list[TickSizeChanged]:
        """Notice prices between the ticks; a market's grid never becomes coarser again."""
        old = new = self.market.tick_size
        for outcome in changed:
            current = self._views[outcome].current
            for level in (*current.bids, *current.asks) if current is not None else ():
                if level.price % new:
                    new = next(grid for grid in _GRIDS if level.price % grid == 0 and new % grid == 0)
        if new == old:
            return []
        self.market = replace(self.market, tick_size=new)
        return [TickSizeChanged(time_ms, self.market.condition_id, old, new)]

    def _below_one(self) -> bool | None:
        """Tell whether the last known best asks sum below a dollar; None while one of them is unknown."""
        yes, no = (view.current for view in self._views)
        if yes is None or no is None or not yes.asks or not no.asks:
            return None
        return yes.asks[0].price + no.asks[0].price < PRICE_ONE

    def _count_view(self) -> None:
        """Count what a bot sees that looks after every single message."""
        below_one = self._below_one()
        self.edges.views += below_one is not None
        self.edges.below_one += below_one is True

    def _count_update(self) -> None:
        """Count what is left of it once the whole instant is applied and only real depth is believed."""
        if not self._below_one():
            return
        self.edges.whole_updates += 1
        prices = [self._best_fillable_ask(outcome) for outcome in (0, 1)]
        if None not in prices and sum(price for price in prices if price is not None) < PRICE_ONE:
            self.edges.fillable += 1
            self.edges.profitable += self._cost_of_a_pair([price for price in prices if price is not None]) < MICRO

    def _best_fillable_ask(self, outcome: int) -> int | None:
        """Return the lowest ask with fillable depth."""
        return next((depth.price for depth in self.depth(outcome, Side.BUY) if depth.fillable > 0), None)

    def _cost_of_a_pair(self, prices: Iterable[int]) -> int:
        """Return micro-dollars for one share of each outcome at these prices, with fees."""
        rate, exponent = self.market.fee_rate_micros, self.market.fee_exponent
        return sum(
            price * MICRO // PRICE_ONE + taker_fee(shares=MICRO, price=price, rate_micros=rate, exponent=exponent) for price in prices
        )


def _followers(snapshots: Sequence[Snapshot]) -> list[Snapshot | None]:
    """Return for each snapshot the next one of the same outcome."""
    upcoming: dict[int, Snapshot] = {}
    followers: list[Snapshot | None] = []
    for snapshot in reversed(snapshots):
        followers.append(upcoming.get(snapshot.outcome))
        upcoming[snapshot.outcome] = snapshot
    followers.reverse()
    return followers
