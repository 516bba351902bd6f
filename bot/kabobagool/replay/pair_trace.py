"""What a pair cost over time, in as few points as a picture needs, however long the tape is.

`market_run.py` pushes the sum of the asks after every frame; when the points run out, neighbours are merged and each covers twice the
time. So a tape is drawn in one pass, without knowing its length, and a dip below a dollar is never averaged away.
"""

from typing import Final

import msgspec

from kabobagool.domain.money import Price

MOST_POINTS: Final = 512


class TracePoint(msgspec.Struct):
    """Lowest and highest sum of the asks within a span that begins at `at_ms`."""

    at_ms: int
    lowest: Price
    highest: Price


class PairTrace:
    """At most `MOST_POINTS` points, each `span_ms` wide."""

    __slots__ = ("_start_ms", "points", "span_ms")

    def __init__(self) -> None:
        self.points: list[TracePoint] = []
        self.span_ms = 100
        self._start_ms = 0

    def push(self, at_ms: int, pair: Price) -> None:
        """The asks sum to `pair` from now on."""
        points = self.points
        if points and at_ms < points[-1].at_ms + self.span_ms:
            last = points[-1]
            if pair < last.lowest:
                last.lowest = pair
            elif pair > last.highest:
                last.highest = pair
            return
        self._start_ms = self._start_ms or at_ms
        points.append(TracePoint(self._floor(at_ms), pair, pair))
        if len(points) > MOST_POINTS:
            self._merge()

    def _floor(self, at_ms: int) -> int:
        return at_ms - (at_ms - self._start_ms) % self.span_ms

    def _merge(self) -> None:
        while len(self.points) > MOST_POINTS:
            self.span_ms *= 2
            merged: list[TracePoint] = []
            for point in self.points:
                point.at_ms = self._floor(point.at_ms)
                if merged and merged[-1].at_ms == point.at_ms:
                    merged[-1].lowest = min(merged[-1].lowest, point.lowest)
                    merged[-1].highest = max(merged[-1].highest, point.highest)
                else:
                    merged.append(point)
            self.points = merged
