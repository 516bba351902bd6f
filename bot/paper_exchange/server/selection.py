"""Sources made of other sources: the first few markets of one, or the markets of several side by side.

`app.py` puts the books together with them as the user asks.
"""

from collections.abc import Sequence

from paper_exchange.types import BookSource, PaperMarket, Snapshot


class FirstMarkets:
    """A source cut down to its first `count` markets."""

    def __init__(self, source: BookSource, *, count: int) -> None:
        self._source = source
        self._count = count

    def markets(self) -> Sequence[PaperMarket]:
        """The first markets, in the source's order."""
        return self._source.markets()[: self._count]

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """The market's snapshots, unchanged."""
        return self._source.snapshots(condition_id)


class SideBySide:
    """The markets of several sources, those of the first source first. ValueError when two of them have the same market."""

    def __init__(self, *sources: BookSource) -> None:
        self._markets = tuple(market for source in sources for market in source.markets())
        self._source_of = {market.condition_id: source for source in sources for market in source.markets()}
        if len(self._source_of) < len(self._markets):
            raise ValueError("two sources have the same market: give synthetic ones another seed")

    def markets(self) -> Sequence[PaperMarket]:
        """All markets."""
        return self._markets

    def snapshots(self, condition_id: str) -> Sequence[Snapshot]:
        """The market's snapshots, from its own source."""
        return self._source_of[condition_id].snapshots(condition_id)
