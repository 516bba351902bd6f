"""The first few markets of another source, for demos that should not open all of them.

`app.py` wraps recorded books with it when the user limits the number of markets.
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
