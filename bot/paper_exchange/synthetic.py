"""Made-up books from a seed, as many markets and as long as a test wants: a random walk with two mirrored books of twenty levels.

For simulations that must run without recordings, and for scale. The books are calm and consistent; the pairs below a dollar come from
`dislocations.py`, so synthetic and recorded markets are dislocated by the same rules. `Exchange` reads them as a `BookSource`.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence

from paper_exchange.dislocations import inject_dislocations, mirrored
from paper_exchange.matching import VISIBLE_LEVELS
from paper_exchange.recorded import token_id
from paper_exchange.types import MICRO, PRICE_ONE, Level, PaperMarket, Snapshot

_TICK = 100
_LOWEST_BID, _HIGHEST_BID = 10, 88
_HOUR_MS = 3_600_000
_MOVES = (-2, -1, -1, *([0] * 12), 1, 1, 2)
_CHANGED_LEVELS = 3


class SyntheticBooks:
    """`markets` seeded markets that all run from `start_ms` for `duration_ms` and then pay out."""

    def __init__(
        self,
        *,
        seed: int,
        start_ms: int,
        markets: int = 1,
        duration_ms: int = 900_000,
        dislocations_per_hour: int = 20,
        fee_rate_micros: int = 70_000,
        taker_delay_ms: int = 0,
    ) -> None:
        self._seed = seed
        self._dislocations = max(0, dislocations_per_hour * duration_ms // _HOUR_MS)
        self._made: dict[str, tuple[Snapshot, ...]] = {}
        self._markets = tuple(_market(seed, number, start_ms, duration_ms, fee_rate_micros, taker_delay_ms) for number in range(markets))

    def markets(self) -> Sequence[PaperMarket]:
        """Return the markets in listing order."""
        return self._markets

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Return the market's snapshots, generated on first use and the same for the same seed."""
        if condition_id not in self._made:
            market = next(market for market in self._markets if market.condition_id == condition_id)
            calm = tuple(_calm_books(market, random.Random(f"{self._seed}|{condition_id}")))  # noqa: S311
            seed = f"{self._seed}|{condition_id}|dislocations"
            self._made[condition_id] = tuple(inject_dislocations(calm, seed=seed, count=self._dislocations))
        return self._made[condition_id]


def _market(seed: int, number: int, start_ms: int, duration_ms: int, fee_rate_micros: int, taker_delay_ms: int) -> PaperMarket:
    """Describe one market; its winner is drawn from its own seed."""
    condition_id = "0x" + hashlib.sha256(f"synthetic|{seed}|{number}".encode()).hexdigest()
    rng = random.Random(condition_id)  # noqa: S311
    yes_wins = rng.randrange(2) * MICRO
    turnover = rng.randrange(20_000, 400_000) * MICRO
    return PaperMarket(
        condition_id=condition_id,
        slug=f"synthetic-{seed}-{number}",
        question=f"Will synthetic event {number} of seed {seed} happen?",
        outcomes=("Yes", "No"),
        tokens=(token_id(condition_id, 0), token_id(condition_id, 1)),
        start_ms=start_ms,
        end_ms=start_ms + duration_ms,
        payout=(yes_wins, MICRO - yes_wins),
        origin="synthetic",
        fee_rate_micros=fee_rate_micros,
        taker_delay_ms=taker_delay_ms,
        volume_24h=turnover,
        liquidity=turnover // 3,
    )


def _calm_books(market: PaperMarket, rng: random.Random) -> Iterator[Snapshot]:
    """Walk the best bid about a tick at a time; both outcomes change at the same moment and mirror each other."""
    bid = rng.randrange(30, 70)
    sizes = [_size(rng) for _ in range(PRICE_ONE // _TICK)]
    at_ms = market.start_ms
    while at_ms < market.end_ms:
        bids = _side(sizes, range(bid, 0, -1))
        asks = _side(sizes, range(bid + 1, PRICE_ONE // _TICK))
        yield Snapshot(0, at_ms, bids, asks, "synthetic")
        yield Snapshot(1, at_ms, mirrored(asks), mirrored(bids), "synthetic")
        bid = _moved(bid, sizes, rng)
        at_ms += rng.randrange(200, 801)


def _moved(bid: int, sizes: list[int], rng: random.Random) -> int:
    """Move the best bid and renew a few sizes; a level that changes sides holds new orders."""
    move = rng.choice(_MOVES)
    for tick in range(min(bid, bid + move) + 1, max(bid, bid + move) + 1):
        sizes[tick] = _size(rng)
    for _ in range(_CHANGED_LEVELS):
        sizes[bid + rng.randrange(-9, 10)] = _size(rng)
    return min(_HIGHEST_BID, max(_LOWEST_BID, bid + move))


def _side(sizes: list[int], ticks: range) -> tuple[Level, ...]:
    """Return the best twenty levels of one side."""
    return tuple(Level(tick * _TICK, sizes[tick]) for tick in ticks[:VISIBLE_LEVELS])


def _size(rng: random.Random) -> int:
    """Draw a resting size of 20 to 800 shares."""
    return rng.randrange(20, 801) * MICRO
