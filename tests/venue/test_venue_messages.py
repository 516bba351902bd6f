import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kabobagool.domain.money import format_micros, format_price, parse_micros, parse_price
from kabobagool.venue import messages
from kabobagool.venue.messages import (
    MAX_MICROS,
    BestBidAskEvent,
    BookEvent,
    LastTradeEvent,
    MarketResolvedEvent,
    MessageError,
    PriceChange,
    PriceChangeEvent,
    TickSizeEvent,
    UnknownEvent,
    decode_frame,
    fast_micros,
    fast_price,
)

YES, NO, CONDITION = "7132", "4921", "0x" + "c" * 64
STAMP, STAMP_MS = "1795305600123", 1_795_305_600_123

BOOK: dict[str, Any] = {
    "event_type": "book",
    "asset_id": YES,
    "market": CONDITION,
    "timestamp": STAMP,
    "hash": "ab12",
    "bids": [{"price": ".47", "size": "100"}, {"price": "0.48", "size": "30.5"}],
    "asks": [{"price": "0.52", "size": "80"}, {"price": "0.50", "size": "25"}],
    "tick_size": "0.01",
    "min_order_size": "5",
    "neg_risk": False,
    "last_trade_price": "0.49",
}
CHANGE: dict[str, Any] = {
    "event_type": "price_change",
    "market": CONDITION,
    "timestamp": STAMP,
    "price_changes": [
        {"asset_id": YES, "price": "0.48", "size": "0", "side": "BUY", "hash": "a", "best_bid": "0.47", "best_ask": "0.50"},
        {"asset_id": NO, "price": "0.52", "size": "205.25", "side": "SELL", "hash": "b"},
    ],
}
TRADE = {
    "event_type": "last_trade_price",
    "asset_id": YES,
    "market": CONDITION,
    "price": "0.50",
    "size": "12.5",
    "side": "SELL",
    "fee_rate_bps": "0",
    "timestamp": STAMP,
}
TICK = {
    "event_type": "tick_size_change",
    "asset_id": YES,
    "market": CONDITION,
    "old_tick_size": "0.01",
    "new_tick_size": "0.001",
    "timestamp": STAMP,
}
BEST = {
    "event_type": "best_bid_ask",
    "asset_id": YES,
    "market": CONDITION,
    "best_bid": "0.48",
    "best_ask": "",
    "spread": "0.02",
    "timestamp": STAMP,
}
RESOLVED = {
    "event_type": "market_resolved",
    "id": "1",
    "market": CONDITION,
    "assets_ids": [YES, NO],
    "winning_asset_id": NO,
    "winning_outcome": "No",
    "timestamp": STAMP,
}
KNOWN = [BOOK, CHANGE, TRADE, TICK, BEST, RESOLVED]


def frame(message: object) -> bytes:
    return json.dumps(message).encode()


def changed(message: dict[str, Any], **fields: object) -> dict[str, Any]:
    return message | fields


def test_a_book_frame_becomes_integer_levels_in_the_venues_order() -> None:
    assert decode_frame(frame(BOOK)) == [
        BookEvent(
            asset_id=YES,
            market=CONDITION,
            timestamp_ms=STAMP_MS,
            bids=[(4700, 100_000_000), (4800, 30_500_000)],
            asks=[(5200, 80_000_000), (5000, 25_000_000)],
            tick_size=100,
            hash="ab12",
        )
    ]


