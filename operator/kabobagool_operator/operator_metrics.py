"""What the operator tells Prometheus, under the names that controller-runtime gave these things, so that dashboards for it work here too.

The work queue, the requests to the API server, discovery and the resolver report events to it; depth, ages, leadership, markets and how
the venue is are read when Prometheus asks. `main.py` makes one and `probes.py` serves it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from kabobagool.discovery.reasons import Reason as Verdict
from kabobagool_operator.conditions import Reason as Outcome
from kabobagool_operator.market_source import PINNED, SURPLUS

CONTROLLER: Final = "arbmarket"
"""The value of the labels `controller` and `name`: there is one controller, and one queue."""
WORK_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
RESULTS: Final = ("success", "requeue_after", "error")
ROUNDS: Final = ("success", "error")
METHODS: Final = ("DELETE", "GET", "PATCH", "POST", "PUT")
OUTCOMES: Final = (
    Outcome.FOUND,
    Outcome.NOT_FOUND,
    Outcome.AMBIGUOUS,
    Outcome.UNSUPPORTED,
    Outcome.NOT_TRADABLE,
    Outcome.CLOSED,
    Outcome.VENUE_UNAVAILABLE,
)
"""What asking the venue for a market may come to, in the words of the condition `Resolved`."""
RETIREMENTS: Final = (*(reason.value for reason in Verdict), PINNED, SURPLUS)
KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "kabobagool_operator_discovery_rounds_total": ROUNDS,
    "kabobagool_operator_discovery_retirements_total": RETIREMENTS,
    "kabobagool_operator_venue_lookups_total": tuple(outcome.value for outcome in OUTCOMES),
}
"""All values of a counter's only label."""


