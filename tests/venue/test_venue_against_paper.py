"""The venue layer over real sockets against the paper exchange, which shares no code with it."""

import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from tests.support.paper import PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import classify
from kabobagool.venue.gamma import MarketNotFound, resolve_market
from kabobagool.venue.messages import BookEvent, decode_frame
from kabobagool.venue.reader import HttpStatusError, Reader
from kabobagool.venue.signing import EXCHANGE, ApiCredentials, OrderFields, order_hash
from kabobagool.venue.transport import AiohttpTransport

BOOKS = ScriptedBooks([(0, [("0.47", 200), ("0.48", 100)], [("0.50", 100), ("0.52", 200)])], fee_rate_micros=50_000)


@dataclass(slots=True)
class Meeting:
    """A paper exchange, our reader of it, and a wallet that trades there."""

    paper: PaperServer
    reader: Reader
    clob: ClobReader
    trader: RawTrader

    async def market(self) -> Market:
        return await resolve_market(self.reader, self.clob, self.paper.urls["gamma"], slug=self.paper.market.slug)

    async def buy(self, token: str, *, dollars: str, shares: str) -> tuple[str, OrderOutcome]:
        """Post an order; its hash as we reckon it, and what we make of the reply."""
        body = self.trader.order(token, dollars=dollars, shares=shares)
        order = body["order"]
        fields = OrderFields(
            salt=int(order["salt"]),
            maker=order["maker"],
            signer=order["signer"],
            token_id=int(order["tokenId"]),
            maker_amount=int(order["makerAmount"]),
            taker_amount=int(order["takerAmount"]),
            side=0,
            signature_type=int(order["signatureType"]),
            timestamp_ms=int(order["timestamp"]),
            metadata=order["metadata"],
            builder=order["builder"],
        )
        try:
            status, reply, headers = await self.trader.send("POST", "/order", body)
        except aiohttp.ClientError as e:
            status, reply, headers = None, type(e).__name__, {}
        found = classify(status, headers, reply, fee_of=lambda shares, dollars: taker_fee(FeeSchedule(50_000), 5000, shares))
        return order_hash(fields, chain_id=137, exchange=EXCHANGE), found


@contextlib.asynccontextmanager
async def meeting() -> AsyncIterator[Meeting]:
    async with paper_exchange_server(BOOKS) as paper, aiohttp.ClientSession() as session:
        trader = await RawTrader(session, paper.urls["clob"]).log_in()
        keys = trader.credentials
        transport = AiohttpTransport()
        clock = SystemClock()
        reader = Reader(transport, clock=clock, rng=random.Random(3))
        credentials = ApiCredentials(keys["apiKey"], keys["secret"], keys["passphrase"])
        clob = ClobReader(reader, paper.urls["clob"], clock=clock, credentials=credentials, address=trader.address)
        try:
            yield Meeting(paper, reader, clob, trader)
        finally:
            await transport.close()


async def test_a_market_resolves_to_what_the_exchange_trades() -> None:
    async with meeting() as met:
        market, paper = await met.market(), met.paper.market
        assert (market.condition_id, market.tokens, market.outcomes) == (paper.condition_id, paper.tokens, paper.outcomes)
        assert (market.fee, market.min_order_shares) == (FeeSchedule(50_000), paper.min_order_size)
        assert market.accepting_orders
        with pytest.raises(MarketNotFound):
            await resolve_market(met.reader, met.clob, met.paper.urls["gamma"], slug="no-such-market")


async def test_every_description_leads_to_the_same_market() -> None:
    async with meeting() as met:
        market, gamma = await met.market(), met.paper.urls["gamma"]
        assert await resolve_market(met.reader, met.clob, gamma, condition_id=market.condition_id) == market
        assert await resolve_market(met.reader, met.clob, gamma, tokens=market.tokens) == market


async def test_version_clock_and_books_are_read() -> None:
    async with meeting() as met:
        await met.clob.assert_version()
        assert abs(await met.clob.server_time_ms() - met.paper.clock.now_ms()) < 2_000
        books = {book.asset_id: book for book in await met.clob.books(met.paper.market.tokens)}
        yes, no = (books[token] for token in met.paper.market.tokens)
        assert (max(yes.bids), min(yes.asks)) == ((4800, 100_000_000), (5000, 100_000_000))
        assert (max(no.bids), min(no.asks)) == ((5000, 100_000_000), (5200, 100_000_000))


