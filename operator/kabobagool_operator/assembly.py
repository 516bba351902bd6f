"""The parts of a leading operator, put together: who tells whom, and nothing else.

`leading.py` runs them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kubernetes.aio.client.configuration import Configuration

from kabobagool.clock import Clock
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import HttpTransport, make_transport
from kabobagool_operator.apply_plan import Hands
from kabobagool_operator.blueprints import Blueprints
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.caches import WATCHED, Caches
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.directory import Directory
from kabobagool_operator.discovered import discovery_criteria
from kabobagool_operator.events import Events
from kabobagool_operator.fleet import Fleet
from kabobagool_operator.fleet_page_desk import Sources
from kabobagool_operator.fleet_page_events import RecentEvents
from kabobagool_operator.gate_view import GateView
from kabobagool_operator.market_source import MarketSource
from kabobagool_operator.observe import Observer
from kabobagool_operator.operator_metrics import OperatorMetrics, VenueNumbers
from kabobagool_operator.policy import Policy
from kabobagool_operator.reconcile import Reconciler
from kabobagool_operator.refusals import Refusals
from kabobagool_operator.resolver import Resolver
from kabobagool_operator.status_writer import StatusWriter
from kabobagool_operator.watch_activity import WatchActivity
from kabobagool_operator.watches import Watches
from kabobagool_operator.workqueue import WorkQueue

GATHER_S: Final = 0.2
"""A bot that starts changes its Deployment and Pod some eight times within a second or two: each look takes in what came meanwhile."""
GATHER_S_A_START: Final = 0.01
"""Longer than a look takes: with more bots that start, looking at each as often would keep those waiting that have none yet."""
LONGEST_GATHER_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What every part may be given."""

    policy: Policy
    cluster: Cluster
    queue: WorkQueue[str]
    clock: Clock
    rng: random.Random
    identity: str
    metrics: OperatorMetrics


@dataclass(frozen=True, kw_only=True)
class VenueAccess:
    """The venue, as the operator asks it."""

    transport: HttpTransport
    reader: Reader
    clob: ClobReader


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything the leader does."""

    activity: WatchActivity
    caches: Caches
    watches: Watches
    venue: VenueAccess
    resolver: Resolver
    directory: Directory
    gate: GateView
    fleet: Fleet
    reconciler: Reconciler
    source: MarketSource
    recent: RecentEvents

    def venue_numbers(self) -> VenueNumbers:
        """How discovery and the venue are, for the metrics."""
        source = self.source
        return VenueNumbers(
            qualifying=None if source.last is None else len(source.last.found),
            round_age_s=source.age_s,
            stopped=source.stopped is not None,
            unwell=self.resolver.trouble is not None,
        )

    @property
    def for_the_page(self) -> Sources:
        """What the fleet's page shows."""
        return Sources(caches=self.caches, gate=self.gate, source=self.source, events=self.recent, activity=self.activity)

    async def close(self) -> None:
        """Let go of the gate and the venue."""
        await self.gate.close()
        await self.venue.transport.close()


class Bell:
    """Has markets looked at: what the parts that hear of something are told to call."""

    def __init__(self, queue: WorkQueue[str]) -> None:
        self._queue = queue
        self.directory: Directory | None = None
        self.touched: Callable[[], None] = lambda: None
        self.starting: Callable[[], int] = lambda: 0

    @property
    def gather_s(self) -> float:
        """How long what happens to a market is gathered before it is looked at."""
        return min(GATHER_S + self.starting() * GATHER_S_A_START, LONGEST_GATHER_S)

    def cluster_changed(self, name: str, *, by_us: bool) -> None:
        """An object is no longer as it was. What we wrote ourselves is no news."""
        if not by_us:
            self._queue.add_after(name, self.gather_s)

    def market_resolved(self, name: str) -> None:
        """There is news of an ArbMarket's market at the venue."""
        self._queue.add(name)
        self.touched()

    def gate_changed(self, condition_id: str) -> None:
        """There is news of a market at the order gate."""
        for name in self.directory.names(condition_id) if self.directory is not None else ():
            self._queue.add(name)