class OperatorMetric(NamedTuple):
    """One metric. `read` ones are asked for at a scrape, the others count events."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    read: bool = False


METRICS: Final = (
    OperatorMetric("controller_runtime_reconcile_total", "counter", ("controller", "result"), "Looks at a market, by how they ended."),
    OperatorMetric("controller_runtime_reconcile_errors_total", "counter", ("controller",), "Looks that failed."),
    OperatorMetric("controller_runtime_reconcile_time_seconds", "histogram", ("controller",), "How long a look took."),
    OperatorMetric("controller_runtime_active_workers", "gauge", ("controller",), "Looks that are being taken.", read=True),
    OperatorMetric("workqueue_depth", "gauge", ("name",), "Markets that wait for a worker.", read=True),
    OperatorMetric("workqueue_adds_total", "counter", ("name",), "Markets that began to wait."),
    OperatorMetric("workqueue_queue_duration_seconds", "histogram", ("name",), "How long a market waited for a worker."),
    OperatorMetric("workqueue_work_duration_seconds", "histogram", ("name",), "How long a worker was busy with a market."),
    OperatorMetric("workqueue_unfinished_work_seconds", "gauge", ("name",), "How long all looks have taken so far.", read=True),
    OperatorMetric("workqueue_longest_running_processor_seconds", "gauge", ("name",), "How long the longest has taken so far.", read=True),
    OperatorMetric("workqueue_retries_total", "counter", ("name",), "Looks that are taken again after a pause because they failed."),
    OperatorMetric("leader_election_master_status", "gauge", ("name",), "1 on the replica that leads, 0 on the others.", read=True),
    OperatorMetric("rest_client_requests_total", "counter", ("code", "method"), "Requests to the API server; code <error> without answer."),
    OperatorMetric("kabobagool_operator_markets", "gauge", ("phase", "origin"), "ArbMarkets by phase, pinned or discovered.", read=True),
    OperatorMetric("kabobagool_operator_conditions", "gauge", ("type", "status", "reason"), "ArbMarkets by what they say.", read=True),
    OperatorMetric("kabobagool_operator_failing_markets", "gauge", (), "ArbMarkets whose last look failed.", read=True),
    OperatorMetric("kabobagool_operator_delayed_markets", "gauge", (), "ArbMarkets that are looked at again at a set time.", read=True),
    OperatorMetric("kabobagool_operator_discovery_rounds_total", "counter", ("result",), "Rounds of discovery, by how they ended."),
    OperatorMetric("kabobagool_operator_discovery_round_seconds", "histogram", (), "How long a round of discovery took."),
    OperatorMetric("kabobagool_operator_discovery_qualifying_markets", "gauge", (), "Markets that the last good round chose.", read=True),
    OperatorMetric("kabobagool_operator_discovery_age_seconds", "gauge", (), "Since the last good round; absent before.", read=True),
    OperatorMetric("kabobagool_operator_discovery_stopped", "gauge", (), "1 while something forbids to create what qualifies.", read=True),
    OperatorMetric("kabobagool_operator_discovery_creations_total", "counter", (), "ArbMarkets that discovery created."),
    OperatorMetric("kabobagool_operator_discovery_retirements_total", "counter", ("reason",), "ArbMarkets that discovery deleted, by why."),
    OperatorMetric("kabobagool_operator_venue_lookups_total", "counter", ("outcome",), "Questions about a market, by the venue's answer."),
    OperatorMetric("kabobagool_operator_venue_unwell", "gauge", (), "1 while the venue cannot be asked for markets.", read=True),
)


class QueueNumbers(Protocol):
    """What is read of a work queue at a scrape."""

    @property
    def depth(self) -> int:
        """Keys that wait for a worker."""
        ...

    @property
    def delayed(self) -> int:
        """Keys whose moment has not come."""
        ...

    @property
    def failing(self) -> int:
        """Keys whose last look failed."""
        ...

    @property
    def active(self) -> int:
        """Looks that are being taken."""
        ...

    @property
    def running_s(self) -> float:
        """How long all of them have taken so far."""
        ...

    @property
    def longest_running_s(self) -> float:
        """How long the longest has taken so far."""
        ...


class VenueNumbers(NamedTuple):
    """What is read of discovery and the resolver at a scrape.

    `qualifying` and `round_age_s` are of the last round that did not fail, None before one.
    """

    qualifying: int | None
    round_age_s: float | None
    stopped: bool
    unwell: bool


class OperatorMetrics(Collector):
    """All metrics of the operator, in a registry of its own.

    Observes a WorkQueue, a Rest, a MarketSource and a Resolver; not for use from several threads.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=False)
        counted = [metric for metric in METRICS if not metric.read]
        self._counters = {m.name: Counter(m.name, m.help, m.labels, registry=self.registry) for m in counted if m.type == "counter"}
        self._histograms = {
            m.name: Histogram(m.name, m.help, m.labels, registry=self.registry, buckets=WORK_S) for m in counted if m.type == "histogram"
        }
        self._queue: QueueNumbers | None = None
        self._leading: tuple[str, Callable[[], bool]] | None = None
        self._markets: Callable[[], Mapping[tuple[str, str], int]] = dict
        self._conditions: Callable[[], Mapping[tuple[str, str, str], int]] = dict
        self._venue: Callable[[], VenueNumbers] | None = None
        self._start_at_zero()
        self.registry.register(self)

    def watch_queue(self, queue: QueueNumbers) -> None:
        """Read this queue at every scrape."""
        self._queue = queue

    def watch_leadership(self, lease: str, leading: Callable[[], bool]) -> None:
        """Ask at every scrape whether this process leads by the Lease of that name."""
        self._leading = (lease, leading)

    def watch_markets(self, markets: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Ask at every scrape how many markets there are, by phase and origin."""
        self._markets = markets

    def watch_conditions(self, conditions: Callable[[], Mapping[tuple[str, str, str], int]]) -> None:
        """Ask at every scrape how many markets have which condition, by type, status and reason."""
        self._conditions = conditions

    def watch_venue(self, numbers: Callable[[], VenueNumbers]) -> None:
        """Ask at every scrape how discovery and the venue are."""
        self._venue = numbers

    def added(self) -> None:
        """A market began to wait for a worker."""
        self._counters["workqueue_adds_total"].labels(CONTROLLER).inc()

    def started(self, *, waited_s: float) -> None:
        """A worker took a market."""
        self._histograms["workqueue_queue_duration_seconds"].labels(CONTROLLER).observe(waited_s)

    def finished(self, *, worked_s: float, requeue_after_s: float | None) -> None:
        """A market was looked at."""
        self._looked("success" if requeue_after_s is None else "requeue_after", worked_s)

    def failed(self, *, worked_s: float, error: Exception) -> None:
        """Looking at a market failed; it is looked at again."""
        self._looked("error", worked_s)
        self._counters["controller_runtime_reconcile_errors_total"].labels(CONTROLLER).inc()
        self._counters["workqueue_retries_total"].labels(CONTROLLER).inc()

    def requested(self, *, method: str, code: str) -> None:
        """A request to the API server ended."""
        self._counters["rest_client_requests_total"].labels(code, method).inc()

    def round_ended(self, *, took_s: float, failed: bool) -> None:
        """Discovery looked at the venue's catalogue."""
        self._counters["kabobagool_operator_discovery_rounds_total"].labels("error" if failed else "success").inc()
        self._histograms["kabobagool_operator_discovery_round_seconds"].observe(took_s)

    def created(self) -> None:
        """Discovery created an ArbMarket."""
        self._counters["kabobagool_operator_discovery_creations_total"].inc()

    def retired(self, *, reason: str) -> None:
        """Discovery deleted an ArbMarket."""
        self._counters["kabobagool_operator_discovery_retirements_total"].labels(reason).inc()

    def looked_up(self, outcome: Outcome) -> None:
        """The venue was asked for a market."""
        self._counters["kabobagool_operator_venue_lookups_total"].labels(outcome.value).inc()

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read what is read; called by the registry at every scrape."""
        numbers = self._numbers()
        for metric in METRICS:
            if metric.read:
                family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                for labels, value in numbers[metric.name].items():
                    family.add_metric(labels, value)
                yield family

    def _looked(self, result: str, worked_s: float) -> None:
        self._counters["controller_runtime_reconcile_total"].labels(CONTROLLER, result).inc()
        for name in ("controller_runtime_reconcile_time_seconds", "workqueue_work_duration_seconds"):
            self._histograms[name].labels(CONTROLLER).observe(worked_s)

    def _numbers(self) -> dict[str, Mapping[tuple[str, ...], float]]:
        return {
            **{metric.name: {} for metric in METRICS if metric.read},
            **({} if self._queue is None else _queue_numbers(self._queue)),
            **({} if self._leading is None else {"leader_election_master_status": {(self._leading[0],): float(self._leading[1]())}}),
            "kabobagool_operator_markets": {labels: float(count) for labels, count in self._markets().items()},
            "kabobagool_operator_conditions": {labels: float(count) for labels, count in self._conditions().items()},
            **({} if self._venue is None else _venue_numbers(self._venue())),
        }

    def _start_at_zero(self) -> None:
        """Create the known series at once: a rate over a series that appears with its first event misses that event."""
        for result in RESULTS:
            self._counters["controller_runtime_reconcile_total"].labels(CONTROLLER, result)
        for name in ("controller_runtime_reconcile_errors_total", "workqueue_adds_total", "workqueue_retries_total"):
            self._counters[name].labels(CONTROLLER)
        for method in METHODS:
            self._counters["rest_client_requests_total"].labels("429", method)
        for name, values in KNOWN.items():
            for value in values:
                self._counters[name].labels(value)


def _queue_numbers(queue: QueueNumbers) -> dict[str, Mapping[tuple[str, ...], float]]:
    ours = (CONTROLLER,)
    return {
        "controller_runtime_active_workers": {ours: queue.active},
        "workqueue_depth": {ours: queue.depth},
        "workqueue_unfinished_work_seconds": {ours: queue.running_s},
        "workqueue_longest_running_processor_seconds": {ours: queue.longest_running_s},
        "kabobagool_operator_failing_markets": {(): queue.failing},
        "kabobagool_operator_delayed_markets": {(): queue.delayed},
    }


def _venue_numbers(numbers: VenueNumbers) -> dict[str, Mapping[tuple[str, ...], float]]:
    return {
        "kabobagool_operator_discovery_qualifying_markets": {} if numbers.qualifying is None else {(): numbers.qualifying},
        "kabobagool_operator_discovery_age_seconds": {} if numbers.round_age_s is None else {(): numbers.round_age_s},
        "kabobagool_operator_discovery_stopped": {(): float(numbers.stopped)},
        "kabobagool_operator_venue_unwell": {(): float(numbers.unwell)},
    }


def operator_metrics_reference() -> str:
    """Render the table of the operator's metrics for its page in docs/."""
    rows = "\n".join(f"| `{metric.name}` | {metric.type} | {', '.join(metric.labels)} | {metric.help} |" for metric in METRICS)
    return f"| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n{rows}\n"
