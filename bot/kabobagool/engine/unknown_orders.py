"""Orders whose end is not known: looked up by their hash until it is, and never sent again.

While one of them is open the engine opens nothing in its market. `add` is called for a reply that never came, a 5xx, a bare 429, a
"delayed" or a duplicate; the answer goes back the way every outcome goes.
"""

import asyncio
import logging
from collections.abc import Callable

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.engine.order_flow import is_resolved
from kabobagool.execution.client import ExecutionClient, SignedOrder
from kabobagool.execution.journal import JournalError, OrderJournal

log = logging.getLogger(__name__)

FIRST_LOOK_S = 0.25
LONGEST_PAUSE_S = 5.0


class UnknownOrders:
    """Orders being looked up; `open` maps their hash to when they were sent (venue ms)."""

    def __init__(self, *, execution: ExecutionClient, journal: OrderJournal, clock: Clock) -> None:
        self.open: dict[str, int] = {}
        self.resolved: Callable[[SignedOrder, OrderPlan, OrderOutcome], None] = lambda order, plan, outcome: None
        self._execution = execution
        self._journal = journal
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, order: SignedOrder, plan: OrderPlan, *, since_ms: int) -> None:
        """Look an order up from now on until its end is known."""
        if order.order_hash in self.open:
            return
        self.open[order.order_hash] = since_ms
        task = asyncio.get_running_loop().create_task(self._follow(order, plan, since_ms), name=f"lookup {order.order_hash[:10]}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop looking; what is still open stays open in the journal and is looked up at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, order: SignedOrder, plan: OrderPlan, since_ms: int) -> None:
        outcome = await self._until_known(order, since_ms)
        await self._note(order.order_hash, outcome)
        del self.open[order.order_hash]
        self.resolved(order, plan, outcome)

    async def _until_known(self, order: SignedOrder, since_ms: int) -> OrderOutcome:
        pause = FIRST_LOOK_S
        while True:
            await self._clock.sleep(pause)
            outcome = await self._look(order, since_ms)
            if outcome is not None and is_resolved(outcome):
                return outcome
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _look(self, order: SignedOrder, since_ms: int) -> OrderOutcome | None:
        """One lookup. One that fails is only a reason to look again: giving up here would leave the market frozen for ever."""
        try:
            return await self._execution.lookup(order.order_hash, order.market, since_ms)
        except Exception:
            log.warning("lookup failed; trying again", extra={"order": order.order_hash}, exc_info=True)
            return None

    async def _note(self, order_hash: str, outcome: OrderOutcome) -> None:
        try:
            await self._journal.mark(order_hash, outcome)
        except JournalError as e:
            log.error("the journal could not note an outcome; the next start will look the order up again", extra={"error": str(e)})
