"""Whole runs over the wire: a recorded market with a true edge is bought, and a bad day leaves books that balance."""

import asyncio
import random
from decimal import Decimal
from typing import Any

import aiohttp
import pytest
from tests.support.paper import PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.app import ServeOptions
from paper_exchange.faults import Fault, FaultKind, FaultPlan
from paper_exchange.server.rate_limit import Tier

PAIRS = 20


async def _cheap_pair(session: aiohttp.ClientSession, paper: PaperServer, *, below: Decimal) -> dict[str, Decimal]:
    """Best asks by token at the first instant at which both together cost less than `below`."""
    asks: dict[str, Decimal] = {}
    async with session.ws_connect(paper.urls["market_socket"]) as socket:
        await socket.send_json({"type": "market", "assets_ids": list(paper.market.tokens), "custom_feature_enabled": True})
        while True:
            frame = await socket.receive_json(timeout=10)
            for event in frame if isinstance(frame, list) else [frame]:
                if event["event_type"] == "book" and event["asks"]:
                    asks[event["asset_id"]] = Decimal(event["asks"][-1]["price"])
                for change in event.get("price_changes", ()):
                    asks[change["asset_id"]] = Decimal(change["best_ask"])
            if len(asks) == 2 and sum(asks.values()) < below:
                return asks


async def test_a_true_dislocation_on_recorded_books_can_be_bought_on_both_legs_for_less_than_it_pays(
    session: aiohttp.ClientSession,
) -> None:
    options = ServeOptions(slug="btc-updown-15m-1790586000", inject=25, from_offset_ms=0, speed=12)
    async with paper_exchange_server(options=options) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        asks = await _cheap_pair(session, paper, below=Decimal("0.955"))
        legs = [trader.order(token, dollars=str(price * PAIRS), shares=str(PAIRS)) for token, price in asks.items()]
        _, replies, _ = await trader.send("POST", "/orders", legs)
        assert [(reply["status"], reply["errorMsg"]) for reply in replies] == [("matched", "")] * 2
        await asyncio.sleep(0.5)
        paper.step()
        account = paper.exchange.account(trader.address)
        bought = [account.shares[token] for token in paper.market.tokens]
        assert min(bought) >= PAIRS * 1_000_000
        cost = 1_000_000_000 - account.dollars
        assert cost < min(bought), "the pairs pay a dollar each and cost less, fees included"
        assert account.fees_paid > 0
        paper.exchange.ledger.check()


BAD_DAY = (
    *(FaultKind.REPLY_DROPPED, FaultKind.COULD_NOT_RUN_500, FaultKind.RATE_LIMITED_BARE_429, FaultKind.RATE_LIMITED_WITH_HEADERS),
    *(FaultKind.DELAYED_REPLY, FaultKind.SETTLEMENT_FAILED, FaultKind.CLOUDFLARE_403, FaultKind.ORDER_LATENCY),
)


async def _send_and_classify(trader: RawTrader, entry: dict[str, Any]) -> str:
    """What a trader learns from one order: filled, killed, refused, delayed or unknown."""
    try:
        status, body, headers = await trader.send("POST", "/order", entry)
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        return "unknown"
    if status == 200:
        return "delayed" if body["status"] == "delayed" else "filled"
    if status == 400:
        return "killed" if "FOK" in body["error"] else "refused"
    return "refused" if status == 403 or "Retry-After" in headers else "unknown"


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_a_bad_day_the_hash_of_every_order_tells_the_truth_and_the_books_balance(
    session: aiohttp.ClientSession, seed: int
) -> None:
    plan = FaultPlan([Fault(kind, for_ms=600_000, probability=0.12, delay_ms=30) for kind in BAD_DAY], seed=seed)
    books = ScriptedBooks([(0, [("0.45", 5_000)], [("0.50", 500), ("0.52", 700)])])
    rng = random.Random(seed)
    async with paper_exchange_server(books, faults=plan, tier=Tier(rate_per_s=1_000, burst=1_000)) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        learned: dict[str, str] = {}
        for _ in range(50):
            price, shares = rng.choice([(Decimal("0.50"), 10), (Decimal("0.52"), 10), (Decimal("0.49"), 10)])
            entry = trader.order(paper.market.tokens[0], dollars=str(price * shares), shares=str(shares))
            learned[trader.order_hash(entry)] = await _send_and_classify(trader, entry)
        await asyncio.sleep(0.3)
        paper.step()
        assert len(set(learned.values())) >= 4
        filled = 0
        for order_hash, outcome in learned.items():
            status, found, _ = await trader.send("GET", f"/data/order/{order_hash}")
            truth = found["status"] if status == 200 else "NEVER SEEN"
            filled += truth == "MATCHED"
            allowed = {
                "filled": {"MATCHED"},
                "killed": {"CANCELED"},
                "refused": {"NEVER SEEN"},
                "delayed": {"MATCHED", "CANCELED"},
                "unknown": {"MATCHED", "CANCELED", "NEVER SEEN"},
            }[outcome]
            assert truth in allowed, (outcome, truth)
        _, page, _ = await trader.send("GET", "/data/trades")
        assert {row["taker_order_id"] for row in page["data"]} <= set(learned)
        assert len({row["taker_order_id"] for row in page["data"]}) == filled
        assert {row["status"] for row in page["data"]} <= {"CONFIRMED", "FAILED"}
        kept = [trade for trade in paper.exchange.trades(trader.address) if trade.status == "CONFIRMED"]
        account = paper.exchange.account(trader.address)
        assert account.dollars == 1_000_000_000 - sum(trade.dollars + trade.fee for trade in kept)
        assert account.held(paper.market.tokens[0]) == sum(trade.shares for trade in kept)
        paper.exchange.ledger.check()


async def test_all_recorded_markets_run_side_by_side_at_sixty_times_the_speed(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(options=ServeOptions(speed=60)) as paper:
        assert len(paper.exchange.markets) == 18
        tokens = [token for market in paper.exchange.markets for token in market.tokens]
        async with session.ws_connect(paper.urls["market_socket"]) as socket:
            await socket.send_json({"type": "market", "assets_ids": tokens})
            stamps: list[int] = []
            while len(stamps) < 400:
                frame = await socket.receive_json(timeout=10)
                if isinstance(frame, dict) and frame["event_type"] == "price_change":
                    stamps.append(int(frame["timestamp"]))
        assert stamps == sorted(stamps)
        lag_ms = paper.clock.now_ms() - stamps[-1]
        assert lag_ms / paper.clock.speed < 1_000, "the last frame left within a second of real time"
