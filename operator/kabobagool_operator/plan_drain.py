"""How a bot is sent home: no new pair, hedges finish, then it is told to end, then its market is let go.

Five things send one home: its ArbMarket was deleted, suspended, is one too many for its market, or has a mode that the operator was not
installed for; or the market has ended. Each step follows from what is seen, so that an operator killed anywhere goes on where it was; all
that has to outlive it is `status.drain`.

Whoever cannot be asked is not waited for. A bot hedges by itself when it is told to end, so a gate that is away only means that it is told
at once, and the time a Pod may take to end bounds the rest: no namespace is ever blocked for longer than that.
"""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from kabobagool.engine.market_engine import EngineState
from kabobagool_operator.arbmarket_status import DrainFacts, Phase
from kabobagool_operator.bot_pod import GRACE_S
from kabobagool_operator.conditions import Reason
from kabobagool_operator.plan_case import Case
from kabobagool_operator.plan_leftovers import leftovers
from kabobagool_operator.plan_step import DRAIN_LOOK_S, SOON_S, Step, not_ready
from kabobagool_operator.plan_types import Action

SETTLE_S: Final = 5.0
"""After the mark was set a bot may finish what it had begun, and its report is up to three seconds old."""
PATIENCE_S: Final = 15
"""Beyond a Pod's termination grace, for the node to say that it is gone."""
UNREADABLE_TIMEOUT_S: Final = 60
"""The drain timeout of a spec that cannot be read: the default."""
UNFINISHED: Final = frozenset({EngineState.ORDERING, EngineState.ORPHAN, EngineState.FROZEN})
"""What a bot reports while it has something to finish."""


class Farewell(msgspec.Struct, frozen=True, kw_only=True):
    """Why a bot goes. `phase`: what its ArbMarket is in afterwards. `told_by`: the action that tells the bot to end.

    `marked`: whether the gate is told first. It is not where another ArbMarket trades the same market: the mark would stop that one too.
    """

    reason: Reason
    message: str = ""
    phase: Phase
    told_by: Action = Action.REMOVE_BOT
    marked: bool = True


def send_home(case: Case, why: Farewell) -> Step:
    """The next step of a drain, or what is left to do after it."""
    if _is_gone(case, why):
        return _gone(case, why)
    drain = drain_of(case)
    if case.metadata.deleting and case.now >= give_up_at(case, drain):
        return _given_up(case, why)
    return Step(
        actions=_next_actions(case, why, drain),
        phase=Phase.DRAINING,
        ready=not_ready(Reason.DRAINING, why.message),
        drain=drain,
        requeue_after_s=DRAIN_LOOK_S if case.now < give_up_at(case, drain) else SOON_S,
    )


def drain_of(case: Case) -> DrainFacts:
    """The drain that is under way, or one that begins now."""
    now = case.now.replace(microsecond=0)
    started_at = min(case.status.drain.started_at, now) if case.status.drain else now
    return DrainFacts(started_at=started_at, deadline=started_at + timedelta(seconds=_timeout_s(case)))


def give_up_at(case: Case, drain: DrainFacts) -> datetime:
    """After this nothing is waited for: every bot has been told, and the Pod's own grace is over."""
    return drain.deadline + timedelta(seconds=_timeout_s(case) + GRACE_S + PATIENCE_S)


def _timeout_s(case: Case) -> int:
    return case.spec.drain_timeout_seconds if case.spec else UNREADABLE_TIMEOUT_S


def _is_gone(case: Case, why: Farewell) -> bool:
    stays = why.told_by is Action.SCALE_TO_ZERO
    return not case.has_bot and (stays or case.deployment is None)


def _next_actions(case: Case, why: Farewell, drain: DrainFacts) -> tuple[Action, ...]:
    deployment = case.deployment
    if deployment is None or deployment.deleting:
        return ()
    if deployment.replicas == 0:
        return () if why.told_by is Action.SCALE_TO_ZERO else (why.told_by,)
    if not why.marked or not case.gate.reachable or case.now >= drain.deadline or _nobody_runs(case):
        return (why.told_by,)
    if not case.closed_to_pairs:
        return (Action.MARK_DRAINING,)
    return (why.told_by,) if _has_finished(case, drain) else ()


def _nobody_runs(case: Case) -> bool:
    return not case.pods and not case.ready and case.report is None


def _has_finished(case: Case, drain: DrainFacts) -> bool:
    """Nothing is on its way, and the report that says so was written after the gate was closed to new pairs."""
    if case.gate.open_intents is not False:
        return False
    if case.report is None:
        return True
    return case.report.phase not in UNFINISHED and case.now >= drain.started_at + timedelta(seconds=SETTLE_S)


def _gone(case: Case, why: Farewell) -> Step:
    ending_now = case.metadata.deleting or case.status.drain is not None
    return Step(
        actions=(*_lift(case, why), *_let_go(case)),
        phase=why.phase,
        ready=not_ready(why.reason, why.message),
        notices=leftovers(case, marked=why.marked) if ending_now else (),
    )


def _given_up(case: Case, why: Farewell) -> Step:
    """The resource goes although something of its bot is still there; the mark stays, for the bot may be alive where nobody sees it."""
    told = (why.told_by,) if case.deployment is not None and not case.deployment.deleting else ()
    return Step(
        actions=(*told, *_let_go(case)),
        phase=why.phase,
        ready=not_ready(Reason.DRAINING, why.message),
        notices=leftovers(case, marked=why.marked),
        drain=case.status.drain,
        requeue_after_s=SOON_S,
    )


def _lift(case: Case, why: Farewell) -> tuple[Action, ...]:
    """While it is suspended the market stays closed to new pairs, whoever might want to trade it."""
    stays = why.told_by is Action.SCALE_TO_ZERO
    ours = case.own_mark or case.status.drain is not None
    return (Action.LIFT_DRAINING,) if why.marked and not stays and ours and case.gate.reachable else ()


def _let_go(case: Case) -> tuple[Action, ...]:
    return (Action.REMOVE_FINALIZER,) if case.metadata.deleting and case.has_finalizer else ()
