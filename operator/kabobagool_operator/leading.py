"""What the leader runs: watches, queue, gate view, resolver, fleet and discovery, put together and watched over.

`main.py` makes one when this process was elected. A part that ends takes the whole process with it, so that Kubernetes starts it again and
nothing lives on as half an operator.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine
from typing import Any, Final

from kubernetes.aio.client.configuration import Configuration

from kabobagool.clock import Clock
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import make_transport
from kabobagool_operator.apply_plan import Hands
from kabobagool_operator.blueprints import Blueprints
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.caches import WATCHED, Caches
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import ClusterError
from kabobagool_operator.directory import Directory
from kabobagool_operator.discovered import discovery_criteria
from kabobagool_operator.events import Events
from kabobagool_operator.fleet import Fleet
from kabobagool_operator.gate_view import GateView
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.market_source import MarketSource
from kabobagool_operator.observe import Observer
from kabobagool_operator.policy import Policy
from kabobagool_operator.reconcile import Reconciler
from kabobagool_operator.refusals import Refusals
from kabobagool_operator.resolver import Resolver
from kabobagool_operator.status_writer import StatusWriter
from kabobagool_operator.watch_activity import WatchActivity
from kabobagool_operator.watches import Watches
from kabobagool_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

LOOK_S: Final = 0.05
ASK_AGAIN_S: Final = 5.0
FINISH_S: Final = 12.0
"""What was begun has so long to finish when the process is told to stop; a request to the API server may take longer, and is given up."""
WATCHES_END_S: Final = 6.0


class PartEndedError(RuntimeError):
    """A part of the operator ended that never should; the text says which and why."""


class Leading:
    """Everything the leader does. `run` once; `close` afterwards."""

    def __init__(
        self,
        policy: Policy,
        *,
        configuration: Configuration,
        cluster: Cluster,
        queue: WorkQueue[str],
        clock: Clock,
        rng: random.Random,
        identity: str,
    ) -> None:
        self._policy = policy
        self._cluster = cluster
        self._queue = queue
        self._clock = clock
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._stop_watching = asyncio.Event()
        self.activity = WatchActivity(WATCHED, clock=clock)
        self._caches = Caches(self._changed)
        self.watches = Watches(configuration, self._caches, self.activity, namespace=policy.namespace)
        self._transport = make_transport(browser_impersonation=False)
        reader = Reader(self._transport, clock=clock, rng=rng)
        clob = ClobReader(reader, policy.clob_url, clock=clock)
        lookups = policy.venue_lookups_per_second
        self._resolver = Resolver(reader, clob, policy.gamma_url, clock=clock, rng=rng, changed=self._resolved, looks_per_second=lookups)
        self._directory = Directory(self._resolver.known, self._resolver.condition_id, live_wallet=policy.live_wallet)
        url = policy.redis_url.get_secret_value() if policy.redis_url else None
        self._gate = GateView(url, clock=clock, rng=rng, markets=lambda: self._directory.wallets, changed=self._heard)
        self.fleet = Fleet(self._caches, self._directory, policy, clock=clock, wake=queue.add)
        refusals, profiles = Refusals(clock), Profiles(policy.profiles_dir)
        observer = Observer(
            caches=self._caches,
            resolver=self._resolver,
            directory=self._directory,
            gate=self._gate,
            fleet=self.fleet,
            blueprints=Blueprints(policy, profiles),
            refusals=refusals,
            live_wallet=policy.live_wallet,
        )
        events = Events(cluster, clock=clock, identity=identity)
        self._reconciler = Reconciler(
            caches=self._caches,
            observer=observer,
            hands=Hands(cluster, self._caches, self._gate, refusals),
            writer=StatusWriter(cluster, self._caches, events, policy, clock=clock),
            fleet=self.fleet,
            resolver=self._resolver,
            refusals=refusals,
            policy=policy,
            clock=clock,
            rng=rng,
        )
        self._source = MarketSource(
            cluster,
            policy,
            reader=reader,
            clob=clob,
            criteria=discovery_criteria(policy, profiles),
            clock=clock,
            wall_ms=clock.now_ms,
            markets=self.fleet.markets,
            gate_answers=lambda: not self._gate.configured or self._gate.reachable,
            starting=lambda: self.fleet.starting,
            learned=self._resolver.learn,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until `stop`. PartEndedError when a part ended before."""
        halt = asyncio.create_task(stop.wait(), name="stop")
        beginning = asyncio.create_task(self._begin(), name="beginning")
        try:
            await self._until_something_ends({halt, beginning})
            if beginning.done() and not halt.done():
                beginning.result()
                await self._until_something_ends({halt})
            await self._finish()
        finally:
            for task in (halt, beginning, *self._tasks):
                task.cancel()
            await asyncio.gather(halt, beginning, *self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Let go of the gate and the venue."""
        await self._gate.close()
        await self._transport.close()

    async def _begin(self) -> None:
        """Know everything before anything is done."""
        await self._definition_is_there()
        self._start("watches", self.watches.run(self._stop_watching))
        while self.activity.unlisted:
            await self._clock.sleep(LOOK_S)
        names = list(self._caches.markets)
        log.info("leading", extra={"markets": len(names)})
        self._directory.renew(self.fleet.markets())
        await self._gate.look()
        self.fleet.expect(names)
        for name in names:
            self._queue.add(name)
        self._start("queue", self._queue.run(self._policy.workers, self._reconciler.look))
        self._start("gate view", self._gate.run())
        self._start("resolver", self._resolver.run())
        self._start("fleet", self.fleet.run())
        if self._policy.discovery:
            self._start("discovery", self._source.run())

    async def _definition_is_there(self) -> None:
        """Watching what the API server does not know would be silent for ever."""
        said = False
        while True:
            try:
                await self._cluster.list(ARB_MARKET, self._policy.namespace, chunk=1)
            except ClusterError as e:
                if not said:
                    log.warning("ArbMarkets cannot be listed; is the CRD installed?", extra={"error": str(e)})
                said = True
                await self._clock.sleep(ASK_AGAIN_S)
            else:
                return

    async def _until_something_ends(self, awaited: set[asyncio.Task[Any]]) -> None:
        while True:
            parts = set(self._tasks)
            done, _ = await asyncio.wait({*awaited, *parts}, return_when=asyncio.FIRST_COMPLETED, timeout=1.0)
            for task in done & parts:
                self._blame(task)
            if done & awaited:
                return

    def _blame(self, task: asyncio.Task[None]) -> None:
        name = self._tasks[task]
        error = None if task.cancelled() else task.exception()
        raise PartEndedError(f"{name} ended: {error!r}") from error

    async def _finish(self) -> None:
        """Begin nothing any more, finish what was begun, stop watching."""
        self._queue.stop()
        named = {name: task for task, name in self._tasks.items()}
        for name, task in named.items():
            if name not in ("queue", "watches"):
                task.cancel()
        if "queue" in named:
            await asyncio.wait({named["queue"]}, timeout=FINISH_S)
        self._stop_watching.set()
        if "watches" in named:
            await asyncio.wait({named["watches"]}, timeout=WATCHES_END_S)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[asyncio.create_task(work, name=name)] = name

    def _changed(self, name: str, *, by_us: bool) -> None:
        if not by_us:
            self._queue.add(name)
            self.fleet.touched()

    def _resolved(self, name: str) -> None:
        self._queue.add(name)
        self.fleet.touched()

    def _heard(self, condition_id: str) -> None:
        for name in self._directory.names(condition_id):
            self._queue.add(name)
