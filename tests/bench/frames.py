"""A frame becomes bytes -> events -> books -> decision, beside msgspec reading the same bytes and doing nothing with them.

`typed` is the least that reading a frame into objects can cost; the figure beside it is everything the bot does until it knows that there
is nothing to do.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from kabobagool.venue.messages import decode_frame
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Samples, Target, compare, each, figure
from tests.bench.worlds import NOW_MS, Desk, books_frame, change_frames

GROUP = "frame to decision"
LEVELS = 150
UNTYPED, TYPED = "msgspec decode, untyped", "msgspec decode, typed"


class _Change(msgspec.Struct, gc=False):
    asset_id: str
    price: str
    size: str
    side: str
    best_bid: str | None = None
    best_ask: str | None = None


class _Level(msgspec.Struct, gc=False):
    price: str
    size: str


class _Changes(msgspec.Struct, tag_field="event_type", tag="price_change"):
    market: str
    timestamp: int
    price_changes: list[_Change]


class _Book(msgspec.Struct, tag_field="event_type", tag="book"):
    asset_id: str
    market: str
    timestamp: int
    bids: list[_Level]
    asks: list[_Level]
    tick_size: str | None = None
    hash: str | None = None


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [
        Benchmark(GROUP, lambda: _measured("price_change of 2 levels", change_frames(512), Target(5.0))),
        Benchmark(GROUP, lambda: _measured("price_change, sizes never met", change_frames(20_000, fresh_sizes=True), Target(5.0))),
        Benchmark(GROUP, lambda: _measured(f"both books, {LEVELS} levels each", [books_frame(LEVELS)], None)),
    ]


def a_desk_at_work() -> tuple[Desk, Callable[[bytes], None]]:
    """Books with their first snapshot, and what a feed does with each frame after it."""
    desk = Desk()
    applier, on_view, view = desk.applier, desk.strategy.on_view, desk.view

    def take_in(frame: bytes) -> None:
        if applier.apply(decode_frame(frame), received_ms=NOW_MS).changed:
            on_view(view)

    take_in(books_frame(40))
    return desk, take_in


def _measured(name: str, frames: list[bytes], target: Target | None) -> Sequence[Figure]:
    desk, take_in = a_desk_at_work()
    typed = msgspec.json.Decoder(list[_Book | _Changes] | _Book | _Changes, strict=False)
    # A batch is one pass over all frames, however many: sizes that were met in the pass before have been forgotten by then.
    found = compare(
        {
            name: each(take_in, frames),
            UNTYPED: each(msgspec.json.Decoder().decode, frames),
            TYPED: each(typed.decode, frames),
        },
        rounds=41 if len(frames) < 10_000 else 7,
    )
    _every_frame_counted(desk)
    return [_figure(name, found, UNTYPED, None), _figure(name, found, TYPED, target)]


def _figure(name: str, found: dict[str, Samples], reference: str, target: Target | None) -> Figure:
    return figure(GROUP, name, found[name], "us", reference, found[reference], scale=MICROSECONDS, target=target)


def _every_frame_counted(desk: Desk) -> None:
    """A frame that was doubted would have been cheaper, or dearer, than the ones this is about."""
    counters = desk.counters
    assert counters.best_mismatch == counters.out_of_order == counters.stale_snapshots == counters.mirror_mismatch == 0
    assert desk.view.yes.has_snapshot
    assert desk.view.no.has_snapshot
    assert desk.strategy.decisions == 0
