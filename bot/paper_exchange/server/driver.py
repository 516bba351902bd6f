"""Moves the passive core through venue time and tells the sockets what happened.

One task sleeps until the core's next event. Handlers call `step` before they ask the core anything that depends on now.
"""

import asyncio
import contextlib
import logging

from paper_exchange.server.broadcast import Broadcaster
from paper_exchange.server.venue import Venue
from paper_exchange.types import OrderRecord

_IDLE_S = 0.25
_LOGGER = logging.getLogger(__name__)


class Driver:
    """The heartbeat of one venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._broadcaster = Broadcaster(venue)
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to move; call once, inside a running loop."""
        self._task = asyncio.create_task(self._run_loudly())

    async def stop(self) -> None:
        """Stand still."""
        if self._task is not None and self._task.cancel():
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def hang_up(self) -> None:
        """Close every socket politely: the venue is going away."""
        for channel in (self._venue.market_sockets, self._venue.user_sockets):
            for subscriber in channel:
                subscriber.close()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises whatever ended the driver if it dies first: a venue that stands still must not look alive."""
        if self._task is None:
            raise RuntimeError("the driver was not started")
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({waiter, self._task}, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                self._task.result()
        finally:
            waiter.cancel()

    def step(self) -> None:
        """Bring the core to the present and publish what happened on the way."""
        events = self._venue.exchange.advance(self._venue.now_ms())
        self._broadcaster.publish(events)

    def wake(self) -> None:
        """Look again at when the next event is due: an order was just submitted."""
        self._woken.set()

    async def outcome(self, order_hash: str, *, due_ms: int) -> OrderRecord:
        """The record of a pending order, once venue time has reached `due_ms`."""
        self.wake()
        while True:
            await asyncio.sleep(self._venue.clock.wall_seconds_until(due_ms))
            self.step()
            record = self._venue.exchange.outcome(order_hash)
            if record is not None:
                return record
            due_ms = self._venue.now_ms() + 1

    async def _run_loudly(self) -> None:
        try:
            await self._run()
        except Exception:
            _LOGGER.exception("the venue stands still")
            raise

    async def _run(self) -> None:
        while True:
            self.step()
            self._woken.clear()
            due_ms = self._venue.exchange.next_event_ms()
            wait_s = _IDLE_S if due_ms is None else min(_IDLE_S, self._venue.clock.wall_seconds_until(due_ms))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), timeout=wait_s)
