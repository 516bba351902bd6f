"""What our own order client promises beyond what both clients do."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.execution.bench_account import a_market, an_account, buy, sell, some_books
from tests.support.paper import TEST_KEY, paper_exchange_server
from tests.venue.venue_servers import NOW_MS, ManualClock

from kabobagool.clock import SystemClock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market, Outcome
from kabobagool.domain.outcome import Filled, Unknown
from kabobagool.execution.client import AlreadySentError, SignedOrder
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.presigned import BURST, FRESH_MS, PACE_MS, RENEWED_MS, PresignedOrders
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import ApiCredentials

CREDENTIALS = ApiCredentials("key", "c2VjcmV0", "phrase")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
YES, NO = buy(4800, 10), buy(5100, 10, Outcome.NO)


class Peer:
    """A server that counts connections and keeps every request; it answers the first `answered` and then hangs up without a word."""

    def __init__(self, answered: int) -> None:
        self.left = answered
        self.connections = 0
        self.requests: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next((line for line in head.splitlines() if line.lower().startswith("content-length:")), ":0")
                await reader.readexactly(int(length.partition(":")[2]))
                self.requests.append(head.partition(" HTTP")[0])
                if not self.left:
                    break
                self.left -= 1
                writer.write(OK)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def execution_at(peer: Peer) -> AsyncIterator[FastExecution]:
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    host = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    execution = an_execution(host)
    try:
        yield execution
    finally:
        await execution.close()
        server.close()


def an_execution(host: str, proxy_url: str | None = None) -> FastExecution:
    wallet, clock = Wallet(private_key=TEST_KEY), SystemClock()
    reader: object = None
    return FastExecution(
        host=host,
        wallet=wallet,
        credentials=CREDENTIALS,
        reader=reader,  # type: ignore[arg-type]
        clock=clock,
        rng=random.Random(1),
        proxy_url=proxy_url,
    )


async def test_an_order_is_not_sent_again_when_a_connection_that_was_open_dies_under_it() -> None:
    peer = Peer(answered=1)
    async with execution_at(peer) as execution:
        await execution.submit(await execution.prepare(YES, a_market()))
        outcome = await execution.submit(await execution.prepare(YES, a_market()))
        await asyncio.sleep(0.1)
        assert isinstance(outcome, Unknown)
        assert peer.requests == ["POST /order", "POST /order"]
        assert peer.connections == 1


async def test_an_order_finds_a_connection_open() -> None:
    peer = Peer(answered=100)
    async with execution_at(peer) as execution:
        await execution.start()
        while not peer.requests:
            await asyncio.sleep(0.01)
        for _ in range(3):
            await execution.submit(await execution.prepare(YES, a_market()))
        assert peer.requests == ["GET /time", *["POST /order"] * 3]
        assert peer.connections == 1


async def test_a_venue_that_is_away_does_not_end_the_care_for_the_connection() -> None:
    execution = an_execution("http://127.0.0.1:9")
    await execution.start()
    await asyncio.sleep(0.1)
    task = execution._keeping_open
    assert task is not None
    assert not task.done()
    await execution.close()
    assert task.cancelled()


async def test_a_cancelled_order_is_taken_as_sent_and_makes_room_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kabobagool.execution.fast.ORDERS_AT_ONCE", 1)
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        signed = await account.execution.prepare(YES, account.market)
        paper.add_fault("order_latency", delay_ms=8_000)
        sending = asyncio.ensure_future(account.execution.submit(signed))
        waiting = asyncio.ensure_future(account.buys(NO))
        await asyncio.sleep(0.2)
        waiting.cancel()
        sending.cancel()
        await asyncio.wait({sending, waiting}, timeout=1)
        assert sending.cancelled()
        assert waiting.cancelled()
        with pytest.raises(AlreadySentError):
            await account.execution.submit(signed)
        _, outcome = await account.buys(YES)
        assert isinstance(outcome, Filled)


async def test_a_proxy_that_orders_cannot_use_is_named_without_its_password() -> None:
    with pytest.raises(ValueError, match="orders cannot leave through a SOCKS proxy") as caught:
        an_execution("http://127.0.0.1:9", "socks5://me:hunter2@localhost:9")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "private_key",
    ["0x" + "00" * 32, "0x" + "ff" * 32, "0x" + "1f" * 31, "0x" + "1f" * 33, "0x" + "zz" * 32, "not a key", ""],
)
def test_what_is_no_key_is_refused_without_being_shown(private_key: str) -> None:
    with pytest.raises(ValueError, match="private key is not 32 bytes") as caught:
        FastSigner(wallet=Wallet(private_key=private_key), clock=SystemClock(), rng=random.Random(1))
    assert not private_key or private_key.removeprefix("0x") not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_signer_never_shows_its_key() -> None:
    signer = FastSigner(wallet=Wallet(private_key=TEST_KEY), clock=SystemClock(), rng=random.Random(1))
    secret = TEST_KEY.removeprefix("0x")
    assert all(secret not in shown for shown in (repr(signer), repr(vars(signer)), repr(signer.sign(YES, a_market()))))


async def test_an_order_that_was_foreseen_is_accepted_like_any_other_and_signed_before() -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        execution = account.execution
        assert isinstance(execution, FastExecution)
        execution.foresee([YES], account.market)
        ready = execution._presigned._ready[account.market.condition_id][YES]
        signed, outcome = await account.buys(YES)
        assert signed is ready
        assert isinstance(outcome, Filled)
        again, _ = await account.buys(YES)
        assert again.order_hash != signed.order_hash


class Signing:
    """Counts what is signed; the clock is the test's."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.signer = FastSigner(wallet=Wallet(private_key=TEST_KEY), clock=self.clock, rng=random.Random(1))
        self.orders = PresignedOrders()
        self.signed: list[OrderPlan] = []

    def sign(self, plan: OrderPlan, market: Market) -> SignedOrder:
        self.signed.append(plan)
        order, order_hash = self.signer.sign(plan, market)
        return SignedOrder(order_hash=order_hash, plan=plan, market=market, signed_ms=self.clock.now_ms(), payload=order)

    def foresee(self, *plans: OrderPlan, market: Market | None = None) -> None:
        self.orders.foresee(plans, market or a_market(), self.sign, now_ms=self.clock.now_ms())

    def take(self, plan: OrderPlan, market: Market | None = None) -> SignedOrder | None:
        return self.orders.take(plan, market or a_market(), now_ms=self.clock.now_ms())


