"""The paper exchange in virtual time, as a bot meets it: no wall clock, no sockets, no threads.

A test, or a simulation, lays a book source under a `VirtualVenue`, wires a feed and a `VirtualExecution` to it and lets time jump from
event to event. The exchange's own code makes the frames and the replies, the bot's own code reads them; only the network in between and
the time are replaced. The same source and the same seed give the same run, to the last order.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import msgspec
from websockets.exceptions import ConnectionClosedError

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.execution.client import AlreadySentError, SignedOrder
from kabobagool.execution.fills import average_fee
from kabobagool.execution.lookup import AccountReader, OrderLookup
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.venue import rows
from kabobagool.venue.errors import classify
from kabobagool.venue.transport import HttpReply
from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import FaultKind, FaultPlan
from paper_exchange.ledger import Account
from paper_exchange.server import sockets
from paper_exchange.server.account_views import delayed_reply, filled_reply, order_view, trade_view
from paper_exchange.server.book_views import book_view
from paper_exchange.server.broadcast import Broadcaster
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.errors import VenueError
from paper_exchange.server.faulting import BLOCKED_PAGE, BlockedError, FaultGate, LostReply, served_book
from paper_exchange.server.market_views import clob_market_view
from paper_exchange.server.subscribers import Subscriber
from paper_exchange.server.venue import Venue, VenueSettings
from paper_exchange.types import (
    Accepted,
    BookSource,
    BookUpdate,
    Event,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    PaperMarket,
    Refused,
    Side,
)
from tests.support.virtual_clock import VenueTime

if TYPE_CHECKING:
    from websockets.asyncio.client import connect

WALLET = "0x" + "b0" * 20

Reply = tuple[int | None, dict[str, str], bytes | str]
"""Status (None: nothing came back), headers and body."""


async def run_dry() -> None:
    """Turn the event loop until nothing is ready any more: exactly as often as it takes, for a run turns it half a million times."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:
        await asyncio.sleep(0)


@dataclass(slots=True)
class SentOrder:
    """One order that left the bot: when (venue ms), what it asked for, and what the bot was told of it."""

    signed: SignedOrder
    request: OrderRequest
    sent_ms: int
    outcome: OrderOutcome | None = None

    @property
    def plan(self) -> OrderPlan:
        """What the decision wanted."""
        return self.signed.plan


class VirtualVenue:
    """An exchange over the books of one market or more, with everything its shell knows, moved by virtual time. `market` is the first.

    `split_outcomes` sends what changed at one instant as one frame an outcome, as naive recorders and relays deliver it, and gives the
    bot every chance to act between the two halves. Faults are off unless a plan is given.
    """

    def __init__(
        self,
        source: BookSource,
        *,
        seed: int = 1,
        order_latency_ms: int = 250,
        balance_micros: int = 10_000_000_000,
        split_outcomes: bool = False,
        faults: FaultPlan | None = None,
        settings: ExchangeSettings | None = None,
        clock: VenueTime | None = None,
    ) -> None:
        self.clock = clock or VenueTime()
        self.seed = seed
        start_ms = self.clock.now_ms()
        settings = replace(settings or ExchangeSettings(), order_latency_ms=order_latency_ms)
        self.exchange = Exchange(source, seed=seed, start_ms=start_ms, settings=settings, faults=faults)
        # Half a millisecond on top: the venue's clock cuts a float to whole milliseconds.
        clock = VenueClock(wall_s=lambda: (self.clock.now_ms() - start_ms + 0.5) / 1000, start_wall_s=0.0, start_ms=start_ms)
        self.venue = Venue.opened(self.exchange, clock, VenueSettings(balance_micros=balance_micros, seed=seed))
        self.venue.fund(WALLET)
        self.market = self.exchange.markets[0]
        self._broadcaster = Broadcaster(self.venue)
        self._split_outcomes = split_outcomes

    @property
    def account(self) -> Account:
        """The bot's wallet as the exchange keeps it."""
        return self.exchange.account(WALLET)

    def next_ms(self) -> int | None:
        """When the next thing happens, at the venue or to a sleeper; None when nothing ever will."""
        due = [at_ms for at_ms in (self.exchange.next_event_ms(), self.clock.next_wake_ms()) if at_ms is not None]
        return max(min(due), self.clock.now_ms()) if due else None

    def happenings(self) -> list[list[Event]]:
        """What happened at the venue up to now, in the portions in which it is sent."""
        events = self.exchange.advance(self.clock.now_ms())
        if not self._split_outcomes:
            return [events] if events else []
        return [[part] for event in events for part in halves(event)]

    def read_books(self, tokens: Sequence[str]) -> HttpReply:
        """The reply to a read of these books; stale when a fault says so."""
        return _json([book for token in tokens if (book := self._book(token)) is not None])

    def read_market(self, market: PaperMarket | None = None) -> HttpReply:
        """The reply to a read of a market's facts."""
        market = market or self.market
        return _market_reply(market, self.venue.tick_size(market), self.venue.accepts_orders(market))

    def read_order(self, order_hash: str) -> HttpReply | None:
        """The reply to a read of an order, None when the venue does not know it."""
        record = self.exchange.order(order_hash)
        return None if record is None else _json(order_view(record, self.venue.market(record.condition_id), owner=""))

    def read_trades(self, condition_id: str, after_s: int) -> HttpReply:
        """The reply to a read of the wallet's trades in a market since a moment in epoch seconds."""
        trades, market = self.exchange.trades(WALLET, condition_id, after_ms=after_s * 1000), self.venue.market(condition_id)
        return _json({"data": [trade_view(trade, market, owner="") for trade in trades], "next_cursor": "LTE="})

    def _book(self, token: str) -> object | None:
        market = self.venue.market(token)
        book = served_book(self.venue, market, token)
        return None if book is None else book_view(market, book, tick_size=self.venue.tick_size(market), last_trade_price="")

    def publish(self, events: Sequence[Event]) -> None:
        """Turn events into frames and queue them for whoever is subscribed."""
        self._broadcaster.publish(events)


