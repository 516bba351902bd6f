"""What the fleet's page of a cluster is told: the fields of Hydra's page, as far as the bots' records hold them, and the ArbMarkets' own.

Made by `fleet_page_desk.py` and `fleet_page_rows.py`, flattened here for `PageStream`. What the operator cannot know is None and shown as
unknown: bots count their orders and edges in their own metrics, and keep what they spent to themselves.
"""

from collections.abc import Mapping

import msgspec
from msgspec.structs import asdict

from kabobagool.hydra.fleet_snapshot import DiscoveryView
from kabobagool.hydra.page_view import PageView


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """A position as decimal text; what it cost is not known here."""

    shares_yes: str | None = None
    shares_no: str | None = None
    average_yes: None = None
    average_no: None = None
    pairs: str | None = None
    imbalance: str | None = None
    spent: None = None
    fees: None = None
    locked_profit: str | None = None


class SaidCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition of an ArbMarket. `bad` when it is nothing that somebody wanted or that passes by itself."""

    type: str
    status: str
    reason: str
    message: str
    since_ms: int
    bad: bool


class SaidEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An Event that the leader posted."""

    at_ms: int
    reason: str
    message: str
    warning: bool


class ArbFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator says of an ArbMarket. `mode` is spec.mode; `wallet` as the order gate calls it, None when nobody says which.

    `bot` is who reports on it now, `holder` who may trade it, by their names at the gate.
    """

    name: str
    phase: str | None
    reason: str | None
    message: str | None
    mode: str | None
    origin: str
    wallet: str | None
    bot: str | None
    holder: str | None
    deleting: bool
    conditions: tuple[SaidCondition, ...]
    events: tuple[SaidEvent, ...]


class ClusterRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the page. `state` and `reasons` are the bot's words, `pair_cost_after_fees` and `heard_ms` of now: None while it is silent.

    The position is the last that is known. `scope` is what to halt, None while nobody knows which market at which gate it is.
    """

    market: str
    condition_id: str | None
    question: str
    mode: str | None
    state: str | None
    reasons: tuple[str, ...]
    pair_cost_after_fees: str | None
    heard_ms: int | None
    position: Holding
    last_fill_ms: int | None
    halted: bool
    scope: str | None
    arb: ArbFacts
    phase: None = None
    ask_yes: None = None
    ask_no: None = None
    pair_cost: None = None
    connected: None = None
    unsettled_orders: None = None
    frozen_orders: None = None
    ticks: None = None
    decisions: None = None
    edges_seen: None = None
    edges_acted_on: None = None
    edges_rejected: None = None
    orders: None = None
    fills: None = None
    naked: None = None
    cooldown_s: None = None
    restarts: None = None
    trouble: None = None
    restart_in_s: None = None


class ClusterTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the markets whose numbers are known, as decimal text."""

    markets: int
    pairs: str
    locked_profit: str
    spent: None = None
    fees: None = None
    paid_out: None = None
    edges_seen: None = None
    edges_acted_on: None = None
    edges_rejected: None = None
    orders: None = None
    fills: None = None


class ClusterHalt(msgspec.Struct, frozen=True, kw_only=True):
    """What a person stopped: `title` names it, `scope` is what lifts it."""

    scope: str
    title: str
    who: str
    why: str
    since_ms: int


class ClusterFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Where this is. `gate` is `answers`, `silent` or `none`; `stopped` says why discovery makes no bots, None when it may."""

    namespace: str
    leader: str
    gate: str
    modes: Mapping[str, int]
    phases: Mapping[str, int]
    stopped: str | None


class ClusterFleet(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet's own fields. `started_ms` is since when this process leads; `control` whether the page can halt at all."""

    at_ms: int
    started_ms: int
    profile: str | None
    mode: str
    play_money: bool
    wallet: str | None
    state: str
    totals: ClusterTotals
    discovery: DiscoveryView | None
    halts: tuple[ClusterHalt, ...]
    control: bool
    cluster: ClusterFacts
    feed: None = None


class ClusterSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All ArbMarkets of the namespace at one moment, by name. Nobody knows here which markets left."""

    fleet: ClusterFleet
    rows: Mapping[str, ClusterRow]
    retired: tuple[()] = ()


def cluster_view(snapshot: ClusterSnapshot) -> PageView:
    """The view of this snapshot."""
    return PageView(asdict(snapshot.fleet), {name: asdict(row) for name, row in snapshot.rows.items()}, snapshot.retired)
