"""Makes a history that breaks a promise as short as it can be: leaves out happenings, edges, bursts and markets while it still does.

`simulate.py` calls it for every failure. What is left is usually two or three happenings and one edge: something a person can think about.
"""

from collections.abc import Iterator

from msgspec.structs import replace
from tests.simulation.history import History, MarketPlan
from tests.simulation.world import play

MOST_RUNS = 150


def breaks(history: History, promise: str) -> bool:
    """Whether this history breaks that promise."""
    return any(violation.invariant == promise for violation in play(history).violations)


def shrunk(history: History, promise: str, *, most_runs: int = MOST_RUNS) -> History:
    """The shortest history found within so many runs that still breaks the promise."""
    runs = 0
    improved = True
    while improved and runs < most_runs:
        improved = False
        for candidate in _simpler(history):
            runs += 1
            if breaks(candidate, promise):
                history, improved = candidate, True
                break
            if runs >= most_runs:
                break
    return history


def _simpler(history: History) -> Iterator[History]:
    """Histories with less in them, the boldest cuts first."""
    yield from _without_halves(history)
    for place in range(len(history.happenings)):
        yield replace(history, happenings=_without(history.happenings, place))
    if len(history.hosts) > 1:
        for host in range(len(history.hosts) - 1, -1, -1):
            yield from _without_host(history, host)
    for number, market in enumerate(history.markets):
        for plan in _simpler_market(market):
            yield replace(history, markets=(*history.markets[:number], plan, *history.markets[number + 1 :]))


def _without_halves(history: History) -> Iterator[History]:
    half = len(history.happenings) // 2
    if half > 1:
        yield replace(history, happenings=history.happenings[:half])
        yield replace(history, happenings=history.happenings[half:])


def _without_host(history: History, host: int) -> Iterator[History]:
    """Only the last one can go without giving the others new numbers."""
    if host == len(history.hosts) - 1:
        kept = tuple(happening for happening in history.happenings if getattr(happening, "host", 0) != host)
        yield replace(history, hosts=history.hosts[:host], happenings=kept)


def _simpler_market(market: MarketPlan) -> Iterator[MarketPlan]:
    if market.bursts:
        yield replace(market, bursts=())
    if market.finer_tick_ms is not None:
        yield replace(market, finer_tick_ms=None)
    for place in range(len(market.edges) - 1, -1, -1):
        yield replace(market, edges=_without(market.edges, place))


def _without(things: tuple, place: int) -> tuple:  # type: ignore[type-arg]
    return things[:place] + things[place + 1 :]
