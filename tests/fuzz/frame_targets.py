"""Frames of the market channel: what the decoder makes of them, and what two strategies would buy on books that were made of rubbish.

The second target plays whole conversations, a frame, a REST reply or a pause a line, through the real fan-out, desks and strategies. Its
referee shares no code with them: it reads the same text with Decimal and knows only which levels were ever offered, and the venue's rules.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal, DecimalException
from typing import Any, Final

from kabobagool.domain.book import Level, PairView
from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import Intent, Purpose
from kabobagool.domain.market import NO_FEE, Market, Outcome
from kabobagool.domain.position import EMPTY, Position
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.fan_out import FanOut
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.reasons import ResnapshotReason
from kabobagool.feed.settings import FeedSettings
from kabobagool.venue.messages import (
    BestBidAskEvent,
    BookEvent,
    LastTradeEvent,
    MarketEvent,
    MessageError,
    PriceChangeEvent,
    TickSizeEvent,
    decode_frame,
)
from kabobagool.venue.reader import ResponseError
from kabobagool.venue.rows import book_summaries
from kabobagool.venue.transport import HttpReply
from tests.feed.feed_examples import (
    CONDITION,
    MARKET,
    MICRO,
    NO,
    NOON_MS,
    YES,
    Message,
    book_message,
    first_books,
    mirrored,
    resolution,
    tick_change,
    trade,
    wire,
)
from tests.fuzz.target import Shape, Target, a_price, an_amount, readable
from tests.support.domain_strategies import naked, venue_objections

TRADED: Final = replace(MARKET, fee=NO_FEE)
OTHER: Final = replace(TRADED, condition_id="0x" + "d" * 64, tokens=("31", "32"))
PAIRED: Final = Policy(pair_limit_micros=990_000)
STEPWISE: Final = Policy(pair_limit_micros=990_000, paired=False)
NAKED: Final = naked(Outcome.YES, "200", "0.40")
"""More of one side than is tolerated: the other is bought on its own book alone."""
MOST_WAIT_MS: Final = 100_000


def decode(frame: bytes) -> None:
    """Events with numbers in their ranges, or MessageError."""
    try:
        events = decode_frame(frame)
    except MessageError as e:
        readable(e)
        return
    for event in events:
        _in_range(event)


def _in_range(event: MarketEvent) -> None:
    match event:
        case BookEvent(bids=bids, asks=asks):
            for price, size in (*bids, *asks):
                a_price(price)
                an_amount(size)
        case PriceChangeEvent(changes=changes):
            for change in changes:
                a_price(change.price)
                an_amount(change.size)
                _perhaps_prices(change.best_bid, change.best_ask)
                assert change.side in ("BUY", "SELL")
        case TickSizeEvent(new_tick_size=new):
            assert new > 0
            assert 10_000 % new == 0, f"a tick of {new} is no grid"
        case LastTradeEvent(price=price, size=size):
            a_price(price)
            an_amount(size)
        case BestBidAskEvent(best_bid=bid, best_ask=ask):
            _perhaps_prices(bid, ask)
        case _:
            return
    assert type(event.timestamp_ms) is int
    assert event.timestamp_ms >= 0


def _perhaps_prices(*prices: int | None) -> None:
    for price in prices:
        if price is not None:
            a_price(price)


class Offered:
    """Every ask that was ever named in the text, by token: (price, size) in our units, read with Decimal."""

    def __init__(self) -> None:
        self.levels: dict[str, set[Level]] = defaultdict(set)

    def read(self, line: bytes) -> None:
        """Note the asks of one frame or REST reply, whatever else it is."""
        try:
            parsed = json.loads(line, parse_float=Decimal)
        except (ValueError, RecursionError, DecimalException):
            return
        rest = parsed.get("rest") if isinstance(parsed, dict) else None
        for message in _objects(parsed if rest is None else rest):
            token = str(message.get("asset_id"))
            for level in _objects(message.get("asks")):
                self._note(token, level)
            for change in _objects(message.get("price_changes")):
                self._note(str(change.get("asset_id")), change)

    def _note(self, token: str, level: Message) -> None:
        try:
            price, size = Decimal(str(level.get("price"))) * 10_000, Decimal(str(level.get("size"))) * MICRO
            self.levels[token].add((int(price), int(size)))
        except (DecimalException, ValueError, OverflowError):
            return


def _objects(value: Any) -> Iterator[Message]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield item


class Conversation:
    """Two markets on one connection, and everything that is said on it."""

    def __init__(self) -> None:
        self.now = NOON_MS
        self.offered = Offered()
        self.wanted: Counter[Purpose] = Counter()
        self.counters = FeedCounters()
        self.fan_out = FanOut(self.counters)
        self.markets = [_Watched(self, market) for market in (TRADED, OTHER)]
        for watched in self.markets:
            self.fan_out.add(watched.desk)

    def now_ms(self) -> int:
        """As `Clock`."""
        return self.now

    def monotonic(self) -> float:
        """As `Clock`."""
        return self.now / 1000

    async def sleep(self, seconds: float) -> None:
        """As `Clock`; nobody sleeps here."""
        raise AssertionError("a decision waits for nothing")

    def say(self, line: bytes) -> None:
        """A pause, a REST reply or a frame; then every strategy is asked."""
        self.now += 1
        words = _control(line)
        if "wait" in words:
            wait = words["wait"]
            self.now += min(wait, MOST_WAIT_MS) if type(wait) is int and wait > 0 else 0
        elif "rest" in words:
            self.offered.read(line)
            self._rest(json.dumps(words["rest"]).encode())
        else:
            self.offered.read(line)
            self._frame(line)
        for watched in self.markets:
            watched.judge()

    def _frame(self, frame: bytes) -> None:
        try:
            events = decode_frame(frame)
        except MessageError:
            for desk in self.fan_out.desks:
                desk.distrust(ResnapshotReason.UNREADABLE, self.now)
            return
        for desk, share in self.fan_out.shares(events):
            desk.take_in(share, self.now)

    def _rest(self, body: bytes) -> None:
        try:
            books = book_summaries(HttpReply(200, {}, body), "/books")
        except ResponseError:
            return
        for desk, found in self.fan_out.books(books).items():
            desk.take_in_books(found, [book.asset_id for book in found], self.now, self.now)


def _control(line: bytes) -> Message:
    """What a line says that is no frame."""
    if not line.startswith((b'{"wait"', b'{"rest"')):
        return {}
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


class _Watched:
    """One market with a strategy of every kind."""

    def __init__(self, on: Conversation, market: Market) -> None:
        self._on = on
        self._strategies = [_strategy(on, policy, position) for policy in (PAIRED, STEPWISE) for position in (EMPTY, NAKED)]
        self.desk = MarketDesk(market, on_view=self._show, settings=FeedSettings(), counters=on.counters, now_ms=on.now)

    def _show(self, view: PairView) -> None:
        for strategy in self._strategies:
            strategy.on_view(view)

    def judge(self) -> None:
        """Whatever anybody wants to buy now must be on offer, by the venue's rules, on books that are believed and fresh."""
        self.desk.check(now_ms=self._on.now, last_frame_ms=self._on.now)
        for strategy in self._strategies:
            answer = strategy.propose(self.desk.view)
            if isinstance(answer, Intent):
                self._judge(answer, strategy.policy)

    def _judge(self, intent: Intent, policy: Policy) -> None:
        self._on.wanted[intent.purpose] += 1
        view = self.desk.view
        assert view.tick_is_current
        assert not view.frame_open
        assert not view.resolved
        for order in intent.orders:
            book = view.book(order.outcome)
            assert book.has_snapshot
            assert abs(self._on.now - book.venue_ms) <= policy.max_leg_age_ms, f"a book of {book.venue_ms} at {self._on.now}"
            assert not (objections := venue_objections(order, view.market.tick_size, view.market.min_order_shares)), objections
            offered = self._on.offered.levels[book.token]
            assert all(level in offered for level in book.asks.items()), "an ask that nobody named"
            assert sum(size for price, size in book.asks.items() if price <= order.price) >= order.shares
        if policy.paired and len(intent.orders) == 2:
            assert view.yes.best_ask + view.no.best_bid == view.no.best_ask + view.yes.best_bid == 10_000


