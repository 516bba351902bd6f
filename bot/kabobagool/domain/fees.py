"""What the venue charges a taker, and the flat margin on top of it.

`fee = shares * rate * (p * (1 - p)) ** exponent`, in dollars, charged on top of a buy and deducted from a sale, rounded to 5 decimals. The
venue does not document the direction; we plan with up, so that a surprise is a gift.
"""

from functools import lru_cache
from typing import Final

from kabobagool.domain.market import FeeSchedule
from kabobagool.domain.money import MICRO, PRICE_ONE, Micros, Price

FEE_STEP_MICROS: Final = 10
"""The venue rounds fees to 0.00001 dollar."""
BPS: Final = 10_000
DEAREST_FEE: Final = FeeSchedule(rate_micros=70_000)
"""The venue's highest rate: what an order that must leave is reckoned with while the market's own fee is unknown."""


def taker_fee(fee: FeeSchedule, price: Price, shares: Micros) -> Micros:
    """Dollars charged for taking `shares` at one `price`, rounded up to 5 decimals."""
    if not fee.rate_micros:
        return 0
    weight: int = (price * (PRICE_ONE - price)) ** fee.exponent
    scale: int = MICRO * PRICE_ONE ** (2 * fee.exponent) * FEE_STEP_MICROS
    return -(-shares * fee.rate_micros * weight // scale) * FEE_STEP_MICROS


@lru_cache(maxsize=4096)
def fee_of_one_share(fee: FeeSchedule, price: Price) -> Micros:
    """Dollars charged for taking one share: asked for every market every second by whoever shows prices."""
    return taker_fee(fee, price, MICRO)


def flat_margin(dollars: Micros, taker_fee_bps: int) -> Micros:
    """The safety margin of TAKER_FEE_BPS on a notional, rounded up."""
    return -(-dollars * taker_fee_bps // BPS)


def effective_pair_cost(average_yes_micros: Micros, average_no_micros: Micros, taker_fee_bps: int) -> Micros:
    """Micro-dollars one pair costs, with the flat margin: the number that MAX_PAIR_COST - EDGE_BUFFER bounds."""
    cost = average_yes_micros + average_no_micros
    return cost + flat_margin(cost, taker_fee_bps)
