"""Every metric in one table: name, type, labels, help. Dashboards and alerts are written against it.

`metrics.py` creates the metrics of a bot from it and `hydra/fleet_metrics.py` those of a fleet, `metrics_reference` prints it as
docs/metrics.md, and tests hold them together. In a fleet the metrics of one market have the same names and a label `market` more.
"""

from typing import Final, Literal, NamedTuple

PREFIX: Final = "kabobagool_"

SHORT_S: Final = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25)
"""Buckets in seconds for what happens inside the process."""
NETWORK_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets in seconds for one exchange with the venue."""
PATIENT_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Buckets in seconds for settlement and other waits."""


MARKET: Final = "market"


class Metric(NamedTuple):
    """One metric. `source` says who knows its value: the events reported to `BotMetrics`, or plain numbers read when it is scraped.

    `fleet_labels` are its labels in a fleet when every market has its own series there, None when the fleet has them together.
    """

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    source: Literal["event", "scrape"] = "event"
    buckets: tuple[float, ...] = ()
    fleet_labels: tuple[str, ...] | None = None


METRICS: Final[tuple[Metric, ...]] = (
    Metric("build_info", "gauge", ("version", "python"), "Always 1; the labels say what is running.", "scrape"),
    Metric(
        "market_info",
        "gauge",
        ("condition_id", "slug", "mode"),
        "Always 1; the labels say which market, and live or dry_run.",
        fleet_labels=(MARKET, "condition_id", "slug", "mode"),
    ),
    Metric("state", "gauge", ("state",), "1 for the state the engine is in, 0 for the others.", fleet_labels=(MARKET, "state")),
    Metric("feed_frames_total", "counter", (), "Frames received from the market socket.", "scrape"),
    Metric("feed_ticks_total", "counter", (), "Price views published to the engine.", "scrape"),
    Metric("feed_decode_errors_total", "counter", (), "Frames that could not be read.", "scrape"),
    Metric("feed_reconnects_total", "counter", ("reason",), "Connections that ended or never came to be.", "scrape"),
    Metric("feed_resnapshots_total", "counter", ("reason",), "Books that had to be read again over REST.", "scrape"),
    Metric("book_mirror_mismatches_total", "counter", (), "Frames after which the YES and NO books contradicted each other.", "scrape"),
    Metric(
        "best_ask_dollars",
        "gauge",
        ("outcome",),
        "Best ask of each outcome; absent while unknown.",
        "scrape",
        fleet_labels=(MARKET, "outcome"),
    ),
    Metric(
        "market_feed_age_seconds",
        "gauge",
        (),
        "Age of the market's older leg now; absent before both books are known.",
        "scrape",
        fleet_labels=(MARKET,),
    ),
    Metric(
        "market_pair_cost_dollars",
        "gauge",
        (),
        "What a pair costs to buy now, fees included; absent while unknown.",
        "scrape",
        fleet_labels=(MARKET,),
    ),
    Metric(
        "market_unsettled_orders",
        "gauge",
        (),
        "Filled orders that the chain has not confirmed yet.",
        "scrape",
        fleet_labels=(MARKET,),
    ),
    Metric("edges_seen_total", "counter", (), "Views in which a pair looked cheap enough.", "scrape", fleet_labels=(MARKET,)),
    Metric(
        "edges_rejected_total",
        "counter",
        ("reason",),
        "Of these, not acted on, by the first objection.",
        "scrape",
        fleet_labels=(MARKET, "reason"),
    ),
    Metric("edges_acted_on_total", "counter", (), "Of these, acted on.", "scrape", fleet_labels=(MARKET,)),
    Metric(
        "orders_total",
        "counter",
        ("outcome", "purpose"),
        "Orders sent, by what became of them and why they left.",
        fleet_labels=(MARKET, "outcome"),
    ),
    Metric("rejections_total", "counter", ("reason",), "Orders the venue refused, by reason."),
    Metric("fills_total", "counter", ("outcome", "side"), "Orders that filled, by buy and sell."),
    Metric("shares_bought_total", "counter", ("outcome",), "Shares bought."),
    Metric("spent_dollars_total", "counter", ("outcome",), "Dollars spent on shares, without fees."),
    Metric("shares_sold_total", "counter", ("outcome",), "Shares sold again, of orphan legs."),
    Metric("received_dollars_total", "counter", ("outcome",), "Dollars received for them, without fees."),
    Metric("fees_dollars_total", "counter", ("outcome",), "Dollars of fees, as reckoned."),
    Metric("position_shares", "gauge", ("outcome",), "Shares held.", fleet_labels=(MARKET, "outcome")),
    Metric("imbalance_shares", "gauge", (), "YES shares less NO shares.", fleet_labels=(MARKET,)),
    Metric("locked_profit_dollars", "gauge", (), "What the held pairs pay beyond their cost, fees included.", fleet_labels=(MARKET,)),
    Metric("pair_cost_dollars", "gauge", (), "What a held pair cost on average, without fees; 0 without pairs.", fleet_labels=(MARKET,)),
    Metric("orphan_shares", "gauge", ("outcome",), "Shares of legs whose other half did not fill.", fleet_labels=(MARKET, "outcome")),
    Metric(
        "unknown_orders_open",
        "gauge",
        (),
        "Orders whose outcome is not known yet; the market is frozen while there are any.",
        fleet_labels=(MARKET,),
    ),
    Metric("cooldown_seconds", "gauge", (), "Pause imposed by the last failed order; 0 after a fill.", fleet_labels=(MARKET,)),
    Metric("gate_refusals_total", "counter", ("reason",), "Orders the gate did not let leave."),
    Metric("gate_wait_seconds", "histogram", (), "Wait the gate imposed on orders it let leave.", buckets=NETWORK_S),
    Metric("gate_round_trip_seconds", "histogram", (), "One call to the server of REDIS_URL, failed ones too.", buckets=SHORT_S),
    Metric("gate_reachable", "gauge", (), "1 while the server of REDIS_URL answers; absent without it.", "scrape"),
    Metric("gate_tokens_left", "gauge", (), "Orders the wallet could send at once; absent while unknown and without REDIS_URL.", "scrape"),
    Metric("gate_halts", "gauge", (), "Halts at the shared gate; absent while unknown and without REDIS_URL.", "scrape"),
    Metric("gate_at_stake_dollars", "gauge", (), "Spent by all markets of the wallet and not come back; absent while unknown.", "scrape"),
    Metric("gate_orphan_dollars", "gauge", (), "Cost of the wallet's shares without a partner; absent while unknown.", "scrape"),
    Metric("gate_lost_today_dollars", "gauge", (), "Lost by the wallet since midnight UTC; gains are negative.", "scrape"),
    Metric("gate_cap_dollars", "gauge", ("reason",), "At what new pairs are refused for this reason; absent without a cap.", "scrape"),
    Metric("gate_lease_changes_total", "counter", (), "Leases of markets that this process took or lost.", "scrape"),
    Metric("feed_age_seconds", "histogram", (), "Age of the older leg when a decision was made.", buckets=NETWORK_S),
    Metric("decision_seconds", "histogram", (), "Time to decide about one view.", buckets=SHORT_S),
    Metric("order_latency_seconds", "histogram", (), "From sending an order to its answer.", buckets=NETWORK_S),
    Metric("settlement_lag_seconds", "histogram", (), "From a match to its confirmation.", buckets=PATIENT_S),
    Metric("settlements_failed_total", "counter", (), "Matched trades that failed to settle."),
    Metric("event_loop_stall_seconds", "histogram", (), "How late the event loop woke a sleeper.", buckets=SHORT_S),
    Metric("event_loop_worst_stall_seconds", "gauge", (), "The latest that it woke one in the last minute or two.", "scrape"),
    Metric("event_loop_tasks", "gauge", (), "Tasks of the event loop that are not done; what is never finished shows here.", "scrape"),
)


