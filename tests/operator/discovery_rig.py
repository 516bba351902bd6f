"""Discovery in the cluster before a paper exchange, in the test's own time, with the ArbMarkets in a dict.

For how fast and when: what the API server itself makes of these writes is tested in `test_operator_market_source_real.py`.
"""

import contextlib
import copy
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.operator.venue_rig import VenueRig, venue_rig
from tests.support.paper import ScriptedBooks
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import SystemClock
from kabobagool.discovery.criteria import Criteria
from kabobagool.domain.market import Market
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_fields import moment
from kabobagool_operator.cluster_errors import ClusterError, Conflict, NotFound
from kabobagool_operator.kinds import Kind
from kabobagool_operator.labels import DISCOVERED, ORIGIN
from kabobagool_operator.market_source import MarketSource
from kabobagool_operator.operator_metrics import OperatorMetrics
from kabobagool_operator.policy import Policy

Body = dict[str, Any]


@dataclass
class ArbMarketsInADict:
    """Keeps objects as an API server does: versions, and finalizers when told so. `fail` is raised in place of the next writes."""

    clock: VirtualClock
    objects: dict[str, Body] = field(default_factory=dict)
    finalizers: bool = False
    fail: ClusterError | None = None
    writes: list[tuple[str, str]] = field(default_factory=list)
    _versions: Any = field(default_factory=lambda: count(1))
    _applied: dict[str, set[str]] = field(default_factory=dict)

    async def create(self, kind: Kind, namespace: str, body: Mapping[str, Any]) -> Body:
        name = body["metadata"]["name"]
        self._write("create", name)
        if name in self.objects:
            raise Conflict(f"{name} already exists")
        return self.put(name, copy.deepcopy(dict(body)))

    async def apply(self, kind: Kind, namespace: str, name: str, body: Mapping[str, Any], *, field_manager: str) -> Body:
        self._write("apply", name)
        live, given = self._the_same(name, body["metadata"]), body["metadata"].get("annotations", {})
        annotations = live["metadata"].setdefault("annotations", {})
        for gone in self._applied.get(name, set()) - set(given):
            annotations.pop(gone, None)
        annotations |= given
        self._applied[name] = set(given)
        live["spec"] |= copy.deepcopy(dict(body["spec"]))
        return self._touched(live)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None, resource_version: str | None) -> bool:
        self._write("delete", name)
        live = self._the_same(name, {"uid": uid, "resourceVersion": resource_version})
        if self.finalizers:
            live["metadata"]["deletionTimestamp"] = self._now()
            self._touched(live)
        else:
            del self.objects[name]
        return True

    def put(self, name: str, body: Body) -> Body:
        """As if somebody had created it."""
        number = next(self._versions)
        metadata = body.setdefault("metadata", {})
        metadata |= {"name": name, "namespace": "test", "uid": f"uid-{number}", "resourceVersion": str(number)}
        metadata["creationTimestamp"] = self._now()
        self.objects[name] = {"apiVersion": "kabobagool.io/v1alpha1", "kind": "ArbMarket", **body}
        return copy.deepcopy(self.objects[name])

    def pin(self, name: str, **market: Any) -> None:
        """A person applies one."""
        self.put(name, {"spec": {"market": market or {"slug": name}}})

    def tell(self, name: str, **status: Any) -> None:
        """The operator reports something of it."""
        self.objects[name].setdefault("status", {}).update(status)
        self._touched(self.objects[name])

    def all(self) -> list[ArbMarket]:
        return [ArbMarket.parse(copy.deepcopy(body)) for body in self.objects.values()]

    def discovered(self) -> dict[str, Body]:
        """Those of discovery that nobody deleted, by name."""
        return {
            name: body
            for name, body in self.objects.items()
            if body["metadata"].get("labels", {}).get(ORIGIN) == DISCOVERED and "deletionTimestamp" not in body["metadata"]
        }

    def _write(self, verb: str, name: str) -> None:
        if self.fail is not None:
            raise self.fail
        self.writes.append((verb, name))

    def _the_same(self, name: str, metadata: Mapping[str, Any]) -> Body:
        live = self.objects.get(name)
        if live is None:
            raise NotFound(f"{name} not found")
        if any(live["metadata"][known] != metadata[known] for known in ("uid", "resourceVersion")):
            raise Conflict(f"{name} is another one")
        return live

    def _touched(self, live: Body) -> Body:
        live["metadata"]["resourceVersion"] = str(next(self._versions))
        return copy.deepcopy(live)

    def _now(self) -> str:
        return moment(self.clock.now_ms()).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class DiscoveryRig:
    """A source before a venue. What surrounds it is in the test's hand."""

    venue: VenueRig
    store: ArbMarketsInADict
    policy: Policy
    criteria: Criteria
    gate_answers: bool = True
    starting: int = 0
    learned: list[Market] = field(default_factory=list)
    metrics: OperatorMetrics = field(default_factory=OperatorMetrics)
    source: MarketSource = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self, **policy: Any) -> None:
        """Another process takes over, perhaps installed otherwise."""
        self.policy = self.policy.model_copy(update=policy)
        self.source = MarketSource(
            self.store,
            self.policy,
            reader=self.venue.reader,
            clob=self.venue.clob,
            criteria=self.criteria,
            clock=self.venue.clock,
            wall_ms=SystemClock().now_ms,
            markets=self.store.all,
            gate_answers=lambda: self.gate_answers,
            starting=lambda: self.starting,
            learned=self.learned.append,
            observer=self.metrics,
        )

    @property
    def clock(self) -> VirtualClock:
        return self.venue.clock

    async def round(self) -> list[str]:
        """One round and all that it calls for; names of the discovered ArbMarkets after it."""
        await self.source.look()
        for _ in range(50):
            if await self.source.carry_out() is None:
                break
            await self.clock.advance(1)
        return sorted(self.store.discovered())

    def condition_id(self, slug: str) -> str:
        found = self.venue.paper.exchange.market(slug)
        assert found is not None
        return found.condition_id


@contextlib.asynccontextmanager
async def discovery_rig(*books: ScriptedBooks, criteria: Criteria | None = None, **policy: Any) -> AsyncIterator[DiscoveryRig]:
    """Before a paper exchange with these markets, any of which qualifies unless the criteria say otherwise."""
    async with venue_rig(*books) as venue:
        chosen = Policy(namespace="test", gamma_url=venue.gamma, **{"max_markets": 20, **policy})
        store = ArbMarketsInADict(venue.clock)
        wanted = criteria or Criteria(max_markets=chosen.max_markets, max_duration_ms=10**14)
        yield DiscoveryRig(venue, store, chosen, wanted)
