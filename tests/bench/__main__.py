"""`python -m tests.bench`: run every group, show the table, write build/bench.json; `make bench` calls it.

Arguments are parts of group names: `python -m tests.bench socket` runs only those (and then leaves the file alone).
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import catalogue, decision, exchange, fleet, frames, gate, operator, orders, processes, records, sockets
from tests.bench.measure import Benchmark, Figure
from tests.bench.report import print_table, say, write_json

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def chosen(benchmarks: Sequence[Benchmark], words: Sequence[str]) -> list[Benchmark]:
    """Those whose group contains one of the words; all without words."""
    return [one for one in benchmarks if not words or any(word.lower() in one.group.lower() for word in words)]


def run(benchmarks: Sequence[Benchmark]) -> list[Figure]:
    """Run one after the other behind a progress bar, which is only drawn between them so that it costs no measured moment."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    figures: list[Figure] = []
    with Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=len(benchmarks))
        for one in benchmarks:
            progress.update(task, description=one.group, refresh=True)
            figures += one.run()
            progress.update(task, advance=1, refresh=True)
    return figures


def main(words: Sequence[str]) -> int:
    """0 also when a target is missed; 2 when no group is called like that."""
    started = time.monotonic()
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD, prefix="bench-") as scratch:
        groups = (decision, frames, sockets, orders, records, processes, exchange, catalogue, fleet, gate, operator)
        everything = [one for group in groups for one in group.benchmarks(Path(scratch))]
        wanted = chosen(everything, words)
        if not wanted:
            say(f"no group contains {' or '.join(words)}; there are: {', '.join(dict.fromkeys(one.group for one in everything))}")
            return 2
        figures = run(wanted)
    print_table(figures)
    say(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {time.monotonic() - started:.0f} s")
    if words:
        return 0
    write_json(figures, BUILD / "bench.json")
    say(f"written to {(BUILD / 'bench.json').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
