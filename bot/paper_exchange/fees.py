"""The taker fee the venue charges: shares x rate x (p x (1 - p)) ^ exponent, in whole hundred-thousandths of a dollar.

Kept apart from the bot's own fee code on purpose: the two are written from the same published rule and check each other.
`exchange.py` charges it per trade, `rules.py` uses it for the head-room a wallet needs.
"""

from paper_exchange.types import MICRO, PRICE_ONE

FEE_STEP_MICROS = 10


def taker_fee(*, shares: int, price: int, rate_micros: int, exponent: int) -> int:
    """Return the fee in micro-dollars for `shares` micro-shares at `price`, rounded up to five decimals of a dollar."""
    if rate_micros == 0 or shares == 0:
        return 0
    numerator: int = shares * rate_micros * (price * (PRICE_ONE - price)) ** exponent
    denominator: int = MICRO * PRICE_ONE ** (2 * exponent) * FEE_STEP_MICROS
    return -(-numerator // denominator) * FEE_STEP_MICROS
