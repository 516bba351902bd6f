"""Many markets and a venue that knows all of them: books that change, sockets that subscribe, and what was said on each of them.

The multiplexed feed's tests share these. The server is a real one; it keeps the venue's rules (books on subscribing, changes only to
subscribers, both tokens of a market in one event) and remembers whatever a test wants to know about a client's manners.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tests.feed.feed_examples import MICRO, NOON_MS, Message, levels_text
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.book import PairView
from kabobagool.domain.market import Market
from kabobagool.domain.money import PRICE_ONE, format_micros, format_price
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import BookEvent, decode_frame

FAST = 50
"""Seconds of the feeds' clock that pass in one of the wall's."""
PATIENT = FeedSettings(start_jitter_s=0.0, close_timeout_s=0.2, first_snapshot_s=1e4, silence_s=1e4, dead_s=1e5)
"""Nothing happens by itself in this one."""


def fleet_market(number: int) -> Market:
    return Market(
        condition_id=f"0x{number:064x}",
        slug=f"market-{number}",
        question=f"Number {number}?",
        outcomes=("Yes", "No"),
        tokens=(str(10**70 + 2 * number), str(10**70 + 2 * number + 1)),
        tick_size=100,
        min_order_shares=5 * MICRO,
        fee=None,
    )


Side = dict[int, int]


def _mirror(levels: Side) -> Side:
    return {PRICE_ONE - price: size for price, size in levels.items()}


@dataclass
class LiveMarket:
    """One market's YES book as the venue has it; NO is its mirror."""

    market: Market
    bids: Side = field(default_factory=lambda: {4700: 100 * MICRO, 4800: 30 * MICRO})
    asks: Side = field(default_factory=lambda: {5000: 25 * MICRO, 5200: 80 * MICRO})
    stamp_ms: int = NOON_MS

    def sides(self, token: str) -> tuple[Side, Side]:
        if token == self.market.tokens[0]:
            return self.bids, self.asks
        return _mirror(self.asks), _mirror(self.bids)

    def book(self, token: str, *, tick_size: str | None = "0.01") -> Message:
        bids, asks = self.sides(token)
        found = {
            "event_type": "book",
            "asset_id": token,
            "market": self.market.condition_id,
            "timestamp": str(self.stamp_ms),
            "hash": "ab",
            "bids": levels_text(sorted(bids.items())),
            "asks": levels_text(sorted(asks.items(), reverse=True)),
        }
        return found if tick_size is None else found | {"tick_size": tick_size}

    def change(self, side: str, price: int, size: int) -> Message:
        """Put a level of YES and say so for both tokens, each with its best afterwards."""
        levels = self.bids if side == "BUY" else self.asks
        levels.pop(price, None)
        if size:
            levels[price] = size
        self.stamp_ms += 1
        other = "SELL" if side == "BUY" else "BUY"
        yes, no = self.market.tokens
        changes = [self._entry(yes, side, price, size), self._entry(no, other, PRICE_ONE - price, size)]
        return {
            "event_type": "price_change",
            "market": self.market.condition_id,
            "timestamp": str(self.stamp_ms),
            "price_changes": changes,
        }

    def random_change(self, rng: random.Random) -> Message:
        side, low = rng.choice([("BUY", 2000), ("SELL", 5100)])
        return self.change(side, low + 100 * rng.randrange(28), rng.choice([0, MICRO, 7 * MICRO, 12_345_678]))

    def _entry(self, token: str, side: str, price: int, size: int) -> Message:
        bids, asks = self.sides(token)
        best_bid, best_ask = max(bids, default=0), min(asks, default=PRICE_ONE)
        return {
            "asset_id": token,
            "side": side,
            "price": format_price(price),
            "size": format_micros(size),
            "hash": "cd",
            "best_bid": format_price(best_bid),
            "best_ask": format_price(best_ask),
        }


@dataclass(eq=False)
class Client:
    """One socket at the venue: what it is subscribed to, and what it said."""

    socket: ServerConnection
    tokens: set[str] = field(default_factory=set)
    said: list[Message] = field(default_factory=list)
    most_tokens: int = 0


