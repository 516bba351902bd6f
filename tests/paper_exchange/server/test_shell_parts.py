"""The small parts of the shell, each on its own: numbers, clock, token bucket, subscribers, book printing."""

import asyncio
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from py_clob_client_v2.utilities import generate_orderbook_summary_hash, parse_raw_orderbook_summary
from tests.support.paper import ScriptedBooks

from paper_exchange.app import open_clock
from paper_exchange.server.account_views import delayed_reply, failed_entry, filled_reply, order_view, trade_view
from paper_exchange.server.book_views import book_view, level_changes, midpoint_text, price_change_entries
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.errors import VenueError
from paper_exchange.server.market_messages import best_bid_ask_messages, resolved_message, update_messages
from paper_exchange.server.market_views import clob_market_view
from paper_exchange.server.numbers import decimal_text, json_number, micros_of, micros_text, price_text
from paper_exchange.server.order_wire import Wallets
from paper_exchange.server.rate_limit import SignerLimiter, Tier
from paper_exchange.server.requests import FIRST_CURSOR, LAST_CURSOR, PAGE_SIZE, page
from paper_exchange.server.subscribers import Subscriber, Subscribers
from paper_exchange.types import (
    BookUpdate,
    Level,
    MarketResolved,
    OrderRecord,
    OrderRequest,
    OrderStatus,
    PaperMarket,
    Side,
    Snapshot,
    Trade,
    TradeStatus,
)

MARKET = ScriptedBooks([], slug="parts").market(1_795_305_600_000)

levels = st.dictionaries(st.integers(1, 9_999), st.integers(1, 10**12), max_size=12)


def snapshot(bids: dict[int, int], asks: dict[int, int]) -> Snapshot:
    return Snapshot(
        0,
        1_795_305_600_123,
        tuple(Level(price, bids[price]) for price in sorted(bids, reverse=True)),
        tuple(Level(price, asks[price]) for price in sorted(asks)),
    )


@given(st.integers(-(10**18), 10**18), st.integers(1, 9))
def test_decimal_text_is_exact_and_plain(units: int, places: int) -> None:
    text = decimal_text(units, places)
    assert Decimal(text) == Decimal(units).scaleb(-places)
    assert "E" not in text.upper()
    assert text == "0" or not (text.endswith(".") or ("." in text and text.endswith("0")))


@given(st.integers(0, 10**15))
def test_micros_survive_a_round_trip_through_text(micros: int) -> None:
    assert micros_of(micros_text(micros)) == micros


@pytest.mark.parametrize("text", ["", "ten", "NaN", "Infinity", "1.0000001"])
def test_amounts_that_are_no_amounts_are_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        micros_of(text)


def test_prices_print_like_the_venue_prints_them() -> None:
    assert [price_text(price) for price in (4_800, 5_000, 1, 10_000, 0)] == ["0.48", "0.5", "0.0001", "1", "0"]
    assert [json_number(100, 4), json_number(5_000_000, 6), json_number(25, 4)] == [0.01, 5, 0.0025]


def test_venue_time_starts_at_wall_time_and_runs_speed_times_as_fast() -> None:
    wall = [1_000.0]
    clock = VenueClock.starting_now(lambda: wall[0], speed=60)
    assert clock.now_ms() == 1_000_000
    wall[0] += 2
    assert clock.now_ms() == 1_120_000
    assert clock.wall_seconds_until(1_180_000) == pytest.approx(1.0)
    assert clock.wall_seconds_until(5) == 0


def test_in_real_time_the_stamps_of_a_venue_are_not_as_old_as_reading_its_books_took(monkeypatch: pytest.MonkeyPatch) -> None:
    began_ms, ready_s = 1_000_000, 1_007.5
    monkeypatch.setattr("paper_exchange.app.time.time", lambda: ready_s)
    assert open_clock(speed=1.0, start_ms=began_ms).now_ms() == 1_007_500
    assert open_clock(speed=10.0, start_ms=began_ms).now_ms() == began_ms, "a faster one is asked for its time, and nothing of it is missed"


