"""The fleet as a whole, once a second: whose turn it is to be made or changed, and which ArbMarkets ask for the same market.

`reconcile.py` hands in what each look found and `observe.py` reads the turns; a market whose turn changed is looked at again. Nobody gets a
turn before every market that was there at the start has been looked at once: an operator that was just started must not believe that
nothing is running.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from kabobagool.clock import Clock
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.caches import Caches
from kabobagool_operator.directory import Directory
from kabobagool_operator.facts import Slots
from kabobagool_operator.labels import PINNED, origin_of
from kabobagool_operator.policy import Policy
from kabobagool_operator.rollout import Memory, allot
from kabobagool_operator.rollout_rows import Row

TICK_S: Final = 1.0
HELD: Final = Slots(may_create=False, may_roll=False)
NOT_YET: Final = replace(HELD, given=False)


class Fleet:
    """`wake` has a market looked at. Not for use from several threads."""

    def __init__(self, caches: Caches, directory: Directory, policy: Policy, *, clock: Clock, wake: Callable[[str], None]) -> None:
        self._caches = caches
        self._directory = directory
        self._policy = policy
        self._clock = clock
        self._wake = wake
        self._rows: dict[str, Row] = {}
        self._starting: set[str] = set()
        self._slots: dict[str, Slots] = {}
        self._unseen: set[str] = set()
        self._memory = Memory()
        self._changed = True
        self._news = True
        self._market_changes = 0

    @property
    def starting(self) -> int:
        """How many bots have been made and are not ready yet, for no reason that would last."""
        return len(self._starting)

    def counts(self) -> Mapping[tuple[str, str], int]:
        """How many ArbMarkets there are by phase and origin."""
        return Counter(
            (_phase(seen.brief), PINNED if seen.brief is None else origin_of(seen.brief.metadata.labels))
            for seen in self._caches.markets.values()
        )

    def markets(self) -> list[ArbMarket]:
        """All ArbMarkets that can be read, without their conditions."""
        return [seen.brief for seen in self._caches.markets.values() if seen.brief is not None]

    def slots(self, name: str) -> Slots:
        """What a market may do now."""
        return self._slots.get(name, NOT_YET)

    def expect(self, names: Iterable[str]) -> None:
        """These are there and have to be looked at before anybody gets a turn."""
        self._unseen = set(names)

    def looked_at(self, name: str, row: Row | None) -> None:
        """What a look found; None for a market that must not be made or changed now."""
        self._unseen.discard(name)
        before = self._rows.get(name)
        if row is None:
            self._rows.pop(name, None)
        else:
            self._rows[name] = row
        if row is not None and _is_starting(row):
            self._starting.add(name)
        else:
            self._starting.discard(name)
        if row != before:
            self._changed = True

    def touched(self) -> None:
        """There is news of some ArbMarket's market. ArbMarkets themselves are seen to have changed."""
        self._news = True

    def forget(self, name: str) -> None:
        """An ArbMarket is gone."""
        self.looked_at(name, None)
        self._slots.pop(name, None)

    async def run(self) -> None:
        """Give out turns until cancelled."""
        while True:
            self.tick()
            await self._clock.sleep(TICK_S)

    def tick(self) -> None:
        """Look at all of it once."""
        outdated = self._news or self._caches.market_changes != self._market_changes
        if not outdated and not self._changed and not self._waiting():
            return
        self._changed = False
        if outdated:
            self._renew_directory()
        if not self._unseen:
            self._give_turns()

    def _renew_directory(self) -> None:
        """Which takes as long as giving out turns, and neither looks nor bots change it."""
        self._news, self._market_changes = False, self._caches.market_changes
        for name in self._directory.renew(self.markets()):
            self._wake(name)

    def _give_turns(self) -> None:
        rows = [row for name, row in self._rows.items() if self._directory.duplicate_of(name) is None]
        found = allot(rows, self._memory, self._policy, self._clock.now_ms() / 1000)
        before, self._memory, self._slots = self._slots, found.memory, found.slots
        for name, slots in found.slots.items():
            row, was = self._rows[name], before.get(name, HELD)
            if (slots != was and _is_news(row, slots, was)) or (name not in before and row.stopped):
                self._wake(name)

    def _waiting(self) -> bool:
        """Whether the time alone may give somebody a turn."""
        return any(row.missing or row.outdated for row in self._rows.values())


def _is_news(row: Row, slots: Slots, was: Slots) -> bool:
    """Whether a change matters to a market: that a turn is over does not to who has used it."""
    return row.missing or replace(slots, may_create=was.may_create) != was


def _is_starting(row: Row) -> bool:
    return not row.missing and not row.ready and row.trouble is None


def _phase(market: ArbMarket | None) -> str:
    return market.status.phase.value if market is not None and market.status.phase is not None else ""