def halves(event: Event) -> list[Event]:
    """A book update as one update an outcome, in the order in which they were recorded."""
    if not isinstance(event, BookUpdate):
        return [event]
    pairs = zip(event.snapshots, event.previous, strict=True)
    return [replace(event, snapshots=(snapshot,), previous=(previous,)) for snapshot, previous in pairs]


class Wire:
    """What a socket to the market channel does, without the socket."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._subscriber = Subscriber(limit=venue.settings.queue_frames)

    async def __aenter__(self) -> "Wire":
        self._venue.market_sockets.add(self._subscriber)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._venue.market_sockets.remove(self._subscriber)

    async def send(self, text: str) -> None:
        """A frame of the bot reaches the venue at once."""
        if text == "PING":
            self._subscriber.offer("PONG")
        else:
            sockets._market_frame(self._venue, self._subscriber, msgspec.json.decode(text))

    async def recv(self, *, decode: bool) -> bytes:
        """The next frame of the venue. ConnectionClosed when the venue hung up."""
        frame = await self._subscriber.next_frame()
        if frame is None:
            raise ConnectionClosedError(None, None)
        return frame.encode()


class WiredFeed(MarketFeed):
    """The real feed on a `Wire`."""

    wired_to: Venue

    def _connection(self) -> "connect":
        return cast("connect", Wire(self.wired_to))


def market_of(listed: PaperMarket, info: rows.MarketInfo) -> Market:
    """A listed market as the bot knows it: what trading needs is what the CLOB answered."""
    if info.min_order_shares is None:
        raise AssertionError("the exchange names a minimum order size")
    return Market(
        condition_id=listed.condition_id,
        slug=listed.slug,
        question=listed.question,
        outcomes=listed.outcomes,
        tokens=listed.tokens,
        tick_size=info.tick_size,
        min_order_shares=info.min_order_shares,
        fee=info.fee,
        neg_risk=info.neg_risk,
        accepting_orders=info.accepting_orders is not False,
        taker_delay_ms=info.taker_delay_ms,
        end_ms=listed.end_ms,
    )


class VirtualAccount:
    """The account reads of the venue: its rows as JSON, read by the bot's own decoder. An `AccountReader`."""

    def __init__(self, venue: VirtualVenue) -> None:
        self._venue = venue

    async def order(self, order_hash: str) -> rows.OrderRow | None:
        """One order, None when the venue does not know it."""
        reply = self._venue.read_order(order_hash)
        return None if reply is None else rows.order_row(reply, "/data/order")

    async def trades(self, condition_id: str, after_s: int) -> list[rows.TradeRow]:
        """All trades of the wallet since a moment in epoch seconds."""
        return rows.trade_page(self._venue.read_trades(condition_id, after_s), owner="", address=WALLET, endpoint="/data/trades")[0]


