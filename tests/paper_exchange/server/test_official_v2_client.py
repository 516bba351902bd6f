"""The unmodified `py_clob_client_v2.client.ClobClient` authenticates, reads and trades here."""

import asyncio
from typing import Any

import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    BookParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderPayload,
    OrderType,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.exceptions import PolyApiException
from tests.support.paper import TEST_KEY, PaperServer, ScriptedBooks, paper_exchange_server

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
KILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."


def logged_in(paper: PaperServer, **arguments: Any) -> ClobClient:
    client = ClobClient(paper.urls["clob"], 137, key=TEST_KEY, **arguments)
    client.set_api_creds(client.create_or_derive_api_key())
    return client


async def test_it_reads_service_books_prices_and_market_info() -> None:
    def read(paper: PaperServer) -> None:
        client = ClobClient(paper.urls["clob"], 137)
        market, (yes, no) = paper.market, paper.market.tokens
        assert client.get_ok() == "OK"
        assert client.get_version() == 2
        assert abs(client.get_server_time() - paper.clock.now_ms() / 1000) < 2
        book = client.get_order_book(yes)
        assert [level["price"] for level in book["bids"]] == ["0.47", "0.48"]
        assert [level["price"] for level in book["asks"]] == ["0.52", "0.5"]
        assert client.get_order_book_hash(dict(book)) == book["hash"]
        assert [found["asset_id"] for found in client.get_order_books([BookParams(yes), BookParams(no)])] == [yes, no]
        assert client.get_tick_size(yes) == "0.01"
        assert client.get_neg_risk(yes) is False
        assert client.get_midpoint(yes) == {"mid": "0.49"}
        assert client.get_price(yes, "BUY") == {"price": "0.48"}
        assert client.get_price(yes, "SELL") == {"price": "0.5"}
        assert client.get_spread(yes) == {"spread": "0.02"}
        assert client.get_prices([BookParams(yes, "BUY"), BookParams(no, "SELL")]) == {yes: {"BUY": "0.48"}, no: {"SELL": "0.52"}}
        assert client.get_midpoints([BookParams(yes)]) == {yes: "0.49"}
        assert client.get_spreads([BookParams(yes)]) == {yes: "0.02"}
        assert client.get_last_trade_price(yes)["side"] == ""
        assert client.get_fee_rate_bps(yes) == 1000
        info = client.get_clob_market_info(market.condition_id)
        assert (info["fd"], info["mos"], info["ao"], info["itode"]) == ({"r": 0.07, "e": 1, "to": True}, 5, True, False)
        assert client.get_fee_exponent(yes) == 1
        assert client.get_market(market.condition_id)["market_slug"] == market.slug
        assert [found["condition_id"] for found in client.get_markets()["data"]] == [market.condition_id]
        assert client.get_simplified_markets()["next_cursor"] == "LTE="
        assert len(client.get_sampling_markets()["data"]) == len(client.get_sampling_simplified_markets()["data"]) == 1

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(read, paper)


async def test_a_market_order_fills_and_shows_in_balance_trades_and_order_by_id() -> None:
    def trade(paper: PaperServer) -> None:
        client, token = logged_in(paper), paper.market.tokens[0]
        order = client.create_market_order(MarketOrderArgsV2(token_id=token, amount=10, side="BUY", price=0.5))
        reply = client.post_order(order, OrderType.FOK)
        assert (reply["success"], reply["status"]) == (True, "matched")
        assert (reply["makingAmount"], reply["takingAmount"]) == ("10", "20")
        assert len(reply["transactionsHashes"]) == len(reply["tradeIDs"]) == 1
        rows = client.get_trades(TradeParams(market=paper.market.condition_id))
        assert [(row["size"], row["price"], row["side"], row["trader_side"]) for row in rows] == [("20", "0.5", "BUY", "TAKER")]
        assert rows[0]["taker_order_id"] == reply["orderID"]
        found = client.get_order(reply["orderID"])
        assert (found["status"], found["size_matched"], found["original_size"]) == ("MATCHED", "20", "10")
        collateral = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))
        assert int(collateral["balance"]) == 1_000_000_000 - 10_000_000 - 350_000
        assert client.get_open_orders(OpenOrderParams(market=paper.market.condition_id)) == []
        assert client.get_last_trade_price(token) == {"price": "0.5", "side": "BUY"}

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(trade, paper)
        await asyncio.sleep(0.1)
        paper.step()
        held = paper.exchange.account(ClobClient(paper.urls["clob"], 137, key=TEST_KEY).get_address())
        assert held.shares == {paper.market.tokens[0]: 20_000_000}
        paper.exchange.ledger.check()


