"""What the doctor says about keys, wallets, credentials, money and approvals."""

import random
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal import wallet as official
from polymarket.environments import PRODUCTION
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, Answer, environment, examined, fronted, levels
from tests.support.paper import TEST_KEY, PaperServer, RawTrader, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.doctor.account_checks import batch_cost, check_wallet
from kabobagool.doctor.finding import Verdict
from kabobagool.doctor.patient import Patient, admit
from kabobagool.doctor.wallet_addresses import owned_wallets, wallet_kind
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.domain.money import MICRO, notional
from kabobagool.feed.market_feed import subscribe_frame
from kabobagool.settings import load_settings
from paper_exchange.app import ServeOptions

SIGNER = "0xa88b710fafff68e3d7bb4b3dd72c358b5bdb9a18"
OTHER_KEY = "0x" + "2e" * 32
ACCOUNT = {"wallet", "credentials", "balance", "allowance"}


async def credentials(paper: PaperServer, key: str = TEST_KEY) -> dict[str, str]:
    async with aiohttp.ClientSession() as session:
        found = (await RawTrader(session, paper.urls["clob"], private_key=key).log_in()).credentials
    return {"CLOB_API_KEY": found["apiKey"], "CLOB_API_SECRET": found["secret"], "CLOB_API_PASSPHRASE": found["passphrase"]}


async def test_a_dry_run_without_a_key_skips_the_account_and_says_so_in_one_line(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path))
    assert not ACCOUNT & set(report)
    assert report["key"].level is OK
    assert "not checked" in report["key"].what


async def test_a_dry_run_with_a_key_looks_at_the_account_as_well(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, PRIVATE_KEY=TEST_KEY))
    assert levels(report, OK) >= ACCOUNT
    assert SIGNER in report["key"].what
    assert "derived from PRIVATE_KEY" in report["credentials"].what


async def test_given_credentials_are_tried_as_given(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {}) as front:
        given_ones = await credentials(paper)
        report = await examined(environment(paper, tmp_path, **LIVE, **given_ones, **front.own))
        assert not any("/auth/" in line for line in front.seen)
    assert report["credentials"].level is OK
    assert "as given" in report["credentials"].what