def test_a_price_change_keeps_both_tokens_of_the_frame_together_and_a_removed_level_has_size_zero() -> None:
    assert decode_frame(frame(CHANGE)) == [
        PriceChangeEvent(
            market=CONDITION,
            timestamp_ms=STAMP_MS,
            changes=[
                PriceChange(YES, 4800, 0, "BUY", 4700, 5000),
                PriceChange(NO, 5200, 205_250_000, "SELL", None, None),
            ],
        )
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TRADE, LastTradeEvent(YES, CONDITION, STAMP_MS, 5000, 12_500_000, "SELL")),
        (TICK, TickSizeEvent(YES, CONDITION, STAMP_MS, 100, 10)),
        (BEST, BestBidAskEvent(YES, CONDITION, STAMP_MS, 4800, None)),
        (RESOLVED, MarketResolvedEvent(CONDITION, STAMP_MS, [YES, NO], NO)),
        ({"event_type": "new_market", "id": "9", "assets_ids": "whatever"}, UnknownEvent("new_market")),
        ({"event_type": "fee_holiday", "anything": [1, {"a": None}]}, UnknownEvent("fee_holiday")),
        (changed(TICK, old_tick_size=None), TickSizeEvent(YES, CONDITION, STAMP_MS, None, 10)),
        (changed(TRADE, timestamp=STAMP_MS), LastTradeEvent(YES, CONDITION, STAMP_MS, 5000, 12_500_000, "SELL")),
    ],
)
def test_every_kind_of_event_is_read(message: dict[str, Any], expected: messages.MarketEvent) -> None:
    assert decode_frame(frame(message)) == [expected]


def test_a_frame_may_be_an_array_and_keeps_its_order() -> None:
    assert [type(event) for event in decode_frame(frame([CHANGE, BOOK, TICK]))] == [PriceChangeEvent, BookEvent, TickSizeEvent]
    assert decode_frame(b"[]") == []


def test_an_unknown_event_does_not_cost_the_known_ones_beside_it() -> None:
    events = decode_frame(frame([{"event_type": "novelty"}, BOOK]))
    assert events[0] == UnknownEvent("novelty")
    assert isinstance(events[1], BookEvent)


def test_text_and_bytes_of_a_frame_mean_the_same() -> None:
    assert decode_frame(frame(KNOWN)) == decode_frame(frame(KNOWN).decode())


def test_a_book_without_a_side_or_a_tick_is_a_book() -> None:
    bare = {key: value for key, value in BOOK.items() if key not in ("tick_size", "hash")} | {"bids": [], "asks": []}
    assert decode_frame(frame(bare)) == [BookEvent(YES, CONDITION, STAMP_MS, [], [], None, "")]


def level(price: str, size: str = "1") -> dict[str, Any]:
    return changed(BOOK, bids=[{"price": price, "size": size}])


@pytest.mark.parametrize(
    ("rubbish", "named"),
    [
        ("PONG", "PONG"),
        ("", "JSON"),
        (b"\xff\xfe", "JSON"),
        ("\ud800", "JSON"),
        ("[" * 100_000, "JSON"),
        ("null", "object"),
        ("[[]]", "object"),
        ("{}", "event_type"),
        ('{"event_type": 7}', "event_type"),
        (frame({"event_type": "book"}), "market"),
        (frame(changed(CHANGE, timestamp="soon")), "timestamp"),
        (frame(changed(CHANGE, timestamp="-5")), "timestamp"),
        (frame(changed(CHANGE, price_changes=[{"asset_id": YES, "price": "0.5", "size": "1", "side": "HOLD"}])), "side"),
        (frame(changed(TICK, new_tick_size="0")), "tick size"),
        (frame(changed(TICK, new_tick_size="0.03")), "tick size"),
        (frame(changed(BOOK, tick_size="1")), "tick size"),
        (frame(level("0.00001")), "0.00001"),
        (frame(level("1.01")), "1.01"),
        (frame(level("-0.1")), "-0.1"),
        (frame(level("NaN")), "NaN"),
        (frame(level("Infinity")), "Infinity"),
        (frame(level("1e-2")), "1e-2"),
        (frame(level(".")), "'.'"),
        (frame(level("")), "''"),
        (frame(level("0.5", "-1")), "-1"),
        (frame(level("0.5", "0.0000001")), "0.0000001"),
        (frame(level("0.5", "9" * 30)), "too large"),
        (frame([BOOK, level("2")]), "2"),
    ],
)
def test_rubbish_is_a_message_error_that_names_what_was_wrong(rubbish: bytes | str, named: str) -> None:
    with pytest.raises(MessageError) as caught:
        decode_frame(rubbish)
    assert named in str(caught.value)
    assert len(str(caught.value)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0.5", STAMP, "book", "BUY"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def damaged_messages(draw: st.DrawFn) -> bytes:
    message = dict(draw(st.sampled_from(KNOWN)))
    for key in draw(st.lists(st.sampled_from(sorted(message)), max_size=3)):
        message[key] = draw(json_values)
    text = frame([message] if draw(st.booleans()) else message)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 3)) == 0 else text


