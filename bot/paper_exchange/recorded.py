"""Real order books as a source: the settled 15-minute Bitcoin markets that ship inside the `resolvedkit` package.

A paper exchange that invents its books flatters every strategy. These were recorded from the venue, both outcomes, and are replayed
unchanged except for time: each market's chosen origin is moved to the start of the venue clock. `Exchange` reads them as a `BookSource`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from paper_exchange.types import MICRO, PRICE_ONE, Level, PaperMarket, Snapshot

ATTRIBUTION = "Order books: Resolved Markets (resolvedmarkets.com), CC BY 4.0, as packaged by resolvedkit; times moved, prices unchanged."

_OUTCOME_OF_SIDE = {"UP": 0, "DOWN": 1}
_TOKEN_SPACE = 10**76


def token_id(condition_id: str, outcome: int) -> str:
    """Return a made-up but stable 77-digit token id for one outcome of a market."""
    digest = hashlib.sha256(f"{condition_id}|{outcome}".encode()).digest()
    return str(_TOKEN_SPACE + int.from_bytes(digest, "big") % (9 * _TOKEN_SPACE))


class RecordedBooks:
    """The recorded markets, side by side on a venue clock that starts at `start_ms`.

    `only` keeps one slug. `from_offset_ms` is the moment of each market, relative to its own start, that is moved to `start_ms`;
    None means the beginning of the recording (about 15 minutes earlier). Raises ValueError for an unknown slug.
    """

    def __init__(
        self,
        *,
        start_ms: int,
        only: str | None = None,
        from_offset_ms: int | None = None,
        taker_delay_ms: int = 0,
    ) -> None:
        rows = [row for row in _market_rows() if only in (None, row["slug"])]
        if not rows:
            known = ", ".join(row["slug"] for row in _market_rows())
            raise ValueError(f"slug={only!r}: not recorded; choose one of {known}")
        self._shift_ms = {row["market_id"]: start_ms - _origin_ms(row, from_offset_ms) for row in rows}
        self._start_ms = start_ms
        self._markets = tuple(_market(row, self._shift_ms[row["market_id"]], taker_delay_ms) for row in rows)
        self._loaded: dict[str, tuple[Snapshot, ...]] = {}

    def markets(self) -> Sequence[PaperMarket]:
        """Return the markets in the order they were recorded."""
        return self._markets

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """Return the snapshots of one market, read on first use; before `start_ms` only the last of each outcome is kept."""
        if condition_id not in self._loaded:
            moved = tuple(_snapshots(condition_id, self._shift_ms[condition_id]))
            self._loaded[condition_id] = _without_the_past(moved, self._start_ms)
        return self._loaded[condition_id]


@cache
def _read(name: str) -> Any:
    """Read one packaged parquet file into columns, once per process."""
    with (files("resolvedkit") / "sample_data" / name).open("rb") as file:
        return pq.read_table(file)


@cache
def _market_rows() -> tuple[dict[str, Any], ...]:
    """Return the market table as dictionaries; it has 18 rows."""
    return tuple(_read("markets.parquet").to_pylist())


def _origin_ms(row: dict[str, Any], from_offset_ms: int | None) -> int:
    """Return the recorded time that becomes the start of the venue clock for this market."""
    if from_offset_ms is not None:
        return int(row["start_ts"]) + from_offset_ms
    return int(pc.min(_rows_of(row["market_id"])["ts"]).as_py())


def _rows_of(condition_id: str) -> Any:
    """Return the columns of one market."""
    table = _read("books.parquet")
    return table.filter(pc.equal(table["market_id"], condition_id))


def _market(row: dict[str, Any], shift_ms: int, taker_delay_ms: int) -> PaperMarket:
    """Describe one recorded market on the venue clock; its turnover is invented but stable, so that rankings have something to sort."""
    condition_id = str(row["market_id"])
    turnover = 20_000 + int(hashlib.sha256(condition_id.encode()).hexdigest(), 16) % 180_000
    return PaperMarket(
        condition_id=condition_id,
        slug=str(row["slug"]),
        question=str(row["question"]),
        outcomes=(str(row["outcome_up"]), str(row["outcome_down"])),
        tokens=(token_id(condition_id, 0), token_id(condition_id, 1)),
        start_ms=int(row["start_ts"]) + shift_ms,
        end_ms=int(row["end_ts"]) + shift_ms,
        payout=(round(row["payout_up"] * MICRO), round(row["payout_down"] * MICRO)),
        origin="recorded",
        category=str(row["category"]),
        taker_delay_ms=taker_delay_ms,
        volume_24h=turnover * MICRO,
        liquidity=turnover * MICRO // 3,
    )


def _snapshots(condition_id: str, shift_ms: int) -> Iterator[Snapshot]:
    """Yield the market's snapshots in recorded order with integer prices and sizes."""
    rows = _rows_of(condition_id)
    intern: dict[tuple[int, int], Level] = {}
    sides = (list(_levels(rows, name, intern)) for name in ("bid", "ask"))
    for time_ms, side, bids, asks in zip(rows["ts"].to_pylist(), rows["side"].to_pylist(), *sides, strict=True):
        yield Snapshot(outcome=_OUTCOME_OF_SIDE[side], venue_ms=time_ms + shift_ms, bids=bids, asks=asks)


def _levels(rows: Any, name: str, intern: dict[tuple[int, int], Level]) -> Iterator[tuple[Level, ...]]:
    """Yield one side of every snapshot; equal levels share one object, which keeps loading fast and small."""
    prices = _integers(rows[f"{name}_px"], PRICE_ONE)
    sizes = _integers(rows[f"{name}_sz"], MICRO)
    first = 0
    for count in rows[f"{name}_px"].combine_chunks().value_lengths().to_pylist():
        yield tuple(_clean(prices[first : first + count], sizes[first : first + count], intern))
        first += count


def _integers(column: Any, scale: int) -> list[int]:
    """Flatten a column of lists of doubles into exact integers of 1/`scale`."""
    flat = column.combine_chunks().flatten()
    whole: list[int] = pc.round(pc.multiply(flat, pa.scalar(float(scale)))).cast(pa.int64()).to_pylist()
    return whole


def _clean(prices: list[int], sizes: list[int], intern: dict[tuple[int, int], Level]) -> Iterator[Level]:
    """Yield the levels a book can hold: a price between the ends and something resting there."""
    for key in zip(prices, sizes, strict=True):
        if 0 < key[0] < PRICE_ONE and key[1] > 0:
            level = intern.get(key)
            if level is None:
                level = intern[key] = Level(*key)
            yield level


def _without_the_past(snapshots: tuple[Snapshot, ...], start_ms: int) -> tuple[Snapshot, ...]:
    """Drop what had already been replaced when the venue clock starts."""
    past = [snapshot for snapshot in snapshots if snapshot.venue_ms <= start_ms]
    standing = {snapshot.outcome: snapshot for snapshot in past}
    kept = tuple(snapshot for snapshot in past if standing[snapshot.outcome] is snapshot)
    return kept + snapshots[len(past) :]
