"""The matching core: a passive exchange that is told the time and answers with what happened.

It owns no clock, socket or thread: `advance` moves it to a moment, `submit` hands it an order. The HTTP shell drives it in wall time
times a speed, simulations drive it in virtual time, and both get the same result from the same seed.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal

from paper_exchange.clearing import Clearing, trades_for
from paper_exchange.faults import FaultKind, FaultPlan
from paper_exchange.ledger import Account, Ledger
from paper_exchange.market_books import EdgeCounts, GhostCounts, MarketBooks
from paper_exchange.matching import Depth, Walk, ghosts_in, walk
from paper_exchange.rules import FAK_KILLED, FOK_KILLED, NOT_ENOUGH, Situation, first_refusal
from paper_exchange.settings import ExchangeSettings
from paper_exchange.types import (
    Accepted,
    BookSource,
    Event,
    Level,
    OrderChanged,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    PaperMarket,
    Pending,
    Refused,
    Side,
    Snapshot,
    Submission,
    Trade,
)

__all__ = ["Exchange", "ExchangeSettings"]

_BOOKS, _SETTLEMENT, _ARRIVAL, _RESOLUTION = range(4)

Action = Callable[[int], None]
OrderChange = Literal["PLACEMENT", "UPDATE", "CANCELLATION"]


class Exchange:
    """All markets of one source, the orders of all wallets, and the ledger behind them."""

    def __init__(
        self,
        source: BookSource,
        *,
        seed: int,
        start_ms: int,
        settings: ExchangeSettings | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.settings = settings or ExchangeSettings()
        self.faults = faults or FaultPlan(seed=seed)
        self.faults.start(start_ms)
        self.ledger = Ledger()
        self.now_ms = start_ms
        self._queue: list[tuple[int, int, int, Action]] = []
        self._scheduled = 0
        self._events: list[Event] = []
        self._records: dict[str, OrderRecord] = {}
        self._in_flight: set[str] = set()
        self._clearing = Clearing(
            ledger=self.ledger,
            settings=self.settings,
            faults=self.faults,
            seed=seed,
            schedule=lambda at_ms, action: self._schedule(at_ms, _SETTLEMENT, action),
            emit=lambda event: self._events.append(event),
        )
        self._books: dict[str, MarketBooks] = {}
        self._names: dict[str, MarketBooks] = {}
        for market in source.markets():
            self._list(market, source.snapshots(market.condition_id))

    def _list(self, market: PaperMarket, snapshots: Sequence[Snapshot]) -> None:
        """Open one market and schedule its first book and its resolution."""
        books = self._books[market.condition_id] = MarketBooks(market, snapshots)
        self._names.update(dict.fromkeys((market.condition_id, market.slug, *market.tokens), books))
        self._schedule_books(books)
        if market.payout is not None:
            due_ms = market.end_ms + self.settings.resolution_delay_ms
            self._schedule(due_ms, _RESOLUTION, lambda at_ms: self._clearing.resolve(books, at_ms))

    def advance(self, now_ms: int) -> list[Event]:
        """Move to `now_ms` and return everything that happened since the last call, in time order. Time never runs backwards."""
        self._run_until(now_ms)
        events, self._events = self._events, []
        return events

    def next_event_ms(self) -> int | None:
        """Venue time of the next thing `advance` would return, None when nothing is left to happen."""
        if self._events:
            return self._events[0].venue_ms
        return self._queue[0][0] if self._queue else None

    def _run_until(self, now_ms: int) -> None:
        """Carry out everything due; events are kept for the next `advance`."""
        while self._queue and self._queue[0][0] <= now_ms:
            at_ms, _, _, action = heapq.heappop(self._queue)
            self._move_to(at_ms)
            action(at_ms)
        self._move_to(now_ms)

    def _move_to(self, now_ms: int) -> None:
        """Set the time, forwards only."""
        self.now_ms = max(self.now_ms, now_ms)
        self.faults.tick(self.now_ms)

    def _schedule(self, at_ms: int, rank: int, action: Action) -> None:
        """Queue an action; at one instant books come first, then settlement, then orders."""
        self._scheduled += 1
        heapq.heappush(self._queue, (at_ms, rank, self._scheduled, action))

    def _schedule_books(self, books: MarketBooks) -> None:
        """Queue the next recorded instant of a market."""
        if books.next_ms is not None and not books.resolved:
            self._schedule(books.next_ms, _BOOKS, lambda _: self._step(books))

    def _step(self, books: MarketBooks) -> None:
        """Apply one recorded instant."""
        if not books.resolved:
            self._events.extend(books.step())
            self._schedule_books(books)

    @property
    def markets(self) -> tuple[PaperMarket, ...]:
        """All markets in listing order, with the tick size in force."""
        return tuple(books.market for books in self._books.values())

    def market(self, name: str) -> PaperMarket | None:
        """Find a market by condition id, token id or slug."""
        books = self._names.get(name)
        return None if books is None else books.market

    def tick_size(self, condition_id: str) -> int:
        """The tick size in force, in 1/10,000 dollar."""
        return self._books[condition_id].market.tick_size

    def accepting(self, condition_id: str, now_ms: int) -> bool:
        """Tell whether the market takes orders at this time."""
        return self._books[condition_id].accepting(now_ms)

    def close(self, condition_id: str) -> None:
        """Stop taking orders in a market before its time."""
        self._books[condition_id].closed = True

    def resolved(self, condition_id: str) -> bool:
        """Tell whether the market has paid out."""
        return self._books[condition_id].resolved

    def book(self, token: str, now_ms: int) -> Snapshot | None:
        """The visible book of a token less our own fills; None before its first snapshot. Raises KeyError for an unknown token."""
        self._run_until(now_ms)
        books = self._names[token]
        return books.visible(books.market.tokens.index(token))

    def depth(self, token: str, side: Side, now_ms: int) -> tuple[Depth, ...]:
        """What an order of `side` would really meet, level by level: shown, held by the next snapshot, fillable."""
        self._run_until(now_ms)
        books = self._names[token]
        return books.depth(books.market.tokens.index(token), side)

    def naive_edges(self, condition_id: str) -> EdgeCounts:
        """How often the market seemed to sell a pair below a dollar, and how often it really did."""
        return self._books[condition_id].edges

    def seen_not_fillable(self, condition_id: str) -> GhostCounts:
        """Orders and shares that the visible book promised and the fillability rule denied."""
        return self._books[condition_id].ghosts

    def deposit(self, maker: str, micros: int) -> None:
        """Credit a wallet with micro-dollars. Raises ValueError unless positive."""
        self.ledger.deposit(maker, micros)

    def set_allowance(self, maker: str, micros: int) -> None:
        """Set what the exchange may take from a wallet, in micro-dollars."""
        self.ledger.account(maker).allowance = micros

    def account(self, maker: str) -> Account:
        """The wallet's account, empty if it was never seen."""
        return self.ledger.account(maker)

    def submit(self, request: OrderRequest, now_ms: int) -> Submission:
        """Take an order at `now_ms`: refuse it, match it, or hold it for latency and taker delay until `due_ms`."""
        self._run_until(now_ms)
        refused = self._refusal(request)
        if refused is not None:
            return refused
        books = self._names[request.token]
        at = {"token": request.token, "slug": books.market.slug}
        latency = self.settings.order_latency_ms + self._fault_delay(FaultKind.ORDER_LATENCY, at)
        hold = books.market.taker_delay_ms + self._fault_delay(FaultKind.DELAYED_REPLY, at)
        if latency == 0 and hold == 0:
            return self._match_now(request, books)
        if latency == 0:
            self._hold(request, books, hold)
        else:
            self._in_flight.add(request.order_hash)
            self._schedule(self.now_ms + latency, _ARRIVAL, lambda _: self._arrive(request, books, hold))
        return Pending(request.order_hash, self.now_ms + latency + hold, delayed=hold > 0)

    def order(self, order_hash: str) -> OrderRecord | None:
        """The order as far as matching knows it, also while it is delayed; None before it arrives."""
        return self._records.get(order_hash)

    def orders(self) -> list[OrderRecord]:
        """All orders that reached matching, oldest first."""
        return list(self._records.values())

    def outcome(self, order_hash: str) -> OrderRecord | None:
        """The order once it has its final status; None until then."""
        record = self._records.get(order_hash)
        return None if record is None or record.status is OrderStatus.DELAYED else record

    def trades(
        self,
        maker: str,
        condition_id: str | None = None,
        *,
        token: str | None = None,
        after_ms: int | None = None,
        before_ms: int | None = None,
    ) -> list[Trade]:
        """Trades of a wallet, oldest first; both time bounds are inclusive."""
        return [
            trade
            for trade in self._clearing.trades_of(maker)
            if condition_id in (None, trade.condition_id)
            and token in (None, trade.token)
            and (after_ms is None or trade.match_ms >= after_ms)
            and (before_ms is None or trade.match_ms <= before_ms)
        ]

    def _fault_delay(self, kind: FaultKind, at: dict[str, str]) -> int:
        """Extra milliseconds a fault adds to this order."""
        fault = self.faults.active(kind, self.now_ms, token=at["token"], slug=at["slug"])
        return 0 if fault is None else fault.delay_ms

    def _refusal(self, request: OrderRequest) -> Refused | None:
        """Check an order at the door: known token, not seen before, all rules kept."""
        books = self._names.get(request.token)
        if books is None or request.token not in books.market.tokens:
            return Refused(400, f"the orderbook {request.token} does not exist", request.order_hash)
        if request.order_hash in self._records or request.order_hash in self._in_flight:
            return Refused(400, f"order {request.order_hash} is invalid. Duplicated.", request.order_hash)
        text = self._objection(request, books)
        return None if text is None else Refused(400, text, request.order_hash)

    def _objection(self, request: OrderRequest, books: MarketBooks) -> str | None:
        """The venue's reason to refuse the order now."""
        account = self.ledger.account(request.maker)
        accepting = books.accepting(self.now_ms)
        return first_refusal(Situation(request, books.market, books.market.tick_size, accepting, account))

    def _arrive(self, request: OrderRequest, books: MarketBooks, hold_ms: int) -> None:
        """An order that was on its way reaches the venue."""
        self._in_flight.discard(request.order_hash)
        if hold_ms:
            self._hold(request, books, hold_ms)
        else:
            self._finish(self._record(request, books), books)

    def _hold(self, request: OrderRequest, books: MarketBooks, hold_ms: int) -> None:
        """Delay a marketable order before matching; it can be seen but not cancelled."""
        record = self._record(request, books)
        record.status, record.reason = OrderStatus.DELAYED, "order match delayed due to market conditions"
        self._records[request.order_hash] = record
        self._announce(record, "PLACEMENT")
        self._schedule(self.now_ms + hold_ms, _ARRIVAL, lambda _: self._finish(record, books))

    def _record(self, request: OrderRequest, books: MarketBooks) -> OrderRecord:
        """A fresh record of an order at this moment."""
        market = books.market
        return OrderRecord(request, market.condition_id, market.tokens.index(request.token), self.now_ms, OrderStatus.LIVE)

    def _finish(self, record: OrderRecord, books: MarketBooks) -> None:
        """Match an order that had to wait; by now it may be refused."""
        self._records[record.request.order_hash] = record
        text = self._objection(record.request, books) or self._match(record, books)
        if text is not None:
            record.status, record.reason = OrderStatus.INVALID, text
            self._announce(record, "CANCELLATION")

    def _match_now(self, request: OrderRequest, books: MarketBooks) -> Accepted | Refused:
        """Match an order that did not have to wait."""
        record = self._record(request, books)
        text = self._match(record, books)
        if text is not None:
            return Refused(400, text, request.order_hash)
        self._records[request.order_hash] = record
        return Accepted(record)

    def _match(self, record: OrderRecord, books: MarketBooks) -> str | None:
        """Fill or kill the order against the depth that is really there; returns a refusal if the wallet cannot pay the fees."""
        request = record.request
        depths = books.depth(record.outcome, request.side)
        wanted = _walk(request, [Level(depth.price, depth.visible) for depth in depths])
        got = _walk(request, [Level(depth.price, depth.fillable) for depth in depths])
        if _satisfied(request, wanted):
            books.count_ghosts(ghosts_in(wanted, depths))
        if not _satisfied(request, got):
            self._kill(record)
            return None
        trades = trades_for(record, books.market, got, self.now_ms)
        if request.side is Side.BUY and not self._can_pay(request.maker, sum(trade.dollars + trade.fee for trade in trades)):
            return f"{NOT_ENOUGH}: the balance is not enough for the order and its fees"
        self._fill(record, got)
        self._clearing.book(record, trades, books, self.now_ms)
        self._events.append(books.take(record.outcome, request.side, got.fills, self.now_ms))
        return None

    def _can_pay(self, maker: str, cost: int) -> bool:
        """Tell whether the wallet covers dollars and the fees as they turned out; improvement can raise them."""
        account = self.ledger.account(maker)
        return min(account.dollars, account.allowance) >= cost

    def _kill(self, record: OrderRecord) -> None:
        """End an order that found too little."""
        record.status = OrderStatus.CANCELED
        record.reason = FOK_KILLED if record.request.order_type == "FOK" else FAK_KILLED
        self._announce(record, "CANCELLATION")

    def _fill(self, record: OrderRecord, got: Walk) -> None:
        """Write the matched amounts into the record."""
        buying = record.request.side is Side.BUY
        kind: OrderChange = "UPDATE" if record.status is OrderStatus.DELAYED else "PLACEMENT"
        record.making, record.taking = (got.dollars, got.shares) if buying else (got.shares, got.dollars)
        record.status, record.reason = OrderStatus.MATCHED, ""
        self._announce(record, kind)

    def _announce(self, record: OrderRecord, kind: OrderChange) -> None:
        """Tell the user channel about the order as it is at this moment."""
        self._events.append(OrderChanged(self.now_ms, replace(record, trades=list(record.trades)), kind))


def _walk(request: OrderRequest, levels: Sequence[Level]) -> Walk:
    """Walk the levels within the order's amounts."""
    return walk(request.side, levels, maker_amount=request.maker_amount, taker_amount=request.taker_amount)


def _satisfied(request: OrderRequest, found: Walk) -> bool:
    """Tell whether a walk is a fill: FOK needs all of it, FAK any of it."""
    return found.complete if request.order_type == "FOK" else bool(found.fills)
