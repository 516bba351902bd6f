"""Series of samples of a fleet that never was, for the tests of the judge: steady, with one number that the test bends."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.soak.judge import Ending
from tests.soak.sample import Sample

EVERY_S = 2.0
STEADY = Sample(
    at_s=0.0,
    resident_kib=80_000,
    descriptors=40,
    threads=5,
    cpu_s=3.0,
    tasks=110,
    stall_s=0.02,
    own_stall_s=0.01,
    load=1.0,
    markets=10,
    sound=10,
    frozen=0,
    naked=0,
    restarts=0,
    reconnects=2,
    fills=0,
    orders={"filled": 0},
)
WELL = Ending(differences=(), naked=(), unsettled=0, unfresh=(), calm_s=60.0, fills_in_the_calm=4, status=0, tracebacks=0)


def series(minutes: float, **bent: Callable[[float], Any]) -> list[Sample]:
    """A sample every two seconds; `bent` fields are a function of the seconds since the beginning."""
    return list(_series(minutes, bent))


def _series(minutes: float, bent: dict[str, Callable[[float], Any]]) -> Iterator[Sample]:
    for number in range(round(minutes * 60 / EVERY_S)):
        at_s = number * EVERY_S
        yield replace(STEADY, at_s=at_s, **{name: value(at_s) for name, value in bent.items()})


def resident(at_s: float, *, mib_per_hour: float = 0.0) -> int:
    """KiB of a process that grows like this, while it goes up and down by some pages as real ones do."""
    noise = round(at_s) * 7919 % 400
    return STEADY.resident_kib + noise + round(mib_per_hour * 1_024 * at_s / 3_600)
