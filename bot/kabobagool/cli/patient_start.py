"""Starting while the venue or the gate's server is away: what a bot answers meanwhile, and how it tries again.

`run.py` uses it. A cluster that comes back after a power cut starts everything at once; a bot that ended for want of Redis would be started
again later and later, and trade minutes after it could. People at a terminal want the error at once, so patience is 0 by default.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from kabobagool.cli.signals import pause
from kabobagool.engine.bot import Bot
from kabobagool.telemetry.health import HealthReason, HealthReport
from kabobagool.trading.gate_choice import GateAwayError
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import HttpStatusError
from kabobagool.venue.transport import TransportError

log = logging.getLogger(__name__)

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Between two trials; the last one again and again."""
AWAY: Final = frozenset({425, 429, *range(500, 600)})
"""Statuses of a venue that will answer later."""


class Starting(msgspec.Struct, frozen=True, kw_only=True):
    """What /status answers before there is a bot. `waits_for` is empty until something was out of reach."""

    state: str = "starting"
    waits_for: str = ""


class Doorway:
    """What the health server asks: the bot once there is one, before that what the start waits for."""

    def __init__(self) -> None:
        self.bot: Bot | None = None
        self.waits_for = ""

    def health(self) -> HealthReport:
        """Not healthy before there is a bot."""
        if self.bot is not None:
            return self.bot.health()
        return HealthReport(reasons=(HealthReason.STARTING,), details={"waits_for": self.waits_for})

    def status(self) -> dict[str, Any]:
        """The bot's snapshot, or that it starts."""
        told = Starting(waits_for=self.waits_for) if self.bot is None else self.bot.snapshot()
        shown: dict[str, Any] = msgspec.to_builtins(told)
        return shown


async def started(
    compose: Callable[[], Awaitable[Bot]],
    doorway: Doorway,
    stop: asyncio.Event,
    *,
    patience_s: float,
    pauses_s: tuple[float, ...] = PAUSES_S,
) -> Bot | None:
    """A bot, None when `stop` came first. Raises what `compose` raised last: at once for what waiting does not mend."""
    loop = asyncio.get_running_loop()
    deadline, trial = loop.time() + patience_s, 0
    while not stop.is_set():
        try:
            doorway.bot = await compose()
            return doorway.bot
        except VenueError as e:
            pause_s = pauses_s[min(trial, len(pauses_s) - 1)]
            if not is_away(e) or loop.time() + pause_s > deadline:
                raise
            doorway.waits_for, trial = str(e), trial + 1
            log.warning("cannot start yet", extra={"error": str(e), "again_in_s": pause_s})
        await pause(stop, pause_s)
    return None


def is_away(error: VenueError) -> bool:
    """Whether the same start may work later although nobody changes anything."""
    if isinstance(error, HttpStatusError):
        return error.status in AWAY
    return isinstance(error, TransportError | GateAwayError)
