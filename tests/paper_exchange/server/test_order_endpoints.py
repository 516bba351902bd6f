"""POST /order(s) by hand: every refusal has the venue's status and words, and none of them moves money."""

import asyncio
import time
from typing import Any

import aiohttp
import pytest
from tests.support.paper import PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.app import ServeOptions
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.server.rate_limit import Tier

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
OTHER_KEY = "0x" + "7b" * 32
WALLET = "0x" + "ee" * 20


async def trader_at(paper: PaperServer, session: aiohttp.ClientSession, **more: Any) -> RawTrader:
    return await RawTrader(session, paper.urls["clob"], **more).log_in()


def untouched(paper: PaperServer, trader: RawTrader) -> bool:
    paper.exchange.ledger.check()
    account = paper.exchange.account(trader.address)
    return account.dollars == 1_000_000_000 and not paper.exchange.trades(trader.address)


async def test_price_improvement_gives_more_shares_than_asked_for(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        status, body = await trader.buy(paper.market.tokens[0], dollars="10", shares="19.2307")
        assert (status, body["makingAmount"], body["takingAmount"]) == (200, "10", "20")
        assert body["orderID"].startswith("0x")
        assert body["transactionsHashes"] == []


async def test_an_order_over_several_levels_makes_several_trades_with_bucket_numbers(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        status, body = await trader.buy(paper.market.tokens[0], dollars="26", shares="50")
        assert (status, len(body["tradeIDs"])) == (200, 2)
        _, page, _ = await trader.send("GET", "/data/trades", market=paper.market.condition_id)
        rows = sorted(page["data"], key=lambda row: row["bucket_index"])
        assert [(row["bucket_index"], row["price"], row["size"]) for row in rows] == [(0, "0.5", "25"), (1, "0.52", "25.961538")]
        assert {row["id"] for row in rows} == set(body["tradeIDs"])


async def test_the_same_signed_order_sent_again_is_duplicated_and_fills_once(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        order = trader.order(paper.market.tokens[0])
        first, again = [await trader.send("POST", "/order", order) for _ in range(2)]
        assert (first[0], again[0]) == (200, 400)
        assert again[1]["error"] == f"order {first[1]['orderID']} is invalid. Duplicated."
        assert len(paper.exchange.trades(trader.address)) == 1


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "a version 1 order": ({"nonce": "0", "feeRateBps": "0", "taker": "0x" + "00" * 20}, "order_version_mismatch"),
    "a changed amount": ({"makerAmount": "11000000"}, "invalid signature"),
    "a changed salt": ({"salt": 7}, "invalid signature"),
    "a signature cut short": ({"signature": "0x1234"}, "invalid signature"),
    "another signer": ({"signer": WALLET}, "the order signer address has to be the address of the API KEY"),
    "an EOA order for a foreign wallet": ({"maker": WALLET}, "invalid signature"),
    "text for a number": ({"makerAmount": "ten"}, "Invalid order payload"),
    "a negative amount": ({"takerAmount": "-5"}, "Invalid order payload"),
    "an unknown side": ({"side": "HOLD"}, "Invalid order payload"),
    "an unknown wallet type": ({"signatureType": 9}, "Invalid order payload"),
    "a token nobody lists": ({"tokenId": "42"}, "the orderbook 42 does not exist"),
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_wrong_order_is_refused_in_the_venue_words(session: aiohttp.ClientSession, name: str) -> None:
    changes, error = REFUSALS[name]
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        entry = trader.order(paper.market.tokens[0])
        entry["order"] |= changes
        if "nonce" in changes:
            del entry["order"]["timestamp"]
        status, body, _ = await trader.send("POST", "/order", entry)
        assert (status, body["error"]) == (400, error)
        assert untouched(paper, trader)


AMOUNTS = {
    "too many decimals of dollars": ("10.001", "20", "max accuracy of 2 decimals"),
    "too many decimals of shares": ("10", "20.00001", "taker amount a max of 4 decimals"),
    "less than a dollar": ("0.96", "48", "invalid amount for a marketable BUY order ($0.96), min size: $1"),
    "fewer shares than the minimum": ("2", "4", "lower than the minimum"),
    "a price off the grid": ("10.11", "20", "breaks minimum tick size rule"),
    "a price of a dollar": ("20", "20", "invalid price"),
    "more than the wallet holds": ("5000", "10000", "not enough balance / allowance"),
}


@pytest.mark.parametrize("name", AMOUNTS)
async def test_amounts_that_break_a_rule_are_refused_with_the_order_id(session: aiohttp.ClientSession, name: str) -> None:
    dollars, shares, error = AMOUNTS[name]
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        status, body = await trader.buy(paper.market.tokens[0], dollars=dollars, shares=shares)
        assert status == 400
        assert error in body["error"]
        assert body["orderID"].startswith("0x")
        assert untouched(paper, trader)


async def test_another_owner_in_the_body_is_refused(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        stranger = await trader_at(paper, session, private_key=OTHER_KEY)
        entry = trader.order(paper.market.tokens[0]) | {"owner": stranger.credentials["apiKey"]}
        status, body, _ = await trader.send("POST", "/order", entry)
        assert (status, body["error"]) == (400, "the owner has to be the owner of the API KEY")
        status, body, _ = await stranger.send(
            "POST", "/order", trader.order(paper.market.tokens[0]) | {"owner": stranger.credentials["apiKey"]}
        )
        assert body["error"] == "the order signer address has to be the address of the API KEY"


async def test_a_deposit_wallet_signed_by_somebody_else_is_refused(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        thief = await trader_at(paper, session, private_key=OTHER_KEY)
        status, _ = await trader.buy(paper.market.tokens[0], signature_type=3, wallet=WALLET)
        assert status == 200
        forged = thief.order(paper.market.tokens[0], signature_type=3, wallet=WALLET)
        status, body, _ = await thief.send("POST", "/order", forged)
        assert (status, body["error"]) == (400, "maker address not allowed, please use the deposit wallet flow")
        stolen = thief.order(paper.market.tokens[0], signature_type=3, wallet=WALLET) | {"owner": trader.credentials["apiKey"]}
        status, body, _ = await trader.send("POST", "/order", stolen)
        assert (status, body["error"]) == (400, "invalid signature")


async def test_a_neg_risk_market_wants_the_neg_risk_exchange_in_the_signature(session: aiohttp.ClientSession) -> None:
    books = ScriptedBooks([(0, [("0.48", 30)], [("0.50", 25)])], neg_risk=True)
    async with paper_exchange_server(books) as paper:
        trader = await trader_at(paper, session)
        status, body = await trader.buy(paper.market.tokens[0])
        assert (status, body["error"]) == (400, "invalid signature")
        status, body = await trader.buy(paper.market.tokens[0], neg_risk=True)
        assert (status, body["status"]) == (200, "matched")


async def test_requests_with_a_wrong_signature_passphrase_or_age_are_unauthorized(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        path, url = "/data/trades", paper.urls["clob"] + "/data/trades"
        good = trader.request_headers("GET", path)
        wrong = [
            {},
            good | {"POLY_SIGNATURE": "bm9wZQ=="},
            good | {"POLY_PASSPHRASE": "guess"},
            good | {"POLY_API_KEY": "00000000-0000-0000-0000-000000000000"},
            good | {"POLY_ADDRESS": WALLET},
            good | {"POLY_TIMESTAMP": "soon"},
            trader.request_headers("POST", path),
            trader.request_headers("GET", path, timestamp=int(time.time()) - 3_600),
        ]
        for headers in wrong:
            async with session.get(url, headers=headers) as reply:
                assert (reply.status, await reply.json()) == (401, {"error": "Unauthorized/Invalid api key"})
        async with session.get(url, headers=good) as reply:
            assert reply.status == 200


async def test_a_login_that_is_stale_forged_or_malformed_gives_no_key(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = RawTrader(session, paper.urls["clob"])
        good = trader.login_headers()
        wrong = [
            {},
            good | {"POLY_ADDRESS": WALLET},
            good | {"POLY_NONCE": "1"},
            good | {"POLY_SIGNATURE": "0x00"},
            good | {"POLY_TIMESTAMP": "later"},
            trader.login_headers(timestamp=int(time.time()) - 3_600),
        ]
        for headers in wrong:
            async with session.post(f"{trader.clob}/auth/api-key", headers=headers) as reply:
                assert (reply.status, await reply.json()) == (401, {"error": "Invalid L1 Request headers"})
        async with session.get(f"{trader.clob}/auth/derive-api-key", headers=good) as reply:
            assert reply.status == 400
        await trader.log_in()
        async with session.post(f"{trader.clob}/auth/api-key", headers=good) as reply:
            assert (reply.status, await reply.json()) == (400, {"error": "Could not create api key"})
        async with session.get(f"{trader.clob}/auth/derive-api-key", headers=good) as reply:
            assert await reply.json() == trader.credentials


async def test_a_stored_key_still_works_after_the_exchange_was_restarted(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        credentials = (await trader_at(paper, session)).credentials
    async with paper_exchange_server(BOOKS) as paper:
        again = RawTrader(session, paper.urls["clob"], credentials=credentials)
        assert (await again.send("GET", "/data/trades"))[0] == 200


async def test_a_signer_beyond_its_bucket_gets_429_with_headers_and_the_order_is_not_taken(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS, tier=Tier(rate_per_s=1, burst=2)) as paper:
        trader = await trader_at(paper, session)
        entries = [trader.order(paper.market.tokens[0], dollars="3", shares="6") for _ in range(3)]
        status, body, headers = await trader.send("POST", "/orders", entries)
        assert (status, body["error"], headers["Retry-After"]) == (429, "Too Many Requests", "1")
        assert untouched(paper, trader)
        status, _, headers = await trader.send("POST", "/orders", entries[:2])
        assert (status, headers["Poly-RateLimit-Remaining"], headers["Poly-RateLimit-Tier"]) == (200, "0", "Standard")
        status, _, headers = await trader.send("POST", "/order", entries[2])
        assert (status, headers["Poly-RateLimit-Remaining"]) == (429, "0")
        assert (await trader.send("DELETE", "/cancel-all"))[0] == 200
        _, tier, _ = await trader.send("GET", "/v1/user/rate-limit-tier")
        assert tier == {"tier": "Standard", "rate": 1, "burst": 2}


async def test_a_batch_is_1_to_15_orders(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        wrong: list[object] = [[], [trader.order(paper.market.tokens[0])] * 16, {"order": {}}]
        for entries in wrong:
            status, body, _ = await trader.send("POST", "/orders", entries)
            assert (status, body["error"]) == (400, "Invalid order payload")
        status, results, _ = await trader.send("POST", "/orders", [{}, trader.order(paper.market.tokens[0])])
        assert (status, results[0]["errorMsg"], results[1]["status"]) == (200, "Invalid order payload", "matched")


async def test_an_order_in_flight_answers_after_its_latency_against_the_book_of_that_moment(session: aiohttp.ClientSession) -> None:
    gone = ScriptedBooks(
        [(0, [("0.47", 100)], [("0.50", 25)]), (150, [("0.47", 100)], [("0.60", 25)]), (10_000, [("0.47", 100)], [("0.60", 25)])]
    )
    async with paper_exchange_server(gone, settings=ExchangeSettings(order_latency_ms=400)) as paper:
        trader = await trader_at(paper, session)
        started = paper.clock.now_ms()
        status, body = await trader.buy(paper.market.tokens[0])
        assert (status, "FOK" in body["error"]) == (400, True)
        assert paper.clock.now_ms() - started >= 400


async def test_a_market_with_taker_delay_answers_delayed_and_the_fill_shows_later_by_hash(session: aiohttp.ClientSession) -> None:
    books = ScriptedBooks([(0, [("0.47", 100)], [("0.50", 25)])], taker_delay_ms=500)
    async with paper_exchange_server(books) as paper:
        trader = await trader_at(paper, session)
        status, body = await trader.buy(paper.market.tokens[0])
        assert (status, body["status"], body["makingAmount"], body["tradeIDs"]) == (200, "delayed", "", [])
        path = f"/data/order/{body['orderID']}"
        _, found, _ = await trader.send("GET", path)
        assert (found["status"], found["size_matched"]) == ("DELAYED", "0")
        _, page, _ = await trader.send("GET", "/data/orders")
        assert [row["id"] for row in page["data"]] == [body["orderID"]]
        _, cancelled, _ = await trader.send("DELETE", "/order", {"orderID": body["orderID"]})
        assert list(cancelled["not_canceled"]) == [body["orderID"]]
        await asyncio.sleep(0.6)
        _, found, _ = await trader.send("GET", path)
        assert (found["status"], found["size_matched"]) == ("MATCHED", "20")


async def test_shares_can_be_sold_once_their_trade_is_confirmed_and_not_before(session: aiohttp.ClientSession) -> None:
    settings = ExchangeSettings(mine_ms=50, confirm_ms=500)
    async with paper_exchange_server(BOOKS, settings=settings) as paper:
        trader, token = await trader_at(paper, session), paper.market.tokens[0]
        await trader.buy(token)
        sell: dict[str, Any] = {"side": "SELL", "dollars": "4.8", "shares": "10"}
        status, body, _ = await trader.send("POST", "/order", trader.order(token, **sell))
        assert (status, "not enough balance" in body["error"]) == (400, True)
        await asyncio.sleep(0.6)
        status, body, _ = await trader.send("POST", "/order", trader.order(token, **sell))
        assert (status, body["makingAmount"], body["takingAmount"]) == (200, "10", "4.8")
        paper.exchange.ledger.check()


async def test_trades_come_in_pages_of_a_hundred_and_end_with_the_venue_cursor(session: aiohttp.ClientSession) -> None:
    deep = ScriptedBooks([(0, [("0.10", 100)], [("0.50", 1_000_000)])])
    options, tier = ServeOptions(balance_micros=10**12), Tier(rate_per_s=10_000, burst=10_000)
    async with paper_exchange_server(deep, options=options, tier=tier) as paper:
        trader = await trader_at(paper, session)
        for _ in range(7):
            entries = [trader.order(paper.market.tokens[0], dollars="3", shares="6") for _ in range(15)]
            await trader.send("POST", "/orders", entries)
        _, first, _ = await trader.send("GET", "/data/trades", next_cursor="MA==")
        assert (first["limit"], first["count"], len(first["data"])) == (100, 100, 100)
        _, last, _ = await trader.send("GET", "/data/trades", next_cursor=first["next_cursor"])
        assert (last["count"], last["next_cursor"]) == (5, "LTE=")
        assert len({row["id"] for row in first["data"] + last["data"]}) == 105
        status, body, _ = await trader.send("GET", "/data/trades", next_cursor="??")
        assert (status, body["error"]) == (400, "Invalid next_cursor")


async def test_trades_are_filtered_by_market_token_id_and_time(session: aiohttp.ClientSession) -> None:
    other = ScriptedBooks([(0, [("0.30", 100)], [("0.40", 50)])], slug="other")
    async with paper_exchange_server(BOOKS, other) as paper:
        trader = await trader_at(paper, session)
        first, second = paper.exchange.markets
        await trader.buy(first.tokens[0])
        _, body = await trader.buy(second.tokens[0], dollars="4", shares="10")

        async def ids(**query: str) -> int:
            return len((await trader.send("GET", "/data/trades", **query))[1]["data"])

        now_s = paper.clock.now_ms() // 1000
        assert (await ids(), await ids(market=second.condition_id), await ids(asset_id=first.tokens[1])) == (2, 1, 0)
        assert (await ids(id=body["tradeIDs"][0]), await ids(after=str(now_s - 60)), await ids(after=str(now_s + 60))) == (1, 2, 0)
        assert (await ids(before=str(now_s - 60)), await ids(maker_address=trader.address)) == (0, 2)


async def test_nobody_sees_the_orders_of_somebody_else(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        stranger = await trader_at(paper, session, private_key=OTHER_KEY)
        _, body = await trader.buy(paper.market.tokens[0])
        assert (await trader.send("GET", f"/data/order/{body['orderID']}"))[0] == 200
        assert (await stranger.send("GET", f"/data/order/{body['orderID']}"))[0] == 404
        assert (await stranger.send("GET", "/data/trades"))[1]["data"] == []


async def test_a_closed_market_takes_no_orders_and_shows_no_book(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await trader_at(paper, session)
        async with session.post(f"{paper.urls['admin']}/close/{paper.market.slug}") as reply:
            assert (await reply.json())["closed"] is True
        status, body = await trader.buy(paper.market.tokens[0])
        assert (status, body["error"]) == (400, "the market is not accepting orders")
        async with session.get(f"{paper.urls['clob']}/book", params={"token_id": paper.market.tokens[0]}) as reply:
            assert (reply.status, await reply.json()) == (404, {"error": "No orderbook exists for the requested token id"})