def _strategy(clock: Conversation, policy: Policy, position: Position) -> KabobagoolStrategy:
    strategy = KabobagoolStrategy(policy=policy, clock=clock, wake=lambda: None)
    strategy.set_position(position, naked=position is not EMPTY)
    return strategy


def said(lines: bytes) -> Conversation:
    """A conversation, a line each, judged after every one of them."""
    conversation = Conversation()
    for line in lines.split(b"\n"):
        conversation.say(line)
    return conversation


def talk(lines: bytes) -> None:
    """An order that comes of what is said must be one that the venue's own words allow."""
    said(lines)


EDGE_YES: Final[tuple[list[Level], list[Level]]] = ([(5000, 90 * MICRO), (4900, MICRO)], [(4500, 60 * MICRO), (4600, MICRO)])
EDGE_NO: Final[tuple[list[Level], list[Level]]] = ([(5500, 60 * MICRO), (5400, MICRO)], [(5000, 90 * MICRO), (5100, MICRO)])
"""YES asked at 0.45 and NO at 0.50, each the mirror of the other: an edge of five cents, as seldom as it is."""


def _edge(*, at: int, tick_size: str = "0.01", tokens: tuple[str, str] = (YES, NO)) -> list[Message]:
    yes, no = tokens
    return [book_message(yes, *EDGE_YES, at=at, tick_size=tick_size), book_message(no, *EDGE_NO, at=at, tick_size=tick_size)]


