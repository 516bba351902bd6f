"""The metrics as Prometheus reads them, against the one table that promises them."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kabobagool import __version__
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.engine.edge_truth import EdgeTruth
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.telemetry.metric_table import METRICS, PREFIX, metrics_reference
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.trading.gate_numbers import GateNumbers
from kabobagool.trading.gate_report import Budget

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
STAKES = Budget(
    known=True, tokens_left=29, pair_tokens_left=23, paused_s=0.0, silent_s=0.0, at_stake=9_300_000, orphans=0, lost_today=-700_000
)
HAPPENED = Filled(shares=100_000_000, dollars=45_000_000, fee=1_125_000)


@dataclass
class OneMarket:
    """What a bot says of its market when it is asked."""

    age_s: float | None
    cost: int | None
    unsettled: int

    def feed_age_s(self) -> float | None:
        return self.age_s

    def pair_cost_micros(self) -> int | None:
        return self.cost

    def unsettled_orders(self) -> int:
        return self.unsettled


@dataclass
class OneLoop:
    """What an event loop says of itself when it is asked."""

    worst_s: float
    running: int

    def recent_worst_s(self) -> float:
        return self.worst_s

    def tasks(self) -> int:
        return self.running


@pytest.fixture
def metrics() -> BotMetrics:
    return BotMetrics()


def value(metrics: BotMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(PREFIX + name, labels)


def edges(*, seen: int, acted_on: int, rejected: list[str]) -> EdgeTruth:
    truth = EdgeTruth()
    truth.seen, truth.acted_on = seen, acted_on
    for reason in rejected:
        truth.reject(reason)
    return truth


def everything_happened(metrics: BotMetrics) -> None:
    counters = FeedCounters(frames=7, ticks=5)
    metrics.watch_feed(counters)
    metrics.watch_best_asks(lambda: (4800, 4500))
    metrics.watch_market(OneMarket(age_s=0.25, cost=970_000, unsettled=2))
    metrics.market_known(condition_id="0xabc", slug="rain", live=False)
    metrics.states_are(["starting", "trading"])
    metrics.state_changed("trading")
    metrics.watch_edges(edges(seen=2, acted_on=1, rejected=["legs_are_fresh"]))
    metrics.order_ended(leg=Outcome.NO, side=Side.BUY, purpose=Purpose.PAIR, outcome=HAPPENED, latency_s=0.1)
    metrics.position_changed(shares=(0, 100_000_000), locked_profit=0, pair_cost=0)
    metrics.orphan_changed(shares=(0, 100_000_000))
    metrics.unknown_orders_changed(0)
    metrics.cooldown_changed(0.5)
    metrics.gate_granted(wait_s=0.0)
    metrics.gate_refused("halted")
    gate = GateNumbers(reachable=True, tokens_left=29, halts=0, lease_changes=1, stakes=STAKES, caps={"orphans": 25_000_000})
    metrics.watch_gate(gate)
    gate.round_trip(0.0004)
    metrics.decided(seconds=0.00002, feed_age_s=0.03)
    metrics.settled(lag_s=4.0)
    metrics.settlement_failed()
    metrics.loop_stalled(0.002)
    metrics.watch_loop(OneLoop(worst_s=0.002, running=12))


def test_the_page_is_what_the_table_says() -> None:
    assert PAGE.read_text() == metrics_reference()


def test_what_is_exposed_is_exactly_what_the_table_promises(metrics: BotMetrics) -> None:
    everything_happened(metrics)
    families = {family.name: family for family in text_string_to_metric_families(generate_latest(metrics.registry).decode())}
    promised = {PREFIX + m.name.removesuffix("_total"): m for m in METRICS}
    assert families.keys() == promised.keys()
    for name, metric in promised.items():
        assert families[name].type == metric.type
        assert families[name].documentation == metric.help
        assert families[name].samples, f"{name} never has a value"
        for sample in families[name].samples:
            assert sample.labels.keys() - {"le"} == set(metric.labels)


def test_names_follow_the_conventions() -> None:
    for metric in METRICS:
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert not metric.name.endswith(("_ms", "_micros")), metric.name
        assert bool(metric.buckets) == (metric.type == "histogram"), metric.name
        assert metric.buckets == tuple(sorted(metric.buckets))
        assert metric.help.endswith(".")
    assert len({metric.name for metric in METRICS}) == len(METRICS)


def test_the_feed_is_read_at_the_scrape_and_several_feeds_add_up(metrics: BotMetrics) -> None:
    first, second = FeedCounters(), FeedCounters(frames=10, decode_errors=1)
    metrics.watch_feed(first)
    metrics.watch_feed(second)
    assert value(metrics, "feed_frames_total") == 10
    first.frames += 5
    first.ticks += 3
    first.mirror_mismatch += 2
    first.resnapshots[ResnapshotReason.SILENCE] += 1
    second.resnapshots[ResnapshotReason.SILENCE] += 1
    second.reconnects[ReconnectReason.DEAD] += 4
    assert value(metrics, "feed_frames_total") == 15
    assert value(metrics, "feed_ticks_total") == 3
    assert value(metrics, "feed_decode_errors_total") == 1
    assert value(metrics, "book_mirror_mismatches_total") == 2
    assert value(metrics, "feed_resnapshots_total", reason="silence") == 2
    assert value(metrics, "feed_reconnects_total", reason="dead") == 4
    assert value(metrics, "feed_reconnects_total", reason="closed") == 0


def test_a_best_ask_that_is_not_known_is_absent_and_not_zero(metrics: BotMetrics) -> None:
    assert value(metrics, "best_ask_dollars", outcome="yes") is None
    metrics.watch_best_asks(lambda: (4850, None))
    assert value(metrics, "best_ask_dollars", outcome="yes") == 0.485
    assert value(metrics, "best_ask_dollars", outcome="no") is None


@pytest.mark.parametrize(
    ("outcome", "label"),
    [(HAPPENED, "filled"), (Killed(), "killed"), (Delayed(), "delayed"), (Rejected(Rejection.BALANCE), "rejected"), (Unknown(), "unknown")],
)
def test_every_outcome_of_an_order_is_counted_under_its_own_name(metrics: BotMetrics, outcome: OrderOutcome, label: str) -> None:
    assert value(metrics, "orders_total", outcome=label, purpose="hedge") == 0
    metrics.order_ended(leg=Outcome.YES, side=Side.BUY, purpose=Purpose.HEDGE, outcome=outcome, latency_s=0.2)
    assert value(metrics, "orders_total", outcome=label, purpose="hedge") == 1
    assert value(metrics, "order_latency_seconds_count") == 1
    assert value(metrics, "fills_total", outcome="yes", side="buy") == (label == "filled")
    assert value(metrics, "rejections_total", reason="balance") == (label == "rejected")


def test_a_purchase_is_counted_in_shares_dollars_and_fees(metrics: BotMetrics) -> None:
    metrics.order_ended(leg=Outcome.NO, side=Side.BUY, purpose=Purpose.PAIR, outcome=HAPPENED, latency_s=0.2)
    assert value(metrics, "shares_bought_total", outcome="no") == 100
    assert value(metrics, "spent_dollars_total", outcome="no") == 45
    assert value(metrics, "fees_dollars_total", outcome="no") == 1.125
    assert value(metrics, "shares_bought_total", outcome="yes") == 0


def test_a_sale_is_never_counted_as_a_purchase(metrics: BotMetrics) -> None:
    metrics.order_ended(leg=Outcome.NO, side=Side.SELL, purpose=Purpose.UNWIND, outcome=HAPPENED, latency_s=0.2)
    assert value(metrics, "shares_bought_total", outcome="no") == 0
    assert value(metrics, "spent_dollars_total", outcome="no") == 0
    assert value(metrics, "shares_sold_total", outcome="no") == 100
    assert value(metrics, "received_dollars_total", outcome="no") == 45
    assert value(metrics, "fills_total", outcome="no", side="sell") == 1


def test_an_order_found_filled_later_is_counted_once_as_a_fill(metrics: BotMetrics) -> None:
    metrics.order_ended(leg=Outcome.YES, side=Side.BUY, purpose=Purpose.PAIR, outcome=Unknown(), latency_s=5.0)
    metrics.filled(leg=Outcome.YES, side=Side.BUY, fill=HAPPENED)
    assert value(metrics, "fills_total", outcome="yes", side="buy") == 1
    assert value(metrics, "orders_total", outcome="filled", purpose="pair") == 0


def test_the_position_shows_the_worked_example(metrics: BotMetrics) -> None:
    metrics.position_changed(shares=(100_000_000, 90_000_000), locked_profit=7_000_000, pair_cost=930_000)
    assert value(metrics, "position_shares", outcome="yes") == 100
    assert value(metrics, "imbalance_shares") == 10
    assert value(metrics, "locked_profit_dollars") == 7
    assert value(metrics, "pair_cost_dollars") == 0.93


def test_exactly_one_state_is_on(metrics: BotMetrics) -> None:
    metrics.states_are(["starting", "trading", "frozen"])
    for state in ("starting", "frozen", "trading"):
        metrics.state_changed(state)
    assert [value(metrics, "state", state=name) for name in ("starting", "trading", "frozen")] == [0, 1, 0]


def test_a_state_nobody_announced_is_refused(metrics: BotMetrics) -> None:
    metrics.states_are(["trading"])
    with pytest.raises(ValueError, match="'dancing' was not announced; known are trading"):
        metrics.state_changed("dancing")


def test_a_new_market_replaces_the_old_one(metrics: BotMetrics) -> None:
    metrics.market_known(condition_id="0x1", slug="old", live=False)
    metrics.market_known(condition_id="0x2", slug="new", live=True)
    assert value(metrics, "market_info", condition_id="0x1", slug="old", mode="dry_run") is None
    assert value(metrics, "market_info", condition_id="0x2", slug="new", mode="live") == 1


def test_how_the_market_is_is_asked_at_the_scrape_and_absent_while_unknown(metrics: BotMetrics) -> None:
    assert value(metrics, "market_feed_age_seconds") is None
    market = OneMarket(age_s=None, cost=None, unsettled=0)
    metrics.watch_market(market)
    assert value(metrics, "market_feed_age_seconds") is None
    assert value(metrics, "market_pair_cost_dollars") is None
    assert value(metrics, "market_unsettled_orders") == 0
    market.age_s, market.cost, market.unsettled = 61.0, 970_000, 1
    assert value(metrics, "market_feed_age_seconds") == 61
    assert value(metrics, "market_pair_cost_dollars") == 0.97
    assert value(metrics, "market_unsettled_orders") == 1


def test_edges_are_counted_by_what_became_of_them(metrics: BotMetrics) -> None:
    metrics.watch_edges(edges(seen=2, acted_on=1, rejected=["legs_agree_in_time"]))
    metrics.watch_edges(edges(seen=1, acted_on=0, rejected=["legs_agree_in_time"]))
    assert value(metrics, "edges_seen_total") == 3
    assert value(metrics, "edges_rejected_total", reason="legs_agree_in_time") == 2
    assert value(metrics, "edges_acted_on_total") == 1


def test_two_bots_of_one_process_do_not_share_their_numbers() -> None:
    first, second = BotMetrics(), BotMetrics()
    first.watch_edges(edges(seen=1, acted_on=1, rejected=[]))
    first.settlement_failed()
    assert value(second, "edges_seen_total") == 0
    assert value(second, "settlements_failed_total") == 0


def test_a_second_metric_of_the_same_name_is_refused() -> None:
    registry = CollectorRegistry()
    BotMetrics(registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        Counter("kabobagool_edges_seen", "again", registry=registry)


def test_the_version_that_runs_is_told(metrics: BotMetrics) -> None:
    assert f'version="{__version__}"' in generate_latest(metrics.registry).decode()
