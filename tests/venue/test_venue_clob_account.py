import json
from typing import Any

import pytest
from py_clob_client_v2.signing.hmac import build_hmac_signature
from tests.venue.venue_clob_examples import CONDITION, HASH, NO, ORDER, OWNER, SECRET, TRADE, WALLET, YES, clob_of
from tests.venue.venue_servers import NOW_MS, Answer, ManualClock, Seen, json_reply, reading, scripted_server

from kabobagool.domain.market import Side
from kabobagool.venue import rows
from kabobagool.venue.clob import MAX_TRADE_PAGES, CredentialsError
from kabobagool.venue.reader import HttpStatusError, ResponseError
from kabobagool.venue.rows import MakerFill, OrderRow, TradeRow
from kabobagool.venue.signing import EXCHANGE, NEG_RISK_EXCHANGE


def trades_of(*messages: dict[str, Any]) -> list[TradeRow]:
    reply = json_reply(json.dumps({"data": messages, "next_cursor": "LTE="}).encode())
    return rows.trade_page(reply, owner="our-key", address=WALLET, endpoint="/data/trades")[0]


async def test_the_balance_is_in_base_units_and_the_allowance_that_of_our_exchanges() -> None:
    body = {"balance": "12500000", "allowances": {EXCHANGE: "900", NEG_RISK_EXCHANGE.lower(): str(2**256 - 1), "0xperps": "0"}}
    async with scripted_server({"/balance-allowance": Answer(200, body)}) as server, reading() as reader:
        clob = clob_of(reader, server, signature_type=3)
        dollars, shares = await clob.balance(), await clob.balance(YES)
    assert (dollars.amount_micros, dollars.allowance_micros) == (12_500_000, 900)
    assert dollars.allowances["0xperps"] == 0
    assert shares == dollars
    assert server.requests[0].query == [("asset_type", "COLLATERAL"), ("signature_type", "3")]
    assert server.requests[1].query == [("asset_type", "CONDITIONAL"), ("token_id", YES), ("signature_type", "3")]


@pytest.mark.parametrize(
    ("body", "allowance"),
    [({"balance": "1", "allowance": "7"}, 7), ({"balance": 1}, 0), ({"balance": "1", "allowances": {"0xa": "5", "0xb": 6}}, 5)],
)
def test_an_allowance_may_come_in_other_forms(body: dict[str, Any], allowance: int) -> None:
    assert rows.balance(json_reply(json.dumps(body).encode()), "/balance-allowance").allowance_micros == allowance


async def test_refreshing_a_balance_asks_the_venue_to_look_again() -> None:
    async with scripted_server({"/balance-allowance/update": Answer(200, "")}) as server, reading() as reader:
        await clob_of(reader, server).refresh_balance(YES)
    assert ("token_id", YES) in server.requests[0].query


