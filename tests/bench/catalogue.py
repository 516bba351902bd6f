"""A catalogue as large as the venue's, searched to its end: CPU seconds, and memory that does not grow with it.

The paper exchange makes the catalogue up in a process of its own, the whole round of discovery runs in another one
(`catalogue_process.py`). The reference is decoding the same pages into plain Python, which whoever reads them cannot do without.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.bench.measure import Benchmark, Figure, Samples, Target, figure
from tests.bench.processes import MIB_IN_KIB, started

GROUP = "discovery"
LARGE, SMALL = 80_000, 2_000
ROUNDS = 2
PATIENCE_S = 120
EXCHANGE = ("-m", "paper_exchange", "--port", "0", "--markets", "1", "--catalogue")
ROOT = Path(__file__).resolve().parents[2]
Costs = Mapping[str, float]


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, _run)]


def search(size: int, *, rounds: int) -> list[Costs]:
    """What searching a catalogue of that many markets cost in each round."""
    with started((*EXCHANGE, str(size))) as exchange:
        found = [_searched(exchange.facts["gamma"], exchange.facts["clob"]) for _ in range(rounds)]
    assert all(costs["seen"] == size + 1 and costs["found"] for costs in found), found
    return found


def _run() -> Sequence[Figure]:
    large, small = search(LARGE, rounds=ROUNDS), search(SMALL, rounds=ROUNDS)
    return [
        figure(
            GROUP,
            f"{LARGE:,} markets parsed and filtered, CPU",
            _samples(large, "discovery_s"),
            "s",
            "msgspec decode of the same pages, untyped",
            _samples(large, "decode_s"),
            target=Target(3.0),
        ),
        figure(
            GROUP,
            f"{LARGE:,} markets received over HTTP, CPU",
            _samples(large, "http_s"),
            "s",
            "msgspec decode of the same pages, untyped",
            _samples(large, "decode_s"),
        ),
        figure(
            GROUP,
            f"most memory while searching {LARGE:,} markets",
            _samples(large, "peak_kib"),
            "MiB",
            f"the same with {SMALL:,} markets",
            _samples(small, "peak_kib"),
            scale=MIB_IN_KIB,
            target=Target(1.05, of_ratio=True),
        ),
    ]


def _searched(gamma: str, clob: str) -> Costs:
    arguments = (sys.executable, "-m", "tests.bench.catalogue_process", gamma, clob)
    ended = subprocess.run(arguments, cwd=ROOT, stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True)
    costs: Costs = json.loads(ended.stdout)
    return costs


def _samples(found: Sequence[Costs], key: str) -> Samples:
    return Samples(tuple(costs[key] for costs in found))
