"""Reading the catalogue: every quirk of the venue's document, and rubbish that must not stop anybody."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.discovery.catalogue_examples import DOLLAR, MISSING, condition_id, entry, page_body, page_reply

from kabobagool.discovery.catalogue import Listing, as_market, decimal_tokens, end_ms, read_page, volume_24h
from kabobagool.venue.gamma import UnsupportedMarket, read_market
from kabobagool.venue.reader import ResponseError, rough_micros
from kabobagool.venue.transport import HttpReply


def listing(**fields: Any) -> Listing:
    page = read_page(page_reply([entry(**fields)]))
    return page.listings[0]


class Asked(dict[str, Any]):
    """Remembers which fields were asked for."""

    def __init__(self, item: dict[str, Any]) -> None:
        super().__init__(item)
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def test_a_listing_decodes_every_field_that_the_strict_reading_asks_for() -> None:
    asked = Asked(entry(volumeNum=None, liquidityNum=None))
    read_market(asked)
    assert asked.names == set(Listing.__struct_encode_fields__)


def test_the_strict_reading_of_a_listing_is_that_of_the_whole_entry() -> None:
    whole = entry(negRisk=True, events=[{"negRiskAugmented": True, "description": "long"}, "rubbish", None])
    assert as_market(read_page(page_reply([whole])).listings[0]) == read_market(json.loads(json.dumps(whole), parse_float=Decimal))


def test_a_page_gives_its_entries_in_order_and_the_cursor_of_the_next() -> None:
    page = read_page(page_reply([entry(1), entry(2)], "next"))
    assert [each.condition_id for each in page.listings] == [condition_id(1), condition_id(2)]
    assert (page.rubbish, page.next_cursor) == (0, "next")


def test_the_last_page_has_no_cursor_whatever_stands_in_its_place() -> None:
    bodies = (b'{"markets":[]}', b'{"markets":[],"next_cursor":null}', b'{"markets":[],"next_cursor":7}', b"[]")
    assert [read_page(HttpReply(200, {}, body)).next_cursor for body in bodies] == ["", "", "", ""]


def test_entries_that_are_no_objects_are_counted_and_hide_no_other() -> None:
    page = read_page(page_reply(["text", 7, 1.5, True, None, [entry(2)], entry(1)]))
    assert (len(page.listings), page.rubbish) == (1, 6)


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"{}", b'{"markets":{}}', b'"text"', b"[" * 100_000])
def test_a_page_that_is_no_listing_is_an_error_that_names_the_endpoint(body: bytes) -> None:
    with pytest.raises(ResponseError, match="/markets/keyset"):
        read_page(HttpReply(200, {}, body))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Listing.__struct_encode_fields__)), json_values, max_size=8))
def test_an_entry_of_any_types_is_read_or_refused_with_a_known_error(fields: dict[str, Any]) -> None:
    page = read_page(HttpReply(200, {}, page_body([entry(**fields)])))
    assert len(page.listings) == 1
    try:
        market = as_market(page.listings[0])
    except (UnsupportedMarket, ResponseError):
        return
    assert all(token.isdigit() for token in market.tokens)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('["12", "13"]', ["12", "13"]),
        (["12", "13"], ["12", "13"]),
        ('["0x0c", "0X0D"]', ["12", "13"]),
        ("[12, 13]", ["12", "13"]),
        ('["0012", "13"]', ["12", "13"]),
        (f'["{2**256 - 1}", "1"]', [str(2**256 - 1), "1"]),
        (f"[{10**76 + 1}, 1]", [str(10**76 + 1), "1"]),
    ],
)
def test_token_ids_are_decimal_strings_however_they_are_written(value: object, expected: list[str]) -> None:
    assert decimal_tokens(value, slug="any") == expected


BAD_TOKENS = [None, "", "[]", '["1"]', '["1","2","3"]', '["", "2"]', '["0", "1"]', f'["{2**256}", "1"]', '["-1", "2"]', '["1.5", "2"]']
BAD_TOKENS += ['["0x", "1"]', '["0x1_0", "1"]', '["0xzz", "1"]', "[true, 1]", "[1e300, 1]", '{"a": 1}', "nonsense", "[" * 100_000]


@pytest.mark.parametrize("value", BAD_TOKENS)
def test_what_is_not_two_token_ids_is_refused_as_tokens(value: str | None) -> None:
    with pytest.raises(UnsupportedMarket) as caught:
        decimal_tokens(value, slug="any")
    assert caught.value.reason == "tokens"


def test_a_number_beyond_64_bits_keeps_all_its_digits() -> None:
    made = read_page(HttpReply(200, {}, page_body([entry(clobTokenIds=[10**76 + 1, 10**76 + 2])]))).listings[0]
    assert as_market(made).tokens == (str(10**76 + 1), str(10**76 + 2))


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (1200.5, 1200 * DOLLAR + 500_000),
        ("7.25", 7_250_000),
        (3, 3 * DOLLAR),
        (0.0000019, 1),
        *((nothing, 0) for nothing in (MISSING, None, "", -5, True, "a lot", [1], "NaN", "Infinity", "1e999999")),
    ],
)
def test_volume_is_millionths_of_a_dollar_and_nothing_when_it_is_no_amount(value: object, micros: int) -> None:
    assert volume_24h(listing(volume24hr=value)) == micros


def test_a_number_with_an_absurd_exponent_costs_no_time_and_counts_as_nothing() -> None:
    assert rough_micros(Decimal("1e999999999")) == 0
    body = page_body([entry(volume24hr="VOLUME")]).replace(b'"VOLUME"', b"1e99999999")
    assert volume_24h(read_page(HttpReply(200, {}, body)).listings[0]) == 0


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("2026-12-01T12:00:00Z", 1_796_126_400_000),
        ("2026-12-01T13:00:00+01:00", 1_796_126_400_000),
        ("2026-12-01", 1_796_083_200_000),
        (MISSING, None),
        (None, None),
        ("soon", None),
        (1_796_126_400, None),
    ],
)
def test_the_end_is_read_as_utc_and_none_when_it_is_no_date(date: object, expected: int | None) -> None:
    assert end_ms(listing(endDate=date)) == expected


@settings(deadline=None)
@given(st.decimals(min_value=0, max_value=10**12, places=6), st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
def test_rank_and_end_are_those_of_the_strict_reading(volume: Decimal, date: str) -> None:
    made = listing(volume24hr=str(volume), endDate=date)
    market = as_market(made)
    assert (volume_24h(made), end_ms(made)) == (market.volume_24h, market.end_ms)
