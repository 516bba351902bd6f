"""Money as integers, because a price that is off by one ulp is a refused order.

Prices count 1/10,000 dollar (the venue's finest tick), shares and dollars count millionths (the chain's unit). Text becomes integers
here, at the edges, and integers become text here again; everything in between only adds, multiplies and divides whole numbers.
"""

import re
from typing import Annotated, Final

import msgspec

PRICE_ONE: Final = 10_000
"""One dollar a share; also what a book without asks is taken to cost."""
MICRO: Final = 1_000_000
"""One dollar or one share."""
CENT_MICROS: Final = 10_000
MICROS_PER_PRICE: Final = MICRO // PRICE_ONE

_NUMBER: Final = re.compile(r"(?P<sign>-?)(?:(?P<whole>[0-9]{1,15})(?:\.(?P<decimals>[0-9]{0,30}))?|\.(?P<bare>[0-9]{1,30}))")

MOST_MICROS: Final = 10**18
"""A trillion dollars or shares: what is above it is no amount but a broken message."""

Price = Annotated[int, msgspec.Meta(ge=0, le=PRICE_ONE)]
"""1/10,000 dollar per share. The range holds where one is read; arithmetic may leave it."""
Tick = Annotated[int, msgspec.Meta(gt=0, lt=PRICE_ONE)]
"""The distance of two prices: at least two of them make a dollar."""
Micros = Annotated[int, msgspec.Meta(ge=-MOST_MICROS, le=MOST_MICROS)]
"""Millionths of a dollar or of a share. The range holds where one is read."""


def parse_price(text: str) -> Price:
    """Read a price such as `0.48`, `.48` or `0.485`. ValueError when it is no number, finer than 0.0001 or outside 0..1."""
    price = _scaled(text, 4, name="price")
    if not 0 <= price <= PRICE_ONE:
        raise ValueError(f"price {text!r} is outside 0..1")
    return price


def parse_micros(text: str) -> Micros:
    """Read an amount of dollars or shares such as `12.5`. ValueError when it is no number, negative or finer than 0.000001."""
    amount = _scaled(text, 6, name="amount")
    if amount < 0:
        raise ValueError(f"amount {text!r} is negative")
    return amount


def _scaled(text: str, decimals: int, *, name: str) -> int:
    """Digits only, no exponent: `1e999999` is no price, and a context that rounds silently has no place here."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ValueError(f"{name} {text[:40]!r} is not a number")
    fraction = (match["decimals"] or match["bare"] or "").rstrip("0")
    if len(fraction) > decimals:
        raise ValueError(f"{name} {text[:40]!r} has more than {decimals} decimals")
    value = int((match["whole"] or "0") + fraction.ljust(decimals, "0"))
    return -value if match["sign"] else value


def format_price(price: Price) -> str:
    """Write a price without trailing zeros: 4800 -> `0.48`."""
    return _trimmed(price, 4)


def format_micros(amount: Micros) -> str:
    """Write dollars or shares without trailing zeros: 12_500_000 -> `12.5`."""
    return _trimmed(amount, 6)


def format_dollars(amount: Micros) -> str:
    """Write dollars for people: cents always, finer only where there is something finer, sign in front: -1.5 -> `-$1.50`."""
    sign = "-" if amount < 0 else ""
    whole, fraction = divmod(abs(amount), MICRO)
    digits = f"{fraction:06d}".rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{digits}"


def _trimmed(value: int, decimals: int) -> str:
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**decimals)
    digits = f"{fraction:0{decimals}d}".rstrip("0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def notional(price: Price, shares: Micros) -> Micros:
    """Dollars that `shares` cost at `price`, rounded up to the micro-dollar (what is spent is never understated)."""
    return -(-price * shares // PRICE_ONE)


def average_price_micros(dollars: Micros, shares: Micros) -> Micros:
    """Micro-dollars per share, rounded up; 0 for no shares."""
    return -(-dollars * MICRO // shares) if shares else 0
