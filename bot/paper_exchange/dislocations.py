"""Seconds in which a pair really costs less than a dollar, laid over calm books so that a demo on recorded markets sees trading.

Nothing but the books of a few seconds is invented, those snapshots say so (`origin="synthetic"`), and they obey the venue's own law: both
outcomes show the same resting orders, so a pair below a dollar is a crossed book that both of them show.
"""

import random
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from paper_exchange.matching import VISIBLE_LEVELS
from paper_exchange.types import MICRO, PRICE_ONE, BookSource, Level, PaperMarket, Snapshot

_STEP = 100
_CHEAPEST_PAIR, _DEAREST_PAIR = 9_000, 9_500
_LOWEST_ASK, _HIGHEST_ASK = 1_500, 8_500
_LEAST_DEPTH = 60 * MICRO
_ATTEMPTS = 60


@dataclass(frozen=True, slots=True)
class _Window:
    """One dislocation: when it lasts and the mirror-true books before it and while it lasts, by outcome."""

    from_ms: int
    until_ms: int
    books: tuple[Snapshot, Snapshot]


class DislocatedBooks:
    """Another source with up to `count` dislocations in each of its markets, the same for the same seed."""

    def __init__(self, source: BookSource, *, seed: int, count: int) -> None:
        self._source = source
        self._seed = seed
        self._count = count
        self._made: dict[str, tuple[Snapshot, ...]] = {}

    def markets(self) -> Sequence[PaperMarket]:
        """Return the markets of the source underneath."""
        return self._source.markets()

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Return the market's snapshots with the dislocations, made on first use."""
        if condition_id not in self._made:
            end_ms = next(market.end_ms for market in self.markets() if market.condition_id == condition_id)
            calm = self._source.snapshots(condition_id)
            self._made[condition_id] = tuple(
                inject_dislocations(calm, seed=f"{self._seed}|{condition_id}", count=self._count, until_ms=end_ms)
            )
        return self._made[condition_id]


def inject_dislocations(
    snapshots: Sequence[Snapshot],
    *,
    seed: int | str,
    count: int,
    from_ms: int | None = None,
    until_ms: int | None = None,
) -> list[Snapshot]:
    """Lay up to `count` dislocations of 1.5 to 6 s over one market's snapshots, spread evenly from `from_ms` to `until_ms`.

    The pair then costs 0.90 to 0.95 dollars with 60 to 300 shares at the best price. Stretches whose books are empty or near 0 or 1
    get none.
    """
    if not snapshots or count <= 0:
        return list(snapshots)
    rng = random.Random(seed)  # noqa: S311
    first = max(snapshots[0].venue_ms, from_ms if from_ms is not None else snapshots[0].venue_ms)
    last = min(snapshots[-1].venue_ms, until_ms if until_ms is not None else snapshots[-1].venue_ms)
    timeline = _Timeline(snapshots)
    length = (last - first) // count
    slots = ((first + number * length, first + (number + 1) * length) for number in range(count))
    windows = [window for slot in slots if (window := _place(timeline, *slot, rng)) is not None]
    return _overlay(snapshots, timeline, windows, rng)


class _Timeline:
    """Finds the book in force at a time."""

    def __init__(self, snapshots: Sequence[Snapshot]) -> None:
        self._snapshots = snapshots
        self._times = [snapshot.venue_ms for snapshot in snapshots]

    def latest(self, at_ms: int) -> Snapshot | None:
        """Return the newest snapshot of either outcome at this time."""
        position = bisect_right(self._times, at_ms)
        return self._snapshots[position - 1] if position else None


def mirrored(levels: Iterable[Level]) -> tuple[Level, ...]:
    """Return the same resting orders as the other outcome shows them: bids become asks at one dollar less the price."""
    return tuple(Level(PRICE_ONE - level.price, level.size) for level in levels)


def _place(timeline: _Timeline, first_ms: int, last_ms: int, rng: random.Random) -> _Window | None:
    """Find a moment in the slot whose book can be dislocated."""
    for _ in range(_ATTEMPTS):
        lasts_ms = rng.randrange(1_500, 6_001)
        if last_ms - first_ms <= lasts_ms:
            return None
        from_ms = rng.randrange(first_ms, last_ms - lasts_ms)
        calm = timeline.latest(from_ms)
        if calm is not None and _is_suitable(calm):
            return _Window(from_ms, from_ms + lasts_ms, _dislocated(calm, from_ms, rng))
    return None


def _is_suitable(calm: Snapshot) -> bool:
    """Tell whether the leg that stays as it is has a middling price and depth worth trading."""
    if not calm.bids or not calm.asks:
        return False
    best = calm.asks[0]
    return _LOWEST_ASK <= best.price <= _HIGHEST_ASK - _STEP and best.size >= _LEAST_DEPTH and calm.bids[0].price < best.price


def _dislocated(calm: Snapshot, at_ms: int, rng: random.Random) -> tuple[Snapshot, Snapshot]:
    """Drop the asks of the other outcome until the pair is cheap; the calm outcome shows them as bids above its own asks."""
    pair = rng.randrange(_CHEAPEST_PAIR + _STEP, _DEAREST_PAIR + 1, 10)
    best = (pair - calm.asks[0].price) // _STEP * _STEP
    dropped = (
        Level(best, rng.randrange(60, 301) * MICRO),
        Level(best + _STEP, rng.randrange(30, 151) * MICRO),
    )
    behind = tuple(level for level in mirrored(calm.bids) if level.price > best + _STEP)
    asks = (*dropped, *behind)[:VISIBLE_LEVELS]
    fallen = Snapshot(1 - calm.outcome, at_ms, bids=mirrored(calm.asks), asks=asks, origin="synthetic")
    crossed = Snapshot(calm.outcome, at_ms, bids=mirrored(asks), asks=calm.asks, origin="synthetic")
    return (fallen, crossed) if fallen.outcome == 0 else (crossed, fallen)


def _overlay(snapshots: Sequence[Snapshot], timeline: _Timeline, windows: Sequence[_Window], rng: random.Random) -> list[Snapshot]:
    """Replace what the source says during the windows; both outcomes carry the same stamp."""
    kept = (snapshot for snapshot in snapshots if not any(window.from_ms <= snapshot.venue_ms <= window.until_ms for window in windows))
    made = [snapshot for window in windows for snapshot in _play(window, timeline, rng)]
    return sorted((*kept, *made), key=lambda snapshot: snapshot.venue_ms)


def _play(window: _Window, timeline: _Timeline, rng: random.Random) -> Iterable[Snapshot]:
    """Yield the dislocated pair every few hundred milliseconds, then the calm pair as the source has it by then."""
    at_ms = window.from_ms
    while at_ms < window.until_ms:
        yield from (_stamped(book, at_ms) for book in window.books)
        at_ms += rng.randrange(300, 701)
    calm = timeline.latest(window.until_ms)
    if calm is not None:
        yield _stamped(calm, window.until_ms)
        yield Snapshot(1 - calm.outcome, window.until_ms, mirrored(calm.asks), mirrored(calm.bids), "synthetic")


def _stamped(book: Snapshot, at_ms: int) -> Snapshot:
    """Return the book at another time, marked as ours."""
    return Snapshot(book.outcome, at_ms, book.bids, book.asks, "synthetic")
