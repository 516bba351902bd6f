"""What a soak leaves: a table for people in plain text, and build/soak.json with every sample."""

import json
import math
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.soak.judge import Verdict, judge, passed, recovery_s
from tests.soak.plan import STANDSTILL
from tests.soak.run import Play, Record

WORDS = {True: "holds", False: "BROKEN", None: "not judged"}


def make_report(play: Play, record: Record) -> dict[str, Any]:
    """Everything as plain data; `passed` says whether every limit that was judged holds."""
    assert record.ending is not None, "only a run that ended has a report"
    struck = record.counters.get("faults_struck", {}) | _standstills(record)
    verdicts = judge(record.samples, record.happened, record.ending, struck=struck, unanswered=record.unanswered, cores=os.cpu_count() or 1)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
        "play": asdict(play),
        "passed": passed(verdicts),
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "seconds": record.samples[-1].at_s if record.samples else 0.0,
        "load": {"median": _median_load(record), "most": max((sample.load for sample in record.samples), default=0.0)},
        "troubles": dict(Counter(trouble.name for trouble in record.happened)),
        "struck": struck,
        "recovery_s": _recovery(record),
        "reconnects": record.reconnects,
        "edges": {name: record.totals.get(name) for name in ("edges_seen", "edges_acted_on", "edges_rejected")},
        "orders": dict(record.samples[-1].orders) if record.samples else {},
        "cpu_s": record.samples[-1].cpu_s if record.samples else 0.0,
        "samples": [asdict(sample) for sample in record.samples],
    }


def table_lines(report: dict[str, Any]) -> list[str]:
    """The table, a line each."""
    verdicts = [Verdict(**one) for one in report["verdicts"]]
    rows = [("", "found", "limit", ""), *((one.name, one.found, one.limit, WORDS[one.holds]) for one in verdicts)]
    orders = counted(report["orders"])
    reconnects, edges = counted(report["reconnects"]), report["edges"]
    refused = counted(edges["edges_rejected"] or {})
    cpu = f"{report['cpu_s']:.0f} s of CPU" + (f", {report['cpu_s'] / report['seconds']:.1%} of a core" if report["seconds"] else "")
    return [
        f"{report['seconds'] / 60:.1f} minutes, seed {report['play']['seed']}, {report['play']['markets']} markets; {report['date']}",
        f"{report['machine']}, load {report['load']['median']:.1f} (median), {report['load']['most']:.1f} at most",
        "",
        *aligned(rows),
        "",
        *aligned(_trouble_rows(report)),
        "",
        f"orders: {orders}",
        f"edges: {edges['edges_seen']} seen, {edges['edges_acted_on']} acted on; refused: {refused}",
        f"reconnects: {reconnects}",
        f"the fleet used {cpu}",
        "every limit holds" if report["passed"] else "A LIMIT IS BROKEN",
    ]


def counted(counts: Mapping[str, int]) -> str:
    """Counts in words, the most frequent first."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1])) or "none"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def write_json(report: dict[str, Any], path: Path) -> None:
    """Write the report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _trouble_rows(report: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    struck = report["struck"]
    rows = [(name, str(count), str(struck.get(name, 0)), _again(report, name)) for name, count in sorted(report["troubles"].items())]
    return [("trouble", "times", "struck", "sound again within"), *rows]


def _again(report: dict[str, Any], name: str) -> str:
    took = report["recovery_s"]
    if name not in took:
        return "not seen"
    return "never" if took[name] is None else f"{took[name]:.0f} s"


def _standstills(record: Record) -> dict[str, int]:
    count = sum(trouble.name == STANDSTILL for trouble in record.happened)
    return {STANDSTILL: count} if count else {}


def _recovery(record: Record) -> dict[str, float | None]:
    """None for never, which JSON has no number for."""
    took = recovery_s(record.samples, record.happened) if record.samples else {}
    return {name: seconds if math.isfinite(seconds) else None for name, seconds in took.items()}


def _median_load(record: Record) -> float:
    return statistics.median([sample.load for sample in record.samples]) if record.samples else 0.0
