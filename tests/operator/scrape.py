"""A scrape of the operator's metrics, as Prometheus reads it."""

from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from kabobagool_operator.operator_metrics import OperatorMetrics


class Scrape:
    """Everything a scrape returns."""

    def __init__(self, metrics: OperatorMetrics) -> None:
        self.families = list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))

    def value(self, metric: str, /, **labels: str) -> float | None:
        """One sample, None when it is not there."""
        samples = [sample for family in self.families for sample in family.samples if sample.name == metric and sample.labels == labels]
        assert len(samples) <= 1
        return samples[0].value if samples else None

    def counts(self, metric: str, label: str) -> dict[str, float]:
        """What was counted at all, by the value of a label."""
        found = {s.labels[label]: s.value for family in self.families for s in family.samples if s.name == metric}
        return {value: count for value, count in found.items() if count}

    @property
    def names(self) -> set[str]:
        return {family.name + ("_total" if family.type == "counter" else "") for family in self.families}
