"""Whether the bot's Pod is in order, and if not, what is in its way. Read by the `Ready` condition, and by `Degraded` when it is serious.

The Pod alone decides: a bot that is ready and says nothing is ready, and `MarketDataFresh` says that nobody hears it.
"""

from typing import Final

import msgspec

from kabobagool_operator.conditions import Condition, Reason
from kabobagool_operator.facts import PodTrouble
from kabobagool_operator.plan_case import SILENT_AFTER_S, Case
from kabobagool_operator.plan_step import is_ready, not_ready

STARTUP_S: Final = 60.0
"""A Pod may take so long to become ready; later there is something wrong with it."""
REASONS: Final[dict[PodTrouble, Reason]] = {
    PodTrouble.CREDENTIALS: Reason.CREDENTIALS_MISSING,
    PodTrouble.IMAGE_PULL: Reason.IMAGE_PULL,
    PodTrouble.CRASH_LOOP: Reason.CRASH_LOOP,
    PodTrouble.UNSCHEDULABLE: Reason.UNSCHEDULABLE,
    PodTrouble.EVICTED: Reason.EVICTED,
}


class Obstacle(msgspec.Struct, frozen=True):
    """What keeps a bot from its work, and the words for it."""

    reason: Reason
    message: str = ""


def obstacle(case: Case) -> Obstacle | None:
    """The first thing that is wrong with the bot as a Pod.

    A rival comes first: a bot that is refused its market ends, and then looks like one that crashes.
    """
    if case.rival is not None:
        return Obstacle(Reason.LEASE_HELD, f"{case.rival} holds the market at the order gate. Stop one of the two.")
    if case.ready:
        return None
    return _pod_obstacle(case) or _no_pods(case) or _slow(case)


def bot_ready(case: Case) -> Condition:
    """`Ready` of a market that has a bot."""
    found = obstacle(case)
    if found is not None:
        return not_ready(found.reason, found.message)
    if not case.ready:
        return not_ready(Reason.STARTING, case.pod.message if case.pod else "")
    return is_ready(Reason.BOT_SILENT) if is_silent(case) else is_ready(Reason.RUNNING)


def is_silent(case: Case) -> bool:
    """Whether the bot should be heard and is not."""
    grown = case.pod is None or case.pod.age_s >= SILENT_AFTER_S
    return case.gate.reachable and case.ready and grown and case.report is None


def settles_in_s(case: Case) -> float | None:
    """When time alone changes what is said of the Pod; None when it does not."""
    pod = case.pod
    if pod is None:
        return None if case.ready else STARTUP_S
    limit_s = SILENT_AFTER_S if pod.ready else STARTUP_S
    return limit_s - pod.age_s + 0.1 if pod.age_s < limit_s and not (pod.ready and case.report) else None


def _pod_obstacle(case: Case) -> Obstacle | None:
    pod = case.pod
    if pod is not None:
        return Obstacle(REASONS[pod.trouble], pod.message) if pod.trouble is not None else None
    sent_away = next((pod for pod in case.observed.pods if pod.trouble is PodTrouble.EVICTED), None)
    return Obstacle(Reason.EVICTED, sent_away.message) if sent_away is not None else None


def _no_pods(case: Case) -> Obstacle | None:
    if case.pod is None and case.deployment is not None and case.deployment.quota_message:
        message = case.deployment.quota_message
        return Obstacle(Reason.QUOTA if "quota" in message else Reason.REFUSED, message)
    return None


def _slow(case: Case) -> Obstacle | None:
    pod = case.pod
    return Obstacle(Reason.NOT_READY, pod.message) if pod is not None and pod.age_s >= STARTUP_S else None
