"""Orders against an exchange on a real socket, through either client: they keep the same promises."""

import asyncio
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.signer import Signer
from tests.execution.bench_account import Account, a_market, an_account, buy, sell, some_books
from tests.support.paper import TEST_KEY, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Delayed, Filled, Killed, Rejected, Rejection, Unknown
from kabobagool.execution.client import AlreadySentError
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.fast_signer import SALT_BITS, FastSigner
from kabobagool.execution.live import ClobExecution
from kabobagool.execution.official import OrderSigner
from kabobagool.execution.sending import NOT_SENT
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import exchange_of

FUNDER = "0x" + "22" * 20
OpenAccount = Callable[..., AbstractAsyncContextManager[Account]]


@pytest.fixture(params=[FastExecution, ClobExecution], ids=["fast", "official"])
def account_at(request: pytest.FixtureRequest) -> OpenAccount:
    return partial(an_account, client=request.param)


async def test_a_fill_reports_shares_dollars_and_fee_to_the_micro(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        _, outcome = await account.buys(buy(4800, 10))
        assert account.market.fee
        assert outcome == Filled(10 * MICRO, 4_800_000, taker_fee(account.market.fee, 4800, 10 * MICRO))


async def test_price_improvement_gives_more_shares_for_the_same_dollars(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        _, outcome = await account.buys(buy(4900, 10))
        assert isinstance(outcome, Filled)
        assert outcome.dollars == 4_900_000
        assert outcome.shares > 10 * MICRO


async def test_an_order_beyond_the_depth_is_killed(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        _, outcome = await account.buys(buy(4800, 101))
        assert isinstance(outcome, Killed)


async def test_shares_that_were_bought_can_be_sold_again(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        await account.buys(buy(4800, 10))
        await asyncio.sleep(0.15)
        paper.step()
        _, outcome = await account.buys(sell(4700, 10))
        assert account.market.fee
        assert outcome == Filled(10 * MICRO, 4_700_000, taker_fee(account.market.fee, 4700, 10 * MICRO))


async def test_both_legs_of_a_pair_are_two_orders_with_two_hashes(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        (first, yes), (second, no) = await account.buys(buy(4800, 10)), await account.buys(buy(5300, 10, Outcome.NO))
        assert isinstance(yes, Filled)
        assert isinstance(no, Filled)
        assert first.order_hash != second.order_hash
        assert {order.request.order_hash for order in paper.exchange.orders()} == {first.order_hash, second.order_hash}


async def test_the_hash_is_the_venues_order_id_and_known_before_anything_is_sent(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        signed = await account.execution.prepare(buy(4800, 10), account.market)
        assert await account.reader.order(signed.order_hash) is None
        await account.execution.submit(signed)
        order = await account.reader.order(signed.order_hash)
        assert order is not None
        assert order.id == signed.order_hash


async def test_a_signed_order_is_never_sent_twice(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        signed, _ = await account.buys(buy(4800, 10))
        with pytest.raises(AlreadySentError):
            await account.execution.submit(signed)
        assert paper.venue.counters["orders_received"] == 1


@pytest.mark.parametrize("fault", ["could_not_run_500", "reply_dropped", "rate_limited_bare_429"])
@pytest.mark.parametrize("filled", [True, False])
async def test_an_order_whose_reply_was_lost_is_looked_up_and_never_sent_again(account_at: OpenAccount, fault: str, filled: bool) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper, not_found_after_s=0.5) as account:
        paper.add_fault(fault, filled=filled)
        signed, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Unknown)
        found = None
        for _ in range(12):
            found = await account.execution.lookup(signed.order_hash, account.market, signed.signed_ms)
            if found is not None:
                break
            await asyncio.sleep(0.25)
        if filled:
            assert isinstance(found, Filled)
            assert (found.shares, found.dollars) == (10 * MICRO, 4_800_000)
        else:
            assert isinstance(found, Killed)
        assert len(paper.exchange.orders()) == (1 if filled else 0)


async def test_a_silent_venue_is_unknown_after_the_timeout_and_not_before(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper, timeout_s=0.4) as account:
        await account.execution.start()
        paper.add_fault("order_latency", delay_ms=8_000)
        clock = SystemClock()
        _, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Unknown)
        assert 0.4 <= clock.monotonic() <= 6


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("rate_limited_with_headers", Rejection.RATE_LIMITED),
        ("post_only_503", Rejection.POST_ONLY),
        ("cloudflare_403", Rejection.GEOBLOCKED),
    ],
)
async def test_a_refusal_keeps_the_headers_that_make_it_one(account_at: OpenAccount, fault: str, reason: Rejection) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        paper.add_fault(fault, retry_after_s=7)
        _, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Rejected)
        assert outcome.reason is reason
        if reason is Rejection.RATE_LIMITED:
            assert outcome.retry_after_s == 7


async def test_a_restarting_venue_says_when_to_come_back(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        paper.add_fault("restart_425", for_ms=60_000, retry_after_s=9)
        _, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Rejected)
        assert (outcome.reason, outcome.retry_after_s) == (Rejection.RESTARTING, 9)


async def test_a_held_order_is_delayed_and_its_end_is_found_by_its_hash(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books(taker_delay_ms=300)) as paper, account_at(paper) as account:
        signed, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Delayed)
        assert isinstance(await account.execution.lookup(signed.order_hash, account.market, signed.signed_ms), Delayed)
        await asyncio.sleep(0.35)
        paper.step()
        assert isinstance(await account.execution.lookup(signed.order_hash, account.market, signed.signed_ms), Filled)


