"""A look at the books before an engine is spent on a market: both asks together must not be far above a dollar.

The catalogue's own prices are minutes old, so the exchange is asked, many books at a time. `discover.py` calls `screen`; `SPAWN_PAIR_COST`
sits above one dollar because a calm pair costs one dollar and the spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kabobagool.discovery.reasons import Reason, Tally
from kabobagool.domain.money import Price
from kabobagool.venue.clob import BOOKS_PER_REQUEST, ClobReader
from kabobagool.venue.gamma import GammaMarket
from kabobagool.venue.reader import ResponseError
from kabobagool.venue.rows import BookSummary

MARKETS_PER_REQUEST = BOOKS_PER_REQUEST // 2


@dataclass(frozen=True, slots=True)
class Screened:
    """A candidate and what a pair of it costs at the best asks, fees apart (1/10,000 dollar); None when nobody looked."""

    market: GammaMarket
    pair_cost: Price | None


async def screen(clob: ClobReader, markets: Sequence[GammaMarket], *, limit: Price | None, tally: Tally) -> list[Screened]:
    """Those whose pair costs at most `limit`, in the same order; all of them without a limit. Errors as `Reader.fetch`."""
    if limit is None:
        return [Screened(market, None) for market in markets]
    passed: list[Screened] = []
    for start in range(0, len(markets), MARKETS_PER_REQUEST):
        batch = markets[start : start + MARKETS_PER_REQUEST]
        books = await _books(clob, batch)
        for market in batch:
            verdict = Reason.BOOK_UNREADABLE if books is None else pair_cost(market, books, limit=limit)
            if isinstance(verdict, Reason):
                tally.reject(market.condition_id, market.slug, verdict)
            else:
                passed.append(Screened(market, verdict))
    return passed


def pair_cost(market: GammaMarket, books: Mapping[str, BookSummary], *, limit: Price) -> Price | Reason:
    """What YES and NO cost together at their best asks, or why that does not qualify."""
    yes, no = (books.get(token) for token in market.tokens)
    if yes is None or no is None:
        return Reason.NO_ORDER_BOOK
    best_asks = [min((price for price, shares in book.asks if shares > 0), default=None) for book in (yes, no)]
    if best_asks[0] is None or best_asks[1] is None:
        return Reason.BOOK_ONE_SIDED
    cost = best_asks[0] + best_asks[1]
    return cost if cost <= limit else Reason.PAIR_COST_TOO_HIGH


async def _books(clob: ClobReader, markets: Sequence[GammaMarket]) -> dict[str, BookSummary] | None:
    """Books by token, None when the reply makes no sense: one broken book must not hide the other batches."""
    try:
        books = await clob.books([token for market in markets for token in market.tokens])
    except ResponseError:
        return None
    return {book.asset_id: book for book in books}