class VirtualExecution:
    """`ExecutionClient` that hands orders to the exchange core; they arrive an order latency later, and the reply leaves at once.

    `name` tells the orders of several clients apart. `clock` and `reader` are those of the process it belongs to.
    """

    def __init__(
        self,
        venue: VirtualVenue,
        *,
        name: str = "",
        clock: Clock | None = None,
        reader: AccountReader | None = None,
        timeout_s: float = 3_600.0,
    ) -> None:
        self.sent: dict[str, SentOrder] = {}
        self._venue = venue
        self._gate = FaultGate(venue.venue)
        self._prepared = 0
        self._name = name
        self._clock = clock or venue.clock
        self._timeout_ms = round(timeout_s * 1000)
        self._lookup = OrderLookup(reader=reader or VirtualAccount(venue), clock=self._clock)

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Name the order after the run and its number in it."""
        self._prepared += 1
        order_hash = "0x" + hashlib.sha256(f"{self._venue.seed}{self._name}|{market.condition_id}|{self._prepared}".encode()).hexdigest()
        return SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=self._clock.now_ms(), payload=None)

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """Send once, and read the venue's reply as the live client reads it."""
        if signed.order_hash in self.sent:
            raise AlreadySentError(signed.order_hash)
        sent = self.sent[signed.order_hash] = SentOrder(signed, _request(signed), self._venue.clock.now_ms())
        status, headers, body = await self._post(sent.request)
        fee = signed.market.fee
        sent.outcome = classify(
            status, headers, body, fee_of=lambda shares, dollars: average_fee(fee, shares, dollars), side=signed.plan.side
        )
        return sent.outcome

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """What the bot's own look-up makes of the venue's rows."""
        return await self._lookup.resolve(order_hash, market, since_ms)

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _post(self, request: OrderRequest) -> Reply:
        """The venue's order endpoint: its checks at the door, its matching, and its way of losing a reply."""
        try:
            self._gate.refuse_orders()
            verdict = self._venue.venue.orders_limiter.take(WALLET, cost=1, now_ms=self._venue.clock.now_ms())
            if not verdict.allowed:
                raise VenueError(429, "Too Many Requests", headers=verdict.headers())
            lost = self._gate.lost_reply()
            if lost is not None and not lost.executed:
                return _lost(lost)
            reply = await self._placed(request)
        except BlockedError:
            return 403, {"server": "cloudflare"}, BLOCKED_PAGE
        except VenueError as refusal:
            return _refusal(refusal)
        return reply if lost is None else _lost(lost)

    async def _placed(self, request: OrderRequest) -> Reply:
        clock, exchange = self._venue.clock, self._venue.exchange
        submission = exchange.submit(request, clock.now_ms())
        if isinstance(submission, Refused):
            return _refusal(VenueError(submission.status, submission.error, order_id=submission.order_hash))
        if isinstance(submission, Accepted):
            return _result(submission.record)
        if submission.delayed:
            return 200, {}, msgspec.json.encode(delayed_reply(request.order_hash))
        wait_ms = submission.due_ms - clock.now_ms()
        await clock.sleep(min(wait_ms, self._timeout_ms) / 1000)
        if wait_ms > self._timeout_ms:
            return None, {}, b""
        record = exchange.outcome(request.order_hash)
        if record is None:
            raise AssertionError("the exchange has no outcome at the time it named")
        return _result(record)


def _request(signed: SignedOrder) -> OrderRequest:
    plan = signed.plan
    give, take = (plan.dollars, plan.shares) if plan.side.value == Side.BUY.value else (plan.shares, plan.dollars)
    token = signed.market.token(plan.outcome)
    return OrderRequest(signed.order_hash, WALLET, WALLET, token, Side(plan.side.value), give, take, "FOK")


def _result(record: OrderRecord) -> Reply:
    if record.status is OrderStatus.MATCHED:
        return 200, {}, msgspec.json.encode(filled_reply(record))
    return _refusal(VenueError(400, record.reason, order_id=record.request.order_hash))


def _refusal(refusal: VenueError) -> Reply:
    return refusal.status, refusal.headers, msgspec.json.encode(refusal.body())


def _lost(lost: LostReply) -> Reply:
    match lost.kind:
        case FaultKind.COULD_NOT_RUN_500:
            return 500, {}, msgspec.json.encode({"error": "could not run the execution"})
        case FaultKind.RATE_LIMITED_BARE_429:
            return 429, {}, msgspec.json.encode({"error": "Too Many Requests"})
        case _:
            return None, {}, b""


@lru_cache
def _market_reply(market: PaperMarket, tick_size: int, accepting: bool) -> HttpReply:
    """Printed once for all the hours in which bots ask and nothing has changed."""
    return _json(clob_market_view(market, tick_size=tick_size, accepting=accepting))


def _json(view: object) -> HttpReply:
    return HttpReply(200, {}, msgspec.json.encode(view))
