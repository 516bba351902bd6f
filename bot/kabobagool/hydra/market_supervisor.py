"""Hydra's heart: keeps one supervised task for every market that discovery wants.

Built by `fleet_assembly.py`. Discovery changes the roster, the tasks are brought in line with the roster, and a market that leaves is
entered in the ledger with what it leaves behind. One market's failure is that market's; only what all of them share (the feed) ends
the process.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.hysteresis import Changes, Roster
from kabobagool.domain.market import Market
from kabobagool.engine.bot import Bot
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.purse import PurseKeeper
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.multiplex_feed import MultiplexedMarketFeed
from kabobagool.gate.interface import Exposure
from kabobagool.hydra.endings import Endings
from kabobagool.hydra.fleet import Fleet
from kabobagool.hydra.market_task import MarketTask, OpenBot
from kabobagool.hydra.payouts import Payout
from kabobagool.hydra.rounds import DiscoveryRounds
from kabobagool.trading.session import TradingSession
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

OPENING_AT_ONCE: Final = 8
"""Markets that may be reconciled at the same time: a big fleet must not start with a flood of requests."""
CLOSING_S: Final = 2.0
"""Besides the time limit for hedges: for letting go of everything."""
RESOLVED: Final = "resolved"
STOPPED: Final = "stopped"


class MarketSupervisor:
    """The life of a fleet. `open_bot` makes the bot of a market on the shared feed; `fleet` is what others may see of it all."""

    def __init__(
        self,
        *,
        session: TradingSession,
        criteria: Criteria,
        feed: MultiplexedMarketFeed,
        counters: FeedCounters,
        open_bot: OpenBot,
        wall_ms: Callable[[], int],
        redact: Callable[[str], str],
        profile: str | None = None,
    ) -> None:
        settings, clock = session.settings, session.clock
        self._session = session
        self._feed = feed
        self._open_bot = open_bot
        self._redact = redact
        self._group: asyncio.TaskGroup | None = None
        self._opening = asyncio.Semaphore(OPENING_AT_ONCE)
        self._payouts: dict[str, Payout] = {}
        self._level = True
        self._kept: set[asyncio.Task[None]] = set()
        account = session.account
        self._keeper = PurseKeeper(purse=session.purse, reader=account.reader, clock=clock) if account else None
        self.rounds = DiscoveryRounds(
            venue=session.venue,
            gamma_host=settings.gamma_host,
            criteria=criteria,
            roster=Roster(max_markets=criteria.max_markets, retire_after_ms=settings.retire_after_ms),
            interval_s=settings.discovery_interval_ms / 1000,
            wall_ms=wall_ms,
            holding=lambda: [condition_id for condition_id, task in self.fleet.tasks.items() if task.holds_something()],
            changed=self._follow,
        )
        self.fleet = Fleet(
            session=session,
            rounds=self.rounds,
            counters=counters,
            sockets=lambda: feed.sockets,
            started_ms=clock.now_ms(),
            profile=profile,
        )
        self.endings = Endings(
            reader=session.venue.reader,
            gamma_host=settings.gamma_host,
            clock=clock,
            tasks=lambda: list(self.fleet.tasks.values()),
            over=self._is_over,
        )

    async def run(self, stop: asyncio.Event) -> bool:
        """Trade until `stop` is set, then let every market finish its hedges. Whether no leg is left naked.

        Raises what all share raised.
        """
        async with asyncio.TaskGroup() as self._group:
            shared = [self._group.create_task(self._feed.run(), name="feed")]
            if self._keeper is not None:
                with suppress(VenueError):  # the keeper asks again; until then only the venue itself refuses what cannot be paid
                    await self._keeper.count()
                shared.append(self._group.create_task(self._keeper.run(), name="purse"))
            searching = [
                self._group.create_task(self._search(), name="discovery"),
                self._group.create_task(self.endings.run(), name="endings"),
            ]
            await stop.wait()
            await self._drain(searching)
            for task in shared:
                task.cancel()
        return self._level

    async def _search(self) -> None:
        """Take up what an earlier process owns, then look for more until cancelled."""
        if self._session.live:
            await self.rounds.adopt(await self._session.journal.markets())
        self.fleet.state = "running"
        await self.rounds.run()

    async def _drain(self, searching: list[asyncio.Task[None]]) -> None:
        """Nothing new joins; every market finishes its hedges within its time limit, and is cut off soon after that."""
        self.fleet.state = "draining"
        for task in searching:
            task.cancel()
        for market in self.fleet.tasks.values():
            market.leave(STOPPED)
        ended = asyncio.gather(*self._kept, return_exceptions=True)
        limit = asyncio.ensure_future(self._session.clock.sleep(self._session.settings.drain_timeout_ms / 1000 + CLOSING_S))
        waiting: set[asyncio.Future[Any]] = {ended, limit}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for late in (limit, *self._kept):
            late.cancel()
        await ended

    def _follow(self, changes: Changes) -> None:
        """Bring the tasks in line with the roster."""
        for condition_id, reason in changes.left:
            if condition_id in self.fleet.tasks:
                self.fleet.tasks[condition_id].leave(reason.value)
        for condition_id in self.rounds.roster.watched:
            if condition_id not in self.fleet.tasks and condition_id in self.rounds.markets:
                self._start(self.rounds.markets[condition_id])

    def _start(self, market: Market) -> None:
        if self._group is None or self.fleet.state == "draining":
            return
        session = self._session
        task = MarketTask(
            market, open_bot=self._open_in_turn, clock=session.clock, rng=session.venue.rng, redact=self._redact, mode=session.mode
        )
        self.fleet.tasks[market.condition_id] = task
        keeping = self._group.create_task(self._keep(task), name=f"market {market.slug}")
        self._kept.add(keeping)
        keeping.add_done_callback(self._kept.discard)
        log.info("market joined", extra={"market": market.slug, "condition_id": market.condition_id})

    async def _keep(self, task: MarketTask) -> None:
        """Run a market until it is gone, then close its books."""
        try:
            await task.run()
        finally:
            self._close_books(task)

    def _close_books(self, task: MarketTask) -> None:
        condition_id = task.market.condition_id
        reason, payout = task.leaving_because or STOPPED, self._payouts.pop(condition_id, None)
        left = self.fleet.ledger.enter(task, reason=reason, at_ms=self._session.clock.now_ms(), payout=payout)
        self._level = self._level and (task.level or payout is not None)
        self._session.purse.write_off(market=condition_id)
        if left.profit is not None:  # what it pays is certain: nothing of it is at stake any more
            self._session.gate.set_exposure(condition_id, Exposure(result=left.profit))
        del self.fleet.tasks[condition_id]
        shown = left.shown()
        log.info("market left", extra={"market": shown.market, "reason": reason, "payout": shown.payout, "profit": shown.profit})

    async def _open_in_turn(self, market: Market, tracker: PositionTracker | None) -> Bot:
        async with self._opening:
            return await self._open_bot(market, tracker)

    def _is_over(self, task: MarketTask, payout: Payout) -> None:
        """The market pays: nothing can be traded any more, and the roster must not wait for anything."""
        condition_id = task.market.condition_id
        self._payouts[condition_id] = payout
        self.rounds.roster.retire(condition_id)
        task.leave(RESOLVED)
