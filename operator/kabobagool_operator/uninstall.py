"""Takes the ArbMarkets of a namespace away, with an operator beside it that makes no new ones and drains those that go.

`cli.py` calls it for the Job that the chart runs before an uninstall. The operators of the Deployment are told to end first: with their
discovery they would put back what is deleted. What is not drained in time loses the finalizer, so that nothing waits for an operator that
will never come again; its bot hedges when it is told to end, as always.
"""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Final

from kabobagool.clock import Clock
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import ClusterError, Conflict, NotFound
from kabobagool_operator.kinds import ARB_MARKET, DEPLOYMENT, LEASE
from kabobagool_operator.labels import FINALIZER
from kabobagool_operator.main import LEASE as LEASE_NAME
from kabobagool_operator.rest import Body

Say = Callable[[str], None]

SHOWN: Final = 5
TRIES: Final = 5
LOOK_S: Final = 1.0
AGAIN_S: Final = 2.0
OPERATOR: Final = (sys.executable, "-m", "kabobagool_operator.cli", "run")
IDENTITY: Final = "uninstall"
WITHOUT_NEW_ONES: Final = ("--identity", IDENTITY, "--no-discovery", "--fleet-port", "0")


class Uninstall:
    """One namespace's. `say` is told a line for people whenever something is new."""

    def __init__(self, cluster: Cluster, namespace: str, *, clock: Clock, say: Say) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._clock = clock
        self._say = say
        self._said = ""

    async def run(self, *, deployment: str | None, options: Sequence[str], timeout_s: float) -> bool:
        """Delete all ArbMarkets and wait until they are gone, at most for `timeout_s`. Whether all of them were drained.

        `deployment` is the operator's, `options` those of the operator beside this. ClusterError when the cluster cannot be asked.
        """
        until_s = self._clock.monotonic() + timeout_s
        if deployment is not None:
            await self._stop_operators(deployment)
        draining = asyncio.create_task(self._operate(options), name="operator")
        try:
            while self._clock.monotonic() < until_s:
                if await self._done():
                    self._say("there are no ArbMarkets any more")
                    return True
                await self._clock.sleep(LOOK_S)
        finally:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
        await self._let_go()
        return False

    async def _done(self) -> bool:
        """Delete what there is, also what somebody made meanwhile. Whether nothing is left, and nobody can lead who would make more."""
        try:
            alone = await self._leads()
            left = await self._markets()
            for market in left:
                if "deletionTimestamp" not in market["metadata"]:
                    await self._cluster.delete(ARB_MARKET, self._namespace, market["metadata"]["name"])
        except ClusterError as e:
            self._say_new(f"{e}; it is tried again")
            return False
        if left or not alone:
            self._say_new(f"waiting for {_names(left)}" if left else "waiting for the operators before this one to end")
        return alone and not left

    async def _let_go(self) -> None:
        """Take our finalizer from what is left; again where somebody wrote meanwhile."""
        for _ in range(TRIES):
            held = [market for market in await self._markets() if FINALIZER in market["metadata"].get("finalizers", [])]
            for market in held:
                name = market["metadata"]["name"]
                self._say(
                    f"{name}: not drained in time, let go; its bot hedges when it ends, so look at what position is left at the venue"
                )
                await self._release(name, market["metadata"]["finalizers"], market["metadata"]["resourceVersion"])
            if not held:
                return

    async def _release(self, name: str, finalizers: list[str], version: str) -> None:
        removal = {"op": "remove", "path": f"/metadata/finalizers/{finalizers.index(FINALIZER)}"}
        with contextlib.suppress(Conflict, NotFound):
            await self._cluster.patch_json(ARB_MARKET, self._namespace, name, [removal], resource_version=version)

    async def _stop_operators(self, deployment: str) -> None:
        try:
            found = await self._cluster.get(DEPLOYMENT, self._namespace, deployment)
        except NotFound:
            return
        none = {"op": "replace", "path": "/spec/replicas", "value": 0}
        version = found["metadata"]["resourceVersion"]
        try:
            await self._cluster.patch_json(DEPLOYMENT, self._namespace, deployment, [none], resource_version=version)
        except Conflict:  # its status changed meanwhile
            await self._stop_operators(deployment)
        else:
            self._say(f"Deployment {deployment} was told to end; if the uninstall is given up, scale it up again")

    async def _operate(self, options: Sequence[str]) -> None:
        """An operator as a process, again when it ends, until cancelled. It waits until the Lease of those before is free."""
        while True:
            operator = await asyncio.create_subprocess_exec(*OPERATOR, *options, *WITHOUT_NEW_ONES)
            try:
                status = await operator.wait()
            except asyncio.CancelledError:
                with contextlib.suppress(ProcessLookupError):
                    operator.terminate()
                await operator.wait()
                raise
            self._say(f"the operator that drains ended with status {status}; it is started again")
            await self._clock.sleep(AGAIN_S)

    async def _leads(self) -> bool:
        """Whether the operator beside this leads: then no other one writes."""
        try:
            lease = await self._cluster.get(LEASE, self._namespace, LEASE_NAME)
        except NotFound:
            return False
        return str(lease["spec"].get("holderIdentity", "")).startswith(f"{IDENTITY}_")

    async def _markets(self) -> list[Body]:
        try:
            return await self._cluster.list(ARB_MARKET, self._namespace)
        except NotFound:  # the definition is gone, and all of them with it
            return []

    def _say_new(self, line: str) -> None:
        if line != self._said:
            self._say(line)
        self._said = line


def _names(markets: Sequence[Body]) -> str:
    names = [str(market["metadata"]["name"]) for market in markets]
    return f"{len(names)}: {', '.join(names[:SHOWN])}{' ...' if len(names) > SHOWN else ''}"