def assemble(at: Surroundings, configuration: Configuration) -> Parts:
    """Put the parts together; nothing runs yet. ValueError for settings that `start_checks.py` objects to."""
    bell, policy, clock = Bell(at.queue), at.policy, at.clock
    activity = WatchActivity(WATCHED, clock=clock)
    caches = Caches(bell.cluster_changed)
    venue = _venue(at)
    resolver = _resolver(at, venue, bell)
    directory = Directory(resolver.known, resolver.condition_id, wallets=policy.wallets)
    gate = _gate(at, directory, bell)
    fleet = Fleet(caches, directory, policy, clock=clock, wake=at.queue.add)
    bell.directory, bell.touched, bell.starting = directory, fleet.touched, lambda: fleet.starting
    profiles, recent = Profiles(policy.profiles_dir), RecentEvents(clock)
    events = Events(at.cluster, clock=clock, identity=at.identity, noted=recent.note)
    return Parts(
        activity=activity,
        caches=caches,
        watches=Watches(configuration, caches, activity, namespace=policy.namespace, watch_s=policy.watch_s),
        venue=venue,
        resolver=resolver,
        directory=directory,
        gate=gate,
        fleet=fleet,
        reconciler=_reconciler(at, caches, resolver, directory, gate, fleet, profiles, events),
        source=_source(at, venue, resolver, gate, fleet, profiles),
        recent=recent,
    )


def _venue(at: Surroundings) -> VenueAccess:
    transport = make_transport(browser_impersonation=False)
    reader = Reader(transport, clock=at.clock, rng=at.rng)
    return VenueAccess(transport=transport, reader=reader, clob=ClobReader(reader, at.policy.clob_url, clock=at.clock))


def _resolver(at: Surroundings, venue: VenueAccess, bell: Bell) -> Resolver:
    return Resolver(
        venue.reader,
        venue.clob,
        at.policy.gamma_url,
        clock=at.clock,
        rng=at.rng,
        changed=bell.market_resolved,
        looked_up=at.metrics.looked_up,
        looks_per_second=at.policy.venue_lookups_per_second,
        recheck_s=at.policy.venue_recheck_s,
    )


def _gate(at: Surroundings, directory: Directory, bell: Bell) -> GateView:
    url = at.policy.redis_url.get_secret_value() if at.policy.redis_url else None
    return GateView(url, clock=at.clock, rng=at.rng, markets=lambda: directory.wallets, changed=bell.gate_changed)


def _reconciler(
    at: Surroundings,
    caches: Caches,
    resolver: Resolver,
    directory: Directory,
    gate: GateView,
    fleet: Fleet,
    profiles: Profiles,
    events: Events,
) -> Reconciler:
    policy, clock = at.policy, at.clock
    refusals = Refusals(clock)
    observer = Observer(
        caches=caches,
        resolver=resolver,
        directory=directory,
        gate=gate,
        fleet=fleet,
        blueprints=Blueprints(policy, profiles),
        refusals=refusals,
        wallets=policy.wallets,
    )
    return Reconciler(
        caches=caches,
        observer=observer,
        hands=Hands(at.cluster, caches, gate, refusals),
        writer=StatusWriter(at.cluster, caches, events, policy, clock=clock, starting=lambda: fleet.starting),
        fleet=fleet,
        resolver=resolver,
        refusals=refusals,
        policy=policy,
        clock=clock,
        rng=at.rng,
    )


def _source(at: Surroundings, venue: VenueAccess, resolver: Resolver, gate: GateView, fleet: Fleet, profiles: Profiles) -> MarketSource:
    return MarketSource(
        at.cluster,
        at.policy,
        reader=venue.reader,
        clob=venue.clob,
        criteria=discovery_criteria(at.policy, profiles),
        clock=at.clock,
        wall_ms=at.clock.now_ms,
        markets=fleet.markets,
        gate_answers=lambda: not gate.configured or gate.reachable,
        starting=lambda: fleet.starting,
        learned=resolver.learn,
        observer=at.metrics,
    )
