"""How many shares an order may ask for, so that the venue never refuses its amounts.

A fill-or-kill BUY names dollars (at most 2 decimals) and shares (at most 4). Whole shares whose cost at the limit price is whole cents
satisfy both exactly on every tick size, without rounding anything afterwards. A SELL names shares (2 decimals) and dollars (4 decimals).
"""

from functools import cache
from math import gcd, lcm

from kabobagool.domain.book import Level
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import CENT_MICROS, MICRO, PRICE_ONE, Micros, Price

MIN_BUY_NOTIONAL: Micros = MICRO
"""A marketable BUY is at least one dollar."""
SELL_QUANTUM: Micros = MICRO // 100
"""Shares of a SELL have at most two decimals."""
_CENT_PRICE = 100


@cache
def share_step(price: Price) -> int:
    """The fewest whole shares whose cost at `price` is whole cents: 0.48 -> 1, 0.485 -> 2, 0.4825 -> 4, 0.481 -> 10, 0.4801 -> 100."""
    return _CENT_PRICE // gcd(price, _CENT_PRICE)


def pair_step(price_yes: Price, price_no: Price) -> int:
    """The fewest whole shares that are whole cents at both prices."""
    return lcm(share_step(price_yes), share_step(price_no))


@cache
def smallest_buy(price: Price, min_order_shares: Micros) -> Micros:
    """The fewest shares a BUY at `price` may ask for: the market's minimum and one dollar, on the step."""
    step = share_step(price) * MICRO
    floor_shares = max(min_order_shares, -(-MIN_BUY_NOTIONAL * PRICE_ONE // price))
    return -(-floor_shares // step) * step


@cache
def pair_bounds(price_yes: Price, price_no: Price, min_order_shares: Micros) -> tuple[Micros, Micros]:
    """Step and least size, in shares, of a pair bought at these limits: both legs must be whole cents and above their minimum."""
    step = pair_step(price_yes, price_no) * MICRO
    least = smallest_buy(min(price_yes, price_no), min_order_shares)
    return step, -(-least // step) * step


def pair_shares(price_yes: Price, price_no: Price, available: Micros, min_order_shares: Micros) -> Micros:
    """The most shares up to `available` that both legs may ask for at these limits; 0 when that is below either leg's minimum."""
    step, least = pair_bounds(price_yes, price_no, min_order_shares)
    return available // step * step if available >= least else 0


def buy_order(outcome: Outcome, price: Price, shares: Micros) -> OrderPlan:
    """A BUY of shares that are already on the step of `price`."""
    return OrderPlan(outcome, Side.BUY, price, shares, price * shares // PRICE_ONE)


def sweep_buy(outcome: Outcome, asks: list[Level], wanted: Micros, min_order_shares: Micros) -> OrderPlan | None:
    """A BUY that walks `asks` (best first) to receive up to `wanted` shares; None when that is below a minimum or the book is too thin.

    Fractions of a share are left out: chasing them would drag the limit to the next level. The limit is the worst level touched. Better
    levels give more shares for the same dollars, so the budget is the walk's cost, not limit times wanted.
    """
    wanted = wanted // MICRO * MICRO
    cost, taken, limit = _walk(asks, wanted)
    if not taken:
        return None
    step = share_step(limit) * MICRO
    shares = cost * PRICE_ONE // limit // step * step
    if taken < wanted or shares < smallest_buy(limit, min_order_shares):
        return None
    return buy_order(outcome, limit, shares)


def sweeps(outcome: Outcome, asks: list[Level], wanted: Micros, min_order_shares: Micros) -> list[OrderPlan]:
    """One BUY for each depth to which the book may be walked, shallowest first.

    Less, but at a better limit. Levels beyond `wanted` are not needed.
    """
    orders, depth = [], 0
    for count, (_, size) in enumerate(asks, start=1):
        depth += size
        order = sweep_buy(outcome, asks[:count], min(wanted, depth), min_order_shares)
        if order is not None:
            orders.append(order)
        if depth >= wanted:
            break
    return orders


def sell_order(outcome: Outcome, bids: list[Level], held: Micros, min_order_shares: Micros) -> OrderPlan | None:
    """A SELL of as much of `held` as the venue can express, down to the worst bid it needs.

    None when that is below the market's minimum or the book is too thin.
    """
    held = held // SELL_QUANTUM * SELL_QUANTUM
    _, taken, limit = _walk(bids, held)
    if not taken:
        return None
    step = SELL_QUANTUM * share_step(limit)
    shares = held // step * step
    if taken < held or shares < min_order_shares:
        return None
    return OrderPlan(outcome, Side.SELL, limit, shares, limit * shares // PRICE_ONE)


def _walk(levels: list[Level], wanted: Micros) -> tuple[Micros, Micros, Price]:
    """Dollars, shares and the worst price of taking `wanted` shares from levels in their order."""
    dollars = taken = limit = 0
    for price, size in levels:
        share = min(size, wanted - taken)
        dollars += price * share // PRICE_ONE
        taken += share
        limit = price
        if taken == wanted:
            break
    return dollars, taken, limit


def is_whole_cents(dollars: Micros) -> bool:
    """Whether the venue's two decimals can say this amount."""
    return dollars % CENT_MICROS == 0
