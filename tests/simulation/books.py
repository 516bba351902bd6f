"""The books of a history's markets: a quiet mirrored walk, bursts, and true dislocations, or a recorded market with dislocations over it.

Real markets stand still for minutes and then move a lot at once, so that is what these do. The venue's law is kept: NO mirrors YES to the
share, and a pair below a dollar is a crossed book that both outcomes show.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from functools import cache, lru_cache

from msgspec.structs import replace
from tests.simulation.history import Burst, Edge, History, MarketPlan

from paper_exchange.recorded import RecordedBooks, token_id
from paper_exchange.types import MICRO, PRICE_ONE, Level, PaperMarket, Snapshot

TICK, FINE_TICK = 100, 10
LEVELS = 5
PULSE_MS = 500
"""While an edge stands, a level far behind it changes this often: both books stay young."""
LOWEST, HIGHEST = 12, 88
FAR = 8 * TICK
Sides = tuple[tuple[Level, ...], tuple[Level, ...]]
"""Bids and asks of YES, best first."""
level = lru_cache(maxsize=200_000)(Level)


class SimulatedBooks:
    """The markets of a history as a `BookSource` on a venue clock that starts at `start_ms`."""

    def __init__(self, history: History, *, start_ms: int) -> None:
        self._end_ms = history.length_ms
        self._plans = {}
        self._snapshots: dict[str, tuple[Snapshot, ...]] = {}
        for plan in history.markets:
            market = market_of(plan, start_ms)
            self._plans[market.condition_id] = (plan, market)

    def markets(self) -> Sequence[PaperMarket]:
        """In the order of the history."""
        return [market for _, market in self._plans.values()]

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Made on first use."""
        if condition_id not in self._snapshots:
            plan, market = self._plans[condition_id]
            seen = replace(plan, length_ms=min(plan.length_ms, self._end_ms))
            self._snapshots[condition_id] = tuple(_recorded(seen, market) if plan.recorded else _made(seen, market))
        return self._snapshots[condition_id]


def market_of(plan: MarketPlan, start_ms: int) -> PaperMarket:
    """How the exchange lists a market. Its winner is drawn from its seed."""
    condition_id = "0x" + hashlib.sha256(f"simulated|{plan.seed}|{plan.number}".encode()).hexdigest()
    yes_wins = plan.seed % 2 * MICRO
    return PaperMarket(
        condition_id=condition_id,
        slug=f"market-{plan.number}",
        question=f"Will simulated event {plan.number} happen?",
        outcomes=("Yes", "No"),
        tokens=(token_id(condition_id, 0), token_id(condition_id, 1)),
        start_ms=start_ms,
        end_ms=start_ms + plan.length_ms,
        payout=(yes_wins, MICRO - yes_wins),
        origin="synthetic",
        fee_rate_micros=plan.fee_rate_micros,
    )


