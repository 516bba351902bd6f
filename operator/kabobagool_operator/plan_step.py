"""What one rule of the plan decided, before the rest of the conditions is filled in. Rules make these, `plan.py` makes Plans of them."""

from typing import Final

import msgspec

from kabobagool_operator.arbmarket_status import DrainFacts, Phase
from kabobagool_operator.conditions import Condition, Reason, Truth, Type
from kabobagool_operator.plan_types import Action, Notice

DRAIN_LOOK_S: Final = 2.0
"""A drain is looked at so often; the gate itself is not read more often."""
SOON_S: Final = 5.0
"""When something is under way that would be heard of anyway."""
REFUSED_LOOK_S: Final = 60.0
"""What the API server refused is tried again after so long, in case somebody changed a rule or a quota."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """Actions, and the condition `Ready`. `phase` is None where it follows from how the bot is doing."""

    ready: Condition
    actions: tuple[Action, ...] = ()
    phase: Phase | None = None
    notices: tuple[Notice, ...] = ()
    drain: DrainFacts | None = None
    requeue_after_s: float | None = None


def is_ready(reason: Reason, message: str = "") -> Condition:
    """`Ready` is true."""
    return Condition(type=Type.READY, status=Truth.TRUE, reason=reason, message=message)


def not_ready(reason: Reason, message: str = "") -> Condition:
    """`Ready` is false."""
    return Condition(type=Type.READY, status=Truth.FALSE, reason=reason, message=message)
