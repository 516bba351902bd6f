import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.domain.fees import taker_fee
from kabobagool.domain.market import FeeSchedule, Side
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.venue import errors
from kabobagool.venue.errors import TEXTS, classify, retry_after_seconds

HASH = "0x" + "ab" * 32
LIMITED = {"Poly-RateLimit-Remaining": "0", "Poly-RateLimit-Tier": "standard", "Retry-After": "2"}
CLOUDFLARE = "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>"
FOK_TEXT = "order couldn't be fully filled. FOK orders are fully filled or killed."
MATCHED = {
    "success": True,
    "errorMsg": "",
    "orderID": HASH,
    "status": "matched",
    "makingAmount": "24.5",
    "takingAmount": "50",
    "tradeIDs": ["b1c2"],
    "transactionsHashes": [],
}


def half_fee(shares: int, dollars: int) -> int:
    return taker_fee(FeeSchedule(50_000), dollars * 10_000 // shares, shares)


def outcome(status: int | None, body: object = b"", headers: dict[str, str] | None = None, side: Side = Side.BUY) -> OrderOutcome:
    return classify(status, headers or {}, body, fee_of=half_fee, side=side)


def error(text: str) -> dict[str, str]:
    return {"error": text, "orderID": HASH}


def accepted(**fields: object) -> dict[str, object]:
    return MATCHED | fields


def test_a_matched_buy_spent_dollars_for_shares_and_its_fee_is_reckoned() -> None:
    assert outcome(200, MATCHED) == Filled(shares=50_000_000, dollars=24_500_000, fee=half_fee(50_000_000, 24_500_000))


def test_a_better_price_gives_more_shares_than_asked() -> None:
    filled = outcome(200, accepted(makingAmount="2.45", takingAmount="5.012345"))
    assert isinstance(filled, Filled)
    assert (filled.shares, filled.dollars) == (5_012_345, 2_450_000)


def test_a_matched_sale_gave_shares_for_dollars() -> None:
    filled = outcome(200, accepted(makingAmount="50", takingAmount="24.5"), side=Side.SELL)
    assert isinstance(filled, Filled)
    assert (filled.shares, filled.dollars) == (50_000_000, 24_500_000)


TABLE: list[tuple[str, int | None, Any, dict[str, str], type[OrderOutcome], Rejection | None]] = [
    ("killed as a refusal", 400, error(FOK_TEXT), {}, Killed, None),
    ("killed inside an accepted reply", 200, accepted(errorMsg=FOK_TEXT, status="", makingAmount="", takingAmount=""), {}, Killed, None),
    ("no match", 400, error("no orders found to match with FAK order. FAK orders are partially filled or killed"), {}, Killed, None),
    ("rounding in the engine", 400, error("the trade contains rounding issues"), {}, Killed, None),
    ("price in the engine", 400, error("the price of the taker's order has a discrepancy greater than allowed"), {}, Killed, None),
    ("nothing matching", 400, error("there are no matching orders"), {}, Killed, None),
    ("delayed", 200, accepted(status="delayed", makingAmount="", takingAmount=""), {}, Delayed, None),
    ("live although fill-or-kill", 200, accepted(status="live", makingAmount="", takingAmount=""), {}, Delayed, None),
    ("unmatched", 200, accepted(status="unmatched", makingAmount="", takingAmount=""), {}, Delayed, None),
    ("delayed by words", 400, error("order match delayed due to market conditions"), {}, Delayed, None),
    ("balance", 400, error("not enough balance / allowance"), {}, Rejected, Rejection.BALANCE),
    (
        "decimals",
        400,
        error("invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, taker amount a max of 4"),
        {},
        Rejected,
        Rejection.AMOUNTS,
    ),
    ("one dollar", 400, error("invalid amount for a marketable BUY order ($0.84), min size: $1"), {}, Rejected, Rejection.MIN_SIZE),
    ("five shares", 400, error("order is invalid. Size (2) lower than the minimum: 5"), {}, Rejected, Rejection.MIN_SIZE),
    ("tick", 400, error(f"order {HASH} is invalid. Price (0.481) breaks minimum tick size rule: 0.01"), {}, Rejected, Rejection.TICK_SIZE),
    ("price", 400, error("invalid price (0.999), min: 0.01 - max: 0.99"), {}, Rejected, Rejection.TICK_SIZE),
    ("signer", 400, error("the order signer address has to be the address of the API KEY"), {}, Rejected, Rejection.CONFIGURATION),
    ("wallet", 400, error("maker address not allowed, please use the deposit wallet flow"), {}, Rejected, Rejection.CONFIGURATION),
    ("version", 400, error("order_version_mismatch"), {}, Rejected, Rejection.CONFIGURATION),
    ("signature", 400, error("invalid signature"), {}, Rejected, Rejection.CONFIGURATION),
    ("key", 401, error("Unauthorized/Invalid api key"), {}, Rejected, Rejection.CONFIGURATION),
    ("restart", 425, error("service not ready"), {"Retry-After": "7"}, Rejected, Rejection.RESTARTING),
    ("restart without a word", 425, b"", {}, Rejected, Rejection.RESTARTING),
    ("post only", 503, {"error": "trading is in post-only mode", "code": "post_only_mode"}, {}, Rejected, Rejection.POST_ONLY),
    ("post only in a batch", 200, accepted(success=False, errorMsg="post_only_mode", status=""), {}, Rejected, Rejection.POST_ONLY),
    ("cancel only", 503, error("cancel-only mode"), {}, Rejected, Rejection.TRADING_DISABLED),
    ("disabled", 503, error("Trading is currently disabled"), {}, Rejected, Rejection.TRADING_DISABLED),
    ("own limiter", 429, error("Too Many Requests"), LIMITED, Rejected, Rejection.RATE_LIMITED),
    ("own limiter, lower case", 429, b"", {k.lower(): v for k, v in LIMITED.items()}, Rejected, Rejection.RATE_LIMITED),
    ("somebody's limiter", 429, error("Too Many Requests"), {"Retry-After": "2"}, Unknown, None),
    ("blocked page", 403, CLOUDFLARE, {"cf-ray": "1"}, Rejected, Rejection.GEOBLOCKED),
    ("blocked page as bytes", 403, CLOUDFLARE.encode(), {}, Rejected, Rejection.GEOBLOCKED),
    ("blocked by words", 403, error("Trading restricted in your region, please refer to"), {}, Rejected, Rejection.GEOBLOCKED),
    ("closed", 400, error("market is closed"), {}, Rejected, Rejection.MARKET_CLOSED),
    ("too early", 400, error("the market is not yet ready to process new orders"), {}, Rejected, Rejection.MARKET_CLOSED),
    ("new words", 400, error("orders of this colour are not accepted on Sundays"), {}, Rejected, Rejection.OTHER),
    ("new words as text", 422, "please try blue", {}, Rejected, Rejection.OTHER),
    ("the venue has it already", 400, error(f"order {HASH} is invalid. Duplicated."), {}, Unknown, None),
    ("engine failed", 500, error("could not run the execution"), {}, Unknown, None),
    ("engine failed, other status", 400, error("could not run the execution"), {}, Unknown, None),
    ("engine failed, sounding final", 500, error("not enough balance / allowance"), {}, Unknown, None),
    ("engine failed, sounding like a pause", 500, error("trading is disabled, service not ready"), {}, Unknown, None),
    ("gateway", 502, CLOUDFLARE, {}, Unknown, None),
    ("unavailable", 503, "upstream connect error", {}, Unknown, None),
    ("unavailable, sounding final", 503, error(FOK_TEXT), {}, Unknown, None),
    ("gateway time-out", 504, b"", {}, Unknown, None),
    ("request time-out", 408, error("timeout"), {}, Unknown, None),
    ("page instead of an answer", 400, CLOUDFLARE, {}, Unknown, None),
    ("refusal without a word", 400, b"", {}, Unknown, None),
    ("forbidden without a word", 403, {}, {}, Unknown, None),
    ("redirect", 302, b"", {}, Unknown, None),
    ("created", 201, MATCHED, {}, Unknown, None),
    ("no reply", None, None, {}, Unknown, None),
    ("no reply, with a reason", None, "ReadTimeout", {}, Unknown, None),
    ("empty amounts", 200, accepted(makingAmount="", takingAmount=""), {}, Unknown, None),
    ("absent amounts", 200, {"success": True, "status": "matched"}, {}, Unknown, None),
    ("zero amounts", 200, accepted(takingAmount="0"), {}, Unknown, None),
    ("unreadable amounts", 200, accepted(takingAmount="fifty"), {}, Unknown, None),
    ("amount without end", 200, accepted(takingAmount="1e99999999"), {}, Unknown, None),
    ("negative amount", 200, accepted(makingAmount="-24.5"), {}, Unknown, None),
    ("amount too fine", 200, accepted(makingAmount="24.5000001"), {}, Unknown, None),
    ("matched yet not a success", 200, accepted(success=False), {}, Unknown, None),
    ("matched with strange words", 200, accepted(errorMsg="something about the weather"), {}, Unknown, None),
    ("unknown status", 200, accepted(status="pondering"), {}, Unknown, None),
    ("no JSON", 200, b"<html>hello", {}, Unknown, None),
    ("a list", 200, [MATCHED], {}, Unknown, None),
    ("nothing", 200, None, {}, Unknown, None),
]


@pytest.mark.parametrize("row", TABLE, ids=[row[0] for row in TABLE])
def test_every_answer_of_the_venue_means_what_the_table_says(row: Any) -> None:
    _, status, body, headers, expected, reason = row
    for form in (body, json.dumps(body).encode() if isinstance(body, dict | list) else body):
        found = outcome(status, form, headers)
        assert type(found) is expected
        if isinstance(found, Rejected):
            assert found.reason is reason


def test_every_sentence_of_the_table_is_tested() -> None:
    spoken = " | ".join(json.dumps(body).lower() if not isinstance(body, bytes) else "" for _, _, body, _, _, _ in TABLE)
    meanings = {meaning for needle, meaning in TEXTS if needle in spoken}
    assert meanings == {meaning for _, meaning in TEXTS}


@pytest.mark.parametrize(("needle", "meaning"), TEXTS)
def test_every_sentence_is_understood_whatever_surrounds_it(needle: str, meaning: object) -> None:
    found = outcome(400, error(f"Order {HASH}: {needle.upper()} (code 7)"))
    name = found.reason.value if isinstance(found, Rejected) else type(found).__name__.lower()
    assert name == getattr(meaning, "value", None)


@pytest.mark.parametrize("status", [400, 425, 429, 503])
def test_the_wait_the_venue_asked_for_is_kept(status: int) -> None:
    body = error("cancel-only mode") if status != 400 else error("not enough balance / allowance")
    found = outcome(status, body, LIMITED | {"Retry-After": "12.5"})
    assert isinstance(found, Rejected)
    assert found.retry_after_s == 12.5


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("3", 3.0), ("0", 0.0), ("-1", None), ("nan", None), ("inf", None), ("soon", None), ("", None), ("1e308", 86_400.0)],
)
def test_a_wait_is_a_number_of_seconds_a_day_at_most_or_nothing(value: str, seconds: float | None) -> None:
    assert retry_after_seconds({"RETRY-AFTER": value}) == seconds


