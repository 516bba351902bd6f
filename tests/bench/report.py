"""The figures as build/bench.json and as a table: rich where somebody is looking, plain lines where a file or a pipe is.

Called by `__main__.py` with all figures. A missed target is shown with its ratio and ends nothing: the run is a report, not a gate.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.measure import Figure, Target

HEADINGS = ("figure", "median", "min", "reference", "median", "ratio", "target", "")
NUMERIC = (1, 2, 4, 5)


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """Write the list of figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([found.as_dict() for found in figures], indent=2) + "\n", encoding="utf-8")


def print_table(figures: Sequence[Figure]) -> None:
    """Print all figures to standard output, group by group."""
    if sys.stdout.isatty():
        Console().print(_rich_table(figures))
    else:
        say(*plain_lines(figures))
    say("", summary(figures))


def say(*lines: str) -> None:
    """Write lines to standard output as they are, however wide."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


def plain_lines(figures: Sequence[Figure]) -> list[str]:
    """Aligned columns without decoration, a blank line and a heading before each group."""
    rows = [HEADINGS, *(_cells(found) for found in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [_aligned(HEADINGS, widths)]
    group = ""
    for found, row in zip(figures, rows[1:], strict=True):
        if found.group != group:
            group = found.group
            lines += ["", group]
        lines.append(_aligned(row, widths))
    return lines


def summary(figures: Sequence[Figure]) -> str:
    """How many targets were reached, and by which ratio the others were not."""
    aimed = [found for found in figures if found.target is not None]
    missed = [found for found in aimed if not found.met]
    lines = [f"{len(aimed) - len(missed)} of {len(aimed)} targets met"]
    lines += [f"  missed: {found.name}: {_gap(found, found.target)}" for found in missed if found.target]
    return "\n".join(lines)


def _gap(found: Figure, target: Target) -> str:
    reached, unit = (found.ratio, "x the reference") if target.of_ratio else (found.value, found.unit)
    if target.limit == 0:
        return f"{shown(reached)} {unit} in place of none"
    return f"{shown(reached)} {unit} is {shown(reached / target.limit)} times the target of {shown(target.limit)}"


def shown(value: float) -> str:
    """Three significant digits, with thousands separated: 0.0512, 1.23, 45.6, 1,234,567."""
    if value >= 999.5:
        return f"{value:,.0f}"
    return f"{value:#.3g}".rstrip(".")


def _cells(found: Figure) -> tuple[str, ...]:
    verdict = "" if found.met is None else "met" if found.met else "MISSED"
    return (
        found.name,
        f"{shown(found.value)} {found.unit}",
        shown(found.minimum),
        found.reference,
        shown(found.reference_value),
        f"{found.ratio:.2f} x",
        found.target.text(found.unit) if found.target else "",
        verdict,
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    padded = [cell.rjust(width) if column in NUMERIC else cell.ljust(width) for column, (cell, width) in enumerate(pairs)]
    return "  ".join(padded).rstrip()


def _rich_table(figures: Sequence[Figure]) -> Table:
    table = Table(pad_edge=False)
    for column, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if column in NUMERIC else "left")
    group = ""
    for found in figures:
        if found.group != group:
            group = found.group
            table.add_section()
            table.add_row(f"[bold]{group}")
        colour = {None: "", True: "green", False: "red"}[found.met]
        *cells, verdict = _cells(found)
        table.add_row(*cells, f"[{colour}]{verdict}" if colour else verdict)
    return table
