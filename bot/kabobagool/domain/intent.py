"""What a decision wants done.

Orders in the order they are to be sent, and why. Made by `decision.py` and the orphan policy, carried out by the engine.
"""

from enum import StrEnum

import msgspec

from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import Micros, Price


class Purpose(StrEnum):
    """Why orders leave; decides their priority at the gate."""

    PAIR = "pair"
    LEG = "leg"
    HEDGE = "hedge"
    UNWIND = "unwind"


class OrderPlan(msgspec.Struct, frozen=True):
    """One fill-or-kill order, its amounts already such that the venue can represent them.

    BUY: spend `dollars` at up to `price` for at least `shares`. SELL: `shares` for at least `dollars`, at `price` or better. `dollars` is
    exactly `price * shares`: amounts are chosen before, never rounded after.
    """

    outcome: Outcome
    side: Side
    price: Price
    shares: Micros
    dollars: Micros


class Intent(msgspec.Struct, frozen=True):
    """Orders to send one after the other, the next only when the one before filled.

    `pair_cost` is what a pair is expected to cost, micro-dollars.
    """

    purpose: Purpose
    orders: tuple[OrderPlan, ...]
    pair_cost: Micros


class Reject(msgspec.Struct, frozen=True):
    """Nothing is to be done, and the one reason for it (see `edge.Reason`)."""

    reason: str
