"""Orders that were signed before anybody wanted them.

While nothing happens, the orders that are likely next are signed, so that a decision finds its signature ready. What was signed for other
prices or sizes is thrown away, and so is what has grown old: the venue sees an order's time. `fast.py` keeps one of these.
"""

from collections.abc import Callable, Sequence
from typing import Final

from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.execution.client import SignedOrder
from kabobagool.gate.lane import Lane

FRESH_MS: Final = 3_000
"""How old a signature may be when it is used."""
RENEWED_MS: Final = 1_500
"""From which age on a signature is made anew when its order is foreseen again, before it is too old to be used."""
PACE_MS: Final = 25
"""One signature in so many milliseconds in the long run, over all markets: a fleet must not spend itself on what may never be wanted."""
BURST: Final = 20
MICROS_A_MS: Final = 1_000
Sign = Callable[[OrderPlan, Market], SignedOrder]


class PresignedOrders:
    """The orders of each market that were foreseen last. Every one of them is handed out once at most."""

    def __init__(self) -> None:
        self._ready: dict[str, dict[OrderPlan, SignedOrder]] = {}
        self._lane = Lane(interval_us=PACE_MS * MICROS_A_MS, burst=BURST, tokens_at_start=BURST, now_us=0)

    def foresee(self, plans: Sequence[OrderPlan], market: Market, sign: Sign, *, now_ms: int) -> None:
        """Have these orders of a market ready, as far as the pace allows, and no others; only those that are not ready yet are signed."""
        former = self._ready.pop(market.condition_id, {})
        ready: dict[OrderPlan, SignedOrder] = {}
        for plan in plans:
            order = former.get(plan)
            if order is not None and _fits(order, market, now_ms, RENEWED_MS):
                ready[plan] = order
            elif self._may_sign(now_ms):
                ready[plan] = sign(plan, market)
        if ready:
            self._ready[market.condition_id] = ready

    def take(self, plan: OrderPlan, market: Market, *, now_ms: int) -> SignedOrder | None:
        """The order, if it was foreseen and is still fresh; it is gone afterwards."""
        ready = self._ready.get(market.condition_id)
        order = ready.pop(plan, None) if ready else None
        return order if order is not None and _fits(order, market, now_ms, FRESH_MS) else None

    def _may_sign(self, now_ms: int) -> bool:
        now_us = now_ms * MICROS_A_MS
        if self._lane.wait_us(1, now_us) > 0:
            return False
        self._lane.take(1, now_us)
        return True


def _fits(order: SignedOrder, market: Market, now_ms: int, oldest_ms: int) -> bool:
    """Whether it is young, and an order of the market as it is known now."""
    then = order.market
    same = then is market or (then.tokens == market.tokens and then.neg_risk == market.neg_risk)
    return same and 0 <= now_ms - order.signed_ms <= oldest_ms
