"""One round of discovery: crawl, screen, confirm; what qualifies, and a reason for everything that does not.

`kabobagool discover` shows a round, a supervisor tells it to its `Roster`. Watched markets are judged whatever their rank and come first,
so that a market is not lost to a better one while it is still good.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from kabobagool.discovery.book_screen import Screened, screen
from kabobagool.discovery.confirm import confirm
from kabobagool.discovery.crawl import MAX_PAGES, CatalogueCrawl, Progress, Stop
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.reasons import Reason, Rejection, Tally
from kabobagool.domain.market import Market
from kabobagool.domain.money import Price
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import GammaMarket
from kabobagool.venue.reader import Reader

PATIENCE = 5
"""So many markets in a row that the exchange would not describe are no accident."""


@dataclass(frozen=True, slots=True)
class Found:
    """A market that qualifies: as the exchange would trade it, what the catalogue adds, and the pair cost when books were screened."""

    market: Market
    listed: GammaMarket
    pair_cost: Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round found, best first. `rejected` counts by reason; `verdicts` are those on watched markets, by condition id.

    `cache_age_s` is the age of the oldest page of the catalogue, None when the venue did not say.
    """

    found: tuple[Found, ...]
    rejected: Mapping[Reason, int]
    verdicts: Mapping[str, Reason]
    progress: Progress
    stopped: Stop
    cache_age_s: int | None


async def discover(
    reader: Reader,
    clob: ClobReader,
    gamma_host: str,
    *,
    criteria: Criteria,
    now_ms: int,
    wall_ms: Callable[[], int],
    watched: Collection[str] = (),
    whole: bool = False,
    max_pages: int = MAX_PAGES,
    on_page: Callable[[Progress], None] = lambda progress: None,
    on_reject: Callable[[Rejection], None] = lambda rejection: None,
) -> Round:
    """One round at `now_ms` of the venue's time; `whole` crawls the catalogue to its end. VenueError when it could not be finished."""
    verdicts: dict[str, Reason] = {}

    def listen(rejection: Rejection) -> None:
        if rejection.condition_id in watched:
            verdicts[rejection.condition_id] = rejection.reason
        on_reject(rejection)

    tally = Tally(listen)
    crawl = CatalogueCrawl(
        reader, gamma_host, criteria=criteria, now_ms=now_ms, tally=tally, wall_ms=wall_ms, max_pages=max_pages, on_page=on_page
    )
    stopped = await crawl.run(whole=whole)
    candidates = await _watched_first(crawl, watched, verdicts)
    screened = await screen(clob, candidates, limit=criteria.spawn_pair_cost, tally=tally)
    found = await _confirmed(clob, screened, max_markets=criteria.max_markets, tally=tally)
    for each in found:
        verdicts.pop(each.market.condition_id, None)
    return Round(
        found=tuple(found),
        rejected=dict(tally.counts),
        verdicts=verdicts,
        progress=crawl.progress,
        stopped=stopped,
        cache_age_s=crawl.cache_age.oldest_s,
    )


async def _watched_first(crawl: CatalogueCrawl, watched: Collection[str], verdicts: Mapping[str, Reason]) -> list[GammaMarket]:
    """All candidates; watched ones that the crawl did not get to, or that others pushed out, are looked up."""
    listed = crawl.shortlist.best_first()
    undecided = [market for market in watched if verdicts.get(market, Reason.OVER_MAX_MARKETS) is Reason.OVER_MAX_MARKETS]
    looked_up = await crawl.look_up([market for market in undecided if market not in crawl.shortlist])
    known = [market for market in listed if market.condition_id in watched]
    return [*known, *looked_up, *(market for market in listed if market.condition_id not in watched)]


async def _confirmed(clob: ClobReader, screened: list[Screened], *, max_markets: int, tally: Tally) -> list[Found]:
    found: list[Found] = []
    silent = 0
    for candidate in screened:
        listed = candidate.market
        verdict = Reason.OVER_MAX_MARKETS if len(found) >= max_markets else await confirm(clob, listed)
        if isinstance(verdict, Reason):
            tally.reject(listed.condition_id, listed.slug, verdict)
        else:
            found.append(Found(verdict, listed, candidate.pair_cost))
        silent = silent + 1 if verdict is Reason.UNCONFIRMED else 0
        if silent >= PATIENCE:
            raise VenueError(
                f"the exchange would not describe {silent} candidates in a row, the last one {listed.condition_id}: try again later"
            )
    return found
