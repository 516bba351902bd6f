"""Text becomes whole numbers and whole numbers become text; nothing in between is lost, and nonsense is a ValueError."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.domain.money import (
    average_price_micros,
    format_dollars,
    format_micros,
    format_price,
    notional,
    parse_micros,
    parse_price,
)


@pytest.mark.parametrize(
    ("text", "price"),
    [("0.48", 4_800), (".48", 4_800), ("0.485", 4_850), ("0.4801", 4_801), ("0", 0), ("1", 10_000), ("1.000000", 10_000), ("0.50", 5_000)],
)
def test_prices_are_read_in_ten_thousandths_of_a_dollar(text: str, price: int) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize("text", ["1.0001", "-0.01", "2", "0.48001", "0.00001", "1e3", "99999999999999999999"])
def test_a_price_the_venue_cannot_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="price"):
        parse_price(text)


@pytest.mark.parametrize(
    ("text", "amount"), [("12.5", 12_500_000), ("5.012345", 5_012_345), ("0", 0), ("0.000001", 1), ("24.50", 24_500_000)]
)
def test_amounts_are_read_in_millionths(text: str, amount: int) -> None:
    assert parse_micros(text) == amount


@pytest.mark.parametrize("text", ["-1", "-0.000001", "0.0000001", "12.3456789"])
def test_a_negative_or_too_fine_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount"):
        parse_micros(text)


@pytest.mark.parametrize(
    "text", ["", " ", "nan", "-nan", "sNaN", "inf", "-Infinity", "0,48", "0x1", "0.4.8", "one", "0.48$", "--1", "\x00", "½"]
)
def test_what_is_no_number_is_a_value_error_and_nothing_else(text: str) -> None:
    for parse in (parse_price, parse_micros):
        with pytest.raises(ValueError, match="is not a number"):
            parse(text)


@given(st.text(max_size=12))
def test_any_text_is_a_price_in_range_or_a_value_error(text: str) -> None:
    try:
        price = parse_price(text)
    except ValueError:
        return
    assert 0 <= price <= 10_000
    assert Decimal(price) / 10_000 == Decimal(text)


@given(st.decimals(-(10**12), 10**12, places=8) | st.decimals(-2, 2, places=5) | st.sampled_from((Decimal("nan"), Decimal("-inf"))))
def test_any_decimal_is_read_exactly_or_refused(value: Decimal) -> None:
    for parse, unit in ((parse_micros, 10**6), (parse_price, 10**4)):
        try:
            read = parse(str(value))
        except ValueError:
            continue
        assert Fraction(read, unit) == Fraction(value)


@given(st.integers(0, 10_000))
def test_a_price_survives_the_way_to_text_and_back(price: int) -> None:
    assert parse_price(format_price(price)) == price


@given(st.integers(0, 10**18))
def test_an_amount_survives_the_way_to_text_and_back(amount: int) -> None:
    assert parse_micros(format_micros(amount)) == amount


@given(st.integers(-(10**15), 10**15))
def test_text_for_the_wire_says_exactly_the_amount(amount: int) -> None:
    text = format_micros(amount)
    assert Decimal(text) == Decimal(amount).scaleb(-6)
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (7_000_000, "$7.00"),
        (-1_500_000, "-$1.50"),
        (1_234_567_890_000, "$1,234,567.89"),
        (1, "$0.000001"),
        (-496_500, "-$0.4965"),
    ],
)
def test_people_read_dollars_with_cents_and_the_sign_in_front(amount: int, text: str) -> None:
    assert format_dollars(amount) == text


@given(st.integers(0, 10_000), st.integers(0, 10**13))
def test_a_notional_is_never_understated_and_at_most_a_micro_dollar_over(price: int, shares: int) -> None:
    exact = Decimal(price) * shares / 10_000
    assert 0 <= notional(price, shares) - exact < 1


@given(st.integers(0, 10**12), st.integers(1, 10**12))
def test_an_average_price_never_understates_what_was_paid(dollars: int, shares: int) -> None:
    average = average_price_micros(dollars, shares)
    assert average * shares >= dollars * 1_000_000
    assert (average - 1) * shares < dollars * 1_000_000


def test_no_shares_have_no_average() -> None:
    assert average_price_micros(0, 0) == 0