@given(st.binary(max_size=60) | st.text(max_size=60) | json_values.map(frame) | damaged_messages())
def test_no_frame_whatsoever_raises_anything_but_a_message_error(junk: bytes | str) -> None:
    try:
        events = decode_frame(junk)
    except MessageError:
        return
    assert isinstance(events, list)


def test_a_long_text_is_understood_and_not_remembered() -> None:
    """Or a venue that sends a number with a million digits sixteen thousand times fills the memory."""
    assert fast_price("0.48" + "0" * 1_000) == 4_800
    assert fast_micros("0" * 1_000 + "1.5") == 1_500_000
    assert max(map(len, [*messages._PRICES, *messages._SIZES])) < 100


@pytest.mark.parametrize("stamp", [str(10**14), "1795305600123456"])
def test_a_moment_in_another_unit_is_no_moment(stamp: str) -> None:
    with pytest.raises(MessageError, match="timestamp"):
        decode_frame(frame(changed(BOOK, timestamp=stamp)))


PLAIN = st.from_regex(r"\A[0-9]{0,6}(\.[0-9]{0,9})?\Z")


@given(PLAIN | st.text(max_size=8) | st.floats(0, 1).map(str))
@example("1.")
@example(".0")
@example(".")
@example("0.48000000")
@example("٠.٥")
def test_the_fast_readers_agree_with_the_exact_ones_on_every_text(text: str) -> None:
    for fast, exact in ((fast_price, parse_price), (fast_micros, parse_micros)):
        plain = text.isascii() and text.replace(".", "", 1).isdigit()
        try:
            expected = exact(text) if plain else None
        except ValueError:
            expected = None
        if expected is None:
            with pytest.raises(ValueError, match=r"plain decimal|above 1|too large"):
                fast(text)
        else:
            assert fast(text) == expected == fast(text)


@given(st.integers(0, 10_000), st.integers(0, MAX_MICROS))
def test_what_is_written_is_read_back(price: int, size: int) -> None:
    assert fast_price(format_price(price)) == price
    assert fast_micros(format_micros(size)) == size


@given(st.integers(MAX_MICROS + 1, 10**40))
def test_no_size_is_larger_than_a_trillion_shares(size: int) -> None:
    with pytest.raises(ValueError, match="too large"):
        fast_micros(format_micros(size))


def test_a_million_different_sizes_do_not_fill_the_memory() -> None:
    for size in range(40_000):
        assert fast_micros(f"{size}.125") == size * 1_000_000 + 125_000
    assert len(messages._SIZES) <= messages._MEMO_LIMIT


@given(st.lists(st.tuples(st.integers(1, 9_999), st.integers(0, 10**15)), max_size=40))
def test_a_book_says_the_same_to_us_as_to_decimal(levels: list[tuple[int, int]]) -> None:
    wire = [{"price": format_price(price), "size": format_micros(size)} for price, size in levels]
    (event,) = decode_frame(frame(changed(BOOK, bids=wire)))
    assert isinstance(event, BookEvent)
    exact = [(int(Decimal(entry["price"]) * 10_000), int(Decimal(entry["size"]) * 1_000_000)) for entry in wire]
    assert event.bids == exact == levels
