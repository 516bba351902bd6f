"""Whether a fleet that ran for long is as it was: limits on a series of samples and on how it ended.

Pure. A leak is told from noise by what stays: the slope of memory by least squares, and the least of each count at both ends. What a run is
too short for is not judged, and says so.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.soak.plan import Trouble
from tests.soak.sample import Sample

WARM_UP_S: Final = 600.0
WARM_UP_PART: Final = 1 / 6
"""Of a shorter run."""
ENDS_PART: Final = 1 / 5
"""The part of what comes after the warm-up that its beginning is, and its end."""
LONG_ENOUGH_S: Final = 1_200.0
"""Without so many seconds after the warm-up a slope of memory is mostly noise."""
MEMORY_MIB_PER_HOUR: Final = 2.0
KIB_A_FILL: Final = 1.0
"""What a filled order leaves, as measured with tracemalloc: it is a part of the position for as long as its market lives."""
MORE_DESCRIPTORS: Final = 4
MORE_THREADS: Final = 2
MORE_TASKS: Final = 6
"""Two orders of a pair, and what looks them up, are on their way at any moment."""
STALL_S: Final = 0.25
STALL_WHEN_BUSY_S: Final = 2.0
"""On a machine whose cores are all taken by others; prices older than this are not acted on."""
CALM_S: Final = 30.0
"""Without so many seconds there may just have been nothing to buy."""
RECOVERED_S: Final = 30.0
UNANSWERED_PART: Final = 0.01
HOUR_S: Final = 3_600.0
KIB_A_MIB: Final = 1_024


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table: what was looked at, what came out, the limit, and whether it holds (None: not judged)."""

    name: str
    found: str
    limit: str
    holds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How it ended. `calm_s`: how long it was watched after the last trouble; `status`: the fleet's exit status, negative for a signal."""

    differences: Sequence[str]
    naked: Sequence[str]
    unsettled: int
    unfresh: Sequence[str]
    calm_s: float
    fills_in_the_calm: int
    status: int
    tracebacks: int


def judge(
    samples: Sequence[Sample], troubles: Sequence[Trouble], ending: Ending, *, struck: Mapping[str, int], unanswered: int, cores: int
) -> list[Verdict]:
    """All verdicts on a run. `troubles` are those that happened, `struck` how often each had an effect, `unanswered` the pages missed.

    `cores` are those of the machine.
    """
    if not samples:
        return [Verdict("samples", "0", "at least 1", holds=False), *of_the_end(ending)]
    settled = after_warm_up(samples)
    return [
        memory(settled),
        level("descriptors", settled, lambda sample: sample.descriptors, MORE_DESCRIPTORS),
        level("threads", settled, lambda sample: sample.threads, MORE_THREADS),
        level("tasks", settled, lambda sample: sample.tasks, MORE_TASKS),
        stalls(samples, cores),
        strikes(troubles, struck, samples[-1].at_s),
        recovery(samples, troubles),
        answers(len(samples), unanswered),
        at_most("bots that failed and were started again", max(sample.restarts for sample in samples), 0),
        *of_the_end(ending),
    ]


def after_warm_up(samples: Sequence[Sample]) -> Sequence[Sample]:
    """Those after the first ten minutes, or a sixth of a shorter run; never none."""
    warm_s = min(WARM_UP_S, samples[-1].at_s * WARM_UP_PART)
    return [sample for sample in samples if sample.at_s >= warm_s]


def memory(samples: Sequence[Sample]) -> Verdict:
    """Whether resident memory grows by more than what was bought."""
    seconds = samples[-1].at_s - samples[0].at_s
    fills_an_hour = (samples[-1].fills - samples[0].fills) * HOUR_S / seconds if seconds else 0.0
    most = MEMORY_MIB_PER_HOUR + fills_an_hour * KIB_A_FILL / KIB_A_MIB
    limit = f"<= {most:.1f} MiB an hour ({MEMORY_MIB_PER_HOUR:g}, and {KIB_A_FILL:g} KiB for each of {fills_an_hour:,.0f} fills)"
    resident = f"{samples[-1].resident_kib / KIB_A_MIB:.1f} MiB"
    if seconds < LONG_ENOUGH_S:
        return Verdict("memory", f"{resident}; {seconds:.0f} s are too few for a slope", limit, holds=None)
    slope = slope_mib_per_hour(samples)
    return Verdict("memory", f"{slope:+.2f} MiB an hour, {resident} in the end", limit, holds=slope <= most)


def slope_mib_per_hour(samples: Sequence[Sample]) -> float:
    """How fast resident memory grows, by least squares over all samples."""
    hours = [sample.at_s / HOUR_S for sample in samples]
    return statistics.linear_regression(hours, [sample.resident_kib / KIB_A_MIB for sample in samples]).slope