class FleetVenue:
    """A venue of `count` markets. `withheld` tokens get no books on subscribing, `frozen` ones no changes."""

    def __init__(self, count: int) -> None:
        self.live = {market.condition_id: LiveMarket(market) for market in map(fleet_market, range(count))}
        self.markets = [live.market for live in self.live.values()]
        self.of_token = {token: live for live in self.live.values() for token in live.market.tokens}
        self.clients: list[Client] = []
        self.fetched: list[tuple[str, ...]] = []
        self.withheld: set[str] = set()
        self.frozen: set[str] = set()
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(self._attend, "127.0.0.1", 0, compression=None, ping_interval=None, max_size=1 << 22)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/market"

    @property
    def said(self) -> list[Message]:
        return [message for client in self.clients for message in client.said]

    @property
    def subscribed(self) -> list[str]:
        """Tokens that some open socket is subscribed to, once for each such socket."""
        return sorted(token for client in self.clients if client in self._open for token in client.tokens)

    @property
    def _open(self) -> list[Client]:
        return [client for client in self.clients if client.socket.close_code is None]

    async def say(self, *messages: Message) -> None:
        """One frame, to each socket what it subscribed to."""
        for client in self._open:
            mine = [message for message in messages if tokens_of(message) & client.tokens - self.frozen]
            if mine:
                await self.send(client, mine)

    async def send(self, client: Client, messages: Sequence[Message]) -> None:
        with suppress(ConnectionClosed):
            await client.socket.send(json.dumps(messages if len(messages) > 1 else messages[0]))

    async def hang_up(self) -> None:
        for client in self._open:
            await client.socket.close()

    async def fetch_books(self, tokens: Sequence[str]) -> list[BookEvent]:
        self.fetched.append(tuple(tokens))
        return [
            event
            for token in tokens
            for event in decode_frame(json.dumps(self.of_token[token].book(token)))
            if isinstance(event, BookEvent)
        ]

    async def _attend(self, socket: ServerConnection) -> None:
        client = Client(socket)
        self.clients.append(client)
        with suppress(ConnectionClosed):
            async for text in socket:
                await self._answer(client, str(text))

    async def _answer(self, client: Client, text: str) -> None:
        if text == "PING":
            await client.socket.send("PONG")
            return
        message = json.loads(text)
        client.said.append(message)
        tokens = message["assets_ids"]
        if message.get("operation") == "unsubscribe":
            client.tokens.difference_update(tokens)
            return
        fresh = [token for token in tokens if token not in client.tokens]
        client.tokens.update(fresh)
        client.most_tokens = max(client.most_tokens, len(client.tokens))
        books = [self.of_token[token].book(token) for token in fresh if token not in self.withheld]
        if books:
            await self.send(client, books)


def tokens_of(message: Message) -> set[str]:
    """The tokens a message names."""
    if "price_changes" in message:
        return {change["asset_id"] for change in message["price_changes"]}
    return {message["asset_id"]} if "asset_id" in message else set(message["assets_ids"])


class FleetRig:
    """A running multiplexed feed and everything it has shown and reported."""

    def __init__(self, venue: FleetVenue, settings: FeedSettings = PATIENT, *, clock: Clock | None = None, **replaced: Any) -> None:
        self.venue = venue
        self.counters = FeedCounters()
        self.views: dict[str, PairView] = {}
        self.shown: dict[str, list[tuple[int, int, int]]] = {}
        self.half_applied = 0
        self.defects: list[tuple[str, Exception]] = []
        self.feed = MultiplexedMarketFeed(
            url=venue.url,
            clock=clock or SystemClock(rate=FAST),
            rng=random.Random(7),
            fetch_books=venue.fetch_books,
            on_defect=lambda condition_id, error: self.defects.append((condition_id, error)),
            settings=replace(settings, **replaced),
            counters=self.counters,
        )

    def add(self, *markets: Market) -> None:
        for market in markets:
            self.views[market.condition_id] = self.feed.add(market, on_view=self.look)

    def remove(self, market: Market) -> PairView:
        self.feed.remove(market.condition_id)
        return self.views.pop(market.condition_id)

    def look(self, view: PairView) -> None:
        self.half_applied += view.frame_open
        seen = view.yes.best_ask, view.no.best_ask, view.generation
        self.shown.setdefault(view.market.condition_id, []).append(seen)

    @property
    def all_known(self) -> bool:
        return all(view.yes.has_snapshot and view.no.has_snapshot for view in self.views.values())

    def is_true(self, view: PairView) -> bool:
        """Both books are exactly the venue's."""
        live = self.venue.live[view.market.condition_id]
        return all((book.bids, book.asks) == live.sides(book.token) for book in (view.yes, view.no))

    @property
    def all_true(self) -> bool:
        return all(self.is_true(view) for view in self.views.values())


@asynccontextmanager
async def fleet(count: int, settings: FeedSettings = PATIENT, **replaced: Any) -> AsyncIterator[FleetRig]:
    """A venue of that many markets and a running feed that feeds none of them yet."""
    async with FleetVenue(count) as venue:
        rig = FleetRig(venue, settings, **replaced)
        async with running(rig):
            yield rig


@asynccontextmanager
async def running(rig: FleetRig) -> AsyncIterator[None]:
    task = asyncio.create_task(rig.feed.run())
    try:
        yield
    finally:
        task.cancel()
        result = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(result, asyncio.CancelledError), result


def known(view: PairView) -> Callable[[], bool]:
    return lambda: view.yes.has_snapshot and view.no.has_snapshot
