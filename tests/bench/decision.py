"""A tick and a decision: what every view costs, and what the few that look like an edge cost.

The reference is a method call that does nothing: Python charges it to whoever wants to be told anything at all.
"""

from collections.abc import Sequence
from pathlib import Path

from kabobagool.domain.decision import decide, quote_pair
from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import Intent, Reject
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.position import EMPTY, Fill, Position, position_of
from tests.bench.measure import MICROSECONDS, NANOSECONDS, Batch, Benchmark, Figure, Samples, Target, calls, compare, figure
from tests.bench.worlds import NOW_MS, POLICY, a_strategy, a_view

GROUP = "decision"
AT_MOST_1_US = Target(1.0)


class Nothing:
    """Methods that do nothing, with as many arguments as those they are compared with."""

    def one(self, view: object) -> None:
        """Take one argument."""

    def two(self, first: object, second: object) -> None:
        """Take two arguments."""


def nothing_of_four(view: object, position: object, policy: object, now_ms: object) -> None:
    """Take four arguments."""


def benchmarks(scratch: Path) -> list[Benchmark]:
    """All of this group."""
    return [Benchmark(GROUP, run) for run in (_tick, _view, _decisions)]


def _tick() -> Sequence[Figure]:
    found = compare({"tick": calls(a_strategy().on_tick, 5_200, 4_900), "empty": calls(Nothing().two, 5_200, 4_900)}, rounds=81)
    reference = "empty method call, 2 arguments"
    per_second = {name: Samples(tuple(1 / value for value in samples.values)) for name, samples in found.items()}
    return [
        figure(
            GROUP,
            "tick without an edge",
            found["tick"],
            "ns",
            reference,
            found["empty"],
            scale=NANOSECONDS,
            target=Target(1.5, of_ratio=True),
        ),
        figure(
            GROUP,
            "ticks a second",
            per_second["tick"],
            "1/s",
            reference,
            per_second["empty"],
            target=Target(1_000_000, at_least=True),
        ),
    ]


def _view() -> Sequence[Figure]:
    dull, doubtful = a_view(5_200, 4_900), a_view(4_500, 4_800, skew_ms=300)
    found = compare(
        {
            "view without an edge": calls(a_strategy().on_view, dull),
            "view with a false edge, rejected and counted": calls(a_strategy().on_view, doubtful),
            "empty": calls(Nothing().one, dull),
        }
    )
    return _beside(found, "empty method call, 1 argument", {"view with a false edge, rejected and counted": AT_MOST_1_US})


def _decisions() -> Sequence[Figure]:
    edge = a_view(4_500, 4_800)
    candidates = {
        "decide: leg too old": _rejection(Reason.LEG_TOO_OLD, age_ms=2_500),
        "decide: legs apart in time": _rejection(Reason.LEGS_APART_IN_TIME, skew_ms=300),
        "decide: mirror broken": _rejection(Reason.MIRROR_BROKEN, mirrored=False),
        "decide: buy a pair": _acceptance(EMPTY),
        "decide: buy a pair on top of others": _acceptance(_some_pairs()),
    }
    targets = dict.fromkeys(candidates, AT_MOST_1_US)
    candidates["decide: buy a pair at prices never met"] = calls(_forgetful, edge)
    candidates["empty"] = calls(nothing_of_four, edge, EMPTY, POLICY, NOW_MS)
    return _beside(compare(candidates), "empty function call, 4 arguments", targets)


def _rejection(reason: Reason, *, age_ms: int = 0, skew_ms: int = 0, mirrored: bool = True) -> Batch:
    view = a_view(4_500, 4_800, age_ms=age_ms, skew_ms=skew_ms, mirrored=mirrored)
    assert decide(view, EMPTY, POLICY, NOW_MS) == Reject(reason)
    return calls(decide, view, EMPTY, POLICY, NOW_MS)


def _acceptance(position: Position) -> Batch:
    view = a_view(4_500, 4_800)
    assert isinstance(decide(view, position, POLICY, NOW_MS), Intent)
    return calls(decide, view, position, POLICY, NOW_MS)


def _forgetful(view: object) -> object:
    quote_pair.cache_clear()
    return decide(view, EMPTY, POLICY, NOW_MS)  # type: ignore[arg-type]


def _some_pairs() -> Position:
    bought = (Fill(outcome, Side.BUY, 50 * MICRO, 23 * MICRO, 400_000) for outcome in Outcome)
    return position_of(bought)


def _beside(found: dict[str, Samples], reference: str, targets: dict[str, Target]) -> list[Figure]:
    empty = found.pop("empty")
    return [
        figure(GROUP, name, samples, "us", reference, empty, scale=MICROSECONDS, target=targets.get(name))
        for name, samples in found.items()
    ]
