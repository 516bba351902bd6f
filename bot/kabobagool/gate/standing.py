"""Who was served least: the fair order among requests of the same priority, as start-time fair queueing counted in slots.

Every market has a tag, the slots it was served; the smallest tag is next. A market that joins, or was away, starts at the tag that is
being served now: it neither catches up on a time in which it wanted nothing nor waits for the others to grow old. A market that asked,
was not served and comes back soon has the place it had.

Pure arithmetic, used by `fair_queue.py`, one for each priority.
"""

from itertools import count
from typing import Final, NamedTuple

KEPT_US: Final = 5_000_000
"""How long an unserved market may stay away and keep its place; a refused engine asks again within a second."""
KEPT_SLOTS: Final = 4
"""The most slots (two pairs) a market that kept its place may catch up, so that no return crowds out the others."""


class Place(NamedTuple):
    """Where a request stands; the smaller is served earlier. `number` is the order in which requests came."""

    tag: int
    number: int


class Kept(NamedTuple):
    """The number of a market that was not served, until it stayed away for too long."""

    number: int
    until_us: int


class Standing:
    """The places of one priority's markets. Times are microseconds of one monotonic clock."""

    __slots__ = ("_kept", "_numbers", "_served_now", "_sweep_at", "_tags")

    def __init__(self) -> None:
        self._served_now = 0
        self._numbers = count()
        self._tags: dict[str, int] = {}
        self._kept: dict[str, Kept] = {}
        self._sweep_at = 64

    def __len__(self) -> int:
        """How many markets are remembered."""
        return len(self._tags)

    def place(self, market: str, now_us: int) -> Place:
        """Where a request that this market makes now stands."""
        kept = self._kept.get(market)
        if kept is None or kept.until_us < now_us:
            return Place(max(self._tags.get(market, 0), self._served_now), next(self._numbers))
        return Place(max(self._tags[market], self._served_now - KEPT_SLOTS), kept.number)

    def served(self, market: str, place: Place, cost: int, now_us: int) -> None:
        """The request that stood there got its `cost` slots."""
        self._served_now = max(self._served_now, place.tag)
        self._kept.pop(market, None)
        self._tags[market] = max(self._tags.get(market, 0), place.tag) + cost
        self._forget_the_idle(now_us)

    def not_served(self, market: str, place: Place, now_us: int) -> None:
        """The request that stood there was refused or withdrawn: coming back soon, it stands there again."""
        self._tags[market] = max(self._tags.get(market, 0), place.tag)
        self._kept[market] = Kept(place.number, now_us + KEPT_US)
        self._forget_the_idle(now_us)

    def give_back(self, market: str, cost: int, now_us: int) -> None:
        """The last slots this market was served were not used: they do not count."""
        if market in self._tags:
            self._tags[market] -= cost
            self._kept[market] = Kept(next(self._numbers), now_us + KEPT_US)

    def _forget_the_idle(self, now_us: int) -> None:
        """Drop markets that would start anew anyway; seldom enough to cost nothing in the long run."""
        if len(self._tags) < self._sweep_at:
            return
        self._kept = {market: kept for market, kept in self._kept.items() if kept.until_us >= now_us}
        self._tags = {market: tag for market, tag in self._tags.items() if tag > self._served_now or market in self._kept}
        self._sweep_at = 2 * len(self._tags) + 64