class _Walk:
    """The best bid as it wanders, and the sizes that rest at each tick."""

    def __init__(self, plan: MarketPlan) -> None:
        self.plan = plan
        self.rng = random.Random(f"books|{plan.seed}|{plan.number}")
        self.bid = self.rng.randrange(30, 70)
        self.spread = self.rng.choice((1, 1, 2, 3))
        self.sizes = [self._size() for _ in range(PRICE_ONE // TICK)]

    def move(self, by: int) -> None:
        self.bid = min(HIGHEST, max(LOWEST, self.bid + by))
        for tick in range(self.bid - 2, self.bid + 3):
            self.sizes[tick] = self._size()

    def sides(self, at_ms: int) -> Sides:
        finer = self.plan.finer_tick_ms
        nudge = FINE_TICK if finer is not None and at_ms >= finer else 0
        bids = tuple(level(tick * TICK - nudge, self.sizes[tick]) for tick in range(self.bid, self.bid - LEVELS, -1))
        asks = tuple(level(tick * TICK, self.sizes[tick]) for tick in range(self.bid + self.spread, self.bid + self.spread + LEVELS))
        return bids, asks

    def _size(self) -> int:
        return self.rng.choice((5, 8, 20, 60, 150, 400)) * MICRO + self.rng.randrange(50) * MICRO


def _both(at_ms: int, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> tuple[Snapshot, Snapshot]:
    """Both outcomes of the same resting orders."""
    return Snapshot(0, at_ms, bids, asks, "synthetic"), Snapshot(1, at_ms, _mirrored(asks), _mirrored(bids), "synthetic")


def _mirrored(side: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple([level(PRICE_ONE - one.price, one.size) for one in side])


def _made(plan: MarketPlan, market: PaperMarket) -> Iterator[Snapshot]:
    walk = _Walk(plan)
    for at_ms, jump in _moments(plan, walk.rng):
        if jump is not None:
            walk.move(jump)
        edge = _edge_at(plan, at_ms)
        bids, asks = walk.sides(at_ms) if edge is None else _crossed(edge, at_ms)
        yield from _both(market.start_ms + at_ms, bids, asks)


def _moments(plan: MarketPlan, rng: random.Random) -> list[tuple[int, int | None]]:
    """When the books change, and by how many ticks; None while an edge stands still."""
    moments: dict[int, int | None] = {0: 0}
    at_ms = 0
    while (at_ms := at_ms + 1 + round(rng.expovariate(1 / plan.quiet_ms))) < plan.length_ms:
        moments[at_ms] = rng.choice((-1, 0, 0, 1))
    for burst in plan.bursts:
        moments.update(_burst(burst, rng))
    for edge in plan.edges:
        moments.update(dict.fromkeys(range(edge.at_ms, edge.at_ms + edge.for_ms, PULSE_MS)))
        moments[edge.at_ms + edge.for_ms] = 0
    return sorted((at_ms, jump) for at_ms, jump in moments.items() if at_ms < plan.length_ms)


def _burst(burst: Burst, rng: random.Random) -> Iterator[tuple[int, int]]:
    for at_ms in range(burst.at_ms, burst.at_ms + burst.for_ms, burst.every_ms):
        yield at_ms, rng.randint(-burst.jump, burst.jump)


def _edge_at(plan: MarketPlan, at_ms: int) -> Edge | None:
    return next((edge for edge in plan.edges if edge.at_ms <= at_ms < edge.at_ms + edge.for_ms), None)


def _crossed(edge: Edge, at_ms: int) -> Sides:
    """YES is offered below what is bid for it: the same resting orders offer NO cheaply."""
    pulse = (at_ms // PULSE_MS % 7 + 20) * MICRO
    bid = PRICE_ONE - edge.no_ask
    bids = (level(bid, edge.no_depth), level(min(edge.yes_ask, bid) - FAR, pulse))
    asks = (level(edge.yes_ask, edge.yes_depth), level(max(edge.yes_ask, bid) + FAR, pulse))
    return bids, asks


@cache
def _recordings() -> RecordedBooks:
    return RecordedBooks(start_ms=0)


def recorded_slugs() -> tuple[str, ...]:
    """Names of the recorded markets."""
    return tuple(market.slug for market in _recordings().markets())


def _recorded(plan: MarketPlan, market: PaperMarket) -> Iterator[Snapshot]:
    """The recording, cut to the market's length, its edges laid over it."""
    source = next(known for known in _recordings().markets() if known.slug == plan.recorded)
    edges = {at_ms: edge for edge in plan.edges for at_ms in range(edge.at_ms, edge.at_ms + edge.for_ms, PULSE_MS)}
    found = [snapshot for snapshot in _recordings().snapshots(source.condition_id) if snapshot.venue_ms < plan.length_ms]
    calm = [snapshot for snapshot in found if _edge_at(plan, snapshot.venue_ms) is None]
    crossed = [snapshot for at_ms, edge in edges.items() for snapshot in _both(at_ms, *_crossed(edge, at_ms))]
    for snapshot in sorted((*calm, *crossed), key=lambda snapshot: snapshot.venue_ms):
        yield changed(snapshot, venue_ms=market.start_ms + snapshot.venue_ms)