@pytest.mark.parametrize(("offset", "recent"), [(0, True), (29, True), (600, True), (300, False), (-31, False)])
def test_a_timestamp_counts_as_recent_near_wall_time_or_near_venue_time(offset: int, recent: bool) -> None:
    wall = [1_000.0]
    clock = VenueClock.starting_now(lambda: wall[0], speed=61)
    wall[0] = 1_010.0
    assert clock.is_recent(1_010 + offset, tolerance_s=30) is recent


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_clock_that_would_not_move_forward_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed="):
        VenueClock.starting_now(lambda: 0.0, speed=speed)


def test_a_full_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    limiter = SignerLimiter(Tier(rate_per_s=40, burst=60))
    verdicts = [limiter.take("0xa", cost=1, now_ms=0) for _ in range(61)]
    assert [verdict.allowed for verdict in verdicts] == [True] * 60 + [False]
    refused = verdicts[-1]
    assert (refused.remaining, refused.reset_ms, refused.retry_after_s) == (0, 25, 1)
    assert refused.headers()["Retry-After"] == "1"
    assert limiter.take("0xa", cost=1, now_ms=25).allowed
    assert limiter.take("0xb", cost=60, now_ms=25).allowed


def test_a_batch_is_refused_as_a_whole_and_consumes_nothing() -> None:
    limiter = SignerLimiter(Tier(rate_per_s=10, burst=10))
    assert limiter.take("0xa", cost=8, now_ms=0).allowed
    assert not limiter.take("0xa", cost=3, now_ms=0).allowed
    assert limiter.take("0xa", cost=2, now_ms=0).allowed
    assert not limiter.take("0xa", cost=11, now_ms=10**6).allowed


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 5)), max_size=60))
def test_no_schedule_of_requests_gets_more_than_burst_plus_rate_times_time(steps: list[tuple[int, int]]) -> None:
    limiter, now_ms, taken = SignerLimiter(Tier(rate_per_s=40, burst=60)), 0, 0
    for wait_ms, cost in steps:
        now_ms += wait_ms
        verdict = limiter.take("0xa", cost=cost, now_ms=now_ms)
        taken += cost if verdict.allowed else 0
        assert taken <= 60 + 40 * now_ms / 1000
        assert 0 <= verdict.remaining <= 60


async def test_a_subscriber_that_does_not_read_is_cut_and_nobody_else_notices() -> None:
    slow, quick = Subscriber(limit=2), Subscriber(limit=10)
    for number in range(3):
        slow.offer(str(number))
        quick.offer(str(number))
    assert slow.severed
    assert await slow.next_frame() is None
    assert [await quick.next_frame() for _ in range(3)] == ["0", "1", "2"]
    quick.close()
    assert await asyncio.wait_for(quick.next_frame(), 1) is None


def test_topics_find_their_listeners_once_and_forget_them() -> None:
    channel, first, second = Subscribers(), Subscriber(), Subscriber()
    channel.add(first)
    channel.add(second)
    assert channel.subscribe(first, ["a", "b", "a"]) == ["a", "b"]
    assert channel.subscribe(first, ["b", "c"]) == ["c"]
    channel.subscribe(second, ["b"])
    assert channel.listening(["a", "b"]) == [first, second]
    channel.unsubscribe(first, ["b"])
    assert channel.listening(["b"]) == [second]
    channel.remove(second)
    assert (channel.listening(["b"]), len(channel)) == ([], 1)


@given(levels, levels, st.sampled_from(["", "0.49"]))
def test_the_book_hash_is_what_the_official_client_computes(bids: dict[int, int], asks: dict[int, int], last: str) -> None:
    view = book_view(MARKET, snapshot(bids, asks), tick_size=100, last_trade_price=last)
    assert generate_orderbook_summary_hash(parse_raw_orderbook_summary(view)) == view["hash"]


@given(levels, levels)
def test_bids_ascend_and_asks_descend_so_that_the_best_is_last(bids: dict[int, int], asks: dict[int, int]) -> None:
    view = book_view(MARKET, snapshot(bids, asks), tick_size=100, last_trade_price="")
    shown = {side: [Decimal(level["price"]) for level in view[side]] for side in ("bids", "asks")}
    assert shown["bids"] == sorted(shown["bids"])
    assert shown["asks"] == sorted(shown["asks"], reverse=True)


