"""`python -m tests.soak`: an hour of troubles, a table, build/soak.json; `make soak MINUTES=60` calls it.

Status 0 when every limit holds, 1 when one does not or it did not start. Ctrl-C ends it early with the table so far. Wants Linux: memory
and descriptors are read from /proc.
"""

import argparse
import asyncio
import secrets
import shutil
import sys
from pathlib import Path

from kabobagool.cli.demo_parts import DemoError
from kabobagool.cli.signals import stop_on_signals
from tests.soak.report import make_report, table_lines, write_json
from tests.soak.run import Play, soak

OUT = Path(__file__).resolve().parents[2] / "build" / "soak.json"
SAMPLE_EVERY_S = 2.0


def say(*lines: str) -> None:
    """Write lines to standard output at once."""
    print(*lines, sep="\n", flush=True)


def options() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (default %(default)g)")
    parser.add_argument("--markets", type=int, default=10, help="synthetic markets (default %(default)s)")
    parser.add_argument("--edges", type=int, default=120, metavar="N", help="dislocations an hour in each (default %(default)s)")
    parser.add_argument("--seed", type=int, help="of books and troubles (default: any)")
    parser.add_argument("--out", type=Path, default=OUT, help="the report; the fleet's log and journal lie in a folder beside it")
    return parser.parse_args()


async def _play(play: Play, folder: Path, out: Path) -> bool:
    record = await soak(play, folder, stop_on_signals(), say)
    report = make_report(play, record)
    write_json(report, out)
    say("", *table_lines(report), "", f"written to {out}")
    return bool(report["passed"])


def main() -> int:
    """Run one."""
    given = options()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    play = Play(seed=seed, seconds=given.minutes * 60, markets=given.markets, edges_per_hour=given.edges, sample_every_s=SAMPLE_EVERY_S)
    say(f"seed {seed}: the same again with --seed {seed}")
    folder = given.out.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return 0 if asyncio.run(_play(play, folder, given.out)) else 1
    except DemoError as e:
        say(f"{e}; the fleet's log is {folder / 'fleet.log'}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
