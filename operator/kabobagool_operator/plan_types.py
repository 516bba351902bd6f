"""What a plan is made of: the actions an ArbMarket calls for, and what is said of it.

`plan.py` makes plans, `apply_plan.py` carries their actions out in this order, `report.py` writes the rest into the status. Actions are
level-triggered: each is safe to repeat, and one that was lost in a crash comes again with the next plan.
"""

from enum import StrEnum

import msgspec

from kabobagool_operator.arbmarket_status import DrainFacts, Phase
from kabobagool_operator.conditions import Condition


class Action(StrEnum):
    """One thing to do, in the order in which they are done."""

    ADD_FINALIZER = "add finalizer"
    MARK_DRAINING = "mark draining"
    """Tell the gate that nothing new is opened in this market."""
    APPLY_BOT = "apply bot"
    """Configuration and Deployment with one replica, as desired now."""
    SCALE_TO_ZERO = "scale to zero"
    REMOVE_BOT = "remove bot"
    """Delete Deployment and configuration; the bot hedges when it is told to end."""
    LIFT_DRAINING = "lift draining"
    """Take the mark at the gate away again, if it is ours."""
    REMOVE_FINALIZER = "remove finalizer"


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """An Event that is no transition of a condition, such as a position that was left."""

    reason: str
    message: str
    warning: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to do now and what to say. `requeue_after_s`: when to look again at the latest, None when nothing but a change calls for it.

    `summary` is the short line of the wide table; `drain` is there while one is under way, and is how the next plan knows since when.
    """

    actions: tuple[Action, ...] = ()
    phase: Phase
    summary: str
    conditions: tuple[Condition, ...]
    notices: tuple[Notice, ...] = ()
    drain: DrainFacts | None = None
    requeue_after_s: float | None = None
