"""What to do with a naked leg: a normal state with a policy, not an accident.

A second leg that was killed, a settlement that failed or a restart in between leaves more of one outcome than of the other. The policy,
asked by the engine whenever it may act: buy the missing side while the loss stays within ORPHAN_LOSS_CAP; after ORPHAN_RETRY_S the
cheaper of that and selling the surplus; otherwise hold and say so loudly.
"""

from kabobagool.domain.book import PairView
from kabobagool.domain.decision import REJECT, forced_hedge, hedge_loss, leg_objection
from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.fees import DEAREST_FEE, taker_fee
from kabobagool.domain.intent import Intent, OrderPlan, Purpose, Reject
from kabobagool.domain.money import MICRO, Micros
from kabobagool.domain.position import Position
from kabobagool.domain.sizing import sell_order


def is_orphan(position: Position, policy: Policy, min_order_shares: Micros) -> bool:
    """Whether a leg is naked by more than dust. In sequential mode a leg may wait for its hedge up to HEDGE_TOLERANCE."""
    allowed = 0 if policy.paired else policy.forced_hedge_above
    return abs(position.imbalance) > max(allowed, min_order_shares - 1)


def resolve_orphan(
    view: PairView,
    position: Position,
    policy: Policy,
    *,
    naked_since_ms: int,
    settled_shares: Micros,
    now_ms: int,
    can_pay: bool = True,
) -> Intent | Reject:
    """The next step for a naked leg.

    `settled_shares` are the confirmed shares of the heavy side: only those can be sold. A wallet that cannot pay for the missing side sells
    at once.
    """
    if not can_pay:
        return _unwind(view, position, policy, settled_shares, now_ms)
    hedge = forced_hedge(view, position, policy, now_ms)
    if now_ms - naked_since_ms < policy.orphan_retry_ms:
        return hedge
    unwind = _unwind(view, position, policy, settled_shares, now_ms)
    if isinstance(hedge, Intent) and isinstance(unwind, Intent):
        selling, buying = unwind.orders[0], hedge.orders[0]
        loss_selling = unwind_loss(view, position, selling)
        loss_buying = hedge_loss(position, buying, view.market.fee or DEAREST_FEE)
        return unwind if loss_selling * buying.shares < loss_buying * selling.shares else hedge  # loss a share
    return unwind if isinstance(unwind, Intent) else hedge


def unwind_loss(view: PairView, position: Position, order: OrderPlan) -> Micros:
    """Dollars lost for good by selling the surplus at the order's limit price, with all fees."""
    cost = position.cost_of_surplus(order.shares)
    fee = taker_fee(view.market.fee or DEAREST_FEE, order.price, order.shares)
    return cost - order.dollars + fee


def _unwind(view: PairView, position: Position, policy: Policy, settled_shares: Micros, now_ms: int) -> Intent | Reject:
    heavy = position.heavy
    objection = leg_objection(view, heavy, policy, now_ms)
    if objection is not None:
        return REJECT[objection]
    surplus = abs(position.imbalance)
    if settled_shares < surplus:
        return REJECT[Reason.ORPHAN_WAITS_FOR_SETTLEMENT]
    order = sell_order(heavy, view.book(heavy).bid_levels(), surplus, view.market.min_order_shares)
    if order is None:
        return REJECT[Reason.TOO_THIN]
    if unwind_loss(view, position, order) > policy.orphan_loss_cap:
        return REJECT[Reason.ORPHAN_LOSS_CAP]
    return Intent(Purpose.UNWIND, (order,), MICRO)
