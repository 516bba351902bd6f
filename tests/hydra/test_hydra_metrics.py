"""The fleet's metrics as Prometheus reads them, against the table that promises them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests.hydra.page_examples import ScriptedDesk, busy_desk, condition_id, holding

from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.outcome import Killed
from kabobagool.feed.counters import FeedCounters
from kabobagool.hydra.fleet_metrics import FleetMetrics
from kabobagool.telemetry.metric_table import FLEET_METRICS, METRICS, PREFIX
from kabobagool.telemetry.metrics import BotMetrics

PER_MARKET = {m.name: m.fleet_labels for m in METRICS if m.fleet_labels is not None}


async def samples_of(desk: ScriptedDesk, metrics: BotMetrics | None = None) -> list[Sample]:
    text = (await FleetMetrics(metrics or BotMetrics()).render(await desk.snapshot())).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def value(samples: list[Sample], name: str, **labels: str) -> float | None:
    found = [sample.value for sample in samples if sample.name == PREFIX + name and sample.labels == labels]
    assert len(found) <= 1
    return found[0] if found else None


async def test_what_is_exposed_is_exactly_what_the_tables_promise() -> None:
    desk, metrics = busy_desk(), BotMetrics()
    metrics.watch_feed(FeedCounters(frames=3))
    text = (await FleetMetrics(metrics).render(await desk.snapshot())).decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    promised = {PREFIX + m.name.removesuffix("_total"): m for m in (*METRICS, *FLEET_METRICS)}
    assert families.keys() == promised.keys()
    for name, metric in promised.items():
        assert (families[name].type, families[name].documentation) == (metric.type, metric.help)
        labels = metric.labels if metric.fleet_labels is None else metric.fleet_labels
        for sample in families[name].samples:
            assert sample.labels.keys() - {"le"} == set(labels), name


def test_names_of_the_fleets_own_follow_the_conventions_and_are_new() -> None:
    for metric in FLEET_METRICS:
        assert metric.name.endswith("_total") == (metric.type == "counter"), metric.name
        assert metric.help.endswith(".")
        assert metric.source == "event"
    names = [metric.name for metric in (*METRICS, *FLEET_METRICS)]
    assert len(set(names)) == len(names)
    assert {labels[0] for labels in PER_MARKET.values()} == {"market"}


async def test_a_market_is_told_with_its_name_on_it() -> None:
    desk = ScriptedDesk(3)
    desk.change(
        1,
        row={"restarts": 2},
        state="orphan",
        naked=True,
        ask_yes="0.48",
        ask_no=None,
        pair_cost_after_fees=None,
        feed_age_s=7.5,
        position=holding(100, 930_000, imbalance=12),
        orders={"filled": 3},
        edges_seen=5,
        edges_acted_on=2,
        edges_rejected={"too_thin": 3},
        frozen_orders=("0xab",),
        cooldown_s=1.5,
        unsettled_orders=1,
    )
    await desk.halt(scope=condition_id(1), who="a test", why="to see it")
    slug = desk.rows[condition_id(1)].bot.market
    samples = await samples_of(desk)
    expected = {
        ("best_ask_dollars", "outcome", "yes"): 0.48,
        ("best_ask_dollars", "outcome", "no"): None,
        ("position_shares", "outcome", "yes"): 112,
        ("orphan_shares", "outcome", "yes"): 12,
        ("orphan_shares", "outcome", "no"): 0,
        ("orders_total", "outcome", "filled"): 3,
        ("orders_total", "outcome", "unknown"): 0,
        ("edges_rejected_total", "reason", "too_thin"): 3,
        ("state", "state", "orphan"): 1,
        ("state", "state", "watching"): 0,
    }
    for (name, label, said), number in expected.items():
        assert value(samples, name, market=slug, **{label: said}) == number, (name, said)
    plain = {
        "imbalance_shares": 12,
        "edges_seen_total": 5,
        "edges_acted_on_total": 2,
        "unknown_orders_open": 1,
        "cooldown_seconds": 1.5,
        "market_feed_age_seconds": 7.5,
        "market_pair_cost_dollars": None,
        "market_unsettled_orders": 1,
        "market_restarts_total": 2,
        "market_halted": 1,
    }
    for name, number in plain.items():
        assert value(samples, name, market=slug) == number, name
    assert value(samples, "pair_cost_dollars", market=slug) == pytest.approx(0.9175)


async def test_a_market_between_its_two_legs_has_no_orphan_yet() -> None:
    desk = ScriptedDesk(1)
    slug = desk.rows[condition_id(0)].bot.market
    for naked in (False, True):
        desk.change(0, naked=naked, position=holding(0, 900_000, imbalance=-20))
        orphan = value(await samples_of(desk), "orphan_shares", market=slug, outcome="no")
        assert orphan == (20 if naked else 0)


async def test_a_retired_markets_series_are_gone_and_the_sums_are_not() -> None:
    desk = busy_desk(12)
    slug = desk.rows[condition_id(3)].bot.market
    assert any(sample.labels.get("market") == slug for sample in await samples_of(desk))
    desk.retire(3)
    after = await samples_of(desk)
    assert not any(sample.labels.get("market") == slug for sample in after)
    assert value(after, "fleet_retired_markets") == 1
    assert value(after, "fleet_paid_out_dollars") == 80


async def test_the_number_of_series_is_bounded_by_the_markets_there_are() -> None:
    desk = busy_desk(500)
    for number in range(500):
        desk.retire(number)
    desk.rows = ScriptedDesk(500, seed=8).rows
    samples = await samples_of(desk)
    per_market = Counter(sample.labels["market"] for sample in samples if "market" in sample.labels)
    assert len(per_market) == 500
    assert max(per_market.values()) < 60
    assert len({(sample.name, *sorted(sample.labels.items())) for sample in samples}) == len(samples)


async def test_two_markets_of_one_name_do_not_cost_the_whole_scrape() -> None:
    desk = ScriptedDesk(2)
    desk.change(0, market="twin")
    desk.change(1, market="twin")
    names = {sample.labels["market"] for sample in await samples_of(desk) if sample.name == PREFIX + "edges_seen_total"}
    assert names == {f"twin {condition_id(0)}", f"twin {condition_id(1)}"}


async def test_a_name_with_quotes_and_newlines_is_read_back_as_it_is() -> None:
    desk = ScriptedDesk(1)
    desk.change(0, market='a "quoted"\\\nname')
    assert value(await samples_of(desk), "edges_seen_total", market='a "quoted"\\\nname') == 0


async def test_what_the_engines_report_together_is_told_without_a_market() -> None:
    metrics = BotMetrics()
    metrics.watch_feed(FeedCounters(frames=7, ticks=5))
    metrics.order_ended(leg=Outcome.YES, side=Side.BUY, purpose=Purpose.PAIR, outcome=Killed(), latency_s=0.2)
    metrics.gate_refused("halted")
    samples = await samples_of(ScriptedDesk(2), metrics)
    assert value(samples, "feed_frames_total") == 7
    assert value(samples, "order_latency_seconds_count") == 1
    assert value(samples, "gate_refusals_total", reason="halted") == 1
    assert not any(sample.name == PREFIX + "orders_total" and "purpose" in sample.labels for sample in samples)


async def test_the_fleet_says_how_it_is() -> None:
    desk = busy_desk(24)
    samples = await samples_of(desk)
    assert [value(samples, "fleet_markets", phase=phase) for phase in ("starting", "running", "waiting", "leaving")] == [0, 23, 1, 0]
    assert value(samples, "fleet_state", state="running") == 1
    assert value(samples, "fleet_state", state="draining") == 0
    assert value(samples, "fleet_info", mode="dry_run", profile="careful") == 1
    assert (value(samples, "halted", scope="wallet"), value(samples, "halted", scope="market")) == (0, 1)
    assert value(samples, "feed_socket_markets", socket="1") == 12
    assert value(samples, "feed_conflated_total") == 3914
    assert value(samples, "discovery_rejected_markets", reason="taker_delay") == 64
    assert value(samples, "discovery_age_seconds") == 134
    await desk.halt(scope="wallet", who="a test", why="to see it")
    assert value(await samples_of(desk), "halted", scope="wallet") == 1


@settings(max_examples=15)
@given(st.integers(0, 2**32))
async def test_the_markets_add_up_to_the_fleet_while_none_has_left(seed: int) -> None:
    desk = ScriptedDesk(20, seed=seed)
    for _ in range(30):
        desk.step()
    samples = await samples_of(desk)
    for name in ("edges_seen_total", "edges_acted_on_total"):
        assert sum(s.value for s in samples if s.name == PREFIX + name) == value(samples, f"fleet_{name}")
