"""Deliberate bugs in what is believed of the books."""

from typing import Any

from tests.simulation.mutants.bug import Bug, Patch, returns

from kabobagool.domain import decision
from kabobagool.domain.book import Book
from kabobagool.domain.edge import Reason
from kabobagool.feed.freshness import FreshnessWatch
from kabobagool.feed.market_feed import MarketFeed


def _without(*reasons: Reason) -> Any:
    """As if these rules were not there."""
    return lambda original: lambda *args: None if (found := original(*args)) in reasons else found


def _raises(original: Any) -> Any:
    def on_unreadable(self: MarketFeed, error: Exception, now_ms: int) -> None:
        raise ValueError("unreadable") from error

    return on_unreadable


def _stays_behind_the_best(original: Any) -> Any:
    def set_ask(self: Book, price: int, size: int) -> None:
        if size or price == self.best_ask:
            original(self, price, size)

    return set_ask


BUGS = (
    Bug(
        "the mirror is not checked",
        (Patch(decision, "first_objection", _without(Reason.MIRROR_BROKEN)),),
        31,
        "buys_a_pair_that_was_there",
        alone=True,
    ),
    Bug(
        "neither mirror nor skew are checked",
        (Patch(decision, "first_objection", _without(Reason.MIRROR_BROKEN, Reason.LEGS_APART_IN_TIME)),),
        31,
        "buys_a_pair_that_was_there",
        alone=True,
    ),
    Bug(
        "old books are believed for pairs",
        (Patch(decision, "first_objection", _without(Reason.LEG_TOO_OLD)),),
        9,
        "buys_a_pair_that_was_there",
        alone=True,
    ),
    Bug(
        "old books are believed for hedges",
        (Patch(decision, "leg_objection", _without(Reason.LEG_TOO_OLD)),),
        86,
        "pays_a_price_that_was_there",
        alone=True,
    ),
    Bug(
        "a level that is gone stays in the book",
        (Patch(Book, "set_ask", _stays_behind_the_best),),
        1,
        "every_view_is_true_again",
        alone=True,
    ),
    Bug("silence is not noticed", (Patch(FreshnessWatch, "check", returns(None)),), 0, "every_view_is_true_again"),
    Bug(
        "a frame that cannot be read crashes the feed",
        (Patch(MarketFeed, "_on_unreadable", _raises),),
        0,
        "a_program_ends_for_a_reason",
        alone=True,
    ),
)
