"""What the groups measure on: one market, its two books, the views a strategy may see, and frames as the venue prints them.

The books mirror each other as the venue's do. A pair below a dollar therefore needs crossed books, which is what a real edge looks like
for the moments in which it exists.
"""

import json
from collections.abc import Sequence
from typing import Any

from kabobagool.domain.book import Level, PairView
from kabobagool.domain.edge import Policy
from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.domain.money import MICRO, PRICE_ONE, format_micros, format_price
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.feed.apply import FrameApplier
from kabobagool.feed.counters import FeedCounters

YES = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
NO = "52114319501245915516055106046084209969926127482827954674443846427813813222426"
CONDITION = "0x5f65177b394277fd294cd75650044e32ba009a95022d88a0c1d565897d72f8f1"
NOW_MS = 1_795_305_600_000
POLICY = Policy()


class FixedClock:
    """A clock that stands still: reading it costs one call and decides nothing."""

    def now_ms(self) -> int:
        """Always the same moment."""
        return NOW_MS

    def monotonic(self) -> float:
        """Always the same moment."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


def a_market() -> Market:
    """A market with an ordinary fee that takes orders for another day."""
    return Market(
        condition_id=CONDITION,
        slug="will-it-rain",
        question="Will it rain?",
        outcomes=("Yes", "No"),
        tokens=(YES, NO),
        tick_size=10,
        min_order_shares=5 * MICRO,
        fee=FeeSchedule(rate_micros=40_000),
        end_ms=NOW_MS + 86_400_000,
    )


def a_strategy() -> KabobagoolStrategy:
    """A strategy that owns nothing and wakes nobody."""
    return KabobagoolStrategy(policy=POLICY, clock=FixedClock(), wake=lambda: None)


def a_view(ask_yes: int, ask_no: int, *, age_ms: int = 0, skew_ms: int = 0, mirrored: bool = True) -> PairView:
    """Both books with 200 shares at these asks; YES was stamped `skew_ms` before NO, and NO `age_ms` before now."""
    view = PairView(a_market())
    stamp_ms = NOW_MS - age_ms
    size = 200 * MICRO
    bid_yes, bid_no = PRICE_ONE - ask_no - (0 if mirrored else 100), PRICE_ONE - ask_yes
    view.yes.apply_snapshot([(bid_yes, size)], [(ask_yes, size)], venue_ms=stamp_ms - skew_ms, received_ms=stamp_ms)
    view.no.apply_snapshot([(bid_no, size)], [(ask_no, size)], venue_ms=stamp_ms, received_ms=stamp_ms)
    return view


class Desk:
    """Books, the applier that keeps them and the strategy that looks at them: what a feed drives, without its socket."""

    def __init__(self) -> None:
        self.view = PairView(a_market())
        self.counters = FeedCounters()
        self.applier = FrameApplier(self.view, self.counters)
        self.strategy = a_strategy()


def ladder(levels: int) -> tuple[list[Level], list[Level]]:
    """Bids below 0.50 and asks from 0.51 on, half the levels each, with sizes that differ."""
    half = levels // 2
    step = 4_800 // half // 10 * 10
    bids = [(5_000 - step * n, (37 * n % 900 + 20) * MICRO + 250_000 * (n % 4)) for n in range(half)]
    asks = [(5_100 + step * n, (53 * n % 900 + 20) * MICRO + 250_000 * (n % 4)) for n in range(half)]
    return bids, asks


def mirror(book: tuple[Sequence[Level], Sequence[Level]]) -> tuple[list[Level], list[Level]]:
    """The same orders as the other outcome shows them."""
    bids, asks = book
    return [(PRICE_ONE - price, size) for price, size in asks], [(PRICE_ONE - price, size) for price, size in bids]


def book_message(token: str, book: tuple[Sequence[Level], Sequence[Level]]) -> dict[str, Any]:
    """A `book` event; levels worst first, as the venue sends them."""
    bids, asks = ([{"price": format_price(p), "size": format_micros(s)} for p, s in reversed(side)] for side in book)
    return {
        "event_type": "book",
        "asset_id": token,
        "market": CONDITION,
        "bids": bids,
        "asks": asks,
        "hash": "0f" * 20,
        "timestamp": str(NOW_MS),
        "tick_size": "0.001",
        "last_trade_price": "0.500",
    }


def books_frame(levels: int) -> bytes:
    """Both books of the market as the venue dumps them on subscribing."""
    book = ladder(levels)
    return printed([book_message(YES, book), book_message(NO, mirror(book))])


def change_frame(price: int, size: int, *, stamp: str = str(NOW_MS)) -> bytes:
    """A `price_change` of one bid of YES and its image in NO, with the best prices of the `ladder` books."""
    changes = [
        _change(YES, "BUY", price, size, ("0.5", "0.51")),
        _change(NO, "SELL", PRICE_ONE - price, size, ("0.49", "0.5")),
    ]
    return printed({"market": CONDITION, "price_changes": changes, "timestamp": stamp, "event_type": "price_change"})


def change_frames(count: int, *, fresh_sizes: bool = False) -> list[bytes]:
    """Changes that walk over the bids; sizes come again as they do in life, or with `fresh_sizes` are never the same twice."""
    prices = [price for price, _ in ladder(40)[0]]
    sizes = [(n * 7_919 + 50_000_003 if fresh_sizes else (n * 17 % 64 + 5) * 1_250_000) for n in range(count)]
    return [change_frame(prices[n % len(prices)], sizes[n]) for n in range(count)]


def printed(message: object) -> bytes:
    """JSON as the venue's servers print it, without blanks."""
    return json.dumps(message, separators=(",", ":")).encode()


def _change(token: str, side: str, price: int, size: int, best: tuple[str, str]) -> dict[str, str]:
    return {
        "asset_id": token,
        "price": format_price(price),
        "size": format_micros(size),
        "side": side,
        "hash": "56621a121a47ed9333273e21c83b660cff37ae50",
        "best_bid": best[0],
        "best_ask": best[1],
    }
