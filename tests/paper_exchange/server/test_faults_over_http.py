"""Each fault looks from outside as it does at the venue, and the ledger knows what really happened."""

import asyncio

import aiohttp
import pytest
from tests.support.paper import RawTrader, ScriptedBooks, paper_exchange_server

from paper_exchange.exchange import ExchangeSettings
from paper_exchange.faults import FaultPlan

BOOKS = ScriptedBooks([(0, [("0.47", 100), ("0.48", 30)], [("0.50", 25), ("0.52", 80)])])
CUT = object()


async def post(trader: RawTrader, token: str) -> tuple[object, object, dict[str, str]]:
    """The reply to one BUY; CUT when the connection closed without one."""
    try:
        return await trader.send("POST", "/order", trader.order(token))
    except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
        return CUT, None, {}


LOST = {
    "reply_dropped": (CUT, None),
    "could_not_run_500": (500, {"error": "could not run the execution"}),
    "rate_limited_bare_429": (429, {"error": "Too Many Requests"}),
}


@pytest.mark.parametrize("filled", [True, False], ids=["after a fill", "before it"])
@pytest.mark.parametrize("kind", LOST)
async def test_a_lost_reply_hides_whether_the_order_filled_and_its_hash_tells(
    session: aiohttp.ClientSession, kind: str, filled: bool
) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        paper.add_fault(kind, filled=filled)
        status, body, headers = await post(trader, paper.market.tokens[0])
        assert (status, body) == LOST[kind]
        assert not [name for name in headers if name.lower().startswith(("poly-ratelimit", "retry-after"))]
        trades = (await trader.send("GET", "/data/trades"))[1]["data"]
        assert len(trades) == (1 if filled else 0)
        order_hash = trades[0]["taker_order_id"] if filled else "0x" + "00" * 32
        status, found, _ = await trader.send("GET", f"/data/order/{order_hash}")
        assert (status, found.get("status")) == ((200, "MATCHED") if filled else (404, None))
        paper.exchange.ledger.check()
        assert (await post(trader, paper.market.tokens[1]))[0] in (200, 400)


async def test_a_restart_answers_425_then_two_minutes_of_post_only(session: aiohttp.ClientSession) -> None:
    plan = FaultPlan.from_json('[{"kind": "restart_425", "at_ms": 0, "for_ms": 900}]')
    async with paper_exchange_server(BOOKS, faults=plan) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        status, body, headers = await post(trader, paper.market.tokens[0])
        assert (status, body, "Retry-After" in headers) == (425, {"error": "service not ready"}, False)
        assert (await trader.send("GET", "/data/trades"))[0] == 200
        await asyncio.sleep(0.95)
        status, body, _ = await post(trader, paper.market.tokens[0])
        assert isinstance(body, dict)
        assert (status, body["code"]) == (503, "post_only_mode")
        assert not paper.exchange.trades(trader.address)