async def test_account_reads_are_signed_over_the_path_without_the_query() -> None:
    clock = ManualClock()
    async with scripted_server({"/data/trades": Answer(200, {"data": []})}) as server, reading(clock) as reader:
        await clob_of(reader, server, clock).trades(CONDITION, 5)
    headers = server.requests[0].headers
    assert headers["POLY_ADDRESS"] == OWNER
    assert headers["POLY_TIMESTAMP"] == str(NOW_MS // 1000)
    assert headers["POLY_SIGNATURE"] == build_hmac_signature(SECRET, str(NOW_MS // 1000), "GET", "/data/trades")


async def test_an_account_read_without_credentials_is_refused_before_it_is_sent() -> None:
    async with scripted_server({}) as server, reading() as reader:
        clob = clob_of(reader, server, credentials=None)
        for asked in (clob.balance(), clob.refresh_balance(), clob.order(HASH), clob.trades(CONDITION)):
            with pytest.raises(CredentialsError, match="needs API credentials"):
                await asked
    assert server.requests == []


async def test_nothing_secret_is_in_an_error() -> None:
    async with scripted_server({"/data/trades": Answer(403, "no")}) as server, reading() as reader:
        with pytest.raises(HttpStatusError) as caught:
            await clob_of(reader, server).trades(CONDITION)
    assert SECRET not in repr(caught.value)
    assert "phrase" not in repr(caught.value)


def paged(pages: dict[str, dict[str, Any]]) -> Any:
    return lambda seen: Answer(200, pages[dict(seen.query)["next_cursor"]])


async def test_all_pages_of_trades_are_read_and_each_trade_counts_once() -> None:
    moved = TRADE | {"id": "t2", "status": "MATCHED"}
    pages: dict[str, dict[str, Any]] = {
        "MA==": {"data": [TRADE, moved], "next_cursor": "MTAw", "limit": 100},
        "MTAw": {"data": [moved | {"status": "MINED"}, TRADE | {"id": "t3"}], "next_cursor": "LTE="},
    }
    async with scripted_server({"/data/trades": paged(pages)}) as server, reading() as reader:
        trades = await clob_of(reader, server).trades(CONDITION, 1_795_305_595)
    assert [(trade.id, trade.status) for trade in trades] == [("t1", "CONFIRMED"), ("t2", "MINED"), ("t3", "CONFIRMED")]
    assert server.requests[1].query == [("market", CONDITION), ("after", "1795305595"), ("next_cursor", "MTAw")]


async def test_trades_without_a_start_ask_for_all() -> None:
    async with scripted_server({"/data/trades": Answer(200, {"data": None, "next_cursor": ""})}) as server, reading() as reader:
        assert await clob_of(reader, server).trades(CONDITION) == []
    assert server.requests[0].query == [("market", CONDITION), ("next_cursor", "MA==")]


async def test_pages_that_go_in_circles_are_an_error_and_never_half_a_history() -> None:
    pages: dict[str, dict[str, Any]] = {"MA==": {"data": [TRADE], "next_cursor": "MTAw"}, "MTAw": {"data": [TRADE], "next_cursor": "MA=="}}
    async with scripted_server({"/data/trades": paged(pages)}) as server, reading() as reader:
        with pytest.raises(ResponseError, match="next_cursor"):
            await clob_of(reader, server).trades(CONDITION)
    assert len(server.requests) == 2


async def test_pages_without_end_are_an_error() -> None:
    def endless(seen: Seen) -> Answer:
        return Answer(200, {"data": [], "next_cursor": dict(seen.query)["next_cursor"] + "x"})

    async with scripted_server({"/data/trades": endless}) as server, reading() as reader:
        with pytest.raises(ResponseError, match="pages"):
            await clob_of(reader, server).trades(CONDITION)
    assert len(server.requests) == MAX_TRADE_PAGES


def test_a_trade_we_took_is_ours_as_the_row_says() -> None:
    (trade,) = trades_of(TRADE)
    assert trade == TradeRow(
        id="t1",
        taker_order_id=HASH,
        condition_id=CONDITION,
        token=YES,
        side=Side.BUY,
        shares=50_012_345,
        price_micros=489_000,
        status="CONFIRMED",
        match_time_s=1_795_305_600,
        is_taker=True,
        maker_orders=(),
    )
    assert trade.dollars == 24_456_037
    assert trade.confirmed
    assert not trade.failed


def test_of_a_trade_we_made_only_our_resting_orders_are_kept() -> None:
    others = {"order_id": "0xOTHER", "owner": "x", "maker_address": "0xx", "asset_id": YES, "matched_amount": "1", "price": "0.5"}
    by_key = others | {"order_id": "0xAA", "owner": "OUR-KEY", "asset_id": NO, "side": "SELL", "matched_amount": "5", "price": "0.513"}
    by_wallet = others | {"order_id": "0xBB", "maker_address": WALLET.upper()}
    (trade,) = trades_of(TRADE | {"trader_side": "MAKER", "maker_orders": [others, by_key, by_wallet]})
    assert not trade.is_taker
    assert trade.maker_orders == (
        MakerFill(order_id="0xaa", token=NO, side=Side.SELL, shares=5_000_000, price_micros=513_000),
        MakerFill(order_id="0xbb", token=YES, side=None, shares=1_000_000, price_micros=500_000),
    )


@pytest.mark.parametrize(
    ("text", "status"), [("TRADE_STATUS_FAILED", "FAILED"), ("retrying", "RETRYING"), ("MATCHED_NOT_BROADCASTED",) * 2]
)
def test_a_status_reads_the_same_however_it_is_spelt(text: str, status: str) -> None:
    (trade,) = trades_of(TRADE | {"status": text})
    assert trade.status == status
    assert trade.failed is (status == "FAILED")


@pytest.mark.parametrize(("price", "micros"), [("0.4893333333", 489_334), ("0.48900000000", 489_000), ("1", 1_000_000), (0.5, 500_000)])
def test_an_average_price_finer_than_a_tick_is_rounded_up(price: object, micros: int) -> None:
    assert trades_of(TRADE | {"price": price})[0].price_micros == micros


@pytest.mark.parametrize(
    ("field", "value"),
    [("size", "-1"), ("size", None), ("price", "1.000001"), ("price", "0.5.5"), ("price", "0.500000x"), ("side", "HOLD"), ("id", 7)],
)
def test_rubbish_in_a_trade_names_endpoint_and_field(field: str, value: object) -> None:
    with pytest.raises(ResponseError, match=f"/data/trades.*{field}"):
        trades_of(TRADE | {field: value})


async def test_an_order_is_found_by_its_hash() -> None:
    async with scripted_server({f"/data/order/{HASH}": Answer(200, ORDER)}) as server, reading() as reader:
        order = await clob_of(reader, server).order(HASH)
    assert order == OrderRow(
        id=HASH,
        status="MATCHED",
        condition_id=CONDITION,
        token=YES,
        side=Side.BUY,
        price_micros=490_000,
        original_size=24_500_000,
        size_matched=50_000_000,
        created_at_s=1_795_305_600,
    )


@pytest.mark.parametrize("answer", [Answer(404, {"error": "order not found"}), Answer(200, "null"), Answer(200, ""), Answer(200, "{}")])
async def test_an_order_the_venue_does_not_know_is_none(answer: Answer) -> None:
    async with scripted_server({f"/data/order/{HASH}": answer}) as server, reading() as reader:
        assert await clob_of(reader, server).order(HASH) is None


async def test_a_venue_in_trouble_does_not_look_like_an_unknown_order() -> None:
    async with scripted_server({f"/data/order/{HASH}": Answer(503, "")}) as server, reading() as reader:
        with pytest.raises(HttpStatusError):
            await clob_of(reader, server).order(HASH)


def test_how_much_of_an_order_matched_must_be_said() -> None:
    with pytest.raises(ResponseError, match="size_matched"):
        rows.order_row(json_reply(json.dumps(ORDER | {"size_matched": ""}).encode()), "/data/order")
