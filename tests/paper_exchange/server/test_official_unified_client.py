"""The unmodified `polymarket-client` (AsyncSecureClient, its REST models and its streams) works here once it is told other hosts."""

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest
from eth_account import Account
from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, with_environment_config
from polymarket.environments import PRODUCTION
from polymarket.errors import RateLimitError, RequestRejectedError
from polymarket.models.clob.order_response import AcceptedOrder
from polymarket.rate_limit import RateLimitUpdate
from polymarket.streams import MarketSpec, UserSpec
from tests.support.paper import TEST_KEY, PaperServer, ScriptedBooks, paper_exchange_server

from paper_exchange.server.rate_limit import Tier

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
ADDRESS = Account.from_key(TEST_KEY).address


@contextlib.asynccontextmanager
async def connected(paper: PaperServer, *, wallet: str = ADDRESS, **arguments: Any) -> AsyncIterator[AsyncSecureClient]:
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=paper.urls["clob"],
        gamma_url=paper.urls["gamma"],
        clob_market_ws_url=paper.urls["market_socket"],
        clob_user_ws_url=paper.urls["user_socket"],
    )
    environment = with_environment_config(PRODUCTION, config=config)
    client = await AsyncSecureClient._create(private_key=TEST_KEY, wallet=wallet, environment=environment, **arguments)
    try:
        yield client
    finally:
        await client.close()


async def test_it_reads_books_prices_and_discovery_into_its_own_models() -> None:
    async with paper_exchange_server(BOOKS) as paper, connected(paper) as client:
        yes, no = paper.market.tokens
        book = await client.get_order_book(asset_id=yes)
        assert (book.bids[-1].price, book.asks[-1].price) == (Decimal("0.48"), Decimal("0.5"))
        assert (book.tick_size, book.min_order_size, book.last_trade_price) == (Decimal("0.01"), Decimal(5), None)
        assert [found.asset_id for found in await client.get_order_books(asset_ids=[yes, no])] == [yes, no]
        assert await client.get_midpoint(asset_id=yes) == Decimal("0.49")
        assert await client.get_spread(asset_id=yes) == Decimal("0.02")
        assert await client.get_price(asset_id=yes, side="BUY") == Decimal("0.48")
        assert await client.get_last_trade_price(asset_id=yes) is None
        market = await client.get_market(slug=paper.market.slug)
        assert (market.outcomes.yes.token_id, market.outcomes.no.token_id) == (yes, no)
        assert market.trading.fee_schedule is not None
        assert (market.trading.fee_schedule.rate, market.trading.minimum_tick_size) == (Decimal("0.07"), Decimal("0.01"))
        assert (market.state.accepting_orders, market.state.closed, market.version) == (True, False, "v1")
        page = await client.list_markets(condition_ids=[paper.market.condition_id], volume_num_min=1).first_page()
        assert [found.slug for found in page.items] == [paper.market.slug]
        events = await client.list_events().first_page()
        assert [found.slug for found in events.items] == [paper.market.slug]
        assert await client.get_closed_only_mode() is False


@pytest.mark.parametrize("wallet", [ADDRESS, "0x" + "cd" * 20], ids=["eoa", "deposit wallet by session key"])
async def test_a_market_order_fills_settles_and_is_accounted_for(wallet: str) -> None:
    async with paper_exchange_server(BOOKS) as paper, connected(paper, wallet=wallet) as client:
        token = paper.market.tokens[0]
        order = await client.create_market_order(asset_id=token, side="BUY", amount=Decimal(10), max_price=Decimal("0.5"), order_type="FOK")
        reply = await client.post_order(order)
        assert isinstance(reply, AcceptedOrder)
        assert (reply.status, reply.making_amount, reply.taking_amount) == ("matched", Decimal(10), Decimal(20))
        assert len(await client.wait_for_order_fill_settlement(reply)) == 1
        trades = [trade async for trade in client.list_account_trades(market=paper.market.condition_id).iter_items()]
        assert [(trade.status, trade.size, trade.price) for trade in trades] == [("CONFIRMED", Decimal(20), Decimal("0.5"))]
        found = await client.get_order(order_id=reply.order_id)
        assert (found.status, found.size_matched, found.price) == ("MATCHED", Decimal(20), Decimal("0.5"))
        balance = await client.get_balance_allowance(asset_type="COLLATERAL")
        assert balance.balance == 1_000_000_000 - 10_350_000
        held = await client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=token)
        assert held.balance == 20_000_000


