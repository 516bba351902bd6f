"""What the demo shows while it runs: a bar and a live line on a terminal, a plain line now and then anywhere else."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_EVERY_S = 5.0


class Screen:
    """Standard output, or nothing when `quiet`."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, *lines: str) -> None:
        """Print lines as they are."""
        for line in lines:
            self._console.print(line, markup=False)

    @contextmanager
    def progress(self, seconds: float) -> Iterator[Callable[[float, dict[str, Any]], None]]:
        """Yields `show(elapsed_s, status)`."""
        if not self._console.is_terminal:
            yield self._plainly(seconds)
            return
        columns = (
            TextColumn("replay"),
            BarColumn(30),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[line]}"),
        )
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("replay", total=seconds, line="")
            yield lambda elapsed_s, status: bar.update(task, completed=elapsed_s, line=live_line(status))

    def _plainly(self, seconds: float) -> Callable[[float, dict[str, Any]], None]:
        last = -PLAIN_EVERY_S

        def show(elapsed_s: float, status: dict[str, Any]) -> None:
            nonlocal last
            if elapsed_s - last >= PLAIN_EVERY_S or elapsed_s >= seconds:
                last = elapsed_s
                self.say(f"{min(elapsed_s / seconds, 1):4.0%}  {live_line(status)}")

        return show


def live_line(status: dict[str, Any]) -> str:
    """The fleet in one line."""
    totals = status["totals"]
    orders = " ".join(f"{name} {count}" for name, count in totals["orders"].items()) or "none"
    busy = Counter(row["bot"]["state"] for row in status["markets"])
    states = " ".join(f"{count} {state}" for state, count in busy.most_common(3))
    return (
        f"{totals['markets']} markets ({states}) pairs {totals['pairs']} locked {totals['locked_profit']} "
        f"edges {totals['edges_acted_on']}/{totals['edges_seen']} orders: {orders}"
    )
