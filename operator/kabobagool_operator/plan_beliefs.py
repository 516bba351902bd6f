"""What is held true when nobody can be asked: what the venue said last, whether a change was stopped, whose bot a name at the gate is.

An operator that was just started, or a venue that is away, must change nothing: the status says what was true before.
`plan_case.py`, `plan_bot.py` and `turns.py` ask.
"""

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.conditions import MEANINGS, Condition, Reason, Truth, Type
from kabobagool_operator.facts import Resolution, Resolved, Unresolved

POD_SUFFIX: Final = re.compile(r"-[a-z0-9]{1,10}-[bcdfghjklmnpqrstvwxz2456789]{5}")
"""What a Deployment's Pods have behind its name: the hash of the template, and five characters in which no word can be written."""
UNHEARD: Final = frozenset({Reason.NOT_TRIED, Reason.VENUE_UNAVAILABLE})
"""These say nothing about the market."""


def believed(said: Resolution | None, status: Status) -> Resolution:
    """What the venue says, or said before when it says nothing now."""
    if isinstance(said, Resolved) or (said is not None and (said.ended or said.reason not in UNHEARD)):
        return said
    before, facts = kept(status), (said and said.facts) or status.market
    if before is not None and before.status is Truth.TRUE and facts is not None:
        return Resolved(facts)
    if before is not None and before.reason is Reason.CLOSED:
        return Unresolved(reason=Reason.CLOSED, message=before.message, ended=True, facts=facts)
    if said is None and before is not None:
        return Unresolved(reason=before.reason, message=before.message, facts=facts)
    return said or Unresolved(reason=Reason.NOT_TRIED, message=MEANINGS[Reason.NOT_TRIED], facts=facts)


def stop_before(status: Status) -> str | None:
    """Why the change that the market waits for did not go on, as it was written last; None when nothing stopped it."""
    ready = status.condition(Type.READY)
    return ready.message if ready is not None and ready.reason == Reason.ROLLOUT_STOPPED else None


def kept(status: Status) -> Condition | None:
    """The condition `Resolved` as it was written last; None when it was not, or by a version that knows other words."""
    old = status.condition(Type.RESOLVED)
    with suppress(ValueError):
        if old is not None:
            return Condition(type=Type.RESOLVED, status=Truth(old.status), reason=Reason(old.reason), message=old.message)
    return None


def is_bot_of(holder: str, *, pods: Collection[str], deployments: Collection[str]) -> bool:
    """Whether a holder at the gate, `user@host/process/random`, is a Pod of ours.

    Pods that are gone are recognized by their names: the gate goes on naming one for as long as its lease lasts.
    """
    host = holder.partition("/")[0].rpartition("@")[2]
    return host in pods or any(host.startswith(name) and POD_SUFFIX.fullmatch(host, len(name)) is not None for name in deployments)
