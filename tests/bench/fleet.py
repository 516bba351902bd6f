"""A whole fleet in one process: 200 and 1,000 markets on shared sockets, beside the socket library receiving the same frames alone.

The venue is a process (`fleet_server.py`), the fleet another one, a fresh one for each number of markets (`fleet_process.py`). A message is
one market's change: to the bot it is decoding, books and a decision, to the library bytes. Throughput is charged in CPU time, because both
processes share the machine. Before that the same messages are taken in without any socket.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kabobagool.domain.market import Market
from kabobagool.domain.money import MICRO
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.fan_out import FanOut
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import decode_frame
from tests.bench.fleet_traffic import EVENTS_A_FRAME, LEVELS, PACED_PER_S, books, condition_of, crowded_frames, flood_frames, tokens_of
from tests.bench.measure import MICROSECONDS, MILLISECONDS, Benchmark, Figure, Samples, Target, compare, each, figure
from tests.bench.processes import started
from tests.bench.worlds import NOW_MS, a_strategy

GROUP = "fleet"
FEW, MANY = 200, 1_000
BARE, HYDRA = "bare", "hydra"
LIBRARY = "websockets receive alone"
DECODER = "msgspec decode, untyped"
AT_LEAST_50_000 = Target(50_000, at_least=True)
CROWD = f"{EVENTS_A_FRAME} in a frame"
Run = Mapping[str, Any]


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, _without_sockets), Benchmark(GROUP, _on_sockets)]


def desks_at_work(markets: int) -> tuple[list[MarketDesk], Callable[[bytes], None]]:
    """The desks of a fleet with their first books, and what a shared socket does with each frame after them."""
    counters = FeedCounters()
    fan_out = FanOut(counters)
    for number in range(markets):
        strategy, settings = a_strategy(), FeedSettings()
        fan_out.add(MarketDesk(_market(number), on_view=strategy.on_view, settings=settings, counters=counters, now_ms=NOW_MS))

    def take_in(frame: bytes) -> None:
        for desk, events in fan_out.shares(decode_frame(frame)):
            desk.take_in(events, NOW_MS)

    take_in(books(range(markets)))
    return list(fan_out.desks), take_in


def measured(kind: str, markets: int) -> Run:
    """What `fleet_process.py` found about that many markets."""
    with started(("-m", "tests.bench.fleet_server", str(markets))) as venue:
        arguments = ("-m", "tests.bench.fleet_process", kind, venue.facts["rest"], venue.facts["socket"], str(markets))
        with started(arguments) as receiver:
            return receiver.facts


def _without_sockets() -> Sequence[Figure]:
    desks, take_in = desks_at_work(MANY)
    numbers = range(MANY)
    found = {
        "one in a frame": (flood_frames(numbers, 2_000), 1),
        CROWD: (crowded_frames(numbers, 100), EVENTS_A_FRAME),
    }
    figures = []
    for name, (frames, messages) in found.items():
        samples = compare({"bot": each(take_in, frames), "msgspec": each(msgspec.json.Decoder().decode, frames)}, rounds=9)
        bot, msgspec_alone = (_per_second(samples[key].values, messages) for key in ("bot", "msgspec"))
        title = f"{MANY:,} markets, no socket, messages a second per core, {name}"
        figures.append(figure(GROUP, title, bot, "1/s", DECODER, msgspec_alone, target=AT_LEAST_50_000))
    assert all(desk.view.yes.has_snapshot and desk.view.no.has_snapshot for desk in desks), "a book was doubted on the way"
    return figures


def _on_sockets() -> Sequence[Figure]:
    runs = {(kind, markets): measured(kind, markets) for markets in (FEW, MANY) for kind in (BARE, HYDRA)}
    figures = [one for markets in (FEW, MANY) for one in _of_a_fleet(markets, runs[HYDRA, markets], runs[BARE, markets])]
    extra = {kind: (runs[kind, MANY]["resident_kib"] - runs[kind, FEW]["resident_kib"]) / (MANY - FEW) for kind in (BARE, HYDRA)}
    name = f"memory for each market beyond {FEW}, two books of {LEVELS} levels"
    memory = figure(GROUP, name, Samples((extra[HYDRA],)), "KiB", LIBRARY, Samples((extra[BARE],)), target=Target(100.0))
    return [*figures, memory]


def _of_a_fleet(markets: int, hydra: Run, bare: Run) -> Sequence[Figure]:
    def beside(name: str, read: Callable[[Run], Sequence[float]], unit: str, scale: float, target: Target | None = None) -> Figure:
        title = f"{markets:,} markets, {name}"
        return figure(GROUP, title, Samples(tuple(read(hydra))), unit, LIBRARY, Samples(tuple(read(bare))), scale=scale, target=target)

    pace = f"at {PACED_PER_S:,} frames a second"
    return [
        beside("messages a second per core, one in a frame", lambda run: _speeds(run, "flood"), "1/s", 1.0, AT_LEAST_50_000),
        beside(f"messages a second per core, {CROWD}", lambda run: _speeds(run, "crowded"), "1/s", 1.0, AT_LEAST_50_000),
        beside(f"sent to decided {pace}, median", lambda run: [_percentile(run, 50)], "us", MICROSECONDS),
        beside(f"sent to decided {pace}, 99th percentile", lambda run: [_percentile(run, 99)], "us", MICROSECONDS),
        beside(f"worst event-loop stall {pace}", lambda run: _stalls(run, "paced"), "ms", MILLISECONDS),
        beside("worst event-loop stall of a flood", lambda run: _stalls(run, "flood"), "ms", MILLISECONDS),
        beside("one full garbage collection, CPU", lambda run: [run["collection_s"]], "ms", MILLISECONDS),
    ]


def _market(number: int) -> Market:
    return Market(
        condition_id=condition_of(number),
        slug=f"market-{number}",
        question=f"Will number {number} happen?",
        outcomes=("Yes", "No"),
        tokens=tokens_of(number),
        tick_size=10,
        min_order_shares=5 * MICRO,
        fee=None,
    )


def _per_second(frame_s: Sequence[float], messages: int) -> Samples:
    return Samples(tuple(messages / seconds for seconds in frame_s))


def _speeds(run: Run, kind: str) -> list[float]:
    return [1 / one["cpu_s_a_message"] for one in run[kind]]


def _stalls(run: Run, kind: str) -> list[float]:
    return [one["stall_s"] for one in run[kind]]


def _percentile(run: Run, percentile: int) -> float:
    return statistics.quantiles(run["took_ns"], n=100, method="inclusive")[percentile - 1] / 1e9
