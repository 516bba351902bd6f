"""One market, its messages in the venue's shapes, a clock that only moves when told, and a venue with one socket.

The feed tests share these. Message helpers give dictionaries as the venue would print them; `decoded` and `wire` turn them into what the
applier or the socket takes.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from kabobagool.domain.book import Level
from kabobagool.domain.market import Market
from kabobagool.domain.money import format_micros, format_price
from kabobagool.venue.messages import BookEvent, MarketEvent, decode_frame

YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
CONDITION = "0x5f65177b394277fd294cd75650044e32ba009a95022d88a0c1d565897d72f8f1"
MICRO = 1_000_000
NOON_MS = 1_795_305_600_000

Message = dict[str, Any]

MARKET = Market(
    condition_id=CONDITION,
    slug="will-it-rain",
    question="Will it rain?",
    outcomes=("Yes", "No"),
    tokens=(YES, NO),
    tick_size=100,
    min_order_shares=5 * MICRO,
    fee=None,
)


def levels_text(levels: Sequence[Level]) -> list[dict[str, str]]:
    return [{"price": format_price(price), "size": format_micros(size)} for price, size in levels]


def book_message(token: str, bids: Sequence[Level], asks: Sequence[Level], *, at: int = NOON_MS, tick_size: str = "0.01") -> Message:
    return {
        "event_type": "book",
        "asset_id": token,
        "market": CONDITION,
        "timestamp": str(at),
        "hash": "ab",
        "bids": levels_text(bids),
        "asks": levels_text(asks),
        "tick_size": tick_size,
    }


def change(token: str, side: str, price: int, size: int, best: tuple[int, int] | None = None) -> Message:
    entry = {"asset_id": token, "side": side, "price": format_price(price), "size": format_micros(size), "hash": "cd"}
    if best is not None:
        entry |= {"best_bid": format_price(best[0]), "best_ask": format_price(best[1])}
    return entry


def price_change(*changes: Message, at: int = NOON_MS + 1, market: str = CONDITION) -> Message:
    return {"event_type": "price_change", "market": market, "timestamp": str(at), "price_changes": list(changes)}


def mirrored(side: str, price: int, size: int, best: tuple[int, int], *, at: int) -> Message:
    """A change of YES with its mirror image in NO; `best` is YES's best bid and ask afterwards."""
    other_side = "SELL" if side == "BUY" else "BUY"
    other_best = (10_000 - best[1], 10_000 - best[0])
    return price_change(change(YES, side, price, size, best), change(NO, other_side, 10_000 - price, size, other_best), at=at)


def tick_change(token: str = YES, new: str = "0.001", *, at: int = NOON_MS + 5) -> Message:
    return {
        "event_type": "tick_size_change",
        "asset_id": token,
        "market": CONDITION,
        "old_tick_size": "0.01",
        "new_tick_size": new,
        "timestamp": str(at),
    }


def trade(token: str, *, at: int = NOON_MS) -> Message:
    return {
        "event_type": "last_trade_price",
        "asset_id": token,
        "market": CONDITION,
        "price": "0.5",
        "size": "12.5",
        "side": "BUY",
        "timestamp": str(at),
    }


def resolution(market: str = CONDITION) -> Message:
    return {
        "event_type": "market_resolved",
        "id": "1",
        "market": market,
        "assets_ids": [YES, NO],
        "winning_asset_id": YES,
        "winning_outcome": "Yes",
        "timestamp": str(NOON_MS),
    }


YES_BOOK = ([(4700, 100 * MICRO), (4800, 30 * MICRO)], [(5200, 80 * MICRO), (5000, 25 * MICRO)])
NO_BOOK = ([(4800, 80 * MICRO), (5000, 25 * MICRO)], [(5300, 100 * MICRO), (5200, 30 * MICRO)])


def first_books(*, at: int = NOON_MS) -> list[Message]:
    """YES 0.48/0.50 and its mirror NO 0.50/0.52, as the venue dumps them on subscribing."""
    return [book_message(YES, *YES_BOOK, at=at), book_message(NO, *NO_BOOK, at=at)]


def wire(*messages: Message) -> str:
    """One frame: an object alone, several as an array."""
    return json.dumps(messages[0] if len(messages) == 1 else list(messages))


def decoded(*messages: Message) -> list[MarketEvent]:
    return decode_frame(wire(*messages))


def rest_book(token: str, *, at: int, book: tuple[Sequence[Level], Sequence[Level]] | None = None, tick_size: str = "0.01") -> BookEvent:
    """A book as `fetch_books` returns it."""
    bids, asks = book if book is not None else (YES_BOOK if token == YES else NO_BOOK)
    (event,) = decoded(book_message(token, bids, asks, at=at, tick_size=tick_size))
    assert isinstance(event, BookEvent)
    return event


NEVER_S = 1e9


class VirtualClock:
    """Sleeping advances it at once and is remembered; only `NEVER_S` never passes."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.sleeps: list[float] = []

    def now_ms(self) -> int:
        return NOON_MS + int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        if seconds >= NEVER_S:
            await asyncio.Event().wait()
        self.sleeps.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


Greeting = Callable[["Venue", ServerConnection], Awaitable[None]]


class Venue:
    """A real WebSocket server on a free port that answers PING, remembers subscriptions and says what a test tells it to."""

    def __init__(self, *, greet: Greeting | None = None, first: Sequence[Message] | None = None) -> None:
        self.first = list(first_books() if first is None else first)
        self.subscriptions: list[Message] = []
        self.pings = 0
        self.books: dict[str, BookEvent] = {}
        self.fetched: list[tuple[str, ...]] = []
        self.fetch_error: Exception | None = None
        self._greet = greet
        self._sockets: list[ServerConnection] = []
        self._server: Server

    async def __aenter__(self) -> Self:
        self._server = await serve(self._attend, "127.0.0.1", 0, compression=None, ping_interval=None)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/market"

    async def say(self, *messages: Message) -> None:
        await self.say_text(wire(*messages))

    async def say_text(self, text: str) -> None:
        await self._sockets[-1].send(text)

    async def hang_up(self) -> None:
        await self._sockets[-1].close()

    async def fetch_books(self, tokens: Sequence[str]) -> list[BookEvent]:
        self.fetched.append(tuple(tokens))
        if self.fetch_error is not None:
            raise self.fetch_error
        return [self.books[token] for token in tokens if token in self.books]

    async def _attend(self, socket: ServerConnection) -> None:
        self._sockets.append(socket)
        with suppress(ConnectionClosed):
            if self._greet is not None:
                await self._greet(self, socket)
            async for text in socket:
                await self._answer(socket, str(text))

    async def _answer(self, socket: ServerConnection, text: str) -> None:
        if text == "PING":
            self.pings += 1
            await socket.send("PONG")
            return
        self.subscriptions.append(json.loads(text))
        if self.first:
            await socket.send(wire(*self.first))


async def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    """Wait until it holds; AssertionError when it does not in that many wall seconds."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it never happened"
        await asyncio.sleep(0.001)