async def test_a_fok_the_book_cannot_fill_is_a_400_with_the_venue_text_and_costs_nothing() -> None:
    def trade(paper: PaperServer) -> None:
        client = logged_in(paper)
        order = client.create_market_order(MarketOrderArgsV2(token_id=paper.market.tokens[0], amount=100, side="BUY", price=0.5))
        with pytest.raises(PolyApiException) as raised:
            client.post_order(order, OrderType.FOK)
        assert raised.value.status_code == 400
        assert raised.value.error_msg["error"] == KILLED
        assert client.get_order(raised.value.error_msg["orderID"])["status"] == "CANCELED"
        assert client.get_trades() == []

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(trade, paper)
        paper.exchange.ledger.check()


async def test_a_batch_answers_every_order_on_its_own() -> None:
    def trade(paper: PaperServer) -> None:
        client, (yes, no) = logged_in(paper), paper.market.tokens
        fills = client.create_market_order(MarketOrderArgsV2(token_id=yes, amount=10, side="BUY", price=0.5))
        dies = client.create_market_order(MarketOrderArgsV2(token_id=no, amount=99, side="BUY", price=0.52))
        replies = client.post_orders([PostOrdersV2Args(fills, OrderType.FOK), PostOrdersV2Args(dies, OrderType.FOK)])
        assert [reply["errorMsg"] for reply in replies] == ["", KILLED]
        assert [reply["status"] for reply in replies] == ["matched", ""]

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(trade, paper)


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_every_wallet_type_can_trade_and_sees_its_own_balance(signature_type: int) -> None:
    wallet = "0x" + "ab" * 20

    def trade(paper: PaperServer) -> None:
        client = logged_in(paper, signature_type=signature_type, funder=wallet)
        order = client.create_market_order(MarketOrderArgsV2(token_id=paper.market.tokens[0], amount=10, side="BUY", price=0.5))
        assert client.post_order(order, OrderType.FOK, defer_exec=True)["status"] == "matched"
        assert client.get_trades()[0]["maker_address"].lower() == wallet
        balance = client.get_balance_allowance(BalanceAllowanceParams(asset_type=AssetType.COLLATERAL))["balance"]
        assert int(balance) == 1_000_000_000 - 10_350_000

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(trade, paper)


async def test_keys_are_created_once_then_derived_listed_and_deleted() -> None:
    def manage(paper: PaperServer) -> None:
        client = logged_in(paper)
        assert client.create_or_derive_api_key() == client.creds
        assert client.get_api_keys() == {"apiKeys": [client.creds.api_key]}
        assert client.get_closed_only_mode() == {"closed_only": False}
        assert client.post_heartbeat()["heartbeat_id"]
        assert client.get_notifications() == []
        assert client.cancel_order(OrderPayload(orderID="0x" + "00" * 32))["canceled"] == []
        assert client.cancel_all() == {"canceled": [], "not_canceled": {}}
        assert client.delete_api_key() == "OK"

    async with paper_exchange_server(BOOKS) as paper:
        await asyncio.to_thread(manage, paper)


async def test_server_time_can_sign_requests_even_when_the_venue_runs_a_thousand_times_faster() -> None:
    from paper_exchange.app import ServeOptions

    def read(paper: PaperServer) -> None:
        client = ClobClient(paper.urls["clob"], 137, key=TEST_KEY, use_server_time=True)
        client.set_api_creds(client.create_or_derive_api_key())
        assert client.get_trades() == []

    async with paper_exchange_server(BOOKS, options=ServeOptions(speed=1000)) as paper:
        await asyncio.sleep(0.1)
        await asyncio.to_thread(read, paper)