async def test_a_restart_says_when_to_come_back_if_it_knows(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        paper.add_fault("restart_425", for_ms=60_000, retry_after_s=45)
        status, _, headers = await post(trader, paper.market.tokens[0])
        assert (status, headers["Retry-After"]) == (425, "45")


async def test_a_limit_with_headers_means_that_the_order_was_not_taken(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        paper.add_fault("rate_limited_with_headers", retry_after_s=3)
        status, _, headers = await post(trader, paper.market.tokens[0])
        assert (status, headers["Retry-After"], headers["Poly-RateLimit-Remaining"]) == (429, "3", "0")
        assert not paper.exchange.trades(trader.address)
        assert (await post(trader, paper.market.tokens[0]))[0] == 200


async def test_faults_that_are_taken_away_strike_no_more_not_even_later(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        faults = f"{trader.clob}/admin/faults"
        armed = [{"kind": "restart_425", "for_ms": 600_000}, {"kind": "geoblocked", "at_ms": 3_600_000, "for_ms": 1}]
        async with session.post(faults, json=armed) as reply:
            assert len(await reply.json()) == 2
        assert (await post(trader, paper.market.tokens[0]))[0] == 425
        async with session.delete(faults) as reply:
            assert await reply.json() == []
        async with session.get(faults) as reply:
            assert await reply.json() == []
        assert (await post(trader, paper.market.tokens[0]))[0] == 200


async def test_a_blocked_address_gets_a_page_instead_of_json_and_geoblock_says_so(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        async with session.get(paper.urls["geoblock"]) as reply:
            assert (await reply.json())["blocked"] is False
        paper.add_fault("geoblocked", for_ms=60_000)
        paper.add_fault("cloudflare_403", for_ms=60_000)
        async with session.get(paper.urls["geoblock"]) as reply:
            assert (await reply.json())["country"] == "US"
        async with session.post(f"{trader.clob}/order", json={}, headers=trader.request_headers("POST", "/order", "{}")) as reply:
            assert (reply.status, reply.content_type) == (403, "text/html")
            assert "Cloudflare" in await reply.text()


async def test_a_delayed_reply_hides_the_fill_until_the_delay_is_over(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        paper.add_fault("delayed_reply", delay_ms=300)
        status, body, _ = await post(trader, paper.market.tokens[0])
        assert isinstance(body, dict)
        assert (status, body["status"]) == (200, "delayed")
        await asyncio.sleep(0.4)
        assert (await trader.send("GET", f"/data/order/{body['orderID']}"))[1]["status"] == "MATCHED"


async def test_a_failed_settlement_gives_the_money_back_and_says_failed(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        paper.add_fault("settlement_failed")
        assert (await post(trader, paper.market.tokens[0]))[0] == 200
        await asyncio.sleep(0.15)
        paper.step()
        row = (await trader.send("GET", "/data/trades"))[1]["data"][0]
        assert (row["status"], row["transaction_hash"]) == ("FAILED", "")
        balance = (await trader.send("GET", "/balance-allowance", asset_type="COLLATERAL", signature_type="0"))[1]
        assert balance["balance"] == "1000000000"
        paper.exchange.ledger.check()


async def test_a_stale_rest_book_stays_as_it_was_while_the_market_moves(session: aiohttp.ClientSession) -> None:
    moving = ScriptedBooks([(number * 100, [("0.40", 10)], [(f"0.{50 + number}", 10)]) for number in range(40)])
    async with paper_exchange_server(moving) as paper:

        async def best_ask() -> str:
            async with session.get(f"{paper.urls['clob']}/book", params={"token_id": paper.market.tokens[0]}) as reply:
                return str((await reply.json())["asks"][-1]["price"])

        paper.add_fault("stale_book", for_ms=600)
        frozen = await best_ask()
        await asyncio.sleep(0.3)
        assert await best_ask() == frozen
        await asyncio.sleep(0.5)
        assert await best_ask() != frozen


async def test_a_caller_that_gives_up_waiting_has_ordered_all_the_same(session: aiohttp.ClientSession) -> None:
    async with paper_exchange_server(BOOKS, settings=ExchangeSettings(order_latency_ms=600)) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        entry = trader.order(paper.market.tokens[0])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(trader.send("POST", "/order", entry), timeout=0.2)
        path = f"/data/order/{trader.order_hash(entry)}"
        assert (await trader.send("GET", path))[0] == 404, "not found for a while is no proof"
        await asyncio.sleep(0.6)
        status, found, _ = await trader.send("GET", path)
        assert (status, found["status"]) == (200, "MATCHED")


@pytest.mark.parametrize("latency_ms", [0, 100])
async def test_the_same_bytes_sent_ten_times_at_once_fill_once(session: aiohttp.ClientSession, latency_ms: int) -> None:
    async with paper_exchange_server(BOOKS, settings=ExchangeSettings(order_latency_ms=latency_ms)) as paper:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        entry = trader.order(paper.market.tokens[0])
        replies = await asyncio.gather(*(trader.send("POST", "/order", entry) for _ in range(10)))
        assert sorted(status for status, _, _ in replies) == [200] + [400] * 9
        assert all("Duplicated" in body["error"] for status, body, _ in replies if status == 400)
        assert len(paper.exchange.trades(trader.address)) == 1
