"""What a bot must know before it may trade: what became of its open orders, and what it owns.

A start is only clean when every journalled order has an end and the trades agree with the balances. Until then the engine watches and
does not trade; this task keeps asking, and lifts the ban when the answers agree.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

from kabobagool.clock import Clock
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.execution.journal import JournalError
from kabobagool.execution.reconcile import Reconciliation
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

NOT_RECONCILED: Final = "not reconciled"
"""The word for it in /status; what exactly is wrong is in `Memory.trouble`."""
TRY_AGAIN_S: Final = 30.0


class Memory:
    """Reconciles a market at start, and again until it is clean. `adopt` receives a clean history."""

    def __init__(
        self,
        *,
        engine: MarketEngine,
        ask: Callable[[], Awaitable[Reconciliation]],
        adopt: Callable[[Reconciliation], None],
        clock: Clock,
    ) -> None:
        self.trouble: str | None = "not asked yet"
        self._engine = engine
        self._ask = ask
        self._adopt = adopt
        self._clock = clock
        engine.bans.reasons.append(NOT_RECONCILED)

    async def recall(self) -> str | None:
        """Ask once: None when the history is clean and adopted, otherwise a sentence that says what is wrong."""
        try:
            history = await self._ask()
        except (VenueError, JournalError) as e:
            self.trouble = str(e)
            return self.trouble
        self._adopt(history)
        self.trouble = objection_to(history)
        if self.trouble is None:
            self._engine.recover(NOT_RECONCILED)
            self._engine.purse.write_off(market=self._engine.market.condition_id)  # held by an earlier bot that was cut off
        return self.trouble

    async def run(self) -> None:
        """Ask again until it is clean."""
        while self.trouble is not None:
            log.warning("watching only: not reconciled", extra={"reason": self.trouble})
            await self._clock.sleep(TRY_AGAIN_S)
            await self.recall()


def objection_to(history: Reconciliation) -> str | None:
    """Why this history is no ground to trade on, or None."""
    if history.unresolved:
        return f"{len(history.unresolved)} orders sent earlier have no known end yet: {', '.join(history.unresolved)}"
    if history.foreign:
        return (
            f"somebody else trades this wallet: trades {', '.join(history.foreign)} rested in the book, and this bot never rests an order"
        )
    return history.disagreement
