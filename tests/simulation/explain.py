"""Tells a history as a timeline that a person can read: what was so, what happened, what the bots did, and which promise was broken.

Printed by `kabobagool simulate --seed 177 --explain`.
"""

from collections.abc import Iterator

import msgspec
from tests.simulation.history import History
from tests.simulation.world import Line, Result


def explained(history: History, result: Result) -> str:
    """The whole story, ready to print."""
    return "\n".join((*_scene(history), "", *_timeline(history, result.lines), "", *_verdict(result)))


def _scene(history: History) -> Iterator[str]:
    yield f"seed {history.seed}: {len(history.markets)} market(s), {len(history.hosts)} host(s), {_clock(history.length_ms)} long"
    yield "settings: " + " ".join(f"{name}={value}" for name, value in history.variables.items())
    for market in history.markets:
        fee = market.fee_rate_micros / 10_000
        yield f"market-{market.number}: fee rate {fee:g}%, {len(market.edges)} edges, ends at {_clock(market.length_ms)}"
    for host in history.hosts:
        yield f"host {host.name}: markets {host.markets}, {host.latency_ms} ms from the venue, clock {host.skew_ms:+d} ms"


def _timeline(history: History, lines: list[Line]) -> Iterator[str]:
    """The log, with the edges told where they come."""
    edges = [(edge.at_ms * 1000, market.number, edge) for market in history.markets for edge in market.edges]
    told = [(line.at_us, line.text) for line in lines]
    for at_us, number, edge in edges:
        cost = edge.yes_ask + edge.no_ask
        shares = min(edge.yes_depth, edge.no_depth) // 1_000_000
        told.append((at_us, f"market-{number}: a pair costs {cost / 10_000:.2f} for {edge.for_ms / 1000:g} s, {shares} can be had"))
    for at_us, text in sorted(told, key=lambda entry: entry[0]):
        yield f"{_clock(at_us / 1000)}  {text}"


def _verdict(result: Result) -> Iterator[str]:
    yield f"{result.orders} orders, {result.fills} filled, {result.pairs} pairs held, {result.lives} programs"
    for violation in result.violations:
        yield f"BROKEN at {_clock(violation.at_ms)}: {violation.invariant.replace('_', ' ')}: {violation.text}"
    if not result.violations:
        yield "every promise was kept"


def _clock(ms: float) -> str:
    seconds = ms / 1000
    return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02d}:{seconds % 60:06.3f}"


def as_json(history: History) -> str:
    """The history itself, to be kept or played again."""
    return msgspec.json.encode(history).decode()