@given(levels, levels, levels, levels)
def test_applying_the_changes_of_a_book_gives_the_next_book(
    bids: dict[int, int], asks: dict[int, int], next_bids: dict[int, int], next_asks: dict[int, int]
) -> None:
    before, after = snapshot(bids, asks), snapshot(next_bids, next_asks)
    sides = {"BUY": dict(bids), "SELL": dict(asks)}
    for side, price, size in level_changes(before, after):
        sides[side][price] = size
        if size == 0:
            del sides[side][price]
    assert sides == {"BUY": next_bids, "SELL": next_asks}


def test_a_change_carries_the_new_total_and_the_best_prices_after_it() -> None:
    before, after = snapshot({4_800: 30_000_000}, {5_000: 25_000_000}), snapshot({4_700: 10_000_000}, {5_000: 25_000_000})
    entries = price_change_entries("1", before, after, book_hash="h")
    assert [(entry["price"], entry["size"], entry["side"]) for entry in entries] == [("0.47", "10", "BUY"), ("0.48", "0", "BUY")]
    assert {(entry["best_bid"], entry["best_ask"]) for entry in entries} == {("0.47", "0.5")}


def test_a_midpoint_between_ticks_keeps_its_half() -> None:
    assert midpoint_text(snapshot({4_801: 1}, {4_802: 1})) == "0.48015"


def test_a_market_without_fees_has_no_fee_fields() -> None:
    free = ScriptedBooks([], slug="free", fee_rate_micros=0).market(0)
    assert "fd" not in clob_market_view(free, tick_size=100, accepting=True)
    delayed: PaperMarket = ScriptedBooks([], slug="delayed", taker_delay_ms=250).market(0)
    assert clob_market_view(delayed, tick_size=100, accepting=True)["itode"] is True


def test_a_wallet_belongs_to_its_first_owner_unless_a_session_key_shares_it() -> None:
    wallets = Wallets()
    wallets.bind(owner="0xa", wallet="0xw", signature_type=3)
    with pytest.raises(VenueError, match="deposit wallet flow") as refused:
        wallets.bind(owner="0xb", wallet="0xw", signature_type=3)
    assert refused.value.error == "maker address not allowed, please use the deposit wallet flow"
    wallets.bind(owner="0xs", wallet="0xw", signature_type=3, by_session_key=True)
    assert wallets.all_of("0xs") == {"0xs", "0xw"}
    assert (wallets.wallet_of("0xa", 3), wallets.wallet_of("0xa", 2)) == ("0xw", "0xa")


VENUE_START_MS = 1_795_305_600_000


def update(previous: Snapshot | None, current: Snapshot, *, full: bool = False) -> BookUpdate:
    return BookUpdate(current.venue_ms, MARKET.condition_id, (current,), (previous,), full)


def printed(shown: Snapshot) -> dict[str, Any]:
    return book_view(MARKET, shown, tick_size=100, last_trade_price="")


def test_a_first_sight_and_a_full_update_are_whole_books_and_a_change_is_not() -> None:
    before, after = snapshot({4_800: 1}, {5_000: 1}), snapshot({4_800: 2}, {5_000: 1})
    kinds = [
        [message["event_type"] for message in update_messages(made, MARKET, printed)]
        for made in (update(None, after), update(before, after, full=True), update(before, after), update(after, after))
    ]
    assert kinds == [["book"], ["book"], ["price_change"], []]


@given(levels, levels, levels, levels)
def test_best_prices_are_told_exactly_when_they_moved(
    bids: dict[int, int], asks: dict[int, int], next_bids: dict[int, int], next_asks: dict[int, int]
) -> None:
    before, after = snapshot(bids, asks), snapshot(next_bids, next_asks)
    moved = (max(bids, default=None), min(asks, default=None)) != (max(next_bids, default=None), min(next_asks, default=None))
    messages = best_bid_ask_messages(update(before, after), MARKET)
    assert len(messages) == int(moved)
    for message in messages:
        assert Decimal(message["best_bid"]) == Decimal(max(next_bids, default=0)) / 10_000
        assert Decimal(message["best_ask"]) == Decimal(min(next_asks, default=10_000)) / 10_000


