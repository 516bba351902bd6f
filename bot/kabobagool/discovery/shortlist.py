"""The best candidates by volume and no more, so that a crawl of the whole catalogue needs no more memory than one of a page.

The crawl offers what passed the filters; what has to make room comes back and is counted.
"""

import heapq
from itertools import count

from kabobagool.domain.money import Micros
from kabobagool.venue.gamma import GammaMarket


class Shortlist:
    """At most `size` markets, those with the most 24-hour volume; of equals the first offered stays. A market is held once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[Micros, int, GammaMarket]] = []
        self._held: set[str] = set()
        self._age = count(0, -1)

    def __len__(self) -> int:
        return len(self._heap)

    def __contains__(self, condition_id: object) -> bool:
        return condition_id in self._held

    @property
    def full(self) -> bool:
        """Whether a market must make room for every further one."""
        return len(self._heap) >= self._size

    def has_room_for(self, volume_24h: Micros) -> bool:
        """Whether a market of this volume would be kept."""
        return not self.full or volume_24h > self._heap[0][0]

    def offer(self, market: GammaMarket) -> GammaMarket | None:
        """Keep a market; the one that is not kept for it, perhaps itself, or None. One that is held already changes nothing."""
        if market.condition_id in self._held:
            return None
        entry = (market.volume_24h, next(self._age), market)
        self._held.add(market.condition_id)
        if not self.full:
            heapq.heappush(self._heap, entry)
            return None
        pushed_out = heapq.heappushpop(self._heap, entry)[2]
        self._held.remove(pushed_out.condition_id)
        return pushed_out

    def best_first(self) -> list[GammaMarket]:
        """All of them, most volume first."""
        return [market for _, _, market in sorted(self._heap, reverse=True)]
