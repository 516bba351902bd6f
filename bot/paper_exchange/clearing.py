"""What happens after a match: trades are booked, settle or fail a few seconds later, and markets pay out at the end.

`exchange.py` decides that an order fills; from there on this module owns the trades, the ledger entries and the events about them.
"""

import hashlib
import random
from collections.abc import Callable
from dataclasses import replace

from paper_exchange.faults import FaultKind, FaultPlan
from paper_exchange.fees import taker_fee
from paper_exchange.ledger import Ledger
from paper_exchange.market_books import MarketBooks
from paper_exchange.matching import Walk
from paper_exchange.settings import ExchangeSettings
from paper_exchange.types import Event, MarketResolved, OrderRecord, PaperMarket, Trade, TradeChanged, TradeStatus

_RESOLUTION_RETRY_MS = 1_000
_PER_MILLION = 1_000_000

Action = Callable[[int], None]
Schedule = Callable[[int, Action], None]
Emit = Callable[[Event], None]


class Clearing:
    """All trades of all wallets and their way through settlement."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        settings: ExchangeSettings,
        faults: FaultPlan,
        seed: int,
        schedule: Schedule,
        emit: Emit,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._faults = faults
        self._rng = random.Random(seed)  # noqa: S311
        self._schedule = schedule
        self._emit = emit
        self._trades: dict[str, list[Trade]] = {}

    def trades_of(self, maker: str) -> list[Trade]:
        """Trades of a wallet, oldest first."""
        return self._trades.get(maker.lower(), [])

    def book(self, record: OrderRecord, trades: list[Trade], books: MarketBooks, now_ms: int) -> None:
        """Book the trades of one filled order and start their settlement; they share one transaction and its fate."""
        record.trades.extend(trades)
        self._trades.setdefault(record.request.maker.lower(), []).extend(trades)
        for trade in trades:
            self._ledger.match(books.market, trade)
        books.unsettled += len(trades)
        self._announce(trades, TradeStatus.MATCHED, now_ms)
        self._start_settlement(trades, books, now_ms)

    def _start_settlement(self, trades: list[Trade], books: MarketBooks, now_ms: int) -> None:
        """Decide the fate of a match and schedule its steps."""
        fails = self._will_fail(trades[0], books.market, now_ms)
        if not fails:
            self._schedule(now_ms + self._settings.mine_ms, lambda at_ms: self._mine(trades, at_ms))
        self._schedule(now_ms + self._settings.confirm_ms, lambda at_ms: self._settle(trades, books, fails, at_ms))

    def _will_fail(self, trade: Trade, market: PaperMarket, now_ms: int) -> bool:
        """Toss the seeded coin, and let a fault overrule it."""
        unlucky = self._rng.randrange(_PER_MILLION) < self._settings.settlement_failures_per_million
        fault = self._faults.active(FaultKind.SETTLEMENT_FAILED, now_ms, token=trade.token, slug=market.slug)
        return unlucky or fault is not None

    def _mine(self, trades: list[Trade], at_ms: int) -> None:
        """The transaction is in a block and has a hash."""
        transaction_hash = "0x" + hashlib.sha256("".join(trade.trade_id for trade in trades).encode()).hexdigest()
        for trade in trades:
            trade.transaction_hash = transaction_hash
        self._announce(trades, TradeStatus.MINED, at_ms)

    def _settle(self, trades: list[Trade], books: MarketBooks, fails: bool, at_ms: int) -> None:
        """End the settlement: what was pending is released, or the whole match is undone."""
        for trade in trades:
            if fails:
                self._ledger.fail(books.market, trade)
            else:
                self._ledger.confirm(trade)
        books.unsettled -= len(trades)
        self._announce(trades, TradeStatus.FAILED if fails else TradeStatus.CONFIRMED, at_ms)

    def _announce(self, trades: list[Trade], status: TradeStatus, at_ms: int) -> None:
        """Set the status and tell the user channel, with the trade as it is at this moment."""
        for trade in trades:
            trade.status, trade.updated_ms = status, at_ms
            self._emit(TradeChanged(at_ms, replace(trade), status))

    def resolve(self, books: MarketBooks, at_ms: int) -> None:
        """Pay a market out; while trades of it are still settling, try again a little later."""
        payout = books.market.payout
        if payout is None or books.resolved:
            return
        if books.unsettled:
            self._schedule(at_ms + _RESOLUTION_RETRY_MS, lambda later_ms: self.resolve(books, later_ms))
            return
        self._ledger.pay_out(books.market, payout)
        books.resolved = True
        self._emit(MarketResolved(at_ms, books.market.condition_id, payout))


def trades_for(record: OrderRecord, market: PaperMarket, walk: Walk, now_ms: int) -> list[Trade]:
    """Make the trades of a filled order, one for each price level, with the market's fee."""
    request = record.request
    return [
        Trade(
            trade_id=_trade_id(request.order_hash, index),
            order_hash=request.order_hash,
            condition_id=market.condition_id,
            token=request.token,
            outcome=record.outcome,
            maker=request.maker,
            side=request.side,
            price=fill.price,
            shares=fill.shares,
            dollars=fill.dollars,
            fee=taker_fee(
                shares=fill.shares,
                price=fill.price,
                rate_micros=market.fee_rate_micros,
                exponent=market.fee_exponent,
            ),
            match_ms=now_ms,
            bucket_index=index,
            updated_ms=now_ms,
        )
        for index, fill in enumerate(walk.fills)
    ]


def _trade_id(order_hash: str, bucket_index: int) -> str:
    """A stable id in the shape of a UUID."""
    digest = hashlib.sha256(f"{order_hash}|{bucket_index}".encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
