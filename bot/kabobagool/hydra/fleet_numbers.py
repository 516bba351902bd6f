"""The numbers of the fleet as a whole as samples for Prometheus: labels and a value, by metric.

Pure, called by `fleet_metrics.py` outside the event loop, beside `market_numbers.py`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from kabobagool.gate.interface import WALLET
from kabobagool.hydra.fleet_snapshot import DiscoveryView, FeedView, FleetSnapshot, Totals
from kabobagool.telemetry.metrics import ORDER_OUTCOMES, Samples

PHASES: Final = ("starting", "running", "waiting", "leaving")
FLEET_STATES: Final = ("starting", "running", "draining")


def fleet_numbers(snapshot: FleetSnapshot) -> dict[str, Samples]:
    """Samples by the name of their metric."""
    phases = Counter(row.phase for row in snapshot.markets)
    halted = {halt.scope == WALLET for halt in snapshot.halts}
    return {
        "fleet_markets": _labelled(phases, known=PHASES),
        "fleet_retired_markets": _one(len(snapshot.retired)),
        "fleet_state": _labelled({snapshot.state: 1}, known=FLEET_STATES),
        "fleet_info": [((snapshot.mode, snapshot.profile or ""), 1)],
        "halted": [(("wallet",), True in halted), (("market",), False in halted)],
        **_totals(snapshot.totals),
        **_feed(snapshot.feed),
        **_discovery(snapshot.discovery, now_ms=snapshot.at_ms),
    }


def _totals(totals: Totals) -> dict[str, Samples]:
    return {
        "fleet_pairs": _one(totals.pairs),
        "fleet_spent_dollars": _one(totals.spent),
        "fleet_fees_dollars": _one(totals.fees),
        "fleet_locked_profit_dollars": _one(totals.locked_profit),
        "fleet_paid_out_dollars": _one(totals.paid_out),
        "fleet_edges_seen_total": _one(totals.edges_seen),
        "fleet_edges_rejected_total": _labelled(totals.edges_rejected),
        "fleet_edges_acted_on_total": _one(totals.edges_acted_on),
        "fleet_orders_total": _labelled(totals.orders, known=ORDER_OUTCOMES),
    }


def _feed(feed: FeedView) -> dict[str, Samples]:
    return {
        "feed_sockets": _one(len(feed.sockets)),
        "feed_socket_markets": [((str(number),), markets) for number, markets in enumerate(feed.sockets)],
        "feed_connects_total": _one(feed.connects),
        "feed_conflated_total": _one(feed.conflated),
    }


def _discovery(discovery: DiscoveryView, *, now_ms: int) -> dict[str, Samples]:
    age_s = None if discovery.at_ms is None else max(now_ms - discovery.at_ms, 0) / 1000
    return {
        "discovery_qualifying_markets": _one(discovery.qualifying),
        "discovery_rejected_markets": _labelled(discovery.rejected),
        "discovery_listed_markets": _one(discovery.listed),
        "discovery_age_seconds": _one(age_s),
        "discovery_cache_age_seconds": _one(discovery.cache_age_s),
        "discovery_failing": _one(discovery.trouble is not None),
    }


def _one(value: float | str | None) -> Samples:
    return [] if value is None else [((), float(value))]


def _labelled(counts: Mapping[str, int], *, known: Sequence[str] = ()) -> Samples:
    """One sample a label; those of `known` also while they are 0."""
    return [((name,), counts.get(name, 0)) for name in dict.fromkeys((*known, *sorted(counts)))]