async def test_credentials_of_another_key_fail_live_and_warn_a_dry_run(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        foreign = await credentials(paper, OTHER_KEY)
        live = await examined(environment(paper, tmp_path, **LIVE, **foreign))
        dry = await examined(environment(paper, tmp_path, PRIVATE_KEY=TEST_KEY, **foreign))
    assert levels(live, FAILURE) == {"credentials"}
    assert levels(dry, FAILURE) == set()
    assert {"credentials", "balance", "allowance"} == levels(dry, WARNING)
    assert "must belong to PRIVATE_KEY" in live["credentials"].fix
    assert not any(secret in found.what + found.fix for found in live.values() for secret in foreign.values())


async def test_a_secret_that_is_not_base64_is_noticed_before_the_venue_is_asked(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        mangled = await credentials(paper) | {"CLOB_API_SECRET": "abcde"}
        report = await examined(environment(paper, tmp_path, **LIVE, **mangled))
    assert report["credentials"].level is FAILURE
    assert "not base64" in report["credentials"].what
    assert "abcde" not in report["credentials"].what + report["credentials"].fix


async def test_a_venue_that_hands_out_no_credentials_is_told_from_one_that_refuses_them(tmp_path: Path) -> None:
    nothing = Answer(400, {"error": "Could not create api key"})
    unauthorized = Answer(401, {"error": "Unauthorized/Invalid api key"})
    async with paper_exchange_server(BOOKS) as paper:
        key_id = (await credentials(paper))["CLOB_API_KEY"]
        async with fronted(paper, {"/auth/api-key": nothing, "/auth/derive-api-key": nothing}) as front:
            none = await examined(environment(paper, tmp_path, **LIVE, **front.own))
        async with fronted(paper, {"/auth/api-keys": unauthorized}) as front:
            refused = await examined(environment(paper, tmp_path, **LIVE, **front.own))
    assert levels(none, FAILURE) == levels(refused, FAILURE) == {"credentials"}
    assert "Could not create api key" in none["credentials"].what
    assert "refuses the API credentials" in refused["credentials"].what
    assert "two minutes" in refused["credentials"].fix
    assert key_id not in refused["credentials"].what


async def test_trouble_of_the_venue_is_not_blamed_on_the_credentials(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper, fronted(paper, {"/balance-allowance": Answer(500, {"error": "sorry"})}) as front:
        report = await examined(environment(paper, tmp_path, **LIVE, **front.own))
    assert levels(report, FAILURE) == {"credentials"}
    assert "the venue has trouble" in report["credentials"].fix
    assert levels(report, WARNING) == {"balance", "allowance"}


@pytest.mark.parametrize(("dollars", "level"), [("50.74", FAILURE), ("50.75", OK), ("0", FAILURE)])
async def test_a_wallet_needs_a_batch_of_pairs_and_the_fees_on_top(dollars: str, level: str, tmp_path: Path) -> None:
    micros = round(float(dollars) * 100) * 10_000
    async with paper_exchange_server(BOOKS, options=ServeOptions(balance_micros=micros)) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
    assert report["balance"].level == level
    assert "$50.75 with fees" in report["balance"].what
    assert ("deposit" in report["balance"].fix) is (level is FAILURE)


async def test_a_smaller_batch_needs_less_money(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS, options=ServeOptions(balance_micros=20 * MICRO)) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE, BATCH_SIZE="10"))
        capped = await examined(environment(paper, tmp_path, **LIVE, MAX_POSITION_USD="15"))
    assert report["balance"].level is OK
    assert capped["balance"].level is OK


async def test_an_approval_that_was_forgotten_or_is_too_small_fails(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        paper.venue.fund(SIGNER)
        for micros in (0, 50 * MICRO):
            paper.exchange.set_allowance(SIGNER, micros)
            report = await examined(environment(paper, tmp_path, **LIVE))
            assert levels(report, FAILURE) == {"allowance"}
            assert "approve pUSD" in report["allowance"].fix
        paper.exchange.set_allowance(SIGNER, 51 * MICRO)
        report = await examined(environment(paper, tmp_path, **LIVE))
        assert report["allowance"].what == "the exchange may spend $51.00"


async def test_the_approval_that_counts_is_that_of_the_contract_which_settles_the_market(tmp_path: Path) -> None:
    ordinary, negative_risk = "0xE111180000d2663C0091e4f400237545B87B996B", "0xe2222d279d744050d28e00520010520000310F59"
    answer = Answer(body={"balance": str(1_000 * MICRO), "allowances": {ordinary: str(10**30), negative_risk: "0"}})
    for neg_risk, level in ((False, OK), (True, FAILURE)):
        books = ScriptedBooks(yes=[(0, [("0.52", 200)], [("0.54", 200)])], neg_risk=neg_risk)
        async with paper_exchange_server(books) as paper, fronted(paper, {"/balance-allowance": answer}) as front:
            report = await examined(environment(paper, tmp_path, **LIVE, **front.own))
            unnamed = await examined(environment(paper, tmp_path, **LIVE, **front.own, MARKET_SLUG=""))
        assert report["allowance"].level is level
        assert unnamed["allowance"].level is FAILURE


async def test_the_balance_looked_at_is_that_of_the_wallet_which_pays(tmp_path: Path) -> None:
    wallet = owned_wallets(SIGNER)[3][0]
    own = LIVE | {"PROXY_ADDRESS": wallet, "SIGNATURE_TYPE": "3"}
    async with paper_exchange_server(BOOKS, options=ServeOptions(balance_micros=0)) as paper:
        paper.venue.wallets.bind(owner=SIGNER, wallet=wallet, signature_type=3)
        empty = await examined(environment(paper, tmp_path, **own))
        paper.venue.fund(wallet)
        paper.exchange.deposit(wallet, 100 * MICRO)
        full = await examined(environment(paper, tmp_path, **own))
        owner = await examined(environment(paper, tmp_path, **LIVE))
    assert empty["balance"].level is FAILURE
    assert full["balance"].level is OK
    assert owner["balance"].level is FAILURE
    assert "deposit wallet" in full["wallet"].what


def patient(**own: str) -> Patient:
    return admit(
        load_settings({"PRIVATE_KEY": TEST_KEY, **own}, market_required=False),
        clock=SystemClock(),
        rng=random.Random(1),
        subscribe_frame=subscribe_frame,
    )


async def wallet_verdict(**own: str) -> Verdict:
    verdict = await check_wallet(patient(**own))
    assert verdict is not None
    return verdict


@pytest.mark.parametrize("kind", [1, 2, 3])
async def test_a_wallet_of_this_key_is_recognised_and_a_wrong_kind_is_named(kind: int) -> None:
    for wallet in owned_wallets(SIGNER)[kind]:
        right = await wallet_verdict(PROXY_ADDRESS=wallet, SIGNATURE_TYPE=str(kind))
        wrong = await wallet_verdict(PROXY_ADDRESS=wallet, SIGNATURE_TYPE=str(kind % 3 + 1))
        assert right.level is OK
        assert wrong.level is FAILURE
        assert wrong.fix == f"set SIGNATURE_TYPE={kind}"


async def test_a_wallet_that_does_not_follow_from_the_key_is_a_warning() -> None:
    verdict = await wallet_verdict(PROXY_ADDRESS="0x" + "12" * 20, SIGNATURE_TYPE="2")
    assert verdict.level is WARNING
    elsewhere = await wallet_verdict(PROXY_ADDRESS="0x" + "12" * 20, SIGNATURE_TYPE="2", CHAIN_ID="80002")
    assert elsewhere.level is OK


async def test_a_key_that_trades_for_itself_is_fine_at_a_paper_exchange_and_doubtful_at_the_venue() -> None:
    assert (await wallet_verdict()).level is WARNING
    assert (await wallet_verdict(HOST="http://127.0.0.1:1")).level is OK


@settings(max_examples=30, deadline=None)
@given(own=st.binary(min_size=20, max_size=20))
def test_wallet_addresses_are_those_the_official_client_derives(own: bytes) -> None:
    signer, config = "0x" + own.hex(), PRODUCTION._config.wallet_derivation
    found = owned_wallets(signer)
    assert found[1] == (official.derive_proxy_wallet_address(signer, config).lower(),)
    assert found[2] == (official.derive_safe_wallet_address(signer, config).lower(),)
    assert set(found[3]) == {
        official.derive_beacon_deposit_wallet_address(signer, config).lower(),
        official.derive_uups_deposit_wallet_address(signer, config).lower(),
    }
    assert all(wallet_kind(signer, wallet.upper().replace("0X", "0x")) == kind for kind, wallets in found.items() for wallet in wallets)


def market_with(fee: FeeSchedule | None) -> Market:
    fields: dict[str, Any] = {"condition_id": "0x1", "slug": "m", "question": "?", "outcomes": ("Yes", "No"), "tokens": ("1", "2")}
    return Market(**fields, tick_size=100, min_order_shares=5 * MICRO, fee=fee)


@settings(max_examples=60, deadline=None)
@given(prices=st.tuples(st.integers(1, 9_799), st.integers(0, 9_798)), shares=st.integers(5, 50), rate=st.none() | st.integers(0, 70_000))
def test_no_pair_the_bot_may_buy_costs_more_than_what_the_doctor_asks_for(prices: tuple[int, int], shares: int, rate: int | None) -> None:
    yes, no = prices[0], 1 + prices[1] % (9_800 - prices[0])
    fee = None if rate is None else FeeSchedule(rate_micros=rate)
    someone = patient()
    someone.market = market_with(fee)
    charged = fee or FeeSchedule(rate_micros=70_000)
    assert yes + no <= 9_800
    spent = sum(notional(price, shares * MICRO) + taker_fee(charged, price, shares * MICRO) for price in (yes, no))
    assert spent <= batch_cost(someone)
