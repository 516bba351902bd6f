"""The fleet's metrics: what every market says, with its name on it, beside what all of them count together.

Used by `task_health.py` for every scrape. No market owns a metric object: its series are written from the snapshot, so a market costs no
memory here and its series are gone with it. Thousands of lines take a while to write; a thread does it, and the event loop goes on trading.
"""

import asyncio
from collections.abc import Iterable, Iterator

from prometheus_client import Metric as Family
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from kabobagool.hydra.fleet_numbers import fleet_numbers
from kabobagool.hydra.fleet_snapshot import FleetSnapshot
from kabobagool.hydra.market_numbers import market_numbers
from kabobagool.telemetry.metric_table import FLEET_METRICS, METRICS, PREFIX
from kabobagool.telemetry.metrics import BotMetrics, Samples, family

PER_MARKET = tuple(metric for metric in METRICS if metric.fleet_labels is not None)
OF_ONE_BOT = frozenset(PREFIX + metric.name.removesuffix("_total") for metric in PER_MARKET)


class FleetMetrics:
    """Renders scrapes. `shared` is what all engines of the fleet report their events to."""

    def __init__(self, shared: BotMetrics) -> None:
        self._shared = shared
        self._one_at_a_time = asyncio.Lock()

    async def render(self, snapshot: FleetSnapshot) -> bytes:
        """The exposition of this snapshot. What is shared is read now, on the event loop that changes it."""
        shared = [found for found in self._shared.registry.collect() if found.name not in OF_ONE_BOT]
        async with self._one_at_a_time:
            return await asyncio.to_thread(_written, shared, snapshot)


class _Collected(Collector):
    """Families that are already there, in the form the library renders."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _written(shared: list[Family], snapshot: FleetSnapshot) -> bytes:
    return generate_latest(_Collected((*shared, *_families(snapshot))))


def _families(snapshot: FleetSnapshot) -> Iterator[Family]:
    samples: dict[str, Samples] = {**market_numbers(snapshot), **fleet_numbers(snapshot)}
    for metric in PER_MARKET:
        yield family(metric, samples[metric.name], labels=metric.fleet_labels)
    for metric in FLEET_METRICS:
        yield family(metric, samples[metric.name])
