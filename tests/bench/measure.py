"""How a figure is measured: beside its reference, in turns, on a machine that may be busy with something else.

A number alone says more about the machine than about the code, so each one is taken together with a reference whose cost nobody can
avoid. Both run in many short rounds, one after the other and in changing order, so that a burst of other work hits both; the median is
reported and the minimum kept. Synchronous work is charged in CPU time: waiting for a turn on a busy core is nobody's cost. The groups
call `compare` and `figure`; `report.py` prints what comes out.
"""

import statistics
import time
import timeit
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Batch = Callable[[], float]
"""Runs something many times and says what one time cost, in seconds."""
AsyncBatch = Callable[[], Awaitable[float]]

BATCH_S = 0.004
"""Long enough that the clock's own cost does not matter, short enough that many batches are never disturbed."""
ROUNDS = 41
MICROSECONDS = 1e6
MILLISECONDS = 1e3
NANOSECONDS = 1e9


@dataclass(frozen=True, slots=True)
class Samples:
    """What the rounds of one candidate cost."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle round."""
        return statistics.median(self.values)

    @property
    def minimum(self) -> float:
        """The least disturbed round."""
        return min(self.values)

    def scaled(self, factor: float) -> "Samples":
        """The same samples in another unit."""
        return Samples(tuple(value * factor for value in self.values))


@dataclass(frozen=True, slots=True)
class Target:
    """What a figure is to reach: `limit` bounds the figure itself, or its ratio to the reference."""

    limit: float
    of_ratio: bool = False
    at_least: bool = False

    def met(self, value: float, ratio: float) -> bool:
        """Whether it was reached."""
        reached = ratio if self.of_ratio else value
        return reached >= self.limit if self.at_least else reached <= self.limit

    def text(self, unit: str) -> str:
        """For people, such as `<= 1.5 x` or `<= 5 us`."""
        sign = ">=" if self.at_least else "<="
        return f"{sign} {self.limit:,.12g} {'x' if self.of_ratio else unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the report. `ratio` is the value over the reference's; minima are of single rounds."""

    group: str
    name: str
    value: float
    unit: str
    minimum: float
    reference: str
    reference_value: float
    reference_minimum: float
    ratio: float
    target: Target | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target was reached, None without one."""
        return None if self.target is None else self.target.met(self.value, self.ratio)

    def as_dict(self) -> dict[str, Any]:
        """As written to build/bench.json."""
        facts: dict[str, Any] = {
            "group": self.group,
            "name": self.name,
            "value": rounded(self.value),
            "unit": self.unit,
            "min": rounded(self.minimum),
            "reference": self.reference,
            "reference_value": rounded(self.reference_value),
            "reference_min": rounded(self.reference_minimum),
            "ratio": rounded(self.ratio),
        }
        if self.target is not None:
            facts |= {"target": self.target.text(self.unit), "met": self.met}
        return facts


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Something to run that yields figures; `group` is the heading they stand under."""

    group: str
    run: Callable[[], Sequence[Figure]]


def rounded(value: float) -> float:
    """Four significant digits: the rest is noise."""
    return float(f"{value:.4g}")


def figure(
    group: str,
    name: str,
    samples: Samples,
    unit: str,
    reference: str,
    reference_samples: Samples,
    *,
    scale: float = 1.0,
    target: Target | None = None,
) -> Figure:
    """A figure of samples in seconds (or whatever `scale` turns into `unit`) beside those of its reference."""
    value, beside = samples.scaled(scale), reference_samples.scaled(scale)
    return Figure(
        group=group,
        name=name,
        value=value.median,
        unit=unit,
        minimum=value.minimum,
        reference=reference,
        reference_value=beside.median,
        reference_minimum=beside.minimum,
        ratio=value.median / beside.median,
        target=target,
    )


def compare(candidates: Mapping[str, Batch], *, rounds: int = ROUNDS) -> dict[str, Samples]:
    """Seconds a candidate took per call in each round; the candidates take turns and every round begins with another one."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds):
        for name in _in_turn(list(candidates), turn):
            found[name].append(candidates[name]())
    return {name: Samples(tuple(values)) for name, values in found.items()}


async def compare_async(candidates: Mapping[str, AsyncBatch], *, rounds: int) -> dict[str, Samples]:
    """`compare` for batches that must be awaited."""
    found: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(rounds):
        for name in _in_turn(list(candidates), turn):
            found[name].append(await candidates[name]())
    return {name: Samples(tuple(values)) for name, values in found.items()}


def calls(function: Callable[..., object], *arguments: object, batch_s: float = BATCH_S) -> Batch:
    """Batches of calls of one function, or bound method, with always the same arguments; garbage is collected as in real life."""
    names = "".join(f"a{number}, " for number in range(len(arguments)))
    unpack = f"; {names} = arguments" if names else ""
    given = {"function": function, "arguments": arguments}
    timer = timeit.Timer(f"f({names})", f"import gc; gc.enable(); f = function{unpack}", time.thread_time, given)
    return _sized(timer, batch_s)


def each(function: Callable[[Any], object], items: Iterable[object], *, batch_s: float = BATCH_S) -> Batch:
    """Batches of calls of one function with each of the items in turn; what one call cost."""
    kept = tuple(items)
    given = {"function": function, "kept": kept}
    timer = timeit.Timer("for item in items: f(item)", "import gc; gc.enable(); f, items = function, kept", time.thread_time, given)
    whole = _sized(timer, batch_s)
    return lambda: whole() / len(kept)


def _sized(timer: timeit.Timer, batch_s: float) -> Batch:
    number = 1
    while (took := timer.timeit(number)) < batch_s / 4:
        number *= 4
    number = max(1, round(number * batch_s / took))
    return lambda: timer.timeit(number) / number


def _in_turn(names: list[str], turn: int) -> list[str]:
    first = turn % len(names)
    return names[first:] + names[:first]
