"""Every metric of the bot in one table: name, type, labels, help. Dashboards and alerts are written against it.

`metrics.py` creates the metrics from it, `metrics_reference` prints it as docs/metrics.md, and a test holds the three together.
"""

from typing import Final, Literal, NamedTuple

PREFIX: Final = "kabobagool_"

SHORT_S: Final = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25)
"""Buckets in seconds for what happens inside the process."""
NETWORK_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets in seconds for one exchange with the venue."""
PATIENT_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Buckets in seconds for settlement and other waits."""


class Metric(NamedTuple):
    """One metric. `source` says who knows its value: the events reported to `BotMetrics`, or plain numbers read when it is scraped."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    source: Literal["event", "scrape"] = "event"
    buckets: tuple[float, ...] = ()


METRICS: Final[tuple[Metric, ...]] = (
    Metric("build_info", "gauge", ("version", "python"), "Always 1; the labels say what is running.", "scrape"),
    Metric("market_info", "gauge", ("condition_id", "slug", "mode"), "Always 1; the labels say which market, and live or dry_run."),
    Metric("state", "gauge", ("state",), "1 for the state the engine is in, 0 for the others."),
    Metric("feed_frames_total", "counter", (), "Frames received from the market socket.", "scrape"),
    Metric("feed_ticks_total", "counter", (), "Price views published to the engine.", "scrape"),
    Metric("feed_decode_errors_total", "counter", (), "Frames that could not be read.", "scrape"),
    Metric("feed_reconnects_total", "counter", ("reason",), "Connections that ended or never came to be.", "scrape"),
    Metric("feed_resnapshots_total", "counter", ("reason",), "Books that had to be read again over REST.", "scrape"),
    Metric("book_mirror_mismatches_total", "counter", (), "Frames after which the YES and NO books contradicted each other.", "scrape"),
    Metric("best_ask_dollars", "gauge", ("outcome",), "Best ask of each outcome; absent while unknown.", "scrape"),
    Metric("edges_seen_total", "counter", (), "Views in which a pair looked cheap enough.", "scrape"),
    Metric("edges_rejected_total", "counter", ("reason",), "Of these, not acted on, by the first objection.", "scrape"),
    Metric("edges_acted_on_total", "counter", (), "Of these, acted on.", "scrape"),
    Metric("orders_total", "counter", ("outcome", "purpose"), "Orders sent, by what became of them and why they left."),
    Metric("rejections_total", "counter", ("reason",), "Orders the venue refused, by reason."),
    Metric("fills_total", "counter", ("outcome", "side"), "Orders that filled, by buy and sell."),
    Metric("shares_bought_total", "counter", ("outcome",), "Shares bought."),
    Metric("spent_dollars_total", "counter", ("outcome",), "Dollars spent on shares, without fees."),
    Metric("shares_sold_total", "counter", ("outcome",), "Shares sold again, of orphan legs."),
    Metric("received_dollars_total", "counter", ("outcome",), "Dollars received for them, without fees."),
    Metric("fees_dollars_total", "counter", ("outcome",), "Dollars of fees, as reckoned."),
    Metric("position_shares", "gauge", ("outcome",), "Shares held."),
    Metric("imbalance_shares", "gauge", (), "YES shares less NO shares."),
    Metric("locked_profit_dollars", "gauge", (), "What the held pairs pay beyond their cost, fees included."),
    Metric("pair_cost_dollars", "gauge", (), "What a held pair cost on average, fees included; 0 without pairs."),
    Metric("orphan_shares", "gauge", ("outcome",), "Shares of legs whose other half did not fill."),
    Metric("unknown_orders_open", "gauge", (), "Orders whose outcome is not known yet; the market is frozen while there are any."),
    Metric("cooldown_seconds", "gauge", (), "Pause imposed by the last failed order; 0 after a fill."),
    Metric("gate_refusals_total", "counter", ("reason",), "Orders the gate did not let leave."),
    Metric("gate_wait_seconds", "histogram", (), "Wait the gate imposed on orders it let leave.", buckets=NETWORK_S),
    Metric("feed_age_seconds", "histogram", (), "Age of the older leg when a decision was made.", buckets=NETWORK_S),
    Metric("decision_seconds", "histogram", (), "Time to decide about one view.", buckets=SHORT_S),
    Metric("order_latency_seconds", "histogram", (), "From sending an order to its answer.", buckets=NETWORK_S),
    Metric("settlement_lag_seconds", "histogram", (), "From a match to its confirmation.", buckets=PATIENT_S),
    Metric("settlements_failed_total", "counter", (), "Matched trades that failed to settle."),
    Metric("event_loop_stall_seconds", "histogram", (), "How late the event loop woke a sleeper.", buckets=SHORT_S),
)


def metrics_reference() -> str:
    """Render docs/metrics.md."""
    rows = "\n".join(f"| `{PREFIX}{m.name}` | {m.type} | {', '.join(m.labels)} | {m.help} |" for m in METRICS)
    return f"""# Metrics

Served at `/metrics` (ENABLE_METRICS) in Prometheus format. Histograms have the usual `_bucket`, `_sum` and `_count`. `outcome` is `yes`
or `no`, and for orders `filled`, `killed`, `delayed`, `rejected` or `unknown`. What the feed and the edges count is kept as plain
numbers that are read at a scrape: between scrapes it costs the trading path nothing.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
{rows}
"""
