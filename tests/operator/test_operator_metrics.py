"""The operator's metrics as Prometheus reads them, under the names that dashboards for controllers ask for."""

import asyncio
import random

import pytest
from tests.operator.scrape import Scrape
from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.cluster_errors import Unavailable
from kabobagool_operator.operator_metrics import METRICS, OperatorMetrics, operator_metrics_reference
from kabobagool_operator.workqueue import WorkQueue

CONTROLLER = {"controller": "arbmarket"}
QUEUE = {"name": "arbmarket"}


@pytest.fixture
def metrics() -> OperatorMetrics:
    return OperatorMetrics()


def test_every_metric_of_the_table_is_there_and_no_other(metrics: OperatorMetrics) -> None:
    assert Scrape(metrics).names == {metric.name for metric in METRICS}
    reference = operator_metrics_reference()
    assert all(f"`{metric.name}`" in reference for metric in METRICS)


def test_series_are_there_before_their_first_event(metrics: OperatorMetrics) -> None:
    scrape = Scrape(metrics)
    for result in ("success", "requeue_after", "error"):
        assert scrape.value("controller_runtime_reconcile_total", result=result, **CONTROLLER) == 0
    assert scrape.value("workqueue_retries_total", **QUEUE) == 0
    assert scrape.value("workqueue_adds_total", **QUEUE) == 0
    for metric, label, value in (
        ("discovery_rounds_total", "result", "error"),
        ("discovery_retirements_total", "reason", "not_listed"),
        ("discovery_retirements_total", "reason", "pinned"),
        ("venue_lookups_total", "outcome", "VenueUnavailable"),
    ):
        assert scrape.value(f"kabobagool_operator_{metric}", **{label: value}) == 0
    assert scrape.value("kabobagool_operator_discovery_creations_total") == 0


async def test_the_queues_life_is_told(metrics: OperatorMetrics) -> None:
    clock = VirtualClock()
    queue: WorkQueue[str] = WorkQueue(clock=clock, rng=random.Random(1), observer=metrics)
    metrics.watch_queue(queue)

    async def look(key: str) -> float | None:
        await clock.sleep(4)
        if key == "bad":
            raise Unavailable("away")
        return 300.0 if key == "timed" else None

    for key in ("good", "timed", "bad"):
        queue.add(key)
    running = asyncio.create_task(queue.run(1, look))
    await clock.advance(1)
    scrape = Scrape(metrics)
    assert scrape.value("workqueue_depth", **QUEUE) == 2
    assert scrape.value("controller_runtime_active_workers", **CONTROLLER) == 1
    assert scrape.value("workqueue_longest_running_processor_seconds", **QUEUE) == 1
    assert scrape.value("workqueue_unfinished_work_seconds", **QUEUE) == 1
    await clock.advance(11.4)
    scrape = Scrape(metrics)
    for result in ("success", "requeue_after", "error"):
        assert scrape.value("controller_runtime_reconcile_total", result=result, **CONTROLLER) == 1
    assert scrape.value("controller_runtime_reconcile_errors_total", **CONTROLLER) == 1
    assert scrape.value("workqueue_retries_total", **QUEUE) == 1
    assert scrape.value("workqueue_adds_total", **QUEUE) == 3
    assert scrape.value("workqueue_queue_duration_seconds_sum", **QUEUE) == 4 + 8
    assert scrape.value("workqueue_work_duration_seconds_sum", **QUEUE) == 12
    assert scrape.value("controller_runtime_reconcile_time_seconds_count", **CONTROLLER) == 3
    assert scrape.value("kabobagool_operator_failing_markets") == 1
    assert scrape.value("kabobagool_operator_delayed_markets") == 2
    queue.stop()
    await running


def test_requests_to_the_api_server_are_told_by_method_and_code(metrics: OperatorMetrics) -> None:
    for method, code in (("GET", "200"), ("GET", "200"), ("PATCH", "409"), ("PATCH", "<error>")):
        metrics.requested(method=method, code=code)
    scrape = Scrape(metrics)
    assert scrape.value("rest_client_requests_total", method="GET", code="200") == 2
    assert scrape.value("rest_client_requests_total", method="PATCH", code="<error>") == 1


def test_who_leads_and_how_many_markets_there_are_is_read_at_the_scrape(metrics: OperatorMetrics) -> None:
    leading = [False]
    markets = {("Running", "pinned"): 2}
    assert Scrape(metrics).value("leader_election_master_status", name="kabobagool-operator") is None
    metrics.watch_leadership("kabobagool-operator", lambda: leading[0])
    metrics.watch_markets(lambda: markets)
    assert Scrape(metrics).value("leader_election_master_status", name="kabobagool-operator") == 0
    leading[0] = True
    markets[("Running", "discovered")] = 5000
    scrape = Scrape(metrics)
    assert scrape.value("leader_election_master_status", name="kabobagool-operator") == 1
    assert scrape.value("kabobagool_operator_markets", phase="Running", origin="discovered") == 5000
    del markets[("Running", "pinned")]
    assert Scrape(metrics).value("kabobagool_operator_markets", phase="Running", origin="pinned") is None
