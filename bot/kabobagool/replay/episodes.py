"""Episodes: the spans in which two asks summed below one dollar, and how much of that was true.

A trader does not lose an edge a view at a time but a moment at a time, so views are gathered: an episode begins with the frame after which
the best asks sum below a dollar and ends with the one after which they do not. Five questions are asked of each, every one stricter than
the one before; `report.py` counts the answers. `market_run.py` shows it every view.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from kabobagool.domain.book import PairView
from kabobagool.domain.decision import decide
from kabobagool.domain.edge import Policy, first_objection
from kabobagool.domain.fees import taker_fee
from kabobagool.domain.intent import Intent
from kabobagool.domain.money import MICRO, MICROS_PER_PRICE, PRICE_ONE, Micros, Price
from kabobagool.domain.position import EMPTY

ACTED_ON = "acted_on"
UNDECIDED = "undecided"
"""The tape ended before the strategy had made up its mind."""


@dataclass(slots=True, kw_only=True)
class Episode:
    """One span below a dollar, in venue milliseconds. Prices in 1/10,000 dollar, shares in millionths.

    `whole`: at some view both books could be believed and were of the same moment. `pays_fees`: a whole view cost less than a dollar with
    the venue's fees. `buyable`: the settings would have bought it, holding nothing. `acted_on`: an order left. `cut_short`: it ended
    because the books were lost, so it may have lasted longer.
    """

    began_ms: int
    ended_ms: int = 0
    views: int = 0
    lowest_pair: Price = PRICE_ONE
    shares: Micros = 0
    whole: bool = False
    pays_fees: bool = False
    buyable: bool = False
    acted_on: bool = False
    cut_short: bool = False
    verdicts: Counter[str] = field(default_factory=Counter)

    @property
    def duration_ms(self) -> int:
        """How long it lasted."""
        return self.ended_ms - self.began_ms

    @property
    def verdict(self) -> str:
        """`acted_on` if it was, otherwise why not: the most frequent reason, the first by name among equals."""
        if self.acted_on:
            return ACTED_ON
        return min(self.verdicts, key=lambda reason: (-self.verdicts[reason], reason), default=UNDECIDED)


class EpisodeWatch:
    """Cuts the views of one market into episodes; `on_end` receives each when it is over."""

    def __init__(self, policy: Policy, on_end: Callable[[Episode], None]) -> None:
        self.current: Episode | None = None
        self._policy = policy
        self._on_end = on_end

    def look(self, view: PairView, now_ms: int) -> None:
        """After a whole frame."""
        pair = view.yes.best_ask + view.no.best_ask
        if pair < PRICE_ONE:
            self._go_on(self.current or self._begin(now_ms), view, pair, now_ms)
        elif self.current is not None:
            self.end(now_ms, cut_short=not (view.yes.has_snapshot and view.no.has_snapshot))

    def end(self, now_ms: int, *, cut_short: bool) -> None:
        """The episode is over, if there is one."""
        episode, self.current = self.current, None
        if episode is not None:
            episode.ended_ms = now_ms
            episode.cut_short = cut_short
            self._on_end(episode)

    def _begin(self, now_ms: int) -> Episode:
        self.current = Episode(began_ms=now_ms)
        return self.current

    def _go_on(self, episode: Episode, view: PairView, pair: Price, now_ms: int) -> None:
        yes, no = view.yes, view.no
        episode.views += 1
        if pair < episode.lowest_pair:
            episode.lowest_pair = pair
            episode.shares = min(yes.asks[yes.best_ask], no.asks[no.best_ask])
        if first_objection(view, self._policy, now_ms) is None:
            episode.whole = True
            episode.pays_fees |= costs_less_than_it_pays(view)
            episode.buyable |= isinstance(decide(view, EMPTY, self._policy, now_ms), Intent)


def costs_less_than_it_pays(view: PairView) -> bool:
    """Whether one share of each, bought at the best asks, costs less than a dollar with the venue's fees; no when they are not known."""
    fee = view.market.fee
    if fee is None:
        return False
    ask_yes, ask_no = view.yes.best_ask, view.no.best_ask
    fees = taker_fee(fee, ask_yes, MICRO) + taker_fee(fee, ask_no, MICRO)
    return (ask_yes + ask_no) * MICROS_PER_PRICE + fees < MICRO
