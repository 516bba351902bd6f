"""What became of every edge that a strategy counted: heard by listening to the count itself.

The strategy counts an edge when it sees it and again when it knows its end, which may be a moment later, after the gate and the journal
were asked. `market_run.py` gives it a `ToldEdgeTruth` in place of the plain one, so what the report says and what `/status` would have
said cannot differ.
"""

from collections.abc import Callable

import msgspec

from kabobagool.domain.book import PairView
from kabobagool.domain.money import Micros, Price
from kabobagool.engine.edge_truth import EdgeTruth
from kabobagool.replay.episodes import ACTED_ON, UNDECIDED, Episode


class Edge(msgspec.Struct, frozen=True):
    """An edge as it was seen: venue milliseconds, best asks, shares there on both legs, and the episode it is part of."""

    seen_ms: int
    ask_yes: Price
    ask_no: Price
    shares: Micros
    episode: Episode | None


OnVerdict = Callable[[Edge, str], None]


class ToldEdgeTruth(EdgeTruth):
    """Edge truth that calls `on_verdict` once for every edge, with `acted_on` or the reason it was rejected for.

    `waiting` are the edges without a verdict. One at a time can wait; one that is seen meanwhile is rejected before anything else happens.
    """

    __slots__ = ("_acted_on", "_on_verdict", "_see", "_seen", "waiting")

    def __init__(self, see: Callable[[], Edge], on_verdict: OnVerdict) -> None:
        self._see = see
        self._on_verdict = on_verdict
        self.waiting: list[Edge] = []
        self._seen = 0
        self._acted_on = 0
        super().__init__()

    @property
    def seen(self) -> int:
        """Edges seen."""
        return self._seen

    @seen.setter
    def seen(self, total: int) -> None:
        if total > self._seen:
            self.waiting.append(self._see())
        self._seen = total

    @property
    def acted_on(self) -> int:
        """Edges for which an order left."""
        return self._acted_on

    @acted_on.setter
    def acted_on(self, total: int) -> None:
        if total > self._acted_on:
            self._on_verdict(self.waiting.pop(), ACTED_ON)
        self._acted_on = total

    def reject(self, reason: str) -> None:
        """One edge less, and why: the youngest, for an older one that still waits is being acted on."""
        super().reject(reason)
        self._on_verdict(self.waiting.pop(), str(reason))

    def end(self) -> int:
        """The tape is over: what still waits stays undecided. How many that were."""
        left, self.waiting = self.waiting, []
        for edge in left:
            self._on_verdict(edge, UNDECIDED)
        return len(left)


def shares_on_both(view: PairView) -> Micros:
    """Shares that rest at the best asks of both legs, 0 while a side is empty."""
    return min(view.yes.asks.get(view.yes.best_ask, 0), view.no.asks.get(view.no.best_ask, 0))
