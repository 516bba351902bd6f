"""Whether the operator is alive and ready, judged by what it gets done and not by whether its event loop turns.

An operator whose watches went silent, whose queue is stuck or whose Lease is stale looks healthy to anybody who only asks whether it
answers; it is the bot that died silently. Pure: `main.py` gathers the facts and `probe_server.py` serves the judgement.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from kabobagool_operator.policy import Policy
from kabobagool_operator.watch_activity import inactivity_s

MISSED_WATCHES: Final = 3


class ProbeReason(StrEnum):
    """Why the operator is not alive or not ready: the same word in the answer, the log and the runbooks."""

    WATCH_SILENT = "watch_silent"
    WORK_STUCK = "work_stuck"
    QUEUE_STUCK = "queue_stuck"
    LEASE_STALE = "lease_stale"
    API_SERVER_OUT_OF_REACH = "api_server_out_of_reach"
    NOT_LISTED_YET = "not_listed_yet"
    CHECK_FAILED = "check_failed"


class ProbeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, in seconds.

    `watch_silence_s` and `unlisted` are those of `watch_activity.py`, empty on a standby, which watches nothing; `longest_running_s` and
    `oldest_age_s` those of the work queue. `lease_age_s` is None for a process that was not elected, `contact_age_s` None when the API
    server has never answered about the Lease.
    """

    watch_silence_s: Mapping[str, float] = {}
    unlisted: tuple[str, ...] = ()
    longest_running_s: float = 0.0
    oldest_age_s: float = 0.0
    lease_age_s: float | None = None
    contact_age_s: float | None = None


class ProbeLimits(NamedTuple):
    """From when on a fact is a complaint, in seconds.

    `watch_silence_s` is three times the inactivity after which the framework begins a watch again; one that lives does so every minute.
    These are the usual ones; `limits_of` makes those of an installation.
    """

    watch_silence_s: float = 210.0
    longest_running_s: float = 300.0
    oldest_age_s: float = 600.0
    lease_age_s: float = 15.0
    contact_age_s: float = 60.0


USUAL: Final = ProbeLimits()


def limits_of(policy: Policy) -> ProbeLimits:
    """The limits that go with how an installation was told to work."""
    return ProbeLimits(
        watch_silence_s=MISSED_WATCHES * inactivity_s(policy.watch_s),
        longest_running_s=policy.stuck_s,
        oldest_age_s=2 * policy.stuck_s,
        lease_age_s=policy.lease_s,
    )


class Complaint(NamedTuple):
    """What is wrong, and with whom or since when."""

    reason: ProbeReason
    text: str


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a probe: good without complaints."""

    complaints: tuple[Complaint, ...] = ()

    @property
    def good(self) -> bool:
        """Whether there is nothing to complain about."""
        return not self.complaints

    def as_dict(self) -> dict[str, Any]:
        """The answer's JSON."""
        texts = [f"{complaint.reason}: {complaint.text}" for complaint in self.complaints]
        return {"status": "ok" if self.good else "failing", "complaints": texts}


def judge_liveness(facts: ProbeFacts, limits: ProbeLimits = USUAL) -> Verdict:
    """Whether the operator does its work. A standby and one that has nothing to do are alive."""
    return Verdict((*_silent_watches(facts, limits), *_stuck_work(facts, limits), *_stale_lease(facts, limits)))


def judge_readiness(facts: ProbeFacts, limits: ProbeLimits = USUAL) -> Verdict:
    """Whether the operator could do its work: a leader that knows all objects, or a standby that could take over."""
    return Verdict((*_out_of_reach(facts, limits), *(Complaint(ProbeReason.NOT_LISTED_YET, kind) for kind in facts.unlisted)))


def _silent_watches(facts: ProbeFacts, limits: ProbeLimits) -> list[Complaint]:
    silent = {kind: silence_s for kind, silence_s in facts.watch_silence_s.items() if not silence_s <= limits.watch_silence_s}
    return [Complaint(ProbeReason.WATCH_SILENT, f"{kind} for {silence_s:.0f} s") for kind, silence_s in silent.items()]


def _stuck_work(facts: ProbeFacts, limits: ProbeLimits) -> list[Complaint]:
    found = []
    if not facts.longest_running_s <= limits.longest_running_s:
        found.append(Complaint(ProbeReason.WORK_STUCK, f"one market has been worked on for {facts.longest_running_s:.0f} s"))
    if not facts.oldest_age_s <= limits.oldest_age_s:
        found.append(Complaint(ProbeReason.QUEUE_STUCK, f"one market has waited for {facts.oldest_age_s:.0f} s"))
    return found


def _stale_lease(facts: ProbeFacts, limits: ProbeLimits) -> list[Complaint]:
    if facts.lease_age_s is None or facts.lease_age_s <= limits.lease_age_s:
        return []
    return [Complaint(ProbeReason.LEASE_STALE, f"this process was elected and has not renewed for {facts.lease_age_s:.0f} s")]


def _out_of_reach(facts: ProbeFacts, limits: ProbeLimits) -> list[Complaint]:
    if facts.contact_age_s is None:
        return [Complaint(ProbeReason.API_SERVER_OUT_OF_REACH, "it has not answered yet")]
    if facts.contact_age_s <= limits.contact_age_s:
        return []
    return [Complaint(ProbeReason.API_SERVER_OUT_OF_REACH, f"it has not answered for {facts.contact_age_s:.0f} s")]