async def test_the_neg_risk_exchange_accepts_our_orders_too(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books(neg_risk=True)) as paper, account_at(paper) as account:
        _, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Filled)


@pytest.mark.parametrize("signature_type", [1, 2, 3])
async def test_a_proxy_wallet_pays_and_the_key_signs(account_at: OpenAccount, signature_type: int) -> None:
    wallet = Wallet(private_key=TEST_KEY, signature_type=signature_type, funder=FUNDER)
    async with paper_exchange_server(some_books()) as paper, account_at(paper, wallet=wallet) as account:
        signed, outcome = await account.buys(buy(4800, 10))
        assert isinstance(outcome, Filled)
        record = paper.exchange.order(signed.order_hash)
        assert record is not None
        assert record.request.maker.lower() == FUNDER


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
@pytest.mark.parametrize("neg_risk", [False, True])
@pytest.mark.parametrize("plan", [buy(4800, 10), sell(4700, 10, Outcome.NO)], ids=["buy", "sell"])
def test_our_hash_equals_the_official_builders(signature_type: int, neg_risk: bool, plan: object) -> None:
    wallet = Wallet(private_key=TEST_KEY, signature_type=signature_type, funder=FUNDER if signature_type else None)
    market = a_market(neg_risk=neg_risk)
    order, order_hash = OrderSigner(wallet=wallet, clock=SystemClock(), rng=random.Random(3)).sign(plan, market)  # type: ignore[arg-type]
    official = ExchangeOrderBuilderV2(exchange_of(neg_risk=neg_risk), 137, Signer(TEST_KEY, 137))
    assert order_hash == official.build_order_hash(official.build_order_typed_data(order))


@pytest.mark.parametrize("signer_type", [FastSigner, OrderSigner])
def test_amounts_are_signed_as_whole_micros_and_the_salt_fits_a_json_number(signer_type: type[FastSigner | OrderSigner]) -> None:
    signer = signer_type(wallet=Wallet(private_key=TEST_KEY), clock=SystemClock(), rng=random.Random(3))
    bought, _ = signer.sign(buy(4850, 20), a_market())
    sold, _ = signer.sign(sell(4850, 20), a_market())
    assert (bought.makerAmount, bought.takerAmount) == ("9700000", "20000000")
    assert (sold.makerAmount, sold.takerAmount) == ("20000000", "9700000")
    assert all(int(signer.sign(buy(4850, 20), a_market())[0].salt) < 2**SALT_BITS for _ in range(20))


def test_signing_runs_on_the_native_curve() -> None:
    from eth_keys.datatypes import PrivateKey

    assert type(PrivateKey(bytes([1] * 32)).backend).__name__ == "CoinCurveECCBackend"


async def test_nothing_that_is_logged_or_printed_holds_a_secret(account_at: OpenAccount, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        said = []
        for fault in ("could_not_run_500", "reply_dropped", "rate_limited_with_headers"):
            paper.add_fault(fault)
            _, outcome = await account.buys(buy(4800, 10))
            said.append(repr(outcome))
        signed = await account.execution.prepare(buy(4800, 10), account.market)
        said += [caplog.text, repr(account.wallet), repr(account.credentials), repr(account), repr(signed)]
        secrets = (TEST_KEY.removeprefix("0x"), account.credentials.secret, account.credentials.passphrase)
    assert "HTTP Request: POST" in caplog.text or isinstance(account.execution, FastExecution)
    assert not any(secret in text for secret in secrets for text in said)


@pytest.mark.parametrize("name", ["hpack", "h2", "httpcore"])
async def test_libraries_that_log_whole_headers_are_kept_quiet_whatever_the_log_level(name: str) -> None:
    assert OrderSigner.__module__ == "kabobagool.execution.official"
    assert not logging.getLogger(f"{name}.{name}").isEnabledFor(logging.DEBUG)


async def test_an_order_that_waited_too_long_for_its_turn_is_not_sent_late(
    account_at: OpenAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kabobagool.execution.fast.ORDERS_AT_ONCE", 2)
    async with paper_exchange_server(some_books()) as paper, account_at(paper, timeout_s=0.5) as account:
        signed = [await account.execution.prepare(buy(4800, 10), account.market) for _ in range(3)]
        paper.add_fault("order_latency", delay_ms=3_000, count=2)
        outcomes = await asyncio.gather(*(account.execution.submit(order) for order in signed))
        assert [type(outcome) for outcome in outcomes[:2]] == [Unknown, Unknown]
        assert outcomes[2] == NOT_SENT
        await asyncio.sleep(0.2)
        assert paper.exchange.order(signed[2].order_hash) is None


async def test_an_unreachable_venue_is_an_unknown_outcome(account_at: OpenAccount) -> None:
    async with paper_exchange_server(some_books()) as paper, account_at(paper) as account:
        execution = type(account.execution)(
            host="http://127.0.0.1:9",
            wallet=account.wallet,
            credentials=account.credentials,
            reader=account.reader,
            clock=account.clock,
            rng=random.Random(1),
        )
        outcome = await execution.submit(await execution.prepare(buy(4800, 10), account.market))
        await execution.close()
        assert isinstance(outcome, Unknown)
        assert "connect" in outcome.text.lower()


@pytest.mark.parametrize(("signature_type", "funder"), [(4, FUNDER), (-1, None), (1, None), (3, "")])
def test_a_wallet_that_cannot_be_is_named_at_once(signature_type: int, funder: str | None) -> None:
    with pytest.raises(ValueError, match="signature type"):
        Wallet(private_key=TEST_KEY, signature_type=signature_type, funder=funder)
