"""What a fill-or-kill order would get from a book, by the venue's rules: pure, for the dry run.

A BUY spends its whole dollar budget or nothing: better prices give more shares. A SELL gives all its shares or nothing. Amounts the
venue would refuse are refused here in the same words, so that a dry run is no kinder than the venue.
"""

from collections.abc import Iterable, Iterator

import msgspec

from kabobagool.domain.book import Level
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import FeeSchedule, Market, Side
from kabobagool.domain.money import CENT_MICROS, MICRO, PRICE_ONE, Micros, Price, format_dollars, format_micros, format_price, notional
from kabobagool.domain.outcome import Filled, Killed, Rejected, Rejection

KILLED_TEXT = "order couldn't be fully filled. FOK orders are fully filled or killed."
MIN_BUY_MICROS = MICRO
FOUR_DECIMALS = 100


class Take(msgspec.Struct, frozen=True):
    """Shares taken at one level, and the dollars they cost or brought."""

    price: Price
    shares: Micros
    dollars: Micros


def refusal(plan: OrderPlan, market: Market) -> Rejected | None:
    """Why the venue would refuse the order without matching it; None when it would not."""
    if not market.accepting_orders:
        return Rejected(Rejection.MARKET_CLOSED, "the market does not accept orders")
    if plan.price % market.tick_size or not market.tick_size <= plan.price <= PRICE_ONE - market.tick_size:
        return Rejected(Rejection.TICK_SIZE, f"price {format_price(plan.price)} is not on the tick {format_price(market.tick_size)}")
    if plan.shares < market.min_order_shares:
        text = f"{format_micros(plan.shares)} shares, min size: {format_micros(market.min_order_shares)}"
        return Rejected(Rejection.MIN_SIZE, text)
    if plan.side is Side.BUY and plan.dollars < MIN_BUY_MICROS:
        return Rejected(Rejection.MIN_SIZE, f"invalid amount for a marketable BUY order ({format_dollars(plan.dollars)}), min size: $1")
    coarse, fine = (plan.dollars, plan.shares) if plan.side is Side.BUY else (plan.shares, plan.dollars)
    if coarse % CENT_MICROS or fine % FOUR_DECIMALS:
        return Rejected(Rejection.AMOUNTS, "invalid amounts: the amount given has at most 2 decimals, the amount wanted at most 4")
    return None


def match(plan: OrderPlan, levels: Iterable[Level]) -> list[Take]:
    """What the order takes from `levels` (best first, resting shares by price); empty when it is killed."""
    walk = _buy(plan, levels) if plan.side is Side.BUY else _sell(plan, levels)
    takes = list(walk)
    missing = plan.dollars - sum(t.dollars for t in takes) if plan.side is Side.BUY else plan.shares - sum(t.shares for t in takes)
    return [] if missing else takes


def outcome_of(takes: list[Take], fee: FeeSchedule) -> Filled | Killed:
    """The outcome with the fee of every level it took from."""
    if not takes:
        return Killed(KILLED_TEXT)
    fees = sum(taker_fee(fee, take.price, take.shares) for take in takes)
    return Filled(sum(take.shares for take in takes), sum(take.dollars for take in takes), fees)


def _buy(plan: OrderPlan, levels: Iterable[Level]) -> Iterator[Take]:
    left = plan.dollars
    for price, size in levels:
        if price > plan.price or not left:
            return
        affordable = left * PRICE_ONE // price
        # The last level takes the whole rest of the budget: the share it cannot express is less than a millionth.
        take = Take(price, affordable, left) if affordable <= size else Take(price, size, min(left, notional(price, size)))
        if take.shares:
            yield take
        left -= take.dollars


def _sell(plan: OrderPlan, levels: Iterable[Level]) -> Iterator[Take]:
    left = plan.shares
    for price, size in levels:
        if price < plan.price or not left:
            return
        shares = min(left, size)
        if shares:
            yield Take(price, shares, price * shares // PRICE_ONE)
        left -= shares
