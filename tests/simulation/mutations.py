"""Deliberate bugs, each a switch on production code, to see that the promises notice: a judge who can be fooled is worth nothing.

`make mutations` comes here: each bug plays histories until one breaks a promise, and the table says which seed and which promise that was.
The tests play each bug's known seed alone (`mutants/`).
"""

import sys
from collections.abc import Iterator
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.generate import random_history
from tests.simulation.mutants import engine_bugs, feed_bugs, gate_bugs, money_bugs
from tests.simulation.mutants.bug import Bug, mutated
from tests.simulation.simulate import cores
from tests.simulation.world import play

BUGS: tuple[Bug, ...] = (*engine_bugs.BUGS, *feed_bugs.BUGS, *gate_bugs.BUGS, *money_bugs.BUGS)
SEEDS = 300


class Caught(NamedTuple):
    """Where a bug was noticed, by which promises; seed None when it never was."""

    bug: str
    seed: int | None
    promises: tuple[str, ...]
    text: str


def promises_broken(bug: Bug, seed: int) -> tuple[tuple[str, ...], str]:
    """What breaks in one history with this bug, and the first complaint."""
    with mutated(bug):
        violations = play(random_history(seed)).violations
    return tuple(dict.fromkeys(violation.invariant for violation in violations)), violations[0].text if violations else ""


def hunt(number: int) -> Caught:
    """Play histories with one bug until one breaks a promise that it keeps without the bug."""
    bug = BUGS[number]
    for seed in (bug.seed, *range(SEEDS)):
        promises, text = promises_broken(bug, seed)
        if promises and not play(random_history(seed)).violations:
            return Caught(bug.name, seed, promises, text)
    return Caught(bug.name, None, (), "")


def hunt_all(workers: int) -> Iterator[Caught]:
    """Every bug, as they are found."""
    with get_context("spawn").Pool(workers, maxtasksperchild=1) as pool:
        yield from pool.imap(hunt, range(len(BUGS)), chunksize=1)


def main() -> int:
    """Print the table. 1 when a bug was not noticed."""
    missed = 0
    for caught in hunt_all(cores()):
        missed += caught.seed is None
        seed = "-" if caught.seed is None else caught.seed
        print(f"{caught.bug:<56} seed {seed:>4}  {', '.join(caught.promises) or 'NOT NOTICED'}  {caught.text[:90]}", flush=True)
    print(f"{len(BUGS) - missed} of {len(BUGS)} bugs were noticed within {SEEDS} histories")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
