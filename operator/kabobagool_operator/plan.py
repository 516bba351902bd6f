"""The plan: what one ArbMarket calls for now, decided from what is seen, and nothing done.

`reconcile.py` asks, `apply_plan.py` acts, `report.py` writes. Pure: the same facts give the same plan, whatever happened before, so an
operator may be killed at any moment. The rules are asked in the order in which they stand here, and the first that has something to say
decides; every row of docs/lifecycle.md is one way through them.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_spec import Spec
from kabobagool_operator.arbmarket_status import Phase, Status
from kabobagool_operator.conditions import Condition, Reason, Truth, Type
from kabobagool_operator.facts import Observed, Resolved
from kabobagool_operator.plan_bot import bot_step
from kabobagool_operator.plan_case import Case
from kabobagool_operator.plan_conditions import conditions_of
from kabobagool_operator.plan_drain import Farewell, send_home
from kabobagool_operator.plan_step import Step
from kabobagool_operator.plan_types import Action, Plan
from kabobagool_operator.policy import Policy

Rule = Callable[[Case], Step | None]


def plan(market: ArbMarket, observed: Observed, policy: Policy, now: datetime) -> Plan:
    """What to do about a market, and what to say of it."""
    return judge(_case(market.metadata, market.status, observed, policy, now, spec=market.spec), policy)


def plan_unreadable(metadata: Metadata, status: Status, error: ArbMarketError, observed: Observed, policy: Policy, now: datetime) -> Plan:
    """The same for an ArbMarket whose spec cannot be read: a bot it has goes on as it is, and it can be deleted."""
    return judge(_case(metadata, status, observed, policy, now, problem=str(error)), policy)


def judge(case: Case, policy: Policy) -> Plan:
    """Ask the rules, then say how everything is."""
    step = next(step for rule in RULES if (step := rule(case)) is not None)
    conditions = conditions_of(case, step.ready, draining=step.drain is not None)
    return Plan(
        actions=_in_order(step.actions),
        phase=step.phase or _phase(conditions),
        summary=_summary(conditions),
        conditions=conditions,
        notices=step.notices,
        drain=step.drain,
        requeue_after_s=policy.resync_s if step.requeue_after_s is None else step.requeue_after_s,
    )


def _case(
    metadata: Metadata,
    status: Status,
    observed: Observed,
    policy: Policy,
    now: datetime,
    *,
    spec: Spec | None = None,
    problem: str | None = None,
) -> Case:
    return Case(
        metadata=metadata,
        status=status,
        spec=spec,
        observed=observed,
        now=now,
        problem=problem,
        gate_is_expected=policy.redis_url is not None,
        mode_problem=policy.objection(spec.mode) if spec is not None else None,
    )


def deleted(case: Case) -> Step | None:
    """Somebody deleted it: the bot goes, and then the resource may."""
    if not case.metadata.deleting:
        return None
    alone = case.observed.duplicate_of is None
    return send_home(case, Farewell(reason=Reason.NO_BOT, message="Deleted.", phase=Phase.DRAINING, marked=alone))


def superfluous(case: Case) -> Step | None:
    """An older ArbMarket trades the same market, so this one must not."""
    older = case.observed.duplicate_of
    if older is None:
        return None
    message = f"{older} trades the same market. Delete one of the two."
    return send_home(case, Farewell(reason=Reason.DUPLICATE, message=message, phase=Phase.FAILED, marked=False))


def over(case: Case) -> Step | None:
    """The market has ended."""
    if not case.ended or isinstance(case.resolution, Resolved):
        return None
    return send_home(case, Farewell(reason=Reason.CLOSED, message=case.resolution.message, phase=Phase.CLOSED))


def suspended(case: Case) -> Step | None:
    """Somebody wants no bot for now."""
    if case.spec is None or not case.spec.suspend:
        return None
    return send_home(case, Farewell(reason=Reason.SUSPENDED, phase=Phase.SUSPENDED, told_by=Action.SCALE_TO_ZERO))


def out_of_place(case: Case) -> Step | None:
    """The operator, as it was installed, has no bots of this mode; one that is left from before must not go on as what nobody asked for."""
    if case.spec is None or case.mode_problem is None:
        return None
    message = f"spec.mode={case.spec.mode}: {case.mode_problem}"
    return send_home(case, Farewell(reason=Reason.MODE_UNAVAILABLE, message=message, phase=Phase.FAILED))


def wanted(case: Case) -> Step:
    """There should be a bot, and its market open to new pairs: a suspension may have ended, or an operator died in a drain."""
    step = bot_step(case)
    shut_by_us = case.own_mark or case.status.drain is not None
    return replace(step, actions=(*step.actions, Action.LIFT_DRAINING)) if shut_by_us and case.gate.reachable else step


RULES: Final[tuple[Rule, ...]] = (
    deleted,  # a deletion must come to an end whatever else is wrong
    superfluous,  # two bots of one market would stand in each other's way
    over,  # nothing can be traded any more
    suspended,
    out_of_place,
    wanted,  # from here on nothing stops a bot that trades
)


def _in_order(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    return tuple(action for action in Action if action in actions)


def _phase(conditions: tuple[Condition, ...]) -> Phase:
    said = {condition.type: condition.status for condition in conditions}
    if said[Type.DEGRADED] is Truth.TRUE:
        return Phase.DEGRADED
    return Phase.RUNNING if said[Type.READY] is Truth.TRUE else Phase.STARTING


def _summary(conditions: tuple[Condition, ...]) -> str:
    """The reason that explains most, in one word: what is wrong, else what is missing, else who stopped it, else what the bot does."""
    said = {condition.type: condition for condition in conditions}
    telling = ((Type.DEGRADED, Truth.TRUE), (Type.READY, Truth.FALSE), (Type.PAUSED, Truth.TRUE))
    ready = said[Type.READY]
    otherwise = said[Type.TRADING] if ready.reason is Reason.RUNNING else ready
    found = next((said[about] for about, truth in telling if said[about].status is truth), otherwise)
    return (said[Type.RESOLVED] if found.reason is Reason.WAITING_FOR_MARKET else found).reason.value
