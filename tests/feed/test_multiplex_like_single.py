"""Property: over any frames, junk and lost connections the multiplexed feed shows each market exactly what a feed of its own would."""

import asyncio
import json
import random
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.feed_examples import MICRO, NOON_MS, Message
from tests.feed.fleet_examples import LiveMarket, fleet_market, tokens_of
from tests.support.virtual_clock import VirtualClock
from websockets.exceptions import ConnectionClosedOK

from kabobagool.domain.book import PairView
from kabobagool.feed.connection import FeedConnection
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import BookEvent, decode_frame

ONLY_FRAMES_MATTER = FeedSettings(
    start_jitter_s=0.0,
    backoff_min_s=0.01,
    backoff_max_s=0.02,
    silence_s=1e6,
    first_snapshot_s=1e6,
    disagreement_s=1e6,
    mirror_s=1e6,
    dead_s=1e6,
    retry_s=0.0,
    retry_limit=10**6,
    unreadable_limit=10**6,
    max_ids_a_socket=4,
)
"""Doubts that arise from the clock are not the same for a market alone and among others; those that arise from frames are."""
MARKETS = [fleet_market(number) for number in range(3)]
TOKENS = [token for market in MARKETS for token in market.tokens]
HANG_UP, JUNK = "hang up", "junk"
Step = str | list[Message]
Seen = tuple[object, ...]