FLEET_METRICS: Final[tuple[Metric, ...]] = (
    Metric("market_restarts_total", "counter", (MARKET,), "How often the market's bot was started again after it failed."),
    Metric("market_halted", "gauge", (MARKET,), "1 while nothing may be sent for this market."),
    Metric("fleet_markets", "gauge", ("phase",), "Markets by phase."),
    Metric("fleet_retired_markets", "gauge", (), "Markets that left and are still remembered."),
    Metric("fleet_state", "gauge", ("state",), "1 for the state the fleet is in, 0 for the others."),
    Metric("fleet_info", "gauge", ("mode", "profile"), "Always 1; the labels say live or dry_run, and which profile."),
    Metric("fleet_pairs", "gauge", (), "Pairs held and paid out, of all markets there ever were."),
    Metric("fleet_spent_dollars", "gauge", (), "Dollars spent less those received for sales, fees included, over all markets."),
    Metric("fleet_fees_dollars", "gauge", (), "Dollars of fees over all markets."),
    Metric("fleet_locked_profit_dollars", "gauge", (), "Locked profit over all markets."),
    Metric("fleet_paid_out_dollars", "gauge", (), "Dollars that ended markets paid."),
    Metric("fleet_edges_seen_total", "counter", (), "Edges seen over all markets, those that left included."),
    Metric("fleet_edges_rejected_total", "counter", ("reason",), "Of these, not acted on, by the first objection."),
    Metric("fleet_edges_acted_on_total", "counter", (), "Of these, acted on."),
    Metric("fleet_orders_total", "counter", ("outcome",), "Orders over all markets, those that left included."),
    Metric("halted", "gauge", ("scope",), "1 while the whole wallet (scope wallet) or any market (scope market) is halted."),
    Metric("feed_sockets", "gauge", (), "Sockets that the fleet shares."),
    Metric("feed_socket_markets", "gauge", ("socket",), "Markets fed by each of them."),
    Metric("feed_connects_total", "counter", (), "Connections that were made."),
    Metric("feed_conflated_total", "counter", (), "Price views replaced by a newer one before their market had looked."),
    Metric("discovery_qualifying_markets", "gauge", (), "Markets that met the criteria in the last round."),
    Metric("discovery_rejected_markets", "gauge", ("reason",), "Markets that did not, by reason."),
    Metric("discovery_listed_markets", "gauge", (), "Markets the last round looked at."),
    Metric("discovery_age_seconds", "gauge", (), "Time since the last round of discovery; absent before the first."),
    Metric("discovery_cache_age_seconds", "gauge", (), "How old the venue's list was by its own account; absent while unknown."),
    Metric("discovery_failing", "gauge", (), "1 while the last try of discovery failed."),
)
"""What only a fleet has, all of it read at the scrape."""


