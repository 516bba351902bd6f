"""Keeps Python's garbage collector from stopping a big fleet at the wrong moment.

A full collection looks at every object there is, and a thousand markets are many: the event loop stands still for a sixth of a second, in
the middle of whatever happens. So it is done here on purpose, when the fleet has changed and no order is on its way, and what lives on is
set aside from the collector. Run by `cli/hydra.py`, whose process it is.
"""

import gc
from collections.abc import Mapping
from typing import Final

from kabobagool.clock import Clock
from kabobagool.hydra.market_task import MarketTask, Phase

LOOK_EVERY_S: Final = 5.0


class QuietMemory:
    """Collects when the markets are others than at the last time. `tasks` are those of the fleet, by condition id."""

    def __init__(self, tasks: Mapping[str, MarketTask], *, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._settled: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Look until cancelled; the collector has everything back then."""
        try:
            while True:
                await self._clock.sleep(LOOK_EVERY_S)
                self.look()
        finally:
            gc.unfreeze()

    def look(self) -> bool:
        """Collect if it is worth it and nobody is in the middle of something; whether it was done."""
        bots = frozenset(id(task.bot) for task in self._tasks.values())
        if bots == self._settled or not all(_is_calm(task) for task in self._tasks.values()):
            return False
        gc.unfreeze()  # or what the markets that left had would be kept for ever
        gc.collect()
        gc.freeze()
        self._settled = bots
        return True


def _is_calm(task: MarketTask) -> bool:
    return task.phase is not Phase.STARTING and not (task.bot is not None and task.bot.engine.is_busy())
