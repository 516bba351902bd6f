"""The last two minutes of every market's pair cost, for the page's sparklines.

`page_stream.py` takes a sample every second whether anybody looks or not, so that a page that opens now shows what was before. All rings
share one hand: a sample is one store per market, and a market costs half a kilobyte.
"""

from array import array
from collections.abc import Mapping
from typing import Final

POINTS: Final = 120
UNKNOWN: Final = -1
"""Stands for a price that is not known, also on its way to the page: a thousand samples a second are not translated."""


class PriceHistory:
    """Rings of `points` samples in millionths of a dollar, one per condition id."""

    __slots__ = ("_hand", "_points", "_rings")

    def __init__(self, *, points: int = POINTS) -> None:
        self._points = points
        self._rings: dict[str, array[int]] = {}
        self._hand = 0

    def sample(self, prices: Mapping[str, int | None]) -> dict[str, int]:
        """Keep one more sample of each market, forget those that are not asked about any more. What differs from the sample before."""
        for gone in self._rings.keys() - prices.keys():
            del self._rings[gone]
        changed: dict[str, int] = {}
        for market, price in prices.items():
            ring = self._rings.get(market) or self._new_ring(market)
            kept = UNKNOWN if price is None else price
            if kept != ring[self._hand - 1]:
                changed[market] = kept
            ring[self._hand] = kept
        self._hand = (self._hand + 1) % self._points
        return changed

    def lists(self) -> dict[str, list[int]]:
        """All samples of every market, oldest first; UNKNOWN where the price was not known or the market not there."""
        return {market: (ring[self._hand :] + ring[: self._hand]).tolist() for market, ring in self._rings.items()}

    def _new_ring(self, market: str) -> "array[int]":
        ring = self._rings[market] = array("i", (UNKNOWN,)) * self._points
        return ring