def metrics_reference() -> str:
    """Render docs/metrics.md."""
    return f"""# Metrics

Served at `/metrics` (ENABLE_METRICS) in Prometheus format. Histograms have the usual `_bucket`, `_sum` and `_count`. `outcome` is `yes`
or `no`, and for orders `filled`, `killed`, `delayed`, `rejected` or `unknown`. What the feed and the edges count is kept as plain
numbers that are read at a scrape: between scrapes it costs the trading path nothing.

In a fleet (`kabobagool hydra`) every market has its own series of what is marked with a label `market` (its slug); the rest is of the
fleet as a whole. The series of a market that leaves disappear with it, so their number is bounded by the markets watched at a time. Use the
`fleet_` sums for what must not shrink.

| Metric | Type | Labels | In a fleet | Meaning |
|---|---|---|---|---|
{_rows(METRICS)}

## Only of a fleet

| Metric | Type | Labels | Meaning |
|---|---|---|---|
{_fleet_rows(FLEET_METRICS)}
"""


def _rows(metrics: tuple[Metric, ...]) -> str:
    return "\n".join(f"| `{PREFIX}{m.name}` | {m.type} | {', '.join(m.labels)} | {_in_a_fleet(m)} | {m.help} |" for m in metrics)


def _fleet_rows(metrics: tuple[Metric, ...]) -> str:
    return "\n".join(f"| `{PREFIX}{m.name}` | {m.type} | {', '.join(m.labels)} | {m.help} |" for m in metrics)


def _in_a_fleet(metric: Metric) -> str:
    return "together" if metric.fleet_labels is None else ", ".join(metric.fleet_labels)