def test_an_order_is_handed_out_once() -> None:
    signing = Signing()
    signing.foresee(YES, NO)
    taken = signing.take(YES)
    assert taken is not None
    assert taken.plan == YES
    assert signing.take(YES) is None
    assert signing.take(NO) is not None


def test_another_price_size_side_or_leg_is_another_order() -> None:
    signing = Signing()
    signing.foresee(YES)
    for other in (buy(4900, 10), buy(4800, 11), sell(4800, 10), buy(4800, 10, Outcome.NO)):
        assert signing.take(other) is None
    assert signing.take(YES) is not None


def test_an_old_signature_is_thrown_away() -> None:
    signing = Signing()
    signing.foresee(YES, NO)
    signing.clock.now = NOW_MS + FRESH_MS
    assert signing.take(YES) is not None
    signing.clock.now = NOW_MS + FRESH_MS + 1
    assert signing.take(NO) is None


def test_what_is_foreseen_again_is_signed_again_only_before_it_grows_too_old() -> None:
    signing = Signing()
    signing.foresee(YES)
    signing.clock.now = NOW_MS + RENEWED_MS
    signing.foresee(YES)
    assert signing.signed == [YES]
    signing.clock.now = NOW_MS + RENEWED_MS + 1
    signing.foresee(YES)
    assert signing.signed == [YES, YES]
    taken = signing.take(YES)
    assert taken is not None
    assert taken.signed_ms == signing.clock.now


def test_what_is_no_longer_foreseen_is_forgotten_and_other_markets_keep_theirs() -> None:
    signing, elsewhere = Signing(), a_market(condition_id="0x" + "e1" * 32)
    signing.foresee(YES, NO)
    signing.foresee(YES, market=elsewhere)
    signing.foresee(NO)
    assert signing.take(YES) is None
    assert signing.take(NO) is not None
    signing.foresee()
    assert signing.take(NO) is None
    assert signing.take(YES, elsewhere) is not None


@pytest.mark.parametrize("change", [{"neg_risk": True}, {"tokens": ("333", "444")}])
def test_a_market_that_turned_out_to_be_another_gets_no_order_of_the_old_one(change: dict[str, object]) -> None:
    signing = Signing()
    signing.foresee(YES)
    assert signing.take(YES, a_market(**change)) is None


def test_a_market_that_only_changed_otherwise_keeps_its_orders() -> None:
    signing = Signing()
    signing.foresee(YES)
    assert signing.take(YES, replace(a_market(), accepting_orders=False)) is not None


def test_a_clock_that_was_set_back_makes_signatures_useless() -> None:
    signing = Signing()
    signing.foresee(YES)
    signing.clock.now = NOW_MS - 1
    assert signing.take(YES) is None


def test_foreseeing_has_a_pace_over_all_markets() -> None:
    signing = Signing()
    markets = [a_market(condition_id=f"0x{number:064x}") for number in range(BURST)]
    for market in markets:
        signing.foresee(YES, NO, market=market)
    assert len(signing.signed) == BURST
    signing.clock.now += 4 * PACE_MS
    for market in markets:
        signing.foresee(YES, NO, market=market)
    assert len(signing.signed) == BURST + 4
    assert len({order.order_hash for ready in signing.orders._ready.values() for order in ready.values()}) == BURST + 4
