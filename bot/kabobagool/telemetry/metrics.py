"""What the bot tells Prometheus: methods named after events, over a registry of its own.

The engine calls these methods when something happens. What happens on every tick is not reported at all: the feed and the edge
counts are plain integers, read only when Prometheus asks. Amounts arrive as integers and leave as dollars and shares; a float
here never reaches an order.
"""

import platform
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, assert_never

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from kabobagool import __version__
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import MICRO, PRICE_ONE, Micros, Price
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.gate.interface import Refusal, StakeNumbers
from kabobagool.telemetry.metric_table import METRICS, PREFIX, Metric

OUTCOME_LABELS = tuple(outcome.name.lower() for outcome in Outcome)
ORDER_OUTCOMES = ("filled", "killed", "delayed", "rejected", "unknown")

BestAsks = tuple[Price | None, Price | None]
Samples = Iterable[tuple[tuple[str, ...], float]]


class FeedNumbers(Protocol):
    """The feed's own counters, plain numbers that only grow."""

    frames: int
    ticks: int
    decode_errors: int
    mirror_mismatch: int

    @property
    def resnapshots(self) -> Mapping[Any, int]:
        """Books read again, by reason."""
        ...

    @property
    def reconnects(self) -> Mapping[Any, int]:
        """Connections lost, by reason."""
        ...


class EdgeNumbers(Protocol):
    """What became of the edges a market seemed to have: plain numbers that only grow."""

    seen: int
    acted_on: int

    @property
    def rejected(self) -> Mapping[str, int]:
        """Those not acted on, by reason."""
        ...


class MarketNumbers(Protocol):
    """How the one market of a bot is now; None is what is not known."""

    def feed_age_s(self) -> float | None:
        """Seconds since the older leg was last heard of."""
        ...

    def pair_cost_micros(self) -> Micros | None:
        """What one share of each costs now, fees included."""
        ...

    def unsettled_orders(self) -> int:
        """Filled orders that the chain has not confirmed yet."""
        ...


class GateState(Protocol):
    """The order gate's own numbers; None is what is not known."""

    reachable: bool | None
    tokens_left: int | None
    halts: int | None
    stakes: StakeNumbers | None
    caps: Mapping[str, Micros]
    """By the refusal that a cap is the reason of."""
    lease_changes: int
    listeners: list[Callable[[float], None]]
    """Called with the seconds of every round trip."""


class LoopNumbers(Protocol):
    """How the event loop is."""

    def recent_worst_s(self) -> float:
        """Its worst lateness lately, in seconds."""
        ...

    def tasks(self) -> int:
        """Tasks that are not done."""
        ...


