"""What the execution tests share: a live account at an in-process paper exchange, and plans to send there."""

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.paper import TEST_KEY, PaperServer, ScriptedBooks

from kabobagool.clock import SystemClock
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.market import FeeSchedule, Market, Outcome, Side
from kabobagool.domain.money import MICRO
from kabobagool.domain.position import Fill
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.credentials import ensure_credentials
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.journal import Journal, JournalledIntent, JournalledOrder
from kabobagool.execution.live import ClobExecution
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.rows import TradeRow
from kabobagool.venue.signing import ApiCredentials
from kabobagool.venue.transport import AiohttpTransport
from paper_exchange.types import PaperMarket

CONDITION = "0x" + "c0" * 32
HASH = "0x" + "ab" * 32


def a_market(**changes: object) -> Market:
    fields: dict[str, object] = {
        "condition_id": CONDITION,
        "slug": "rain",
        "question": "Rain?",
        "outcomes": ("Yes", "No"),
        "tokens": ("111", "222"),
        "tick_size": 100,
        "min_order_shares": 5 * MICRO,
        "fee": FeeSchedule(rate_micros=70_000),
    }
    return Market(**(fields | changes))  # type: ignore[arg-type]


def market_of(paper: PaperMarket) -> Market:
    return Market(
        condition_id=paper.condition_id,
        slug=paper.slug,
        question=paper.question,
        outcomes=paper.outcomes,
        tokens=paper.tokens,
        tick_size=paper.tick_size,
        min_order_shares=paper.min_order_size,
        fee=FeeSchedule(paper.fee_rate_micros, paper.fee_exponent),
        neg_risk=paper.neg_risk,
        taker_delay_ms=paper.taker_delay_ms,
    )


def buy(price: int, shares: int, outcome: Outcome = Outcome.YES) -> OrderPlan:
    """A BUY of whole shares at a price in 1/10,000."""
    return OrderPlan(outcome=outcome, side=Side.BUY, price=price, shares=shares * MICRO, dollars=shares * price * 100)


def sell(price: int, shares: int, outcome: Outcome = Outcome.YES) -> OrderPlan:
    return OrderPlan(outcome=outcome, side=Side.SELL, price=price, shares=shares * MICRO, dollars=shares * price * 100)


def row(trade_id: str, **changes: object) -> TradeRow:
    """A trade row of ours: 10 YES at 0.48, confirmed, in HASH."""
    fields: dict[str, object] = {
        "id": trade_id,
        "taker_order_id": HASH,
        "condition_id": CONDITION,
        "token": "111",
        "side": Side.BUY,
        "shares": 10 * MICRO,
        "price_micros": 480_000,
        "status": "CONFIRMED",
        "match_time_s": 1_000,
        "is_taker": True,
    }
    return TradeRow(**(fields | changes))  # type: ignore[arg-type]


def fill(shares: int = 10, price: int = 4800, outcome: Outcome = Outcome.YES, side: Side = Side.BUY) -> Fill:
    """What `row` adds up to, with the fee of `a_market`."""
    fee = taker_fee(FeeSchedule(70_000), price, shares * MICRO)
    return Fill(outcome=outcome, side=side, shares=shares * MICRO, dollars=shares * price * 100, fee=fee)


def intent_of(intent_id: str, *signed: SignedOrder, market: Market | None = None, created_ms: int | None = None) -> JournalledIntent:
    created = signed[0].signed_ms if created_ms is None else created_ms
    where = market or signed[0].market
    orders = tuple(journalled(order) for order in signed)
    return JournalledIntent(
        intent_id=intent_id, market=where.condition_id, purpose=Purpose.PAIR, pair_cost=970_000, created_ms=created, orders=orders
    )


def journalled(order: SignedOrder) -> JournalledOrder:
    plan = order.plan
    return JournalledOrder(
        order_hash=order.order_hash,
        token=order.market.token(plan.outcome),
        outcome=plan.outcome,
        side=plan.side,
        price=plan.price,
        shares=plan.shares,
        dollars=plan.dollars,
    )


def some_books(**market_fields: Any) -> ScriptedBooks:
    """YES is offered at 0.48 (100) and 0.49 (100), wanted at 0.47; NO is its mirror."""
    return ScriptedBooks([(0, [("0.47", 100)], [("0.48", 100), ("0.49", 100)])], **market_fields)


@dataclass
class Account:
    """A logged-in wallet: what sends, what reads, and what it cost to get there."""

    execution: ClobExecution | FastExecution
    reader: ClobReader
    market: Market
    clock: SystemClock
    wallet: Wallet
    credentials: ApiCredentials = field(repr=False)

    async def buys(self, plan: OrderPlan) -> tuple[SignedOrder, object]:
        signed = await self.execution.prepare(plan, self.market)
        return signed, await self.execution.submit(signed)


@contextlib.asynccontextmanager
async def an_account(
    paper: PaperServer,
    *,
    client: type[ClobExecution | FastExecution] = FastExecution,
    wallet: Wallet | None = None,
    timeout_s: float = 5.0,
    not_found_after_s: float = 60.0,
) -> AsyncIterator[Account]:
    clock = SystemClock()
    wallet = wallet or Wallet(private_key=TEST_KEY)
    host = paper.urls["clob"]
    credentials = await ensure_credentials(host=host, wallet=wallet, clock=clock)
    address = FastSigner(wallet=wallet, clock=clock, rng=random.Random(1)).address
    transport = AiohttpTransport()
    reader = ClobReader(
        Reader(transport, clock=clock, rng=random.Random(1)),
        host,
        clock=clock,
        credentials=credentials,
        address=address,
        wallet=wallet.funder,
        signature_type=wallet.signature_type,
    )
    execution = client(
        host=host,
        wallet=wallet,
        credentials=credentials,
        reader=reader,
        clock=clock,
        rng=random.Random(),
        timeout_s=timeout_s,
        not_found_after_s=not_found_after_s,
    )
    try:
        yield Account(execution, reader, market_of(paper.market), clock, wallet, credentials)
    finally:
        await execution.close()
        await transport.close()


@contextlib.asynccontextmanager
async def a_journal(path: Path, market: Market | None = None) -> AsyncIterator[Journal]:
    journal = await Journal.open(path, clock=SystemClock())
    await journal.claim((market or a_market()).condition_id)
    try:
        yield journal
    finally:
        await journal.close()
