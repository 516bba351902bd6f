"""The paper exchange moving through one recorded market, beside an event queue that carries out the same instants and does nothing.

How fast it moves decides how many hours of market a minute of simulation covers.
"""

import gc
import heapq
import time
from collections.abc import Sequence
from pathlib import Path

from paper_exchange.exchange import Exchange
from paper_exchange.recorded import RecordedBooks
from paper_exchange.server.selection import FirstMarkets
from paper_exchange.types import BookSource, Snapshot
from tests.bench.measure import MICROSECONDS, Benchmark, Figure, Samples, compare, figure
from tests.bench.worlds import NOW_MS

GROUP = "paper exchange"
QUARTER_HOUR_MS = 900_000
ROUNDS = 5


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, _advance)]


def _advance() -> Sequence[Figure]:
    source = FirstMarkets(RecordedBooks(start_ms=NOW_MS, from_offset_ms=0), count=1)
    (market,) = source.markets()
    snapshots = [snapshot for snapshot in source.snapshots(market.condition_id) if snapshot.venue_ms < NOW_MS + QUARTER_HOUR_MS]
    found = compare({"exchange": lambda: _exchange(source), "queue": lambda: _queue(snapshots)}, rounds=ROUNDS)
    reference = "event queue alone"
    per_snapshot = {name: Samples(tuple(seconds / len(snapshots) for seconds in samples.values)) for name, samples in found.items()}
    speed = {name: Samples(tuple(QUARTER_HOUR_MS / 1000 / seconds for seconds in samples.values)) for name, samples in found.items()}
    return [
        figure(GROUP, "recorded snapshot replayed", per_snapshot["exchange"], "us", reference, per_snapshot["queue"], scale=MICROSECONDS),
        figure(GROUP, "recorded quarter hour, times real time", speed["exchange"], "x", reference, speed["queue"]),
    ]


def _exchange(source: BookSource) -> float:
    exchange = Exchange(source, seed=1, start_ms=NOW_MS)
    gc.collect()
    started = time.perf_counter()
    happened = [len(exchange.advance(now_ms)) for now_ms in range(NOW_MS, NOW_MS + QUARTER_HOUR_MS, 1_000)]
    took_s = time.perf_counter() - started
    assert sum(happened) > 0, "nothing was replayed"
    return took_s


def _queue(snapshots: Sequence[Snapshot]) -> float:
    gc.collect()
    started = time.perf_counter()
    queue: list[tuple[int, int, Snapshot]] = []
    for number, snapshot in enumerate(snapshots):
        heapq.heappush(queue, (snapshot.venue_ms, number, snapshot))
        heapq.heappop(queue)
    return time.perf_counter() - started
