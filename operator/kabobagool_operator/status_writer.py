"""Writes what is said of a market where people look: its status when that is worth a write, and Events of what changed.

`reconcile.py` calls it at the end of every look.
"""

from collections.abc import Callable, Iterable
from typing import Final

from kabobagool.clock import Clock
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_status import Phase, Status
from kabobagool_operator.caches import Caches
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import Conflict, NotFound
from kabobagool_operator.conditions import transitions
from kabobagool_operator.events import Events, notice_of
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.plan_types import Notice
from kabobagool_operator.policy import Policy
from kabobagool_operator.report import seconds_until_worth_writing

FIRST_WORDS_S: Final = 10.0
"""Most markets are found and have their turn within this; what is said of them before would be wrong by then.

Thousands that are applied at once would cost a write each before the first bot is made; so the more of them, the longer it waits.
"""
STARTING_S: Final = 1.0
"""Who starts a single bot wants to see that it starts."""
MANY_STARTING: Final = 10
"""More bots that start at the same time than anybody follows one by one."""
BUSY_S: Final = 60.0
"""In a fleet that starts, a write and an Event for each bot that does would hold up the others; it is ready within this."""
BUSY_S_A_START: Final = 0.06
"""What making one bot of thousands takes, and some: two cores made five thousand in four minutes."""
BEGINNINGS: Final[frozenset[tuple[Phase | None, Phase | None]]] = frozenset(
    {(None, Phase.PENDING), (None, Phase.STARTING), (Phase.PENDING, Phase.STARTING)}
)
"""What was written, and what would be: words that are soon overtaken."""


class StatusWriter:
    """Remembers when it last wrote each status, which is all that an operator forgets when it is killed.

    `starting`: how many bots are, for every write may hold up another one.
    """

    def __init__(
        self, cluster: Cluster, caches: Caches, events: Events, policy: Policy, *, clock: Clock, starting: Callable[[], int]
    ) -> None:
        self._cluster = cluster
        self._caches = caches
        self._events = events
        self._policy = policy
        self._clock = clock
        self._starting = starting
        self._written_s: dict[str, float] = {}
        self._began: dict[str, tuple[Phase, float]] = {}

    async def post(self, market: Metadata, notices: Iterable[Notice]) -> None:
        """Post Events that are no transitions."""
        await self._events.post(market, notices)

    async def write(self, market: Metadata, before: Status, after: Status) -> float | None:
        """Write the status if it is worth it now. Seconds until it will be, None when it was written or says nothing new."""
        now_s = self._clock.monotonic()
        if (early_s := self._too_early_s(market.name, before, after, now_s)) > 0:
            return early_s
        wait_s = seconds_until_worth_writing(before, after, self._written_s.get(market.name), now_s, self._policy)
        if wait_s != 0:
            return wait_s
        body = {"metadata": {"uid": market.uid}, "status": after.body()}
        try:
            written = await self._cluster.apply_status(ARB_MARKET, market.namespace, market.name, body)
        except (NotFound, Conflict):  # it was deleted, perhaps applied anew: the watch will tell
            return None
        self._written_s[market.name] = now_s
        self._began.pop(market.name, None)
        self._caches.put(ARB_MARKET, written, by_us=True)
        await self._events.post(market, _changes(before, after))
        return None

    def _too_early_s(self, name: str, before: Status, after: Status, now_s: float) -> float:
        """How long the first words about a market can wait; its trouble cannot."""
        if after.phase is None or (before.phase, after.phase) not in BEGINNINGS:
            return 0.0
        phase, since_s = self._began.get(name, (None, now_s))
        if phase is not after.phase:
            since_s = now_s
            self._began[name] = after.phase, now_s
        return since_s + self._patience_s(after.phase) - now_s

    def _patience_s(self, phase: Phase) -> float:
        unsaid_s = len(self._began) * BUSY_S_A_START
        alone_s = STARTING_S if phase is Phase.STARTING else max(FIRST_WORDS_S, unsaid_s)
        starting = self._starting()
        return max(BUSY_S, starting * BUSY_S_A_START, alone_s) if starting > MANY_STARTING else alone_s

    def forget(self, name: str) -> None:
        """The ArbMarket is gone."""
        self._written_s.pop(name, None)
        self._began.pop(name, None)


def _changes(before: Status, after: Status) -> list[Notice]:
    """An Event for each reason that is new, however many conditions have it; of what is said for the first time, only what is wrong."""
    news = {condition.reason: notice_of(condition) for condition in reversed(transitions(before.conditions, after.conditions))}
    return [notice for notice in reversed(news.values()) if before.conditions or notice.warning]
