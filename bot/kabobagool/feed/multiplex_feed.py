"""Many markets over few sockets: what a fleet in one process uses instead of a `MarketFeed` for each.

The supervisor adds and removes markets while `run()` is a task of its own; each market's `on_view` (usually the `publish` of its own
`ConflatingPriceBuffer`) sees what a `MarketFeed` would have shown it. A defect of one market ends that market, is reported, and never
reaches the others.
"""

import asyncio
import logging
import random
from collections.abc import Callable

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.feed.connection import FeedTap, FetchBooks
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_desk import MarketDesk, OnView
from kabobagool.feed.settings import FeedSettings
from kabobagool.feed.shared_socket import SharedSocket

OnDefect = Callable[[str, Exception], None]
"""Condition id and what was raised. The market is gone already and may be added again at once."""

_log = logging.getLogger(__name__)


class MultiplexedMarketFeed:
    """The views of many markets, and as few connections as keep them: one for each `max_ids_a_socket` ids.

    `fetch_books` is asked for the books of several markets at once; `tap` is told of everything that is heard. Everything but `run`
    returns at once; all of it belongs to one event loop. `on_view` and `on_defect` may add and remove markets themselves.
    """

    def __init__(
        self,
        *,
        url: str,
        clock: Clock,
        rng: random.Random,
        fetch_books: FetchBooks,
        on_defect: OnDefect,
        settings: FeedSettings,
        counters: FeedCounters,
        tap: FeedTap | None = None,
    ) -> None:
        self._url = url
        self._clock = clock
        self._rng = rng
        self._fetch_books = fetch_books
        self._on_defect = on_defect
        self._settings = settings
        self._counters = counters
        self._tap = tap
        self._homes: dict[str, tuple[SharedSocket, MarketDesk]] = {}
        self._token_owners: dict[str, str] = {}
        self._sockets: list[SharedSocket] = []
        self._opened = 0
        self._tasks: dict[asyncio.Task[None], SharedSocket] = {}
        self._failure: asyncio.Future[None] | None = None
        self._next_start_s = clock.monotonic()

    @property
    def sockets(self) -> tuple[int, ...]:
        """How many markets each connection feeds, whether it stands at the moment or not."""
        return tuple(socket.markets for socket in self._sockets)

    def add(self, market: Market, *, on_view: OnView) -> PairView:
        """Feed this market; the view reads 1.0 until its books arrive. ValueError when it, or one of its tokens, is fed already.

        `on_view` is called on the event loop, never from here, after every whole frame that changed something and must return at once.
        """
        self._refuse_twice(market)
        socket = next((socket for socket in self._sockets if socket.has_room), None) or self._open()
        desk = MarketDesk(market, on_view=on_view, settings=self._settings, counters=self._counters, now_ms=self._clock.now_ms())
        self._homes[market.condition_id] = socket, desk
        self._token_owners.update(dict.fromkeys(market.tokens, market.condition_id))
        socket.add(desk)
        return desk.view

    def remove(self, condition_id: str) -> None:
        """Feed this market no more: its view reads 1.0 and is not shown again. Nothing happens when it is not fed."""
        home = self._homes.pop(condition_id, None)
        if home is None:
            return
        socket, desk = home
        for token in desk.tokens:
            del self._token_owners[token]
        socket.discard(desk)
        if not socket.markets:
            self._close(socket)

    async def run(self) -> None:
        """Keep the connections until cancelled. A malformed URL or proxy is raised. RuntimeError when it runs already."""
        if self._failure is not None:
            raise RuntimeError("this feed is running already")
        self._failure = asyncio.get_running_loop().create_future()
        for socket in self._sockets:
            self._start(socket)
        try:
            await self._failure
        finally:
            self._failure = None
            tasks = tuple(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _refuse_twice(self, market: Market) -> None:
        if market.condition_id in self._homes:
            raise ValueError(f"market {market.slug} ({market.condition_id}) is fed already")
        for token in market.tokens:
            if token in self._token_owners:
                raise ValueError(f"market {market.slug}: token {token} is already fed for market {self._token_owners[token]}")

    def _open(self) -> SharedSocket:
        self._opened += 1
        socket = SharedSocket(
            name=f"socket {self._opened}",
            url=self._url,
            clock=self._clock,
            rng=self._rng,
            fetch_books=self._fetch_books,
            on_defect=self._drop,
            settings=self._settings,
            counters=self._counters,
            tap=self._tap,
        )
        self._sockets.append(socket)
        if self._failure is not None:
            self._start(socket)
        return socket

    def _close(self, socket: SharedSocket) -> None:
        self._sockets.remove(socket)
        for task, running in self._tasks.items():
            if running is socket:
                task.cancel()

    def _start(self, socket: SharedSocket) -> None:
        """Connections that are opened together are dialled one after the other, not quite evenly."""
        now_s, jitter_s = self._clock.monotonic(), self._settings.start_jitter_s
        slot_s = max(now_s, self._next_start_s)
        self._next_start_s = slot_s + jitter_s
        socket.start_delay_s = slot_s - now_s + self._rng.uniform(0.0, jitter_s)
        task = asyncio.create_task(socket.run())
        self._tasks[task] = socket
        task.add_done_callback(self._on_ended)

    def _on_ended(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure is not None and not self._failure.done():
            self._failure.set_exception(error)

    def _drop(self, desk: MarketDesk, error: Exception) -> None:
        """The others must not notice, whatever the callback does."""
        _log.error("market feed %s is dropped: %s: %s", desk.view.market.slug, type(error).__name__, error, exc_info=error)
        self.remove(desk.condition_id)
        try:
            self._on_defect(desk.condition_id, error)
        except Exception:
            _log.exception("market feed %s: its defect could not be reported", desk.view.market.slug)
