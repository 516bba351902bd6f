"""How commands that run until told to stop are told: by SIGTERM, as services are, or by Ctrl-C.

Used by `run`, `record` and `demo`; `hydra` gives up listening after the first one, so that a second one ends it at once.
"""

import asyncio
import signal
from contextlib import suppress
from typing import Final

STOPPING: Final = (signal.SIGTERM, signal.SIGINT)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, of the running loop."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for name in STOPPING:
        loop.add_signal_handler(name, stop.set)
    return stop


async def pause(stop: asyncio.Event, seconds: float) -> None:
    """Wait so long, or until told to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
