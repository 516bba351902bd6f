"""Puts quiet hours into a history: markets are mostly quiet, and what a bot does for hours can break what it does in a minute.

`generate.py` makes the stormy minutes, with everything that happens close together, and has this module pull them apart.
"""

from typing import NamedTuple

from msgspec.structs import replace
from tests.simulation.history import Burst, Edge, Happening, History, MarketPlan


class Quiet(NamedTuple):
    """From this moment of the stormy history on everything begins so much later; what has begun takes as long as before."""

    at_ms: int
    for_ms: int


def with_quiet(history: History, stretches: list[Quiet]) -> History:
    """The same history with these stretches in it."""
    if not stretches:
        return history

    def later(at_ms: int) -> int:
        return at_ms + sum(quiet.for_ms for quiet in stretches if at_ms >= quiet.at_ms)

    def moved(thing: Happening | Edge | Burst) -> Happening | Edge | Burst:
        return replace(thing, at_ms=later(thing.at_ms))

    def stretched(market: MarketPlan) -> MarketPlan:
        finer_ms = market.finer_tick_ms
        return replace(
            market,
            length_ms=later(market.length_ms),
            edges=tuple(map(moved, market.edges)),
            bursts=tuple(map(moved, market.bursts)),
            finer_tick_ms=None if finer_ms is None else later(finer_ms),
        )

    return replace(
        history,
        length_ms=later(history.length_ms),
        faults_end_ms=later(history.faults_end_ms),
        markets=tuple(map(stretched, history.markets)),
        hosts=tuple(replace(host, starts_ms=later(host.starts_ms)) for host in history.hosts),
        happenings=tuple(map(moved, history.happenings)),
    )
