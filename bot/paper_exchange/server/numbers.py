"""Integers to the venue's decimal strings, the only place where a price or an amount becomes text.

Every view and every socket message calls these; amounts never pass through float on the way.
"""

from decimal import Decimal, InvalidOperation
from functools import lru_cache

PRICE_PLACES = 4
MICRO_PLACES = 6
_REMEMBERED = 65_536


@lru_cache(maxsize=_REMEMBERED)
def decimal_text(units: int, places: int) -> str:
    """`units` counted in 10**-places, as a plain decimal string without trailing zeros."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**places)
    if part == 0:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{part:0{places}d}".rstrip("0")


def price_text(price: int) -> str:
    """A price in 1/10,000 dollar as the venue prints it, for example `0.48`."""
    return decimal_text(price, PRICE_PLACES)


def micros_text(micros: int) -> str:
    """Shares or dollars in millionths as the venue prints them, for example `12.5`."""
    return decimal_text(micros, MICRO_PLACES)


def json_number(units: int, places: int) -> int | float:
    """The JSON number nearest to a decimal, for the few fields which the venue sends as numbers (never order amounts)."""
    whole, part = divmod(units, 10**places)
    return whole if part == 0 else float(Decimal(units).scaleb(-places))


def micros_of(text: str) -> int:
    """Millionths of a decimal string. ValueError when it is not a finite number of at most six decimals."""
    try:
        scaled = Decimal(text).scaleb(MICRO_PLACES)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{text!r} is not a number of at most {MICRO_PLACES} decimals")
    return int(scaled)
