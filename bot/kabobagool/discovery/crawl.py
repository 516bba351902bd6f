"""Walks the catalogue by cursor, most traded first, and stops as soon as nothing better can come.

`discover.py` calls `CatalogueCrawl.run` for the whole listing and `look_up` for markets that are watched already and were not met on the
way. Nothing but the shortlist is kept. Filters and order are asked of the venue and never relied on: it ignores what it does not know.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from kabobagool.discovery.catalogue import KEYSET, Listing, Page, as_market, read_page, text, volume_24h
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.filters import first_objection
from kabobagool.discovery.freshness import CacheAge
from kabobagool.discovery.reasons import Reason, Tally
from kabobagool.discovery.shortlist import Shortlist
from kabobagool.domain.money import Micros
from kabobagool.venue.gamma import GammaMarket, UnsupportedMarket
from kabobagool.venue.reader import Reader, ResponseError
from kabobagool.venue.transport import HttpReply, Params

PAGE_SIZE: Final = 100
"""The venue gives no more at once."""
MAX_PAGES: Final = 1_500
"""Nearly twice the whole catalogue: beyond it something is wrong with the paging."""
_SORTED: Final[Params] = (("limit", str(PAGE_SIZE)), ("closed", "false"), ("order", "volume24hr"), ("ascending", "false"))
_CONDITION_ID: Final = re.compile(r"0x[0-9a-fA-F]{64}")


class Stop(StrEnum):
    """Why a crawl went no further."""

    END_OF_CATALOGUE = "end_of_catalogue"
    BELOW_MIN_VOLUME = "below_min_volume"
    ENOUGH_CANDIDATES = "enough_candidates"
    CURSOR_REPEATS = "cursor_repeats"
    PAGE_LIMIT = "page_limit"


@dataclass(slots=True)
class Progress:
    """How far a crawl is. `sorted` turns false when the venue did not sort by volume; then only the end of the catalogue is an end."""

    pages: int = 0
    seen: int = 0
    candidates: int = 0
    sorted: bool = True


class CatalogueCrawl:
    """One walk; `on_page` hears of each page. `now_ms` is the venue's time; `wall_ms` tells the real one, to which Date headers compare."""

    def __init__(
        self,
        reader: Reader,
        host: str,
        *,
        criteria: Criteria,
        now_ms: int,
        tally: Tally,
        wall_ms: Callable[[], int],
        max_pages: int = MAX_PAGES,
        on_page: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        self._reader = reader
        self._url = host.rstrip("/") + KEYSET
        self._criteria = criteria
        self._now_ms = now_ms
        self._tally = tally
        self._max_pages = max_pages
        self._on_page = on_page
        self._wall_ms = wall_ms
        self.shortlist = Shortlist(criteria.shortlist_size)
        self.progress = Progress()
        self.cache_age = CacheAge()

    async def run(self, *, whole: bool = False) -> Stop:
        """Walk to the first stop, or with `whole` to the end. ResponseError for a page that is none, and the errors of `Reader.fetch`."""
        cursor, seen = "", {""}
        while self.progress.pages < self._max_pages:
            page = await self._page([*_SORTED, *([("after_cursor", cursor)] if cursor else [])])
            self.take(page)
            self._on_page(self.progress)
            stop = self._stop(page, whole=whole)
            if stop is not None:
                return stop
            cursor = page.next_cursor
            if cursor in seen:
                return Stop.CURSOR_REPEATS
            seen.add(cursor)
        return Stop.PAGE_LIMIT

    async def look_up(self, condition_ids: Sequence[str]) -> list[GammaMarket]:
        """Those of these markets that qualify, whatever their rank; all others are tallied, closed ones and unlisted ones too."""
        qualifying = []
        for start in range(0, len(condition_ids), PAGE_SIZE):
            missing = dict.fromkeys(condition_ids[start : start + PAGE_SIZE])
            for closed in ("false", "true"):
                if not missing:
                    break
                wanted = [("condition_ids", condition_id) for condition_id in missing]
                page = await self._page([("limit", str(PAGE_SIZE)), ("closed", closed), *wanted])
                asked = [listing for listing in page.listings if text(listing.condition_id) in missing]
                qualifying += [market for listing in asked if (market := self._judged(listing)) is not None]
                for listing in asked:
                    missing.pop(text(listing.condition_id), None)
            for condition_id in missing:
                self._tally.reject(condition_id, "", Reason.NOT_LISTED)
        return qualifying

    def take(self, page: Page) -> None:
        """Judge every entry of a page of the sorted listing."""
        self.progress.pages += 1
        self.progress.seen += len(page.listings) + page.rubbish
        volumes = [volume_24h(listing) for listing in page.listings]
        self.progress.sorted = self.progress.sorted and _descends(volumes)
        for _ in range(page.rubbish):
            self._tally.reject("", "", Reason.UNREADABLE)
        for listing, volume in zip(page.listings, volumes, strict=True):
            self._consider(listing, volume)
        self.progress.candidates = len(self.shortlist)

    def _consider(self, listing: Listing, volume: Micros) -> None:
        market = self._judged(listing, rank=volume)
        pushed_out = self.shortlist.offer(market) if market is not None else None
        if pushed_out is not None:
            self._tally.reject(pushed_out.condition_id, pushed_out.slug, Reason.OVER_MAX_MARKETS)

    def _standing(self, listing: Listing, volume: Micros) -> Reason | None:
        """Why a market that passed the filters is not read any further."""
        if text(listing.condition_id) in self.shortlist:
            return Reason.LISTED_TWICE
        return None if self.shortlist.has_room_for(volume) else Reason.OVER_MAX_MARKETS

    def _judged(self, listing: Listing, *, rank: Micros | None = None) -> GammaMarket | None:
        """The market, unless something speaks against it; with a `rank` also that others are traded more."""
        objection = first_objection(listing, self._criteria, self._now_ms)
        if objection is None and rank is not None:
            objection = self._standing(listing, rank)
        if objection is None:
            return self._read(listing)
        self._reject(listing, objection)
        return None

    def _read(self, listing: Listing) -> GammaMarket | None:
        """The strict reading; what does not survive it is tallied."""
        try:
            if not _CONDITION_ID.fullmatch(text(listing.condition_id)):
                raise ResponseError("catalogue: field conditionId: not an id")
            return as_market(listing)
        except UnsupportedMarket as e:
            self._reject(listing, Reason(e.reason))
        except ResponseError:
            self._reject(listing, Reason.UNREADABLE)
        return None

    def _reject(self, listing: Listing, reason: Reason) -> None:
        self._tally.reject(text(listing.condition_id), text(listing.slug), reason)

    def _stop(self, page: Page, *, whole: bool) -> Stop | None:
        if not page.next_cursor:
            return Stop.END_OF_CATALOGUE
        if whole or not self.progress.sorted:
            return None
        if self.shortlist.full:
            return Stop.ENOUGH_CANDIDATES
        below = page.listings and all(volume_24h(listing) < self._criteria.min_volume for listing in page.listings)
        return Stop.BELOW_MIN_VOLUME if below else None

    async def _page(self, params: Params) -> Page:
        reply: HttpReply = await self._reader.fetch(self._url, params=params)
        self.cache_age.saw(reply.headers, wall_ms=self._wall_ms())
        return read_page(reply)


def _descends(volumes: Sequence[Micros]) -> bool:
    """Whether a page is sorted, but for a few that were traded while it was made."""
    rises = sum(later > earlier for earlier, later in pairwise(volumes))
    return rises * 10 <= len(volumes)
