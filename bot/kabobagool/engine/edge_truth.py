"""How many edges there seemed to be, and what became of each: the numbers a trader should see before the profits.

Counted once a view (a whole applied frame) whose asks sum below one dollar. Plain integers, read by metrics, `/status` and the reports.
"""

from collections import Counter
from collections.abc import Mapping


class EdgeTruth:
    """Seen, rejected by reason, acted on."""

    __slots__ = ("acted_on", "rejected", "seen")

    def __init__(self) -> None:
        self.seen = 0
        self.acted_on = 0
        self.rejected: Counter[str] = Counter()

    def reject(self, reason: str) -> None:
        """One edge less, and why."""
        self.rejected[reason] += 1

    def as_mapping(self) -> Mapping[str, object]:
        """For JSON: {seen, acted_on, rejected: {reason: count}}."""
        return {
            "seen": self.seen,
            "acted_on": self.acted_on,
            "rejected": {str(reason): count for reason, count in sorted(self.rejected.items())},
        }
