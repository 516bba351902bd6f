"""Counts by size on a scale of steps that widen: durations and depths spread over decades, and even steps would hide that.

`build.py` adds the episodes, `charts.py` draws the bars.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
DURATION_BOUNDS: Final = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 20 * SECOND),
    *(MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, 60 * MINUTE),
)
"""Milliseconds."""
SHARE_BOUNDS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)
"""Whole shares."""


class Histogram:
    """How many values fell below the first bound, between each two, and from the last one on."""

    __slots__ = ("_bounds", "counts")

    def __init__(self, bounds: Sequence[int]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)

    def add(self, value: int) -> None:
        """Count one value."""
        self.counts[bisect_right(self._bounds, value)] += 1
