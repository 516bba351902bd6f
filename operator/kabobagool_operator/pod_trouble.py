"""Why a Pod does not run, out of the many places where Kubernetes says so: its phase, its conditions, the state of its container.

`pods.py` asks. The rules are asked in their order and the first that knows decides; the messages are those of the cluster, since whoever
reads them will search for their words.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from kabobagool_operator.bot_pod import CONTAINER
from kabobagool_operator.facts import PodTrouble

Body = Mapping[str, Any]

NOTHING: Final[Body] = {}
OVER: Final = frozenset({"Failed", "Succeeded"})
IMAGE_PULL: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable"}
)
CANNOT_START: Final = frozenset({"CrashLoopBackOff", "CreateContainerError", "RunContainerError"})
CONFIGURATION: Final = "CreateContainerConfigError"
LOOPS_FROM: Final = 3
LOOPS_WITHIN: Final = timedelta(minutes=10)
"""After so long without an end the kubelet forgives a container all earlier ones."""
LONGEST: Final = 300


class Trouble(msgspec.Struct, frozen=True):
    """What keeps a Pod from running, and the cluster's words for it. Without a `trouble` it is one that we mend ourselves."""

    trouble: PodTrouble | None
    message: str


def trouble_of(pod: Body, *, now: datetime) -> Trouble | None:
    """What keeps a Pod from running, None when nothing does, or nothing that is known by now."""
    return next((found for rule in RULES if (found := rule(pod, now)) is not None), None)


def restarts_of(pod: Body) -> int:
    """How often the bot was started again in this Pod."""
    return int(_container(pod).get("restartCount", 0))


def _sent_away(pod: Body, now: datetime) -> Trouble | None:
    """A container that ends is started again, so a Pod that is over was ended by its node."""
    status = _status(pod)
    if status.get("phase") not in OVER:
        return None
    return Trouble(PodTrouble.EVICTED, _words(status.get("reason"), status.get("message")))


def _unschedulable(pod: Body, now: datetime) -> Trouble | None:
    for condition in _status(pod).get("conditions") or []:
        if (condition.get("type"), condition.get("status"), condition.get("reason")) == ("PodScheduled", "False", "Unschedulable"):
            return Trouble(PodTrouble.UNSCHEDULABLE, _words(None, condition.get("message")))
    return None


def _no_image(pod: Body, now: datetime) -> Trouble | None:
    waiting = _waiting(pod)
    return Trouble(PodTrouble.IMAGE_PULL, _said(waiting)) if waiting.get("reason") in IMAGE_PULL else None


def _no_configuration(pod: Body, now: datetime) -> Trouble | None:
    """A Secret or a key in it is missing. So may be our own ConfigMap, and that is not the trader's to mend."""
    waiting = _waiting(pod)
    if waiting.get("reason") != CONFIGURATION:
        return None
    ours = str(waiting.get("message", "")).startswith("configmap ")
    return Trouble(None if ours else PodTrouble.CREDENTIALS, _said(waiting))


def _cannot_start(pod: Body, now: datetime) -> Trouble | None:
    waiting = _waiting(pod)
    if waiting.get("reason") not in CANNOT_START:
        return None
    return Trouble(PodTrouble.CRASH_LOOP, _last_words(pod) or _said(waiting))


def _ends_again_and_again(pod: Body, now: datetime) -> Trouble | None:
    """Between two ends a container looks as if it were starting."""
    container = _container(pod)
    if container.get("ready") or container.get("restartCount", 0) < LOOPS_FROM:
        return None
    ended = _end(container).get("finishedAt")
    recent = ended is not None and now - datetime.fromisoformat(ended) < LOOPS_WITHIN
    return Trouble(PodTrouble.CRASH_LOOP, _last_words(pod)) if recent else None


RULES: Final[tuple[Callable[[Body, datetime], Trouble | None], ...]] = (
    _sent_away,
    _unschedulable,
    _no_image,
    _no_configuration,
    _cannot_start,
    _ends_again_and_again,
)


def _status(pod: Body) -> Body:
    return pod.get("status") or NOTHING


def _container(pod: Body) -> Body:
    """The bot's own container; others may have been injected beside it."""
    return next((status for status in _status(pod).get("containerStatuses") or [] if status.get("name") == CONTAINER), NOTHING)


def _waiting(pod: Body) -> Body:
    return (_container(pod).get("state") or NOTHING).get("waiting") or NOTHING


def _end(container: Body) -> Body:
    """How the container ended last."""
    now, before = container.get("state") or NOTHING, container.get("lastState") or NOTHING
    return now.get("terminated") or before.get("terminated") or NOTHING


def _last_words(pod: Body) -> str:
    """How the bot ended last and what it said then, '' when it never ran."""
    end = _end(_container(pod))
    if not end:
        return ""
    lines = [line for line in str(end.get("message") or "").splitlines() if line.strip()]
    how = f"ended with status {end.get('exitCode')} ({end.get('reason', 'no reason')})"
    return _clipped(f"{how}: {lines[-1].strip()}" if lines else f"{how}.")


def _said(waiting: Body) -> str:
    return _words(waiting.get("reason"), waiting.get("message"))


def _words(reason: str | None, message: str | None) -> str:
    return _clipped(": ".join(part for part in (reason, message) if part))


def _clipped(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
