"""The operator as a process: answers probes from the beginning, waits until it is elected, leads, and ends in order.

`cli.py` calls `serve`. A process that loses its Lease, or a part of itself, ends with status 1; Kubernetes starts it again and another one
leads meanwhile. Told to stop, it finishes what it began and hands the Lease over at once.
"""

import asyncio
import logging
import random
import secrets
import signal
from contextlib import AsyncExitStack
from typing import Final

from kubernetes.aio.client.configuration import Configuration

from kabobagool.clock import Clock, SystemClock
from kabobagool_operator.assembly import Parts, Surroundings, assemble
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.condition_counts import condition_counts
from kabobagool_operator.fleet_page_desk import FleetPageDesk
from kabobagool_operator.fleet_page_server import FleetPageServer, served_at
from kabobagool_operator.leader import Elector, Timings
from kabobagool_operator.leading import Leading, PartEndedError, cancelled
from kabobagool_operator.lease import ClusterLease
from kabobagool_operator.operator_metrics import OperatorMetrics
from kabobagool_operator.policy import Policy
from kabobagool_operator.probe_server import ProbeServer
from kabobagool_operator.probes import ProbeFacts, limits_of
from kabobagool_operator.rest import Rest
from kabobagool_operator.workqueue import WorkQueue
from kabobagool_operator.write_rate import WriteRate

log = logging.getLogger(__name__)

LEASE: Final = "kabobagool-operator"
ALL_ADDRESSES: Final = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside of the Pod
SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
BURST_S: Final = 2


class Operator:
    """One process of the operator."""

    def __init__(self, policy: Policy, configuration: Configuration, *, clock: Clock, rng: random.Random) -> None:
        self._policy = policy
        self._configuration = configuration
        self._clock = clock
        self._rng = rng
        self._identity = f"{policy.identity}_{secrets.token_hex(4)}"
        self._metrics = OperatorMetrics()
        self._queue: WorkQueue[str] = WorkQueue(clock=clock, rng=rng, observer=self._metrics)
        self._parts: Parts | None = None
        self._stop = asyncio.Event()
        timings = Timings(int(policy.lease_s), policy.renew_deadline_s, policy.retry_s)
        self._lease_rest = Rest(configuration, rate=None, observer=self._metrics, timeout_s=policy.renew_deadline_s / 2)
        self._lease = ClusterLease(Cluster(self._lease_rest), namespace=policy.namespace, name=LEASE, page=served_at(policy))
        self._desk = FleetPageDesk(policy, clock=clock)
        self._elector = Elector(self._lease, identity=self._identity, clock=clock, rng=rng, timings=timings)
        rate = WriteRate(clock=clock, per_second=policy.writes_per_second, burst=BURST_S * policy.writes_per_second)
        self._rest = Rest(configuration, rate=rate, observer=self._metrics, fence=self._elector.fence)

    async def run(self) -> bool:
        """Serve until told to stop. Whether it ended in order."""
        self._listen_to_signals()
        self._metrics.watch_queue(self._queue)
        self._metrics.watch_leadership(LEASE, lambda: self._elector.leading)
        async with AsyncExitStack() as ending:
            ending.push_async_callback(self._lease_rest.close)
            ending.push_async_callback(self._rest.close)
            server = self._server()
            await server.start(variable="KABOBAGOOL_HEALTH_PORT")
            ending.push_async_callback(server.stop)
            if self._policy.fleet_port:
                page = self._page()
                await page.start()
                ending.push_async_callback(page.stop)
            if not await self._elected():
                return True
            return await self._lead(server)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for name in SIGNALS:
            loop.add_signal_handler(name, self._stop.set)

    def _server(self) -> ProbeServer:
        port, registry = self._policy.health_port, self._metrics.registry
        return ProbeServer(host=ALL_ADDRESSES, port=port, gather=self._facts, registry=registry, limits=limits_of(self._policy))

    def _page(self) -> FleetPageServer:
        token = self._policy.fleet_token.get_secret_value() if self._policy.fleet_token else None
        return FleetPageServer(
            self._desk,
            host=ALL_ADDRESSES,
            port=self._policy.fleet_port,
            token=token,
            leader=lambda: self._lease.leader,
            clock=self._clock,
        )

    async def _elected(self) -> bool:
        """Wait to lead. False when told to stop before."""
        log.info("standing by", extra={"identity": self._identity, "namespace": self._policy.namespace})
        election = asyncio.create_task(self._elector.acquire(), name="election")
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        await asyncio.wait({election, stop}, return_when=asyncio.FIRST_COMPLETED)
        for task in (election, stop):
            task.cancel()
        results = await asyncio.gather(election, stop, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]
        if self._stop.is_set():
            await self._elector.release()
            return False
        return True

    async def _lead(self, server: ProbeServer) -> bool:
        keeping = asyncio.create_task(self._elector.keep(), name="lease")
        await asyncio.sleep(0)
        around = self._surroundings()
        parts = self._parts = assemble(around, self._configuration)
        self._desk.lead(parts.for_the_page)
        self._metrics.watch_markets(parts.fleet.counts)
        self._metrics.watch_conditions(lambda: condition_counts(market.seen for market in parts.caches.markets.values()))
        self._metrics.watch_venue(parts.venue_numbers)
        work = asyncio.create_task(Leading(parts, around).run(self._stop), name="leading")
        signals = asyncio.create_task(self._take_signals_back(parts.watches.begun), name="signals")
        try:
            await asyncio.wait({keeping, work}, return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                return False
            work.result()
            return True
        except PartEndedError as e:
            log.exception("the operator ends, for a part of it ended", extra={"error": str(e)})
            return False
        except Exception:
            log.exception("the operator ends, for it could not begin to lead")
            return False
        finally:
            await cancelled(signals, work, keeping)
            await self._elector.release()
            await server.stop()
            await parts.close()

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            policy=self._policy,
            cluster=Cluster(self._rest),
            queue=self._queue,
            clock=self._clock,
            rng=self._rng,
            identity=self._identity,
            metrics=self._metrics,
        )

    async def _take_signals_back(self, taken: asyncio.Event) -> None:
        """Kopf makes itself the one who is told to stop; we have more to finish than it knows of."""
        await taken.wait()
        self._listen_to_signals()

    def _facts(self) -> ProbeFacts:
        activity = self._parts.activity if self._parts is not None else None
        return ProbeFacts(
            watch_silence_s=activity.silence_s if activity is not None else {},
            unlisted=activity.unlisted if activity is not None else (),
            longest_running_s=self._queue.longest_running_s,
            oldest_age_s=self._queue.oldest_age_s,
            lease_age_s=self._elector.lease_age_s,
            contact_age_s=self._elector.contact_age_s,
        )


async def serve(policy: Policy, configuration: Configuration) -> bool:
    """Run the operator in this process until it is told to stop. Whether it ended in order; False is for Kubernetes to start it again."""
    return await Operator(policy, configuration, clock=SystemClock(), rng=random.SystemRandom()).run()