@pytest.mark.parametrize(("payout", "winner"), [((1_000_000, 0), "Yes"), ((0, 1_000_000), "No"), ((500_000, 500_000), "")])
def test_a_resolution_names_its_winner_and_a_draw_names_nobody(payout: tuple[int, int], winner: str) -> None:
    message = resolved_message(MarketResolved(VENUE_START_MS, MARKET.condition_id, payout), MARKET)
    assert message["winning_outcome"] == winner
    assert message["assets_ids"] == list(MARKET.tokens)


def record(side: Side, maker_amount: int, taker_amount: int, *, status: OrderStatus = OrderStatus.MATCHED) -> OrderRecord:
    request = OrderRequest("0xh", "0xs", "0x" + "ab" * 20, MARKET.tokens[0], side, maker_amount, taker_amount, "FOK")
    return OrderRecord(request, MARKET.condition_id, 0, VENUE_START_MS, status, making=maker_amount, taking=taker_amount)


@pytest.mark.parametrize(
    ("side", "give", "take", "price", "matched"),
    [
        (Side.BUY, 24_500_000, 50_000_000, "0.49", "50"),
        (Side.SELL, 50_000_000, 24_500_000, "0.49", "50"),
        (Side.BUY, 10_000_000, 0, "0", "0"),
    ],
)
def test_an_order_shows_its_limit_price_and_its_matched_shares(side: Side, give: int, take: int, price: str, matched: str) -> None:
    view = order_view(record(side, give, take), MARKET, owner="key")
    assert (view["price"], view["size_matched"], view["original_size"]) == (price, matched, micros_text(give))
    assert view["owner"] == "key"


def test_a_trade_shows_no_transaction_before_it_is_mined_and_none_when_it_failed() -> None:
    trade = Trade("t", "0xh", MARKET.condition_id, MARKET.tokens[0], 0, "0x" + "ab" * 20, Side.BUY, 5_000, 20_000_000, 10_000_000, 0, 0, 0)
    shown = {}
    for status in TradeStatus:
        trade.status = status
        shown[status] = bool(trade_view(trade, MARKET, owner="")["transaction_hash"])
    assert shown == {
        TradeStatus.MATCHED: False,
        TradeStatus.MINED: True,
        TradeStatus.CONFIRMED: True,
        TradeStatus.FAILED: False,
    }


def test_the_other_side_of_a_trade_is_the_opposite_side_at_the_same_price() -> None:
    trade = Trade("t", "0xh", MARKET.condition_id, MARKET.tokens[0], 0, "0x" + "ab" * 20, Side.BUY, 5_000, 20_000_000, 10_000_000, 0, 0, 0)
    maker = trade_view(trade, MARKET, owner="")["maker_orders"][0]
    assert (maker["side"], maker["price"], maker["matched_amount"]) == ("SELL", "0.5", "20")


def test_replies_to_filled_delayed_and_failed_orders_have_the_same_fields() -> None:
    filled = filled_reply(record(Side.BUY, 24_500_000, 50_000_000))
    assert (filled["makingAmount"], filled["takingAmount"], filled["status"]) == ("24.5", "50", "matched")
    assert set(filled) == set(delayed_reply("0xh")) == set(failed_entry("0xh", "no"))


@given(st.integers(0, 400))
def test_cursor_pages_cover_a_list_exactly_once(count: int) -> None:
    items, seen, cursor = list(range(count)), list[object](), FIRST_CURSOR
    for _round in range(count // PAGE_SIZE + 2):
        shown = page(make_mocked_request("GET", f"/?next_cursor={quote(cursor)}"), items, lambda item: item)
        seen += shown["data"] if isinstance(shown["data"], list) else []
        cursor = str(shown["next_cursor"])
        if cursor == LAST_CURSOR:
            break
    assert seen == items
    assert cursor == LAST_CURSOR