def test_a_match_dearer_than_a_dollar_a_share_is_looked_up_and_not_booked() -> None:
    matched = {"success": True, "errorMsg": "", "status": "matched", "makingAmount": "51", "takingAmount": "50"}
    assert isinstance(outcome(200, matched), Unknown)


def test_a_reply_that_is_nested_as_deeply_as_can_just_be_read_is_an_outcome() -> None:
    for depth in range(900, 1_000):
        assert isinstance(outcome(500, b'{"a":' * depth + b"1" + b"}" * depth), Unknown)


@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_long_reply_with_half_a_character_can_be_written_down(status: int) -> None:
    found = outcome(status, {"error": "\ud800" + "no such thing " * 1_000})
    assert isinstance(found, Unknown | Rejected)
    assert len(found.text.encode()) < 600


def test_an_order_id_in_a_sentence_is_not_read_as_words() -> None:
    assert isinstance(outcome(400, error("order 0x" + "ef" * 32 + " is too blue")), Rejected)


bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.sampled_from(["matched", "live", FOK_TEXT, "24.5", CLOUDFLARE]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*MATCHED, "error", "x"]), inner, max_size=6),
    max_leaves=10,
)
statuses = st.none() | st.integers(100, 599)


@given(statuses, st.dictionaries(st.sampled_from(["Retry-After", "poly-ratelimit-reset"]), st.text(max_size=5)), bodies)
def test_no_answer_whatsoever_raises(status: int | None, headers: dict[str, str], body: object) -> None:
    found = classify(status, headers, body, fee_of=half_fee)
    assert isinstance(found, Filled | Killed | Delayed | Rejected | Unknown)
    assert len(getattr(found, "text", "")) < 400


@given(st.none() | st.sampled_from([408, 500, 502, 504, 520, 302]), bodies)
def test_where_the_order_may_have_traded_the_answer_is_never_a_refusal(status: int | None, body: object) -> None:
    assert isinstance(classify(status, {}, body, fee_of=half_fee), Unknown)


@given(st.integers(201, 599), bodies)
def test_only_a_whole_success_counts_as_a_fill(status: int, body: object) -> None:
    assert not isinstance(classify(status, {}, body, fee_of=half_fee), Filled)


def test_a_long_page_is_cut() -> None:
    assert len(getattr(outcome(502, "x" * 100_000), "text", "")) < 300
    assert errors._SHOWN == 200
