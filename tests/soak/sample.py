"""What the fleet is like at one moment, seen from outside: what the kernel says of its process, and what its pages say.

`run.py` takes one every few seconds. Nothing here is asked of the program that any operator of it could not ask.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

from tests.support.process_numbers import cpu_s, status_field

FRESH_S: Final = 5.0
"""The books of a soak change about twice a second; a view that heard nothing for so long is not fresh."""
UNWELL: Final = frozenset({"degraded", "stopping", "resolved", "starting"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment. Times in seconds, `at_s` since the beginning; counts since the fleet's start; `own_stall_s` is the watching process's.

    `sound` of `markets` have a bot that works and a fresh view of both books.
    """

    at_s: float
    resident_kib: int
    descriptors: int
    threads: int
    cpu_s: float
    tasks: int
    stall_s: float
    own_stall_s: float
    load: float
    markets: int
    sound: int
    frozen: int
    naked: int
    restarts: int
    reconnects: int
    fills: int
    orders: Mapping[str, int]


def take_sample(at_s: float, pid: int, *, status: Mapping[str, Any], metrics: str, own_stall_s: float) -> Sample:
    """The sample of a FleetSnapshot, of what `/metrics` said, and of the process now. ProcessLookupError when it is gone."""
    rows = status["markets"]
    return Sample(
        at_s=round(at_s, 2),
        **process_numbers(pid),
        **loop_numbers(metrics),
        own_stall_s=own_stall_s,
        load=os.getloadavg()[0],
        markets=len(rows),
        sound=sum(is_sound(row) for row in rows),
        frozen=sum(len(row["bot"]["frozen_orders"]) for row in rows),
        naked=sum(row["bot"]["naked"] for row in rows),
        restarts=sum(row["restarts"] for row in rows),
        reconnects=sum(status["feed"]["reconnects"].values()),
        fills=status["totals"]["fills"],
        orders=status["totals"]["orders"],
    )


def is_sound(row: Mapping[str, Any]) -> bool:
    """Whether this market's bot works and sees both books as they are now."""
    bot = row["bot"]
    sees = bot["connected"] and bot["feed_age_s"] is not None and bot["feed_age_s"] <= FRESH_S
    return bool(row["phase"] == "running" and bot["state"] not in UNWELL and sees)


def process_numbers(pid: int) -> dict[str, Any]:
    """Memory, open descriptors, threads and CPU seconds of a process, from the kernel. ProcessLookupError when it is gone."""
    try:
        return {
            "resident_kib": status_field(pid, "VmRSS"),
            "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
            "threads": status_field(pid, "Threads"),
            "cpu_s": cpu_s(pid),
        }
    except (FileNotFoundError, ProcessLookupError, KeyError):
        raise ProcessLookupError(f"process {pid} is gone") from None


def loop_numbers(metrics: str) -> dict[str, Any]:
    """Tasks of the event loop and its worst stall of late, from the text of `/metrics`."""
    read = {sample.name: sample.value for family in text_string_to_metric_families(metrics) for sample in family.samples}
    return {"tasks": int(read["kabobagool_event_loop_tasks"]), "stall_s": read["kabobagool_event_loop_worst_stall_seconds"]}