async def test_the_first_frames_of_the_socket_are_the_books() -> None:
    async with meeting() as met, aiohttp.ClientSession() as session:
        tokens = list(met.paper.market.tokens)
        events: list[BookEvent] = []
        async with session.ws_connect(met.paper.urls["market_socket"]) as socket:
            await socket.send_json({"type": "market", "assets_ids": tokens, "custom_feature_enabled": True})
            while len(events) < 2:
                events += [event for event in decode_frame(await socket.receive_str(timeout=5)) if isinstance(event, BookEvent)]
        assert {event.asset_id for event in events} == set(tokens)
        assert {(max(event.bids), min(event.asks)) for event in events} == {
            ((4800, 100_000_000), (5000, 100_000_000)),
            ((5000, 100_000_000), (5200, 100_000_000)),
        }


async def test_an_order_has_the_id_we_reckoned_and_its_trade_and_balance_follow() -> None:
    async with meeting() as met:
        token = met.paper.market.tokens[0]
        before = (await met.clob.balance()).amount_micros
        name, filled = await met.buy(token, dollars="10", shares="20")
        assert isinstance(filled, Filled)
        assert (filled.shares, filled.dollars) == (20_000_000, 10_000_000)
        order = await met.clob.order(name)
        assert order is not None
        assert (order.id, order.status, order.token) == (name, "MATCHED", token)
        trades = [row for row in await met.clob.trades(met.paper.market.condition_id) if row.taker_order_id == name]
        assert (sum(row.shares for row in trades), sum(row.dollars for row in trades)) == (20_000_000, 10_000_000)
        assert all(row.is_taker for row in trades)
        assert before - (await met.clob.balance()).amount_micros == 10_000_000 + filled.fee


async def test_an_order_nobody_can_fill_is_killed_and_one_nobody_sent_is_unknown_to_the_venue() -> None:
    async with meeting() as met:
        _, killed = await met.buy(met.paper.market.tokens[0], dollars="9.80", shares="20")
        assert isinstance(killed, Killed)
        assert await met.clob.order("0x" + "12" * 32) is None


@pytest.mark.parametrize(
    ("fault", "expected", "reason"),
    [
        ("delayed_reply", Delayed, None),
        ("restart_425", Rejected, Rejection.RESTARTING),
        ("post_only_503", Rejected, Rejection.POST_ONLY),
        ("rate_limited_with_headers", Rejected, Rejection.RATE_LIMITED),
        ("rate_limited_bare_429", Unknown, None),
        ("could_not_run_500", Unknown, None),
        ("cloudflare_403", Rejected, Rejection.GEOBLOCKED),
        ("reply_dropped", Unknown, None),
    ],
)
async def test_what_goes_wrong_at_the_exchange_is_called_by_its_name(fault: str, expected: type, reason: Rejection | None) -> None:
    async with meeting() as met:
        met.paper.add_fault(fault, **({"for_ms": 60_000} if fault == "restart_425" else {}))
        _, found = await met.buy(met.paper.market.tokens[0], dollars="10", shares="20")
        assert isinstance(found, expected)
        if isinstance(found, Rejected):
            assert found.reason is reason


@pytest.mark.parametrize(
    ("dollars", "shares", "reason"),
    [
        ("0.50", "1", Rejection.MIN_SIZE),
        ("10.001", "20", Rejection.AMOUNTS),
        ("5000", "10000", Rejection.BALANCE),
    ],
)
async def test_what_the_exchange_refuses_is_called_by_its_name(dollars: str, shares: str, reason: Rejection) -> None:
    async with meeting() as met:
        _, found = await met.buy(met.paper.market.tokens[0], dollars=dollars, shares=shares)
        assert isinstance(found, Rejected), found
        assert found.reason is reason


async def test_wrong_credentials_are_an_error_that_says_so() -> None:
    async with meeting() as met:
        wrong = ApiCredentials(met.trader.credentials["apiKey"], "d3Jvbmc=", "wrong")
        clob = ClobReader(met.reader, met.paper.urls["clob"], clock=SystemClock(rate=50), credentials=wrong, address=met.trader.address)
        with pytest.raises(HttpStatusError, match="credentials"):
            await clob.balance()
