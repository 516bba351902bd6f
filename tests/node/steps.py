"""The table at the end of a run: each step and each fault, how long until everything was as it should be, and what was said meanwhile.

Tests enter what they do; `conftest.py` prints the table and writes it to build/node.json for whoever compares runs.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

WIDE = 100


@dataclass
class Step:
    """One line. `seconds`: for a fault from its end until all had converged, else what the step took; None when it failed on the way."""

    name: str
    seconds: float | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Something worth a word in the table."""
        if text not in self.notes:
            self.notes.append(text)


class Steps:
    """All lines, in the order in which they began."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.made: list[Step] = []

    @contextmanager
    def entered(self, name: str) -> Iterator[Step]:
        """A line whose seconds the block sets. It is entered at once, so that one that fails is seen."""
        step = Step(name)
        self.made.append(step)
        try:
            yield step
        except BaseException:
            step.seconds = None
            raise

    @contextmanager
    def timed(self, name: str) -> Iterator[Step]:
        """A line that lasts as long as the block."""
        began = time.monotonic()
        with self.entered(name) as step:
            yield step
            step.seconds = time.monotonic() - began

    def lines(self) -> list[str]:
        """The table as text."""
        wide = min(WIDE, max((len(step.name) for step in self.made), default=0))
        rows = [f"{step.name:<{wide}}  {_seconds(step):>8}  {'; '.join(step.notes)}" for step in self.made]
        return [*rows, f"{'in all':<{wide}}  {time.monotonic() - self.began:>6.0f} s"]

    def write(self, file: Path) -> None:
        """The table for machines."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps([asdict(step) for step in self.made], indent=1) + "\n")


def _seconds(step: Step) -> str:
    return "failed" if step.seconds is None else f"{step.seconds:.1f} s"
