"""What to do about a view: the strategy's rule as one pure function.

Buy the cheaper side first, then the other, while after the simulated fill the pair costs at most MAX_PAIR_COST - EDGE_BUFFER, fees
included. `engine/strategy.py` asks on every tick that might matter; a table test of this file reads like the rule.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec

from kabobagool.domain.book import Book, PairView
from kabobagool.domain.edge import Policy, Reason, first_objection
from kabobagool.domain.fees import DEAREST_FEE, effective_pair_cost, flat_margin, taker_fee
from kabobagool.domain.intent import Intent, OrderPlan, Purpose, Reject
from kabobagool.domain.market import NO_FEE, FeeSchedule, Market, Outcome, Side
from kabobagool.domain.money import MICRO, MICROS_PER_PRICE, PRICE_ONE, Micros, Price, average_price_micros
from kabobagool.domain.position import EMPTY, Leg, Position
from kabobagool.domain.sizing import buy_order, pair_bounds, share_step, smallest_buy, sweeps

REJECT = {reason: Reject(reason) for reason in Reason}
"""One ready-made answer a reason: the hot path allocates nothing to say no."""
THIN_TIMES = 2
"""A leg whose best level holds less than this many times the order is sent first: its failure costs nothing."""


def decide(view: PairView, position: Position, policy: Policy, now_ms: int) -> Intent | Reject:
    """The orders to send on this view, or the reason for none. `now_ms` is on the venue's time line."""
    tolerated = policy.forced_hedge_above
    if not -tolerated <= position.imbalance <= tolerated:
        return forced_hedge(view, position, policy, now_ms)
    objection = first_objection(view, policy, now_ms)
    if objection is not None:
        return REJECT[objection]
    if policy.paired:
        return _paired_entry(view, position, policy)
    return _sequential_entry(view, position, policy)


def forced_hedge(view: PairView, position: Position, policy: Policy, now_ms: int) -> Intent | Reject:
    """Buy the light side even above the pair limit, as long as the loss it locks in stays within ORPHAN_LOSS_CAP.

    Looks at the light book only: when a leg is naked, a doubtful view of the other one is no reason to wait.
    """
    light = position.heavy.other
    objection = leg_objection(view, light, policy, now_ms)
    if objection is not None:
        return REJECT[objection]
    wanted, fee = abs(position.imbalance), view.market.fee or DEAREST_FEE
    orders = sweeps(light, view.book(light).ask_levels(), wanted, view.market.min_order_shares)
    if not orders:
        return REJECT[Reason.TOO_THIN]
    affordable = [order for order in orders if hedge_loss(position, order, fee) <= policy.orphan_loss_cap]
    if not affordable:
        return REJECT[Reason.ORPHAN_LOSS_CAP]
    order = max(affordable, key=lambda candidate: candidate.shares)
    pair_cost = position.leg(position.heavy).average_cost_micros + order.price * MICROS_PER_PRICE
    return Intent(Purpose.HEDGE, (order,), pair_cost)


def leg_objection(view: PairView, outcome: Outcome, policy: Policy, now_ms: int) -> Reason | None:
    """Why no order may be sent on this one book, or None."""
    book = view.book(outcome)
    if view.frame_open:
        return Reason.FRAME_HALF_APPLIED
    if not book.has_snapshot:
        return Reason.NO_SNAPSHOT
    if not view.tick_is_current or _is_off_grid(book, view.market.tick_size):
        return Reason.TICK_SIZE_CHANGED
    if view.resolved or not view.market.accepting_orders:
        return Reason.NOT_ACCEPTING_ORDERS
    if abs(now_ms - book.venue_ms) > policy.max_leg_age_ms:
        return Reason.LEG_TOO_OLD
    return None


def _is_off_grid(book: Book, tick_size: Price) -> bool:
    """Whether a level lies between two ticks: the tick is not what we believe, and an order there would be refused."""
    return any(price % tick_size for price in (*book.asks, *book.bids))


def hedge_loss(position: Position, order: OrderPlan, fee: FeeSchedule) -> Micros:
    """Dollars lost for good on the shares that `order` pairs off, at its limit price and with all fees; negative when it still gains."""
    return position.cost_of_surplus(order.shares) + order.dollars + taker_fee(fee, order.price, order.shares) - order.shares


def dollars_needed(orders: Sequence[OrderPlan], fee: FeeSchedule) -> Micros:
    """What a wallet must hold for all purchases among these, fees included: one with exactly the notional is refused."""
    return sum(order.dollars + taker_fee(fee, order.price, order.shares) for order in orders if order.side is Side.BUY)


def _paired_entry(view: PairView, position: Position, policy: Policy) -> Intent | Reject:
    yes, no, market = view.yes, view.no, view.market
    ask_yes, ask_no = yes.best_ask, no.best_ask
    if (ask_yes + ask_no) * MICROS_PER_PRICE > policy.pair_limit_micros:
        return REJECT[Reason.PAIR_COST_TOO_HIGH]
    depth_yes, depth_no = yes.asks[ask_yes], no.asks[ask_no]
    depth = depth_yes if depth_yes < depth_no else depth_no
    most = policy.batch_shares
    step, least = pair_bounds(ask_yes, ask_no, market.min_order_shares)
    available = depth if depth < most else most
    if available < least:
        return REJECT[Reason.TOO_THIN]
    shares = available // step * step
    quote = quote_pair(ask_yes, ask_no, shares, market.fee or NO_FEE, policy.taker_fee_bps)
    if quote.pair_cost_with_margin > policy.pair_limit_micros:
        return REJECT[Reason.FEES_EAT_THE_EDGE]
    if position.spent + quote.cost > policy.max_position:
        return REJECT[Reason.POSITION_CAP]
    if position is not EMPTY and _spoils_the_average(position, quote, policy):  # the average of one pair is that pair
        return REJECT[Reason.AVERAGE_COST_TOO_HIGH]
    if depth < THIN_TIMES * shares and depth_yes != depth_no:
        return quote.no_first if depth_no < depth_yes else quote.yes_first
    return quote.no_first if ask_no < ask_yes else quote.yes_first


