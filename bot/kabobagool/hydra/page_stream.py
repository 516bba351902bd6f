"""The live half of the page: one look at the fleet a second, told to every open page.

Run by `page_routes.py`. The look and its JSON are made once for all readers, and only while there are any. A reader holds nothing but the
number of the last event it has seen, so a slow one costs no memory: it is told everything anew when it has fallen too far behind.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from kabobagool.hydra.page_view import PageView, changes
from kabobagool.hydra.price_history import PriceHistory

log = logging.getLogger(__name__)

INTERVAL_S: Final = 1.0
LOOK_TIMEOUT_S: Final = 5.0
MOST_READERS: Final = 16
KEPT_EVENTS: Final = 5


Snapshot = TypeVar("Snapshot")
Told = TypeVar("Told", covariant=True)


class PageDesk(Protocol[Told]):
    """What the stream asks about a fleet."""

    async def snapshot(self) -> Told:
        """The fleet now."""
        ...

    def prices(self) -> Mapping[str, int | None]:
        """The pair cost after fees by market, millionths of a dollar, None while unknown; cheap, for it is asked every second."""
        ...


class PageStream(Generic[Snapshot]):
    """Server-sent events about the fleet of `desk`, as `view` shows it. Everything here happens on one event loop."""

    def __init__(self, desk: PageDesk[Snapshot], view: Callable[[Snapshot], PageView], *, interval_s: float = INTERVAL_S) -> None:
        self._desk = desk
        self._view_of = view
        self._interval_s = interval_s
        self._history = PriceHistory()
        self._view: PageView | None = None
        self._failed = False
        self._version = 0
        self._events: deque[bytes] = deque(maxlen=KEPT_EVENTS)
        self._whole: bytes | None = None
        self._turn = asyncio.Event()
        self._looking = asyncio.Lock()
        self._closed = False
        self.readers = 0

    async def run(self) -> None:
        """Tick until cancelled; a failure is logged once, until a tick succeeds again."""
        failing = False
        while True:
            try:
                await self.tick()
                failing = False
            except Exception:
                if not failing:
                    log.exception("the page could not be brought up to date")
                failing = True
            await asyncio.sleep(self._interval_s)

    async def tick(self) -> None:
        """Sample the prices; when somebody reads, look at the fleet and publish what became different."""
        if not self.readers:
            self._view = None
            self._history.sample(self._desk.prices())
            return
        async with self._looking:
            before = self._view
            await self._look()
            prices = self._history.sample(self._desk.prices())
            if before is None or self._view is None:
                self._publish(self._everything())
            else:
                self._publish(_event("changes", changes(before, self._view) | {"prices": prices}))

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """The events for one reader, the whole fleet first. Ends after one event when there are too many readers already."""
        if self.readers >= MOST_READERS:
            yield _event("refused", {"error": f"{MOST_READERS} pages are open already, and no more are served: close one of them"})
            return
        self.readers += 1
        try:
            await self._first_look()
            seen: int | None = None
            while not self._closed:
                event, seen = self._since(seen), self._version
                yield event
                if seen == self._version:
                    await self._turn.wait()
        finally:
            self.readers -= 1

    def close(self) -> None:
        """End every reader's stream."""
        self._closed = True
        self._turn.set()

    async def _first_look(self) -> None:
        async with self._looking:
            if self._view is None:
                await self._look()
                self._publish(self._everything())

    async def _look(self) -> None:
        self._whole, self._view = None, None
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                self._view = self._view_of(await self._desk.snapshot())
        except Exception:
            if not self._failed:
                log.exception("the page could not be told the fleet's state")
            self._failed = True
        else:
            self._failed = False

    def _publish(self, event: bytes) -> None:
        self._version += 1
        self._events.append(event)
        self._turn.set()
        if not self._closed:
            self._turn = asyncio.Event()

    def _since(self, seen: int | None) -> bytes:
        missed = len(self._events) + 1 if seen is None else self._version - seen
        if missed > len(self._events):
            return self._everything()
        return b"".join(list(self._events)[-missed:])

    def _everything(self) -> bytes:
        if self._view is None:
            return _event("trouble", {"error": "the fleet does not say how it is: see the log"})
        if self._whole is None:
            view = self._view
            whole = {"fleet": view.fleet, "markets": view.markets, "retired": view.retired, "history": self._history.lists()}
            self._whole = _event("whole", whole)
        return self._whole


def _event(name: str, content: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + msgspec.json.encode(content) + b"\n\n"
