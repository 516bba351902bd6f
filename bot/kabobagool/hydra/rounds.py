"""Rounds of discovery for a fleet: which markets it should have now, asked again and again.

`market_supervisor.py` runs `DiscoveryRounds` as a task and starts and stops markets as the roster says. A round that fails changes nothing:
an outage of the catalogue retires nobody.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Final

from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import Round, discover
from kabobagool.discovery.hysteresis import Changes, Roster
from kabobagool.domain.market import Market
from kabobagool.hydra.fleet_snapshot import DiscoveryView
from kabobagool.hydra.market_task import first_cause
from kabobagool.trading.session import Venue
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import MarketNotFound, MarketNotTradable, UnsupportedMarket, resolve_market

log = logging.getLogger(__name__)

TRY_AGAIN_S: Final = 15.0
"""After a round that failed; never longer than the usual pause."""


@dataclass(slots=True, kw_only=True)
class DiscoveryRounds:
    """The roster of a fleet and the rounds that change it.

    `holding` names the markets that own something: they stay. `changed` is told what a round changed; the markets themselves are in
    `markets` by condition id, as the exchange last described them. `wall_ms` tells the real time, to which Date headers compare.
    """

    venue: Venue
    gamma_host: str
    criteria: Criteria
    roster: Roster
    interval_s: float
    wall_ms: Callable[[], int]
    holding: Callable[[], Collection[str]]
    changed: Callable[[Changes], None]
    markets: dict[str, Market] = field(default_factory=dict)
    trouble: str | None = None
    failures: int = 0
    _owed: list[str] = field(default_factory=list)
    _last: Round | None = None
    _last_ms: int | None = None

    async def adopt(self, condition_ids: Collection[str]) -> None:
        """Put markets on the roster that an earlier process traded: what it may own there must be looked after, whatever the criteria say.

        Those that the venue does not describe now are asked for again with every round, until it does.
        """
        self._owed = [condition_id for condition_id in condition_ids if not await self._adopted(condition_id)]

    async def _adopted(self, condition_id: str) -> bool:
        """Try once; whether no further try is needed."""
        try:
            market = await resolve_market(self.venue.reader, self.venue.clob, self.gamma_host, condition_id=condition_id)
        except (MarketNotTradable, MarketNotFound, UnsupportedMarket) as e:
            log.info("a market traded earlier is not taken up again", extra={"condition_id": condition_id, "reason": str(e)})
            return True
        except VenueError as e:
            log.warning("a market traded earlier cannot be taken up yet", extra={"condition_id": condition_id, "error": str(e)})
            return False
        self.markets[condition_id] = market
        self.roster.adopt([condition_id], now_ms=self.venue.clock.now_ms())
        self.changed(Changes((), ()))
        return True

    async def run(self) -> None:
        """One round after the other, until cancelled."""
        while True:
            await self.look()
            pause_s = self.interval_s if self.trouble is None else min(TRY_AGAIN_S, self.interval_s)
            await self.venue.clock.sleep(pause_s)

    async def look(self) -> None:
        """One round. What went wrong is in `trouble` then, whatever it was: markets that trade must not end because nobody can look."""
        try:
            await self.adopt(self._owed)
            await self._look()
        except Exception as e:
            known = isinstance(e, VenueError)
            self.trouble = str(e) if known else first_cause(e)
            self.failures += 1
            log.warning("discovery failed; the fleet stays as it is", extra={"error": self.trouble}, exc_info=None if known else e)
        else:
            self.trouble, self.failures = None, 0

    async def _look(self) -> None:
        now_ms = self.venue.clock.now_ms()
        found = await discover(
            self.venue.reader,
            self.venue.clob,
            self.gamma_host,
            criteria=self.criteria,
            now_ms=now_ms,
            wall_ms=self.wall_ms,
            watched=tuple(self.roster.watched),
        )
        self._take(found, now_ms)

    def view(self) -> DiscoveryView:
        """The last round for the page."""
        last = self._last
        return DiscoveryView(
            at_ms=self._last_ms,
            qualifying=len(last.found) if last else 0,
            rejected={reason.value: count for reason, count in sorted(last.rejected.items())} if last else {},
            listed=last.progress.seen if last else 0,
            cache_age_s=last.cache_age_s if last else None,
            trouble=self.trouble,
        )

    def _take(self, found: Round, now_ms: int) -> None:
        self._last, self._last_ms = found, now_ms
        self.markets.update((each.market.condition_id, each.market) for each in found.found)
        qualifying = [each.market.condition_id for each in found.found]
        changes = self.roster.observe(qualifying, found.verdicts, now_ms=now_ms, holding=self.holding())
        watched = self.roster.watched
        self.markets = {condition_id: market for condition_id, market in self.markets.items() if condition_id in watched}
        self.changed(changes)
