"""A fleet's worth of ArbMarkets become Deployments on a real API server, beside the bare client writing the same objects.

Each size has a Kubernetes of its own, once for the reference (`operator_bare.py`) and once for the operator; the ArbMarkets are there
before either begins, and everything that makes Pods of Deployments runs beside both. The operator is counted from the start of its process:
election, lists, a question to the venue for every market, and the writes. Then it is left alone, and started again: nothing is to be
written.
"""

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import MILLISECONDS, Benchmark, Figure, Samples, Target, figure
from tests.bench.operator_ground import Ground, ground, until
from tests.bench.operator_process import AGENT, MeasuredOperator
from tests.bench.processes import MIB_IN_KIB, started

GROUP = "operator"
SMALL = 1_000
SIZES = "OPERATOR_MARKETS"
"""Environment variable with the sizes, as `1000,5000`; by default the small one alone, for the large one takes many minutes."""
RUNNING = 2_000
"""Up to so many Pods run. More would keep two cores busy with Pods for longer than a benchmark may take: there they are only made."""
QUIET = "OPERATOR_QUIET_S"
"""Environment variable with the seconds for which it is left alone; by default the short ones."""
SHORT_QUIET_S = 15.0
LIMIT_S_A_MARKET = 0.03
"""Thirty seconds for a thousand."""
RESTART_S = 30.0
RESIDENT_MIB = 250.0
TWICE = Target(2.0, of_ratio=True)
LINEAR = Target(1.2, of_ratio=True)
BARE = "bare client, the same objects"


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one size cost. Writes are those that arrived at the API server, but for the Lease; memory is the most of both starts."""

    markets: int
    bare_s: float
    made_s: float
    settled_s: float
    cpu_s: float
    resident_kib: float
    empty_kib: float
    writes: int
    quiet_s: float
    quiet_writes: int
    restarted_s: float
    restart_writes: int
    restart_reads: int


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, lambda: figures([_measured(size, scratch) for size in sizes()]))]


def sizes() -> list[int]:
    """How many markets, the smallest first."""
    return sorted(int(text) for text in os.environ.get(SIZES, str(SMALL)).split(","))


def quiet_seconds() -> float:
    """How long the operator is left alone."""
    return float(os.environ.get(QUIET, SHORT_QUIET_S))


def _measured(markets: int, scratch: Path) -> Run:
    return measured(markets, scratch, nodes=markets <= RUNNING, quiet_s=quiet_seconds())


def measured(markets: int, scratch: Path, *, quiet_s: float, nodes: bool = True) -> Run:
    """Reference and operator on a Kubernetes each. Without nodes no bot becomes ready: settled is when the operator says that of all."""
    with ground(nodes=nodes) as place:
        place.written("markets", markets)
        bare_s = place.written("bots", markets)
    with ground(nodes=nodes) as place, _operator(place, markets, scratch) as operator:
        run = _followed(place, operator, markets, bare_s, quiet_s)
    print(run, file=sys.stderr, flush=True)  # the next size takes minutes, and may fail
    return run


@contextlib.contextmanager
def _operator(place: Ground, markets: int, scratch: Path) -> Iterator[MeasuredOperator]:
    with started(("-m", "tests.bench.operator_venue", str(markets))) as venue:
        operator = MeasuredOperator(place.plane.kubeconfig, venue.facts["url"], scratch / f"operator-{markets}.log")
        try:
            yield operator
        finally:
            operator.stop()


def _followed(place: Ground, operator: MeasuredOperator, markets: int, bare_s: float, quiet_s: float) -> Run:
    """The life of an operator: started with nothing, started with everything to do, left alone, started again."""
    phase = "Running" if place.has_nodes else "Degraded"
    operator.start()
    operator.until_settled(0, phase)
    empty_kib = operator.resident_kib()
    operator.stop()
    place.written("markets", markets)
    beginning = place.plane.audit.mark()
    operator.start()
    until(lambda: place.deployments() == markets, f"{markets} Deployments")
    made_s = operator.age_s
    settled_s = operator.until_settled(markets, phase)
    writes, _ = place.asked(beginning, AGENT)
    cpu_s, resident_kib = operator.cpu_s(), operator.resident_kib()
    quiet_writes = _quiet(place, quiet_s)
    operator.stop()
    mark = place.plane.audit.mark()
    operator.start()
    restarted_s = operator.until_settled(markets, phase)
    restart_writes, restart_reads = place.asked(mark, AGENT)
    return Run(
        markets=markets,
        bare_s=bare_s,
        made_s=made_s,
        settled_s=settled_s,
        cpu_s=cpu_s,
        resident_kib=max(resident_kib, operator.resident_kib()),
        empty_kib=empty_kib,
        writes=writes,
        quiet_s=quiet_s,
        quiet_writes=quiet_writes,
        restarted_s=restarted_s,
        restart_writes=restart_writes,
        restart_reads=restart_reads,
    )


def _quiet(place: Ground, seconds: float) -> int:
    """How much is written while nothing happens."""
    mark = place.plane.audit.mark()
    time.sleep(seconds)
    return place.asked(mark, AGENT)[0]


def figures(runs: Sequence[Run]) -> Sequence[Figure]:
    """All figures of some sizes, the smallest first."""
    found = [one for run in runs for one in _of_a_size(run)]
    if len(runs) == 1:
        return found
    few, many = runs[0], runs[-1]
    name = f"restart of {many.markets:,}, seconds for each market"
    reference = f"restart of {few.markets:,}, the same"
    per_market = [Samples((run.restarted_s / run.markets,)) for run in (many, few)]
    return [*found, figure(GROUP, name, per_market[0], "ms", reference, per_market[1], scale=MILLISECONDS, target=LINEAR)]


def _of_a_size(run: Run) -> Sequence[Figure]:
    def beside(name: str, value: float, unit: str, reference: str, of: float, target: Target | None = None, scale: float = 1.0) -> Figure:
        title = f"{run.markets:,} markets, {name}"
        return figure(GROUP, title, Samples((value,)), unit, reference, Samples((of,)), scale=scale, target=target)

    limit = Target(run.markets * LIMIT_S_A_MARKET)
    memory = Target(RESIDENT_MIB)
    return [
        beside("start to all Deployments", run.made_s, "s", BARE, run.bare_s, limit),
        beside("the same beside the bare client", run.made_s, "s", BARE, run.bare_s, TWICE),
        beside("start to all settled", run.settled_s, "s", BARE, run.bare_s),
        beside("CPU until all settled", run.cpu_s, "s", BARE, run.bare_s),
        beside("writes until all settled", run.writes, "writes", "four for each market", 4.0 * run.markets),
        beside("resident memory", run.resident_kib, "MiB", "without markets", run.empty_kib, memory, MIB_IN_KIB),
        beside("restart until all settled", run.restarted_s, "s", "first start until all settled", run.settled_s, Target(RESTART_S)),
        beside("writes of the restart", run.restart_writes, "writes", "one for each market", run.markets, Target(0.0)),
        beside("reads of the restart", run.restart_reads, "reads", "one for each market", run.markets),
        beside(f"writes in {run.quiet_s:.0f} quiet seconds", run.quiet_writes, "writes", "one for each market", run.markets, Target(0.0)),
    ]