class ScriptedSocket:
    """A connection on which only the test speaks."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.tokens: set[str] = set()

    async def __aenter__(self) -> "ScriptedSocket":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.tokens.clear()

    async def send(self, text: str) -> None:
        if text != "PING":
            self.tokens.update(json.loads(text)["assets_ids"])

    async def recv(self, *, decode: bool) -> bytes:
        frame = await self.frames.get()
        if frame is None:
            raise ConnectionClosedOK(None, None)
        return frame


@dataclass
class Stage:
    """Every feed that runs, what each market was shown by its own and by the shared one, and the books REST would answer with."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    dialled: list[ScriptedSocket] = field(default_factory=list)
    alone: dict[str, list[Seen]] = field(default_factory=lambda: {market.condition_id: [] for market in MARKETS})
    together: dict[str, list[Seen]] = field(default_factory=lambda: {market.condition_id: [] for market in MARKETS})
    stamp_ms: int = NOON_MS + 1000

    def dial(self, _: FeedConnection) -> ScriptedSocket:
        self.dialled.append(ScriptedSocket())
        return self.dialled[-1]

    async def fetch_books(self, tokens: Sequence[str]) -> list[BookEvent]:
        """Books that differ from token to token and are never older than what was said."""
        found = []
        for token in tokens:
            price = 1000 + 100 * TOKENS.index(token)
            live = LiveMarket(MARKETS[TOKENS.index(token) // 2], {price: MICRO}, {price + 500: 3 * MICRO}, self.stamp_ms)
            (book,) = decode_frame(json.dumps(live.book(token, tick_size=None)))
            assert isinstance(book, BookEvent)
            found.append(book)
        return found

    async def play(self, step: Step) -> None:
        for socket in self.dialled:
            if step == HANG_UP:
                socket.frames.put_nowait(None)
            elif step == JUNK:
                socket.frames.put_nowait(b"INVALID OPERATION")
            elif share := [message for message in step if isinstance(message, dict) and tokens_of(message) & socket.tokens]:
                socket.frames.put_nowait(json.dumps(share).encode())
        if step == HANG_UP:
            self.dialled = []
        await self.clock.advance(0.5 if step == HANG_UP else 0.001)

    @asynccontextmanager
    async def feeds(self):
        """Three feeds of a market each, and one of all three over two sockets."""
        async with AsyncExitStack() as stack:
            stack.enter_context(patch.object(FeedConnection, "_connection", lambda connection: self.dial(connection)))
            common = {
                "url": "ws://scripted",
                "clock": self.clock,
                "fetch_books": self.fetch_books,
                "settings": ONLY_FRAMES_MATTER,
            }
            shared = MultiplexedMarketFeed(rng=random.Random(1), counters=FeedCounters(), on_defect=self.on_defect, **common)
            runs = [shared]
            for market in MARKETS:
                own, ours = self.alone[market.condition_id], self.together[market.condition_id]
                look = own.append
                feed = MarketFeed(
                    rng=random.Random(1),
                    counters=FeedCounters(),
                    market=market,
                    on_view=lambda view, look=look: look(seen(view)),
                    **common,
                )
                runs.append(feed)
                shared.add(market, on_view=lambda view, look=ours.append: look(seen(view)))
            tasks = [asyncio.create_task(feed.run()) for feed in runs]
            try:
                await self.clock.advance(0.5)
                yield
            finally:
                for task in tasks:
                    task.cancel()
                results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results), results

    def on_defect(self, condition_id: str, error: Exception) -> None:
        raise AssertionError(f"{condition_id}: {error}")


def seen(view: PairView) -> Seen:
    """All that a strategy could tell two views apart by."""
    assert not view.frame_open
    books = tuple(
        (dict(book.bids), dict(book.asks), book.best_bid, book.best_ask, book.has_snapshot, book.venue_ms, book.received_ms)
        for book in (view.yes, view.no)
    )
    return (*books, view.market, view.tick_is_current, view.resolved, view.generation)


prices = st.integers(1, 99).map(lambda cents: cents * 100)
stamps = st.integers(-20, 20).map(lambda lag: NOON_MS + 500 + lag)


@st.composite
def changes(draw: st.DrawFn) -> Message:
    """A change of one market as the venue says it, or one that contradicts the books, or one in which two markets are mixed."""
    price, size = draw(prices), draw(st.sampled_from([0, MICRO, 7 * MICRO]))
    side = draw(st.sampled_from(["BUY", "SELL"]))
    message = LiveMarket(draw(st.sampled_from(MARKETS)), stamp_ms=draw(stamps)).change(side, price, size)
    if draw(st.booleans()):
        for entry in message["price_changes"]:
            del entry["best_bid"], entry["best_ask"]
    if draw(st.integers(0, 9)) == 0:
        message["price_changes"] += LiveMarket(draw(st.sampled_from(MARKETS))).change(side, price, size)["price_changes"]
    return message


@st.composite
def books(draw: st.DrawFn) -> Message:
    market = draw(st.sampled_from(MARKETS))
    level = draw(st.integers(10, 45)) * 100
    live = LiveMarket(market, {level: MICRO}, {level + 1000: 2 * MICRO}, draw(stamps))
    return live.book(draw(st.sampled_from(market.tokens)), tick_size=draw(st.sampled_from([None, "0.01", "0.01", "0.001"])))


@st.composite
def rarities(draw: st.DrawFn) -> Message:
    market = draw(st.sampled_from(MARKETS))
    token = draw(st.sampled_from(market.tokens))
    kind = draw(st.sampled_from(["tick_size_change", "last_trade_price", "best_bid_ask", "market_resolved", "something_new"]))
    message = {"event_type": kind, "market": market.condition_id, "timestamp": str(draw(stamps)), "asset_id": token}
    if kind == "market_resolved":
        return message | {"assets_ids": list(market.tokens)}
    return message | {"new_tick_size": "0.001", "price": "0.5", "size": "1", "side": "BUY"}


def first_books() -> list[Message]:
    return [LiveMarket(market).book(token) for market in MARKETS for token in market.tokens]


frames = st.lists(st.one_of(changes(), changes(), changes(), books(), rarities()), min_size=1, max_size=6)
steps = st.lists(st.one_of(frames, frames, frames, frames, st.sampled_from([JUNK, HANG_UP])), max_size=14)


async def test_a_market_added_while_a_connection_is_greeted_is_named_after_the_greeting():
    """What the venue hears first makes the connection one for markets; an operation in front of it would mean nothing."""
    said: list[Message] = []
    blocked, released = asyncio.Event(), asyncio.Event()

    class SlowSocket(ScriptedSocket):
        async def send(self, text: str) -> None:
            if not blocked.is_set():
                blocked.set()
                await released.wait()
            if text != "PING":
                said.append(json.loads(text))

    clock = VirtualClock()
    common = {"fetch_books": Stage().fetch_books, "settings": ONLY_FRAMES_MATTER, "counters": FeedCounters()}
    feed = MultiplexedMarketFeed(url="ws://slow", clock=clock, rng=random.Random(1), on_defect=Stage().on_defect, **common)
    with patch.object(FeedConnection, "_connection", lambda _: SlowSocket()):
        feed.add(MARKETS[0], on_view=lambda _: None)
        task = asyncio.create_task(feed.run())
        await clock.advance(0.1)
        assert blocked.is_set()
        feed.add(MARKETS[1], on_view=lambda _: None)
        await clock.advance(0.1)
        released.set()
        await clock.advance(0.1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [(frame.get("type"), frame.get("operation")) for frame in said] == [("market", None), (None, "subscribe")]
    assert [frame["assets_ids"] for frame in said] == [list(market.tokens) for market in MARKETS[:2]]


@settings(deadline=None, max_examples=80)
@given(steps)
def test_each_market_is_shown_exactly_what_a_feed_of_its_own_would_show_it(script):
    async def perform() -> Stage:
        stage = Stage()
        async with stage.feeds():
            await stage.play(first_books())
            for step in script:
                await stage.play(step)
        return stage

    stage = asyncio.run(perform())
    for market in MARKETS:
        assert stage.together[market.condition_id] == stage.alone[market.condition_id]
        assert stage.together[market.condition_id], "the first books alone are something to show"