def level(name: str, samples: Sequence[Sample], read: Callable[[Sample], int], more: int) -> Verdict:
    """Whether the least of a count is at the end about what it was: pools of connections breathe, and what leaks raises their floor."""
    several = max(1, round(len(samples) * ENDS_PART))
    first, last = (min(map(read, part)) for part in (samples[:several], samples[-several:]))
    most = max(map(read, samples))
    return Verdict(
        name, f"never below {first} at first, {last} in the end; {most} at most", f"at most {more} more", holds=last <= first + more
    )


def stalls(samples: Sequence[Sample], cores: int) -> Verdict:
    """Whether the event loop kept up, as far as the machine let a process keep up that does nothing but watch."""
    worst, own = (max(map(read, samples)) for read in (lambda sample: sample.stall_s, lambda sample: sample.own_stall_s))
    load = statistics.median(sample.load for sample in samples)
    more_s = STALL_S if load <= cores else STALL_WHEN_BUSY_S
    limit = f"<= {more_s * 1000:g} ms more than it" + ("" if load <= cores else f" (load {load:.1f} on {cores} cores)")
    found = f"{worst * 1000:.0f} ms; the watching process {own * 1000:.0f} ms"
    return Verdict("worst stall of the event loop", found, limit, holds=worst <= own + more_s)


def recovery(samples: Sequence[Sample], troubles: Sequence[Trouble]) -> Verdict:
    """Whether after every trouble all markets were soon sound again; what comes next may delay it."""
    took = recovery_s(samples, troubles)
    limit = f"<= {RECOVERED_S:g} s after each trouble"
    if not took:
        return Verdict("all markets sound again", "no trouble was seen to its end", limit, holds=None)
    slowest = max(took, key=lambda name: took[name])
    return Verdict("all markets sound again", f"{took[slowest]:.0f} s at worst ({slowest})", limit, holds=took[slowest] <= RECOVERED_S)


def recovery_s(samples: Sequence[Sample], troubles: Sequence[Trouble]) -> dict[str, float]:
    """By trouble: the most seconds from its end to the first sample in which all was sound; never is infinite.

    A trouble after which nobody watched for long enough is not in it.
    """
    sound = [sample.at_s for sample in samples if sample.markets and sample.sound == sample.markets]
    took: dict[str, float] = {}
    for trouble in troubles:
        again_s = next((at_s for at_s in sound if at_s >= trouble.end_s), None)
        if again_s is not None or samples[-1].at_s - trouble.end_s > RECOVERED_S:
            waited_s = float("inf") if again_s is None else again_s - trouble.end_s
            took[trouble.name] = max(took.get(trouble.name, 0.0), waited_s)
    return took


def answers(taken: int, unanswered: int) -> Verdict:
    """Whether the fleet's pages answered."""
    limit = f"at most {UNANSWERED_PART:.0%} unanswered"
    return Verdict("samples", f"{taken}, {unanswered} unanswered", limit, holds=unanswered <= (taken + unanswered) * UNANSWERED_PART)


def of_the_end(ending: Ending) -> list[Verdict]:
    """What must hold once it has been halted and has ended."""
    return [
        nothing("ledger of the exchange, to the micro-dollar", "equal in every market", ending.differences),
        nothing("naked legs", "none", ending.naked),
        nothing("views", "all fresh", ending.unfresh),
        at_most("orders without a known end", ending.unsettled, 0),
        calm(ending),
        at_most("crashes in the log", ending.tracebacks, 0),
        Verdict("exit status", str(ending.status), "0", holds=ending.status == 0),
    ]


def calm(ending: Ending) -> Verdict:
    """Whether it traded again after the last trouble."""
    traded = ending.fills_in_the_calm > 0
    found = f"{ending.fills_in_the_calm} in {ending.calm_s:.0f} s"
    return Verdict("fills after the last trouble", found, "at least 1", holds=True if traded else None if ending.calm_s < CALM_S else False)


def strikes(troubles: Sequence[Trouble], struck: Mapping[str, int], seconds: float) -> Verdict:
    """Whether what should go wrong did go wrong: a fault strikes only when something is asked that it concerns."""
    missed = sorted({trouble.name for trouble in troubles} - {name for name, count in struck.items() if count})
    name, limit = "troubles without any effect", "none"
    if not struck:
        return Verdict(name, "all: nothing went wrong", limit, holds=False)
    return Verdict(name, ", ".join(missed) or limit, limit, holds=not missed if seconds >= LONG_ENOUGH_S else None)


def nothing(name: str, good: str, complaints: Sequence[str]) -> Verdict:
    """Whether there is nothing to complain about."""
    return Verdict(name, "; ".join(complaints) or good, good, holds=not complaints)


def at_most(name: str, found: int, most: int) -> Verdict:
    """Whether a count keeps to its limit."""
    return Verdict(name, str(found), f"at most {most}" if most else "0", holds=found <= most)


def passed(verdicts: Sequence[Verdict]) -> bool:
    """Whether every limit that was judged holds."""
    return all(verdict.holds is not False for verdict in verdicts)
