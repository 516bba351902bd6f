"""FleetSnapshot: everything about the fleet that a person or a scrape may ask for, as plain data.

`Fleet` makes one on demand (`fleet.py`); the page, `/status`, the metrics and the demo's report are this, so that no two of them can
disagree. `FleetDesk` is what the server (`task_health.py`) may ask, and all that it may.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from kabobagool.engine.snapshot import RuntimeSnapshot
from kabobagool.gate.interface import Halt
from kabobagool.telemetry.health import HealthReport


class MarketRow(msgspec.Struct, frozen=True, kw_only=True):
    """One market of the fleet: what its bot says, and what the supervisor knows about that bot.

    `trouble` is why it last stopped unexpectedly, None while there was no reason to. `restart_in_s` is None while it runs. `phase` is
    `starting`, `running`, `waiting` (for a restart) or `leaving` (finishes its hedges, then goes).
    """

    bot: RuntimeSnapshot
    phase: str
    halted: bool = False
    restarts: int = 0
    trouble: str | None = None
    restart_in_s: float | None = None


class RetiredMarket(msgspec.Struct, frozen=True, kw_only=True):
    """A market that left, with what it leaves behind. Dollars and shares as decimal text; `payout` is None while it is not known."""

    market: str
    condition_id: str
    question: str
    reason: str
    at_ms: int
    pairs: str
    imbalance: str
    spent: str
    fees: str
    payout: str | None
    profit: str | None


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over all markets, those that left included. Dollars as decimal text."""

    markets: int
    pairs: str
    spent: str
    fees: str
    locked_profit: str
    paid_out: str
    edges_seen: int
    edges_acted_on: int
    edges_rejected: dict[str, int]
    orders: dict[str, int]
    fills: int


class DiscoveryView(msgspec.Struct, frozen=True, kw_only=True):
    """The last round of discovery. `at_ms` is None before the first one; `trouble` says why the last try failed."""

    at_ms: int | None
    qualifying: int
    rejected: dict[str, int]
    listed: int
    cache_age_s: int | None
    trouble: str | None


class FeedView(msgspec.Struct, frozen=True, kw_only=True):
    """The shared sockets: how many markets each feeds, and what was counted since the start."""

    sockets: tuple[int, ...]
    frames: int
    events: int
    conflated: int
    connects: int
    reconnects: dict[str, int]


class FleetSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet at one moment. Times are venue milliseconds; `state` is `starting`, `running` or `draining`.

    `play_money`: what it trades with is worth nothing, for orders go to a paper exchange.
    """

    at_ms: int
    started_ms: int
    profile: str | None
    mode: str
    play_money: bool
    wallet: str | None
    state: str
    markets: tuple[MarketRow, ...]
    retired: tuple[RetiredMarket, ...]
    totals: Totals
    discovery: DiscoveryView
    feed: FeedView
    halts: tuple[Halt, ...]


class FleetDesk(Protocol):
    """What the server may ask the supervisor."""

    async def snapshot(self) -> FleetSnapshot:
        """The fleet now."""
        ...

    def health(self) -> HealthReport:
        """Whether this process deserves to live: about the process, never about one market of many."""
        ...

    def prices(self) -> Mapping[str, int | None]:
        """The pair cost after fees by condition id, millionths of a dollar, None while unknown; cheap, for it is asked every second."""
        ...

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a market (`scope` its condition id) or of all ("wallet"). KeyError for a market that is not there."""
        ...

    async def resume(self, *, scope: str, who: str) -> None:
        """Lift a halt; nothing happens when there is none."""
        ...
