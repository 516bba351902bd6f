"""The conditions of the fleet as a metric: by the words that are in the status, of every ArbMarket that has one."""

from typing import Any

from kabobagool_operator.caches import Seen
from kabobagool_operator.condition_counts import condition_counts
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.operator_metrics import OperatorMetrics


def seen(name: str, **body: Any) -> Seen:
    metadata = {"name": name, "uid": name, "resourceVersion": "1"}
    return Seen.of(ARB_MARKET, {"metadata": metadata, "spec": {"market": {"slug": name}}, **body})


def ready(status: str, reason: str) -> dict[str, str]:
    return {"type": "Ready", "status": status, "reason": reason, "message": "for people"}


def test_markets_are_counted_by_what_they_say() -> None:
    degraded = {"type": "Degraded", "status": "False", "reason": "Healthy"}
    markets = [
        seen("rain", status={"phase": "Running", "conditions": [ready("True", "Running"), degraded]}),
        seen("snow", status={"phase": "Running", "conditions": [ready("True", "Running"), degraded]}),
        seen("hail", status={"phase": "Degraded", "conditions": [ready("False", "CrashLoop")]}),
    ]
    assert condition_counts(markets) == {
        ("Ready", "True", "Running"): 2,
        ("Degraded", "False", "Healthy"): 2,
        ("Ready", "False", "CrashLoop"): 1,
    }


def test_a_market_without_a_status_and_one_with_a_strange_one_are_not_counted() -> None:
    markets = [seen("new"), seen("bare", status={"phase": "Pending"}), seen("strange", status={"conditions": "none"})]
    assert condition_counts(markets) == {}


def test_prometheus_is_told_by_type_status_and_reason() -> None:
    metrics = OperatorMetrics()
    metrics.watch_conditions(lambda: condition_counts([seen("hail", status={"conditions": [ready("False", "CrashLoop")]})]))
    labels = {"type": "Ready", "status": "False", "reason": "CrashLoop"}
    assert metrics.registry.get_sample_value("kabobagool_operator_conditions", labels) == 1
