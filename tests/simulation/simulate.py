"""Plays many histories on all cores, shows how far it is, and writes what broke to build/simulation.json.

`make simulate SEEDS=10000` and `kabobagool simulate` come here. Every failure is played again with less in it until nothing can be left
out, so that the file holds the shortest history that still breaks the promise.
"""

import gc
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
from tests.simulation.generate import random_history
from tests.simulation.history import History
from tests.simulation.shrink import shrunk
from tests.simulation.world import Violation, play

REPORT = Path("build/simulation.json")
BAR = 30
THE_SIMULATION_ITSELF = "the_simulation_itself"
"""The promise that is broken when a history could not be played to its end: the other seeds go on."""


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """One seed's history in figures."""

    seed: int
    market_hours: float
    orders: int
    lives: int
    cpu_s: float
    violations: list[Violation]


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise, and the shortest history that breaks it."""

    seed: int
    invariant: str
    at_ms: int
    text: str
    shrunk: History


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of many histories says."""

    histories: int
    market_hours: float
    orders: int
    programs: int
    cpu_s: float
    wall_s: float
    market_hours_per_core_second: float
    histories_per_core_second: float
    failed_seeds: list[int]
    failures: list[Failure]


def play_seed(seed: int) -> Played:
    """Play one seed."""
    started = time.process_time()
    try:
        result = play(random_history(seed))
    except Exception as e:
        broken = Violation(THE_SIMULATION_ITSELF, 0, f"{type(e).__name__}: {e}")
        return Played(seed=seed, market_hours=0.0, orders=0, lives=0, cpu_s=time.process_time() - started, violations=[broken])
    return Played(
        seed=seed,
        market_hours=result.market_hours,
        orders=result.orders,
        lives=result.lives,
        cpu_s=time.process_time() - started,
        violations=result.violations,
    )


def run(seeds: Iterable[int], *, workers: int, report: Path = REPORT, shrink: bool = True) -> Report:
    """Play all seeds, and write the report."""
    wanted, started, played = list(seeds), time.monotonic(), []
    with suppress(KeyboardInterrupt):  # what was played until then is reported
        for one in _play_all(wanted, workers):
            played.append(one)
            _show(played, len(wanted), time.monotonic() - started)
    print(file=sys.stderr)
    said = _report(played, time.monotonic() - started, shrink=shrink)
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=1))
    return said


def _play_all(seeds: list[int], workers: int) -> Iterator[Played]:
    if workers <= 1:
        yield from map(play_seed, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers, initializer=_begin_work) as pool:
        yield from pool.imap_unordered(play_seed, seeds, chunksize=4)


def _begin_work() -> None:
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who reports


def _show(played: list[Played], total: int, wall_s: float) -> None:
    if violations := played[-1].violations:
        print(f"\rseed {played[-1].seed}: {violations[0].invariant}: {violations[0].text}", file=sys.stderr, flush=True)
    if len(played) % 5 and len(played) != total:
        return
    done, failed = len(played), sum(bool(one.violations) for one in played)
    cpu_s, hours = sum(one.cpu_s for one in played), sum(one.market_hours for one in played)
    bar = "#" * (BAR * done // total)
    speed = f"{done / wall_s:.1f} histories/s, {hours / cpu_s:.1f} market hours a second and core"
    print(f"\r[{bar:<{BAR}}] {done}/{total}  {speed}, {failed} failed ", end="", file=sys.stderr, flush=True)


def _report(played: list[Played], wall_s: float, *, shrink: bool) -> Report:
    cpu_s, hours = sum(one.cpu_s for one in played) or 1.0, sum(one.market_hours for one in played)
    failed = sorted((one for one in played if one.violations), key=lambda one: one.seed)
    return Report(
        histories=len(played),
        market_hours=round(hours, 1),
        orders=sum(one.orders for one in played),
        programs=sum(one.lives for one in played),
        cpu_s=round(cpu_s, 1),
        wall_s=round(wall_s, 1),
        market_hours_per_core_second=round(hours / cpu_s, 1),
        histories_per_core_second=round(len(played) / cpu_s, 2),
        failed_seeds=[one.seed for one in failed],
        failures=[_failure(one, shrink=shrink) for one in failed],
    )


def _failure(one: Played, *, shrink: bool) -> Failure:
    first = one.violations[0]
    history = random_history(one.seed)
    least = shrunk(history, first.invariant) if shrink and first.invariant != THE_SIMULATION_ITSELF else history
    return Failure(seed=one.seed, invariant=first.invariant, at_ms=first.at_ms, text=first.text, shrunk=least)


def cores() -> int:
    """How many processes fit."""
    return os.cpu_count() or 1


def summary(report: Report) -> str:
    """The report in a few lines."""
    lines = [
        f"{report.histories} histories, {report.market_hours:g} market hours, {report.orders} orders, {report.programs} programs",
        f"{report.market_hours_per_core_second:g} market hours and {report.histories_per_core_second:g} histories a second and core",
    ]
    lines += [f"seed {failure.seed}: {failure.invariant}: {failure.text}" for failure in report.failures]
    lines.append(f"{len(report.failed_seeds)} failed" if report.failed_seeds else "every promise was kept")
    return "\n".join(lines)