class BotMetrics(Collector):
    """All metrics of one bot, in `registry` (a new one unless it is given). Not for use from several threads."""

    def __init__(self, *, registry: CollectorRegistry | None = None) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry or CollectorRegistry(auto_describe=False)
        by_type = {kind: [m for m in METRICS if m.type == kind and m.source == "event"] for kind in ("counter", "gauge", "histogram")}
        self._counters = {m.name: Counter(PREFIX + m.name, m.help, m.labels, registry=self.registry) for m in by_type["counter"]}
        self._gauges = {m.name: Gauge(PREFIX + m.name, m.help, m.labels, registry=self.registry) for m in by_type["gauge"]}
        self._histograms = {
            m.name: Histogram(PREFIX + m.name, m.help, m.labels, registry=self.registry, buckets=m.buckets) for m in by_type["histogram"]
        }
        self._feeds: list[FeedNumbers] = []
        self._best_asks: Callable[[], BestAsks] = lambda: (None, None)
        self._market: MarketNumbers | None = None
        self._truths: list[EdgeNumbers] = []
        self._gates: list[GateState] = []
        self._loops: list[LoopNumbers] = []
        self._states: tuple[str, ...] = ()
        self._start_at_zero()
        self.registry.register(self)

    def watch_feed(self, counters: FeedNumbers) -> None:
        """Read these counters at every scrape; several feeds add up."""
        self._feeds.append(counters)

    def watch_best_asks(self, best_asks: Callable[[], BestAsks]) -> None:
        """Ask for the best ask of YES and NO at every scrape; None is an unknown one."""
        self._best_asks = best_asks

    def watch_market(self, market: MarketNumbers) -> None:
        """Ask this market how it is at every scrape."""
        self._market = market

    def watch_edges(self, truth: EdgeNumbers) -> None:
        """Read these counts of edges at every scrape; several markets add up."""
        self._truths.append(truth)

    def watch_gate(self, gate: GateState) -> None:
        """Read the gate's numbers at every scrape, and be told of every round trip to it."""
        self._gates = [gate]
        gate.listeners.append(self._histograms["gate_round_trip_seconds"].observe)

    def watch_loop(self, loop: LoopNumbers) -> None:
        """Ask how the event loop is at every scrape."""
        self._loops = [loop]

    def market_known(self, *, condition_id: str, slug: str, live: bool) -> None:
        """The market this bot trades, and whether with real orders."""
        self._gauges["market_info"].clear()
        self._gauges["market_info"].labels(condition_id, slug, "live" if live else "dry_run").set(1)

    def states_are(self, states: Iterable[str]) -> None:
        """All states the engine can be in, to be called once before `state_changed`."""
        self._states = tuple(states)

    def state_changed(self, state: str) -> None:
        """The engine is in this state now. ValueError when it is none of those announced."""
        if state not in self._states:
            raise ValueError(f"state {state!r} was not announced; known are {', '.join(self._states) or 'none'}")
        for name in self._states:
            self._gauges["state"].labels(name).set(name == state)

    def order_ended(self, *, leg: Outcome, side: Side, purpose: Purpose, outcome: OrderOutcome, latency_s: float) -> None:
        """An order got its outcome, `latency_s` seconds after it was sent; a fill is counted with it."""
        self._counters["orders_total"].labels(_outcome_label(outcome), purpose.value).inc()
        self._histograms["order_latency_seconds"].observe(latency_s)
        if isinstance(outcome, Rejected):
            self._counters["rejections_total"].labels(outcome.reason.value).inc()
        if isinstance(outcome, Filled):
            self.filled(leg=leg, side=side, fill=outcome)

    def filled(self, *, leg: Outcome, side: Side, fill: Filled) -> None:
        """An order filled; called by `order_ended`, and by itself for an order that was found filled later."""
        label = OUTCOME_LABELS[leg]
        shares, dollars = (
            ("shares_bought_total", "spent_dollars_total") if side is Side.BUY else ("shares_sold_total", "received_dollars_total")
        )
        self._counters["fills_total"].labels(label, side.lower()).inc()
        self._counters[shares].labels(label).inc(fill.shares / MICRO)
        self._counters[dollars].labels(label).inc(fill.dollars / MICRO)
        self._counters["fees_dollars_total"].labels(label).inc(fill.fee / MICRO)

    def position_changed(self, *, shares: tuple[Micros, Micros], locked_profit: Micros, pair_cost: Micros) -> None:
        """What is held now: shares of YES and NO, the dollars locked in, the dollars a held pair cost."""
        for label, held in zip(OUTCOME_LABELS, shares, strict=True):
            self._gauges["position_shares"].labels(label).set(held / MICRO)
        self._gauges["imbalance_shares"].set((shares[Outcome.YES] - shares[Outcome.NO]) / MICRO)
        self._gauges["locked_profit_dollars"].set(locked_profit / MICRO)
        self._gauges["pair_cost_dollars"].set(pair_cost / MICRO)

    def orphan_changed(self, *, shares: tuple[Micros, Micros]) -> None:
        """Shares of YES and NO that wait for their other half."""
        for label, orphaned in zip(OUTCOME_LABELS, shares, strict=True):
            self._gauges["orphan_shares"].labels(label).set(orphaned / MICRO)

    def unknown_orders_changed(self, count: int) -> None:
        """So many orders have an unknown outcome now."""
        self._gauges["unknown_orders_open"].set(count)

    def cooldown_changed(self, seconds: float) -> None:
        """The pause before the next order, 0 when there is none."""
        self._gauges["cooldown_seconds"].set(seconds)

    def gate_granted(self, *, wait_s: float) -> None:
        """The gate let orders leave after this wait."""
        self._histograms["gate_wait_seconds"].observe(wait_s)

    def gate_refused(self, reason: str) -> None:
        """The gate said no, for this reason."""
        self._counters["gate_refusals_total"].labels(reason).inc()

    def decided(self, *, seconds: float, feed_age_s: float) -> None:
        """A view was decided about, in so many seconds, when its older leg was so old. Not for ticks that were passed over."""
        self._histograms["decision_seconds"].observe(seconds)
        self._histograms["feed_age_seconds"].observe(feed_age_s)

    def settled(self, *, lag_s: float) -> None:
        """A trade was confirmed so long after it was matched."""
        self._histograms["settlement_lag_seconds"].observe(lag_s)

    def settlement_failed(self) -> None:
        """A matched trade did not settle."""
        self._counters["settlements_failed_total"].inc()

    def loop_stalled(self, seconds: float) -> None:
        """The event loop woke a sleeper so late; see `stalls.StallMeter`."""
        self._histograms["event_loop_stall_seconds"].observe(seconds)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Read the plain numbers; called by the registry at every scrape."""
        samples = self._plain_numbers()
        for metric in METRICS:
            if metric.source == "scrape":
                yield family(metric, samples[metric.name])

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Name what `collect` yields, so that the registry refuses a second metric of the same name."""
        return (family(metric, ()) for metric in METRICS if metric.source == "scrape")

    def _plain_numbers(self) -> dict[str, Samples]:
        asks = zip(OUTCOME_LABELS, self._best_asks(), strict=True)
        return {
            "build_info": [((__version__, platform.python_version()), 1)],
            "feed_frames_total": [((), sum(feed.frames for feed in self._feeds))],
            "feed_ticks_total": [((), sum(feed.ticks for feed in self._feeds))],
            "feed_decode_errors_total": [((), sum(feed.decode_errors for feed in self._feeds))],
            "feed_reconnects_total": _by_reason(feed.reconnects for feed in self._feeds),
            "feed_resnapshots_total": _by_reason(feed.resnapshots for feed in self._feeds),
            "book_mirror_mismatches_total": [((), sum(feed.mirror_mismatch for feed in self._feeds))],
            "best_ask_dollars": [((label,), ask / PRICE_ONE) for label, ask in asks if ask is not None],
            **self._market_numbers(),
            "gate_reachable": _known(gate.reachable for gate in self._gates),
            "gate_tokens_left": _known(gate.tokens_left for gate in self._gates),
            "gate_halts": _known(gate.halts for gate in self._gates),
            "gate_at_stake_dollars": [((), stakes.at_stake / MICRO) for stakes in self._stakes()],
            "gate_orphan_dollars": [((), stakes.orphans / MICRO) for stakes in self._stakes()],
            "gate_lost_today_dollars": [((), stakes.lost_today / MICRO) for stakes in self._stakes()],
            "gate_cap_dollars": [((reason,), cap / MICRO) for gate in self._gates for reason, cap in gate.caps.items()],
            "gate_lease_changes_total": [((), sum(gate.lease_changes for gate in self._gates))],
            "event_loop_worst_stall_seconds": [((), loop.recent_worst_s()) for loop in self._loops],
            "event_loop_tasks": [((), loop.tasks()) for loop in self._loops],
            "edges_seen_total": [((), sum(truth.seen for truth in self._truths))],
            "edges_rejected_total": _by_reason(truth.rejected for truth in self._truths),
            "edges_acted_on_total": [((), sum(truth.acted_on for truth in self._truths))],
        }

    def _market_numbers(self) -> dict[str, Samples]:
        market = self._market
        if market is None:
            return {"market_feed_age_seconds": (), "market_pair_cost_dollars": (), "market_unsettled_orders": ()}
        cost = market.pair_cost_micros()
        return {
            "market_feed_age_seconds": _known([market.feed_age_s()]),
            "market_pair_cost_dollars": _known([None if cost is None else cost / MICRO]),
            "market_unsettled_orders": [((), market.unsettled_orders())],
        }

    def _stakes(self) -> list[StakeNumbers]:
        return [gate.stakes for gate in self._gates if gate.stakes is not None]

    def _start_at_zero(self) -> None:
        """Create the known series at once: a rate over a series that appears with its first event misses that event."""
        for outcome in ORDER_OUTCOMES:
            for purpose in Purpose:
                self._counters["orders_total"].labels(outcome, purpose.value)
        for refused in Rejection:
            self._counters["rejections_total"].labels(refused.value)
        for held_back in Refusal:
            self._counters["gate_refusals_total"].labels(held_back.value)
        for label in OUTCOME_LABELS:
            for side in Side:
                self._counters["fills_total"].labels(label, side.lower())
            for name in ("shares_bought_total", "spent_dollars_total", "shares_sold_total", "received_dollars_total", "fees_dollars_total"):
                self._counters[name].labels(label)
            for name in ("position_shares", "orphan_shares"):
                self._gauges[name].labels(label)


def _outcome_label(outcome: OrderOutcome) -> str:
    match outcome:
        case Filled():
            return "filled"
        case Killed():
            return "killed"
        case Delayed():
            return "delayed"
        case Rejected():
            return "rejected"
        case Unknown():
            return "unknown"
        case _:
            assert_never(outcome)


def _by_reason(counts: Iterable[Mapping[str, int]]) -> Samples:
    total: Tally[str] = Tally()
    for by_reason in counts:
        for reason, count in by_reason.items():
            total[str(reason)] += count
    return [((reason,), count) for reason, count in sorted(total.items())]


def _known(values: Iterable[float | None]) -> Samples:
    return [((), value) for value in values if value is not None]


def family(metric: Metric, samples: Samples, *, labels: tuple[str, ...] | None = None) -> CounterMetricFamily | GaugeMetricFamily:
    """A metric of the table with these samples, in the library's form. `labels` stand in for the table's own."""
    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    found = kind(PREFIX + metric.name, metric.help, labels=metric.labels if labels is None else labels)
    for values, value in samples:
        found.add_metric(values, value)
    return found
