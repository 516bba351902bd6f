"""Leading: everything is listed before anything is done, then the parts run until told to stop, and are watched over.

`main.py` runs one when this process was elected. A part that ends takes the whole process with it, so that Kubernetes starts it again and
nothing lives on as half an operator.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from kabobagool_operator.assembly import Parts, Surroundings
from kabobagool_operator.cluster_errors import ClusterError
from kabobagool_operator.kinds import ARB_MARKET

log = logging.getLogger(__name__)

QUEUE: Final = "queue"
WATCHES: Final = "watches"
LOOK_S: Final = 0.05
OVERSIGHT_S: Final = 1.0
ASK_AGAIN_S: Final = 5.0
FINISH_S: Final = 12.0
"""What was begun has so long to finish when the process is told to stop; a request to the API server may take longer, and is given up."""
WATCHES_END_S: Final = 6.0
CANCEL_S: Final = 2.0


class PartEndedError(RuntimeError):
    """A part of the operator ended that never should; the text says which and why."""


async def cancelled(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and see them end, unless one of them does not want to."""
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks, timeout=CANCEL_S)


class Leading:
    """Runs the parts, once."""

    def __init__(self, parts: Parts, at: Surroundings) -> None:
        self._parts = parts
        self._at = at
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._stop_watching = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Lead until `stop`. PartEndedError when a part ended before."""
        halt = asyncio.create_task(stop.wait(), name="stop")
        beginning = asyncio.create_task(self._begin(), name="beginning")
        try:
            await self._until_one_ends({halt, beginning}, stop)
            if not halt.done():
                beginning.result()
                await self._until_one_ends({halt}, stop)
            beginning.cancel()
            await self._finish()
        finally:
            await cancelled(halt, beginning, *self._tasks)

    async def _begin(self) -> None:
        """Know everything before anything is done."""
        parts, at = self._parts, self._at
        await self._definition_is_there()
        self._start(WATCHES, parts.watches.run(self._stop_watching))
        while parts.activity.unlisted:
            await at.clock.sleep(LOOK_S)
        names = list(parts.caches.markets)
        log.info("leading", extra={"markets": len(names)})
        parts.directory.renew(parts.fleet.markets())
        await parts.gate.look()
        parts.fleet.expect(names)
        for name in names:
            at.queue.add(name)
        self._start(QUEUE, at.queue.run(at.policy.workers, parts.reconciler.look))
        self._start("gate view", parts.gate.run())
        self._start("resolver", parts.resolver.run())
        self._start("fleet", parts.fleet.run())
        if at.policy.discovery:
            self._start("discovery", parts.source.run())

    async def _definition_is_there(self) -> None:
        """Watching what the API server does not know would be silent for ever."""
        said = False
        while True:
            try:
                await self._at.cluster.ask_for(ARB_MARKET, self._at.policy.namespace)
            except ClusterError as e:
                if not said:
                    log.warning("ArbMarkets cannot be listed; is the CRD installed?", extra={"error": str(e)})
                said = True
                await self._at.clock.sleep(ASK_AGAIN_S)
            else:
                return

    async def _until_one_ends(self, awaited: set[asyncio.Task[Any]], stop: asyncio.Event) -> None:
        """Wait for one of them, and for parts that end meanwhile; those that are started meanwhile are taken in soon."""
        while True:
            done, _ = await asyncio.wait({*awaited, *self._tasks}, return_when=asyncio.FIRST_COMPLETED, timeout=OVERSIGHT_S)
            for task in done & set(self._tasks):
                self._ended(task, stop)
            if done & awaited:
                return

    def _ended(self, task: asyncio.Task[None], stop: asyncio.Event) -> None:
        """Whoever ends is to blame; but kopf, before the signals were taken back from it, ends because it was told to."""
        name = self._tasks.pop(task)
        error = None if task.cancelled() else task.exception()
        if name != WATCHES or error is not None:
            raise PartEndedError(f"{name} ended: {error!r}") from error
        stop.set()

    async def _finish(self) -> None:
        """Begin nothing any more, finish what was begun, stop watching."""
        self._at.queue.stop()
        named = {name: task for task, name in self._tasks.items()}
        queue, watches = named.pop(QUEUE, None), named.pop(WATCHES, None)
        for task in named.values():
            task.cancel()
        if queue is not None:
            await asyncio.wait({queue}, timeout=FINISH_S)
        self._stop_watching.set()
        if watches is not None:
            await asyncio.wait({watches}, timeout=WATCHES_END_S)

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[asyncio.create_task(work, name=name)] = name