async def test_a_killed_order_is_a_rejected_request_with_the_venue_text() -> None:
    async with paper_exchange_server(BOOKS) as paper, connected(paper) as client:
        order = await client.create_market_order(asset_id=paper.market.tokens[0], side="BUY", amount=100, max_price="0.5", order_type="FOK")
        with pytest.raises(RequestRejectedError, match="FOK orders are fully filled or killed") as raised:
            await client.post_order(order)
        assert raised.value.status == 400


async def test_it_understands_a_restart_the_post_only_minutes_after_it_and_rate_limits() -> None:
    updates: list[RateLimitUpdate] = []
    tier = Tier(name="Standard", rate_per_s=1, burst=1)
    async with (
        paper_exchange_server(BOOKS, tier=tier) as paper,
        connected(paper, on_rate_limit_update=updates.append) as client,
    ):
        order = await client.create_market_order(asset_id=paper.market.tokens[0], side="BUY", amount=100, max_price="0.5", order_type="FOK")
        paper.add_fault("restart_425", for_ms=150, retry_after_s=2)
        with pytest.raises(RequestRejectedError) as restarting:
            await client.post_order(order)
        assert (restarting.value.status, restarting.value.restriction, restarting.value.retry_after) == (425, "restarting", 2)
        await asyncio.sleep(0.2)
        with pytest.raises(RequestRejectedError) as post_only:
            await client.post_order(order)
        assert (post_only.value.status, post_only.value.restriction) == (503, "post_only")
    async with (
        paper_exchange_server(BOOKS, tier=tier) as paper,
        connected(paper, on_rate_limit_update=updates.append) as client,
    ):
        with pytest.raises(RequestRejectedError):
            await client.post_order(order)
        with pytest.raises(RateLimitError) as limited:
            await client.post_order(order)
        assert limited.value.retry_after == 1
        assert [(update.remaining, update.tier) for update in updates] == [(0, "Standard"), (0, "Standard")]


async def test_its_streams_deliver_books_changes_trades_and_orders() -> None:
    bids = ([("0.47", 100), ("0.48", 30)], [("0.47", 90)])
    scenes = [(number * 150, bids[number % 2], [("0.50", 25), ("0.52", 80)]) for number in range(100)]
    async with paper_exchange_server(ScriptedBooks(scenes)) as paper, connected(paper) as client:
        token = paper.market.tokens[0]
        specs: list[Any] = [MarketSpec(asset_ids=list(paper.market.tokens), custom_feature_enabled=True), UserSpec()]
        handle = await client.subscribe(specs)
        seen: list[str] = []
        changed = asyncio.Event()

        async def collect() -> None:
            async for event in cast(AsyncIterator[Any], handle):
                seen.append(event.type)
                if event.type == "price_change":
                    changed.set()
                if event.type == "trade" and event.payload.status == "CONFIRMED":
                    return

        collector = asyncio.create_task(collect())
        await asyncio.wait_for(changed.wait(), timeout=5)
        order = await client.create_market_order(asset_id=token, side="BUY", amount=10, max_price="0.5", order_type="FOK")
        await client.post_order(order)
        await asyncio.wait_for(collector, timeout=5)
        await handle.close()
        expected = {"book", "price_change", "best_bid_ask", "last_trade_price", "order", "trade"}
        assert expected <= set(seen)
        assert seen[0] == "book"