class PairQuote(msgspec.Struct, frozen=True):
    """A pair at given asks, reckoned once.

    Its two orders, their fees, what both cost, what one pair costs with the flat margin (rounded up), and either sending order.
    """

    yes: OrderPlan
    no: OrderPlan
    fee_yes: Micros
    fee_no: Micros
    cost: Micros
    pair_cost_with_margin: Micros
    yes_first: Intent
    no_first: Intent


@lru_cache(maxsize=4096)
def quote_pair(ask_yes: Price, ask_no: Price, shares: Micros, fee: FeeSchedule, taker_fee_bps: int) -> PairQuote:
    """Reckon a pair of `shares` at these asks. Books return to the same prices, so the answers are kept."""
    yes, no = buy_order(Outcome.YES, ask_yes, shares), buy_order(Outcome.NO, ask_no, shares)
    fee_yes, fee_no = taker_fee(fee, ask_yes, shares), taker_fee(fee, ask_no, shares)
    dollars = yes.dollars + no.dollars
    cost = dollars + fee_yes + fee_no
    pair_price = (ask_yes + ask_no) * MICROS_PER_PRICE
    return PairQuote(
        yes,
        no,
        fee_yes,
        fee_no,
        cost,
        average_price_micros(cost + flat_margin(dollars, taker_fee_bps), shares),
        Intent(Purpose.PAIR, (yes, no), pair_price),
        Intent(Purpose.PAIR, (no, yes), pair_price),
    )


def _spoils_the_average(position: Position, quote: PairQuote, policy: Policy) -> bool:
    """Whether a pair costs too much on average once the new one is bought, fees and margin included.

    A dear hedge in the past is no reason against a pair that pays for itself: what lowers the average is welcome. Where no pair is held
    there is no average: what a leg cost that was sold again says nothing about pairs.
    """
    if not position.pairs:
        return False
    average_yes = _leg_average_after(position.yes, quote.yes, quote.fee_yes)
    average_no = _leg_average_after(position.no, quote.no, quote.fee_no)
    after = effective_pair_cost(average_yes, average_no, policy.taker_fee_bps)
    return after > policy.pair_limit_micros and after >= _average_now(position, policy)


def _average_now(position: Position, policy: Policy) -> Micros:
    yes, no = position.yes, position.no
    average_yes, average_no = average_price_micros(yes.cost + yes.fees, yes.bought), average_price_micros(no.cost + no.fees, no.bought)
    return effective_pair_cost(average_yes, average_no, policy.taker_fee_bps)


def _leg_average_after(leg: Leg, order: OrderPlan, fee: Micros) -> Micros:
    """Micro-dollars a share, fees included, after the simulated fill."""
    return average_price_micros(leg.cost + leg.fees + order.dollars + fee, leg.bought + order.shares)


def _sequential_entry(view: PairView, position: Position, policy: Policy) -> Intent | Reject:
    """One leg at a time: what is light first, otherwise the cheaper side within HEDGE_TOLERANCE."""
    imbalance = position.imbalance
    if imbalance:
        answer = _leg_entry(view, position, policy, position.heavy.other, abs(imbalance))
        if isinstance(answer, Intent):
            return answer
    cheaper = Outcome.YES if view.yes.best_ask <= view.no.best_ask else Outcome.NO
    heavier_by = abs(imbalance) if imbalance and cheaper is position.heavy else 0
    room = min(policy.hedge_tolerance, policy.forced_hedge_above) - heavier_by
    if room <= 0:
        return REJECT[Reason.IMBALANCE]
    return _leg_entry(view, position, policy, cheaper, room)


def _leg_entry(view: PairView, position: Position, policy: Policy, outcome: Outcome, room: Micros) -> Intent | Reject:
    order = _leg_order(view.book(outcome), outcome, min(policy.batch_shares, room), view.market)
    if order is None:
        return REJECT[Reason.TOO_THIN]
    fee = view.market.fee or NO_FEE
    order_fee = taker_fee(fee, order.price, order.shares)
    if position.spent + order.dollars + order_fee > policy.max_position:
        return REJECT[Reason.POSITION_CAP]
    bought = _leg_average_after(position.leg(outcome), order, order_fee)
    other = _average_or_ask(position.leg(outcome.other), view.book(outcome.other), fee)
    cost = effective_pair_cost(bought, other, policy.taker_fee_bps)
    if cost > policy.pair_limit_micros:
        return REJECT[Reason.PAIR_COST_TOO_HIGH]
    return Intent(Purpose.LEG, (order,), cost)


def _leg_order(book: Book, outcome: Outcome, most: Micros, market: Market) -> OrderPlan | None:
    price = book.best_ask
    if price >= PRICE_ONE:
        return None
    step = share_step(price) * MICRO
    shares = min(most, book.asks[price]) // step * step
    return buy_order(outcome, price, shares) if shares >= smallest_buy(price, market.min_order_shares) else None


def _average_or_ask(leg: Leg, book: Book, fee: FeeSchedule) -> Micros:
    """What the other side costs a share: its average so far, or its ask now when nothing of it is held."""
    if leg.bought:
        return average_price_micros(leg.cost + leg.fees, leg.bought)
    return book.best_ask * MICROS_PER_PRICE + taker_fee(fee, book.best_ask, MICRO)
