"""What an order gets: which depth is really there, and how a fill-or-kill or fill-and-kill order walks it.

Recordings are thinned, so a level seen once may be a ghost. A level counts as fillable only as far as the outcome's next snapshot still
shows it and the other outcome's mirrored book does not contradict it. Pure functions, called by `market_books.py` and `exchange.py`.
Rounding below one millionth of a dollar always goes to the taker, so that no fill is ever worse than the order's limit.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from paper_exchange.types import PRICE_ONE, Level, Side, Snapshot

VISIBLE_LEVELS = 20


@dataclass(slots=True)
class OutcomeView:
    """One outcome's book in force, the snapshot that will replace it, and what our own fills took since (shares by price) and when."""

    current: Snapshot | None = None
    following: Snapshot | None = None
    taken_bids: dict[int, int] = field(default_factory=dict)
    taken_asks: dict[int, int] = field(default_factory=dict)
    touched_ms: int = 0

    def replaced_by(self, current: Snapshot, following: Snapshot | None) -> "OutcomeView":
        """Return the view after the next snapshot: what we took comes back, except at levels it repeats to the millionth.

        An unchanged size is most likely the very orders we took, and a book must not sell the same shares twice.
        """
        view = OutcomeView(current, following)
        if self.current is not None and (self.taken_bids or self.taken_asks):
            view.taken_bids = _still_taken(self.taken_bids, self.current.bids, current.bids)
            view.taken_asks = _still_taken(self.taken_asks, self.current.asks, current.asks)
        return view


def _still_taken(taken: dict[int, int], before: Iterable[Level], now: Iterable[Level]) -> dict[int, int]:
    """Keep what we took from levels that both snapshots show with the same size."""
    unchanged = set(before) & set(now)
    return {level.price: taken[level.price] for level in unchanged if level.price in taken}


@dataclass(frozen=True, slots=True)
class Depth:
    """One price level three times: as shown, as the next snapshot still shows it, and as the mirror lets it stand."""

    price: int
    visible: int
    held: int
    fillable: int


@dataclass(frozen=True, slots=True)
class Fill:
    """Shares taken at one price and the dollars that changed hands, without fee."""

    price: int
    shares: int
    dollars: int


@dataclass(frozen=True, slots=True)
class Walk:
    """The fills of one order; `complete` means that the whole budget was spent or all shares were sold."""

    fills: tuple[Fill, ...]
    complete: bool

    @property
    def shares(self) -> int:
        """Micro-shares of all fills."""
        return sum(fill.shares for fill in self.fills)

    @property
    def dollars(self) -> int:
        """Micro-dollars of all fills, without fees."""
        return sum(fill.dollars for fill in self.fills)


def visible_levels(levels: Iterable[Level], taken: dict[int, int]) -> tuple[Level, ...]:
    """Return the levels less what our own fills took from them."""
    if not taken:
        return tuple(levels)
    left = (Level(level.price, level.size - taken.get(level.price, 0)) for level in levels)
    return tuple(level for level in left if level.size > 0)


def depth_for(side: Side, own: OutcomeView, other: OutcomeView) -> tuple[Depth, ...]:
    """Return what an order of this side meets in `own`, best price first; `other` is the mirrored outcome."""
    if own.current is None:
        return ()
    taken = own.taken_asks if side is Side.BUY else own.taken_bids
    return tuple(_depth(level, side, own, other, taken.get(level.price, 0)) for level in _met_by(side, own.current))


def _depth(level: Level, side: Side, own: OutcomeView, other: OutcomeView, taken: int) -> Depth:
    """Apply the fillability rule to one level."""
    visible = max(0, level.size - taken)
    lasting = _size_at(own.following, side, level.price)
    held = visible if lasting is None else max(0, min(level.size, lasting) - taken)
    evidence = _mirror_evidence(side, other, PRICE_ONE - level.price)
    return Depth(level.price, visible, held, held if evidence is None else min(held, evidence))


def _mirror_evidence(side: Side, other: OutcomeView, price: int) -> int | None:
    """Return the most the other outcome shows, now or next, of the same resting orders; None when it cannot tell."""
    mirrored = Side.SELL if side is Side.BUY else Side.BUY
    taken = other.taken_bids if side is Side.BUY else other.taken_asks
    now = _size_at(other.current, mirrored, price)
    after = _size_at(other.following, mirrored, price)
    if now is None and other.current is not None:
        return None
    if after is None and (other.following is not None or now is None):
        return None
    return max((now or 0) - taken.get(price, 0), after or 0)


def _met_by(side: Side, snapshot: Snapshot) -> tuple[Level, ...]:
    """Return the resting side that an order of `side` takes from."""
    return snapshot.asks if side is Side.BUY else snapshot.bids


def _size_at(snapshot: Snapshot | None, side: Side, price: int) -> int | None:
    """Return the resting size at a price; None when there is no snapshot or the price lies beyond its visible levels."""
    if snapshot is None:
        return None
    levels = _met_by(side, snapshot)
    for level in levels:
        if level.price == price:
            return level.size
    return None if len(levels) >= VISIBLE_LEVELS and _beyond(side, price, levels[-1].price) else 0


def _beyond(side: Side, price: int, worst: int) -> bool:
    """Tell whether `price` is further from the market than the worst visible level."""
    return price > worst if side is Side.BUY else price < worst


def walk(side: Side, levels: Sequence[Level], *, maker_amount: int, taker_amount: int) -> Walk:
    """Fill an order from `levels` (best first) up to its limit price, as far as they reach."""
    if side is Side.BUY:
        return _buy(levels, budget=maker_amount, fewest_shares=taker_amount)
    return _sell(levels, shares=maker_amount, fewest_dollars=taker_amount)


def _buy(levels: Sequence[Level], *, budget: int, fewest_shares: int) -> Walk:
    """Spend a dollar budget on asks at or below budget / fewest_shares."""
    fills: list[Fill] = []
    left = budget
    for level in levels:
        if left == 0 or level.price * fewest_shares > budget * PRICE_ONE:
            break
        whole = level.size * level.price // PRICE_ONE
        if 0 < whole <= left:
            fills.append(Fill(level.price, level.size, whole))
            left -= whole
        elif whole > left:
            fills.append(Fill(level.price, left * PRICE_ONE // level.price, left))
            left = 0
    return Walk(tuple(fills), complete=left == 0)


def _sell(levels: Sequence[Level], *, shares: int, fewest_dollars: int) -> Walk:
    """Sell shares to bids at or above fewest_dollars / shares."""
    fills: list[Fill] = []
    left = shares
    for level in levels:
        if left == 0 or level.price * shares < fewest_dollars * PRICE_ONE:
            break
        taken = min(left, level.size)
        if taken > 0:
            fills.append(Fill(level.price, taken, -(-taken * level.price // PRICE_ONE)))
            left -= taken
    return Walk(tuple(fills), complete=left == 0)


@dataclass(frozen=True, slots=True)
class Ghosts:
    """Micro-shares an order would have got from the visible book but cannot have, by what contradicts them."""

    next_snapshot: int
    mirror: int


def ghosts_in(wanted: Walk, depths: Iterable[Depth]) -> Ghosts:
    """Compare a walk over the visible book with what is really fillable at the prices it touched."""
    by_price = {depth.price: depth for depth in depths}
    met = [(fill.shares, by_price[fill.price]) for fill in wanted.fills]
    return Ghosts(
        next_snapshot=sum(max(0, shares - depth.held) for shares, depth in met),
        mirror=sum(max(0, min(shares, depth.held) - depth.fillable) for shares, depth in met),
    )