def _lines(*said: str | Message) -> bytes:
    return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in said).encode()


_MOVES: Final = [mirrored("BUY", 4800 + step, (7 + step) * MICRO, (4800 + step, 5000), at=NOON_MS + 1 + step) for step in (0, 100)]
_OTHER_EDGE: Final = [message | {"market": OTHER.condition_id} for message in _edge(at=NOON_MS + 4, tokens=OTHER.tokens)]
CONVERSATIONS: Final = (
    _lines(wire(*first_books()), *_MOVES, {"wait": 300}, wire(*_edge(at=NOON_MS + 300))),
    _lines(wire(*_edge(at=NOON_MS)), trade(YES), tick_change(new="0.001", at=NOON_MS + 2), wire(*_edge(at=NOON_MS + 3, tick_size="0.001"))),
    _lines(
        *first_books(),
        {"rest": _edge(at=NOON_MS + 4)},
        mirrored("SELL", 4400, 20 * MICRO, (5000, 4400), at=NOON_MS + 5),
        {"wait": 1500},
        wire(*_OTHER_EDGE),
    ),
    _lines(wire(*_edge(at=NOON_MS), *_OTHER_EDGE), mirrored("SELL", 4500, 0, (5000, 4600), at=NOON_MS + 9), resolution(), {"wait": 3000}),
)
_KINDS: Final = (*first_books(), _MOVES[0], tick_change(), trade(NO), resolution(CONDITION))
BEST: Final = {
    "event_type": "best_bid_ask",
    "asset_id": YES,
    "market": CONDITION,
    "best_bid": "0.48",
    "best_ask": "",
    "timestamp": str(NOON_MS),
}
FRAMES: Final = (*(wire(kind).encode() for kind in (*_KINDS, BEST, {"event_type": "new_market", "id": "1"})), wire(*_KINDS).encode())

TARGETS: Final = (
    Target(
        name="frame",
        guards="a frame that stops the feed, fills the memory, or becomes a price that no market has",
        run=decode,
        seeds=FRAMES,
    ),
    Target(
        name="conversation",
        guards="an order decided on books made of rubbish: off the grid, of another market, of another time, never offered",
        run=talk,
        seeds=CONVERSATIONS,
        shape=Shape.LINES,
        weight=8,
    ),
)
