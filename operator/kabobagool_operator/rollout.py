"""Whose turn it is: which markets may have their bot made now, and which bots may be changed to a new configuration.

Computed about once a second over the whole fleet, by `fleet.py`; `plan.py` is told the part that concerns its market. Bots are made at a
steady rate and never more than a few are starting, so that neither the nodes nor the venue see a wave. A change goes to a few canaries
first; the others follow, a few at a time, when the canaries have been ready with it for a while, and stay as they are when one breaks.

Pure: what has to be remembered from one time to the next is handed back. An operator that was just started remembers nothing, and finds
in the cluster who the canaries were (their Deployments say so) and whether the change was stopped (the status of those that wait says so):
canaries that are well prove the change anew, and a stop stays.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from kabobagool_operator.facts import Slots
from kabobagool_operator.policy import Policy
from kabobagool_operator.rollout_rows import Row

BROKEN_COUNTS_S: Final = 300.0
"""A bot that does not come up counts as starting for so long: no wrong image fills a cluster, and no wrong market stops the fleet."""


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """A bot that tries a configuration for the others. `up_s`: since when it runs well with it, None while it does not."""

    name: str
    up_s: float | None = None


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """What one call hands to the next: creations that may still be used up, and who has a turn that is not over."""

    at_s: float | None = None
    credit: float = 0.0
    making: frozenset[str] = frozenset()
    canaries: tuple[Canary, ...] = ()
    rolling: frozenset[str] = frozenset()


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """The slots of every row by its name; `stopped` says why no configuration is rolled out, None when none is stopped."""

    slots: dict[str, Slots]
    memory: Memory
    stopped: str | None = None


def allot(rows: Iterable[Row], memory: Memory, policy: Policy, now_s: float) -> Allotment:
    """Give out turns, the oldest first."""
    line = sorted(rows, key=lambda row: (row.created_s, row.name))
    memory = _found_in_the_cluster(line) if memory.at_s is None else memory
    credit, making = _make_turns(line, memory, policy, now_s)
    wave = _Wave(line, memory, policy, now_s)
    stopped, may_roll = wave.stopped(), wave.turns()
    trying = {canary.name for canary in wave.canaries}
    slots = {
        row.name: Slots(
            may_create=row.name in making, may_roll=row.name in may_roll, stopped=stopped, canary=_mark(row, canary=row.name in trying)
        )
        for row in line
    }
    kept = Memory(at_s=now_s, credit=credit, making=making, canaries=wave.canaries, rolling=wave.rolling)
    return Allotment(slots=slots, memory=kept, stopped=stopped)


def _found_in_the_cluster(line: list[Row]) -> Memory:
    """What there is to remember for an operator that was just started."""
    canaries = tuple(Canary(name=row.name) for row in line if row.canary)
    if not any(row.stopped and row.outdated for row in line):
        return Memory(canaries=canaries)
    changed = frozenset(row.name for row in line if not row.missing and not row.outdated and not row.canary and row.trouble is not None)
    return Memory(canaries=canaries, rolling=changed)


def _mark(row: Row, *, canary: bool) -> bool | None:
    """What its Deployment is to say, None when there is nothing to change about it: most markets are no canary and never were one."""
    return canary if canary or row.canary else None


def _make_turns(line: list[Row], memory: Memory, policy: Policy, now_s: float) -> tuple[float, frozenset[str]]:
    """The credit that is left, and whose bot may be made: whoever was told so before and has not used it, then the next in line."""
    burst = max(float(policy.creations_per_second), 1.0)
    gained = burst if memory.at_s is None else (now_s - memory.at_s) * float(policy.creations_per_second)
    credit = min(memory.credit + max(gained, 0.0), burst)
    missing = [row.name for row in line if row.missing]
    room = max(policy.max_pending - sum(_is_starting(row, now_s) for row in line), 0)
    told = [name for name in missing if name in memory.making][:room]
    new = [name for name in missing if name not in memory.making][: min(room - len(told), int(credit))]
    return credit - len(new), frozenset(told + new)


def _is_starting(row: Row, now_s: float) -> bool:
    if row.missing or row.ready:
        return False
    return row.trouble is None or (row.made_s is not None and now_s - row.made_s < BROKEN_COUNTS_S)


class _Wave:
    """The roll-out that is under way: from the first bot that is outdated until none is."""

    def __init__(self, line: list[Row], memory: Memory, policy: Policy, now_s: float) -> None:
        self._rows = {row.name: row for row in line}
        self._policy = policy
        self._now_s = now_s
        self._waiting = [row.name for row in line if row.outdated and not row.down]
        self._broken = frozenset(row.name for row in line if row.outdated and row.down)
        on_their_way = frozenset(name for name in memory.rolling if name in self._rows and not self._rows[name].up)
        if self._waiting:
            self.canaries = self._chosen(memory)
            self.rolling = on_their_way
        else:  # it is over; who is broken now stays so for reasons of its own, and stands in nobody's way
            self.canaries = ()
            self.rolling = frozenset(name for name in on_their_way if self._rows[name].trouble is None)

    def stopped(self) -> str | None:
        """Why nobody may be changed now: a canary broke, or as many bots as may be down at a time did not come up again."""
        for canary in self.canaries:
            row = self._rows[canary.name]
            if not row.outdated and row.trouble is not None:
                return f"{row.name} runs with the new configuration and is not well: {row.trouble}. The others keep the old one."
        failed = sorted(name for name in self.rolling if not self._rows[name].outdated and self._rows[name].trouble is not None)
        if len(failed) < self._policy.rollout_max_unavailable:
            return None
        return f"{len(failed)} bots with the new configuration are not well: {', '.join(failed)}. The others keep the old one."

    def turns(self) -> frozenset[str]:
        """Who may be changed now.

        A bot that is broken as it is may be at any time, for it has nothing to lose.
        """
        names = {canary.name for canary in self.canaries}
        first = [name for name in self._waiting if name in names]
        others = [name for name in self._waiting if name not in names] if self._proven() else []
        line = sorted(first + others, key=lambda name: name not in self.rolling)
        down = sum(not self._rows[name].outdated for name in self.rolling)
        turns = frozenset(line[: max(self._policy.rollout_max_unavailable - down, 0)])
        self.rolling = frozenset(name for name in self.rolling if not self._rows[name].outdated) | turns
        return turns | self._broken

    def _chosen(self, memory: Memory) -> tuple[Canary, ...]:
        known = [self._seen(canary) for canary in memory.canaries if canary.name in self._rows]
        names = {canary.name for canary in known}
        wanted = max(self._policy.rollout_canaries - len(known), 0)
        healthy_first = sorted(self._waiting, key=lambda name: self._rows[name].trouble is not None)
        new = [name for name in healthy_first if name not in names][:wanted]
        return (*known, *(Canary(name=name) for name in new))

    def _seen(self, canary: Canary) -> Canary:
        since_s = self._now_s if canary.up_s is None else canary.up_s
        return Canary(name=canary.name, up_s=since_s if self._rows[canary.name].up else None)

    def _proven(self) -> bool:
        long_enough_s = self._policy.rollout_canary_s
        return all(canary.up_s is not None and self._now_s - canary.up_s >= long_enough_s for canary in self.canaries)
