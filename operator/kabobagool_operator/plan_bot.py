"""A market that wants a bot: made once the market is found and a slot is free, kept as it should be, changed when its turn comes.

Nothing that runs is stopped here. What cannot be known, made or changed now leaves the bot as it is; the reason says what is missing.
"""

from typing import Final

from kabobagool_operator.arbmarket_status import Phase
from kabobagool_operator.conditions import Condition, Reason
from kabobagool_operator.facts import BotDeployment, Resolution, Resolved
from kabobagool_operator.plan_beliefs import stop_before
from kabobagool_operator.plan_case import Case
from kabobagool_operator.plan_ready import bot_ready, settles_in_s
from kabobagool_operator.plan_step import DRAIN_LOOK_S, REFUSED_LOOK_S, SOON_S, Step, is_ready, not_ready
from kabobagool_operator.plan_types import Action

MAKE: Final = (Action.ADD_FINALIZER, Action.APPLY_BOT)
UNUSABLE: Final = frozenset({Reason.NOT_FOUND, Reason.AMBIGUOUS, Reason.UNSUPPORTED, Reason.INVALID})
"""The market cannot be traded before somebody changes the ArbMarket or the venue lists it; everything else passes by itself."""


def bot_step(case: Case) -> Step:
    """What to do for the bot of a market."""
    deployment = case.deployment
    if deployment is None or (deployment.replicas == 0 and not deployment.deleting):
        return _start(case)
    return _wait_for_the_old_one() if deployment.deleting else _keep(case)


def _start(case: Case) -> Step:
    """There is none: make it, or say what it waits for."""
    if (problem := _unusable(case)) is not None:
        return Step(phase=Phase.FAILED, ready=not_ready(Reason.INVALID, problem))
    if not case.tradable or not case.observed.desired_hash:
        return _wait_for_market(case.resolution)
    if case.paused:
        return Step(phase=Phase.PENDING, ready=not_ready(Reason.RECONCILIATION_PAUSED))
    if case.predecessor is not None:
        message = f"{case.predecessor} still holds the market and is ending; the next bot starts after it."
        return Step(phase=Phase.PENDING, ready=not_ready(Reason.STARTING, message), requeue_after_s=DRAIN_LOOK_S)
    return _make(case)


def _wait_for_the_old_one() -> Step:
    message = "The old Deployment is being deleted."
    return Step(phase=Phase.STARTING, ready=not_ready(Reason.STARTING, message), requeue_after_s=DRAIN_LOOK_S)


def _keep(case: Case) -> Step:
    """There is one: see that it is the one that should be there."""
    actions = _change(case)
    return Step(
        actions=(*(() if case.has_finalizer else (Action.ADD_FINALIZER,)), *actions),
        ready=_ready(case),
        requeue_after_s=_look_again_s(case, changing=bool(actions)),
    )


def _wait_for_market(resolution: Resolution) -> Step:
    message = "" if isinstance(resolution, Resolved) else resolution.message
    unusable = not isinstance(resolution, Resolved) and resolution.reason in UNUSABLE
    return Step(phase=Phase.FAILED if unusable else Phase.PENDING, ready=not_ready(Reason.WAITING_FOR_MARKET, message))


def _make(case: Case) -> Step:
    refused, may_create = case.observed.apply_refused, case.observed.slots.may_create
    actions = _making(case) if may_create else ()
    if refused is not None:
        phase = Phase.PENDING if case.observed.refused_by_quota else Phase.FAILED
        return Step(actions=actions, phase=phase, ready=not_ready(_refusal(case), refused), requeue_after_s=REFUSED_LOOK_S)
    if not may_create:
        return Step(phase=Phase.PENDING, ready=not_ready(Reason.WAITING_FOR_SLOT))  # the fleet wakes whose turn it is
    return Step(actions=actions, phase=Phase.STARTING, ready=not_ready(Reason.STARTING), requeue_after_s=SOON_S)


def _making(case: Case) -> tuple[Action, ...]:
    return MAKE[1:] if case.has_finalizer else MAKE


def _change(case: Case) -> tuple[Action, ...]:
    """Put right what somebody edited at once; a new configuration waits for its turn."""
    deployment, wanted = case.deployment, case.observed.desired_hash
    if deployment is None or case.paused or case.facts is None or not wanted or _unusable(case) is not None:
        return ()
    if deployment.config_hash == wanted:
        return (Action.APPLY_BOT,) if deployment.drifted else ()
    return (Action.APPLY_BOT,) if case.observed.slots.may_roll else ()


def _ready(case: Case) -> Condition:
    """How the bot is doing; while it does well, what keeps it from being the bot that it should be."""
    ready = bot_ready(case)
    if ready.reason is not Reason.RUNNING:
        return ready
    if (problem := _unusable(case)) is not None:
        return is_ready(Reason.INVALID, problem)
    deployment = case.deployment
    if deployment is None or not _differs(case, deployment):
        return ready
    if case.observed.apply_refused is not None:
        return is_ready(_refusal(case), case.observed.apply_refused)
    return ready if deployment.config_hash == case.observed.desired_hash else _turn(case, deployment)


def _turn(case: Case, deployment: BotDeployment) -> Condition:
    slots, difference = case.observed.slots, f"runs {deployment.config_hash}, wanted {case.observed.desired_hash}"
    if case.paused:
        return is_ready(Reason.ROLLOUT_PENDING, f"Frozen by annotation: {difference}.")
    stop = slots.stopped if slots.given else stop_before(case.status)
    if stop is not None and not slots.may_roll:
        return is_ready(Reason.ROLLOUT_STOPPED, stop)
    return is_ready(Reason.ROLLOUT_PENDING, f"Waits for its turn: {difference}.")


def _unusable(case: Case) -> str | None:
    return case.observed.config_problem if case.problem is None else case.problem


def _refusal(case: Case) -> Reason:
    return Reason.QUOTA if case.observed.refused_by_quota else Reason.REFUSED


def _differs(case: Case, deployment: BotDeployment) -> bool:
    wanted = case.observed.desired_hash
    return deployment.drifted or (bool(wanted) and deployment.config_hash != wanted)


def _look_again_s(case: Case, *, changing: bool) -> float | None:
    if changing:
        return SOON_S if case.observed.apply_refused is None else REFUSED_LOOK_S
    return settles_in_s(case)
