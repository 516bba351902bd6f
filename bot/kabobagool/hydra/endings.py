"""Notices markets that are over, and what they pay: the socket does not always say it, and a position waits for its payout.

`market_supervisor.py` runs it as a task. A market is asked about when it says that it has resolved, when its end has passed, or when it
takes no orders any more; at most once a while each, one after the other.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from kabobagool.clock import Clock
from kabobagool.hydra.market_task import MarketTask
from kabobagool.hydra.payouts import Payout
from kabobagool.hydra.payouts import payout_of as asked_payout
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
ASK_AGAIN_S: Final = 30.0


@dataclass(slots=True, kw_only=True)
class Endings:
    """Asks for payouts. `over` is told of every market that has one, once."""

    reader: Reader
    gamma_host: str
    clock: Clock
    tasks: Callable[[], Iterable[MarketTask]]
    over: Callable[[MarketTask, Payout], None]
    _asked_s: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.clock.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Ask about every market that seems to be over and was not asked about a moment ago."""
        ending = [task for task in self.tasks() if self._seems_over(task)]
        current = {task.market.condition_id for task in ending}
        self._asked_s = {condition_id: asked_s for condition_id, asked_s in self._asked_s.items() if condition_id in current}
        for task in ending:
            condition_id, now_s = task.market.condition_id, self.clock.monotonic()
            if now_s - self._asked_s.get(condition_id, -ASK_AGAIN_S) >= ASK_AGAIN_S:
                self._asked_s[condition_id] = now_s
                await self._ask(task)

    def _seems_over(self, task: MarketTask) -> bool:
        market, bot = task.market, task.bot
        ended = market.end_ms is not None and self.clock.now_ms() > market.end_ms
        return task.leaving_because is None and (ended or not market.accepting_orders or bool(bot and bot.engine.view.resolved))

    async def _ask(self, task: MarketTask) -> None:
        try:
            payout = await asked_payout(self.reader, self.gamma_host, task.market.condition_id)
        except Exception as e:  # whatever it is, markets that trade must not end because nobody can say what another one pays
            details = None if isinstance(e, VenueError) else e
            extra = {"market": task.market.slug, "error": str(e)}
            log.warning("could not ask whether a market has resolved", extra=extra, exc_info=details)
            return
        if payout is not None:
            self.over(task, payout)
