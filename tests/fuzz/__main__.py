"""`python -m tests.fuzz`: many cases of every target over the cores, a line each, and build/fuzz.json; `make fuzz` calls it.

Arguments are names of targets. What breaks a promise is printed with the shortest input, kept in `tests/fuzz/found` and makes the exit
code 1. With `--atheris`, and where that is installed, inputs grow by coverage instead of by chance.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from tests.fuzz.campaign import Result, campaign, keep
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

BUILD = Path(__file__).resolve().parents[2] / "build"
SHOWN = 400


def main(words: Sequence[str]) -> int:
    """0 when every promise was kept, 1 when one was broken, 2 for a target that there is not."""
    options = _options(words)
    unknown = sorted(set(options.targets) - TARGETS.keys())
    if unknown:
        _say(f"no target is called {' or '.join(unknown)}; there are: {', '.join(TARGETS)}")
        return 2
    chosen = [target for name, target in TARGETS.items() if name in (options.targets or TARGETS)]
    if options.atheris:
        from tests.fuzz.coverage_guided import run

        return run([target.name for target in chosen], runs=options.cases)
    return _run_all(chosen, options)


def _options(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; all without")
    parser.add_argument("--cases", type=int, default=100_000, help="cases a target; dear targets get a fraction, see the summary")
    parser.add_argument("--seed", default="1", help="other seeds make other cases; the same makes the same")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--atheris", action="store_true", help="guided by coverage, where atheris is installed")
    return parser.parse_args(words)


def _run_all(chosen: Sequence[Target], options: argparse.Namespace) -> int:
    started, summary = time.monotonic(), []
    with ProcessPoolExecutor(options.processes, mp_context=multiprocessing.get_context("fork")) as pool:
        for target in chosen:
            cases = max(options.cases // target.weight, 1)
            result, took_s = campaign(target, cases=cases, seed=options.seed, pool=pool, progress=_progress(target, cases))
            summary.append(_told(target, result, took_s))
    everything = {"seed": options.seed, "processes": options.processes, "python": platform.python_version(), "targets": summary}
    BUILD.mkdir(exist_ok=True)
    (BUILD / "fuzz.json").write_text(json.dumps(everything, indent=2) + "\n", encoding="utf-8")
    failing = [row["target"] for row in summary if row["failures"]]
    total = sum(row["cases"] for row in summary)
    _say(f"{total:,} cases of {len(summary)} targets in {time.monotonic() - started:.0f} s: {'nothing found' if not failing else ''}")
    if failing:
        _say(f"broken: {', '.join(failing)}; the inputs are in tests/fuzz/found and in build/fuzz.json")
    return 1 if failing else 0


def _progress(target: Target, cases: int) -> Callable[[Result, float], None]:
    """One line a target, written over itself where somebody is looking."""
    live = sys.stdout.isatty()

    def tell(result: Result, took_s: float) -> None:
        ended = result.cases == cases
        if live or ended:
            rate = result.cases / took_s if took_s else 0
            line = f"{target.name:<18}{result.cases:>10,} of {cases:,} cases {rate:>8,.0f}/s  {len(result.failures)} failures"
            sys.stdout.write(("\r" if live else "") + line + ("\n" if ended else ""))
            sys.stdout.flush()

    return tell


def _told(target: Target, result: Result, took_s: float) -> dict[str, Any]:
    """A row of the summary; failures are printed and kept."""
    failures = []
    for (kind, place), (data, words) in result.failures.items():
        path = keep(target, data)
        _say(f"  {words}", f"  at {place}, {len(data)} bytes, kept as {path}:", f"  {data[:SHOWN]!r}")
        failures.append({"kind": kind, "place": place, "words": words, "input": data[:10_000].decode("utf-8", "backslashreplace")})
    return {
        "target": target.name,
        "guards": target.guards,
        "cases": result.cases,
        "seconds": round(took_s, 1),
        "cases_per_second": round(result.cases / took_s) if took_s else 0,
        "microseconds_per_case": round(result.cpu_s / max(result.cases, 1) * 1e6),
        "failures": failures,
    }


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
