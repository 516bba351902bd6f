"""One life of one host's program: the production assembly from start to end, over simulated ports.

`world.py` starts a life, cuts its power or asks it to stop, and starts the next one. A host with one market runs as `kabobagool run` does
and ends with its bot; one with several runs them as supervised tasks of a fleet.
"""

import asyncio
import contextvars
import os
import random
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tests.simulation.ports import HostClock, Network, SimulatedExecution, SimulatedFeed, SimulatedTransport, SimulatedWire
from tests.simulation.power import POWER, Power
from tests.simulation.shared_gate import open_shared_gate
from tests.simulation.troubles import FullDisk
from tests.simulation.witness import LifeJudge, WatchedGate
from tests.support.virtual_venue import market_of

from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.engine.bot import Bot
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.purse import Purse, PurseKeeper
from kabobagool.execution.account import account_reader, given_credentials
from kabobagool.execution.journal_store import JournalStore
from kabobagool.execution.live import ClobExecution
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.settings import FeedSettings
from kabobagool.hydra.market_task import MarketTask
from kabobagool.settings import Settings
from kabobagool.settings_wallet import wallet_name
from kabobagool.trading.gate_choice import OpenGate, open_gate
from kabobagool.trading.market_bot import OnView, open_bot
from kabobagool.trading.session import Account, TradingSession, Venue, open_journal, recall_halts
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader, RetryPolicy
from paper_exchange.types import PaperMarket

if TYPE_CHECKING:
    from tests.simulation.world import World


@dataclass(slots=True)
class Host:
    """A machine: what outlives the programs on it."""

    index: int
    name: str
    markets: tuple[int, ...]
    folder: Path
    network: Network
    skew_ms: int = 0
    disk_full: bool = False
    gate_away: bool = False
    life: "Life | None" = None
    lives: int = 0
    broken_ends: list[str] = field(default_factory=list)
    """Why programs ended here by themselves, in order."""

    @property
    def journal_path(self) -> Path:
        """The wallet's journal on this disk."""
        return self.folder / "journal.sqlite"


class Life:
    """A program from its start to its end. `bots` are the last of each market, by condition id."""

    def __init__(self, world: "World", host: Host) -> None:
        host.lives += 1
        self.world, self.host = world, host
        self.name = f"{host.name}.{host.lives}"
        self.power = Power(lambda where: world.was_cut(self, where))
        self.bots: dict[str, Bot] = {}
        self.told: dict[str, int] = {}
        """When it last told its gate what a market has at stake (virtual us)."""
        self.counters: dict[str, FeedCounters] = {}
        self.stop = asyncio.Event()
        self.session: TradingSession | None = None
        self.tasks: list[MarketTask] = []
        self.wires: list[SimulatedWire] = []
        self.judge = LifeJudge(world.witness, self)
        self.clock = HostClock(world.clock, self.power, lambda: host.skew_ms)
        self.started_us = self.ended_us = world.clock.now_us

    @property
    def alive(self) -> bool:
        """Whether it still runs, or is about to."""
        return self.power.on

    @property
    def trading(self) -> dict[str, Bot]:
        """Those that have not ended."""
        return {market: bot for market, bot in self.bots.items() if bot._engine_task is None or not bot._engine_task.done()}

    def may_trade(self, market: str) -> bool:
        """Whether a bot of this market runs here that believes itself alone; who knows that its lease is over sends nothing."""
        if not self.alive or self.session is None or market not in self.trading:
            return False
        shared = self.session.at_gate.shared
        return shared is None or shared._leases.is_certain(market)

    def begin(self) -> None:
        """Start the program: all its tasks belong to this life."""
        context = contextvars.copy_context()
        context.run(POWER.set, self.power)
        context.run(asyncio.get_running_loop().create_task, self._main())

    def ask_to_stop(self) -> None:
        """SIGTERM."""
        self.stop.set()
        for task in self.tasks:
            task.leave("told to stop")

    def let_go(self) -> None:
        """What an operating system does with what a dead process held: sockets break, locks are gone, files are closed."""
        self.ended_us = self.world.clock.now_us
        for wire in self.wires:
            self.world.venue.venue.market_sockets.remove(wire.subscriber)
        if self.session is not None:
            journal = self.session.journal
            for descriptor in journal._claims.values():
                os.close(descriptor)
            journal._claims.clear()
            journal._store.close()

    async def _main(self) -> None:
        error: Exception | None = None
        try:
            await self._trade()
        except Exception as e:
            error = e
        if self.power.on:
            self.power.on = False
            self.world.ended(self, error)

    async def _trade(self) -> None:
        session = self.session = await self._open_session(self.world.settings_of(self.host))
        keeper = PurseKeeper(purse=session.purse, reader=cast(Account, session.account).reader, clock=self.clock)
        with suppress(VenueError):
            await keeper.count()
        markets = [await self._market(session, self.world.market(number)) for number in self.host.markets]
        if len(markets) == 1:
            await self._run_one(session, markets[0], keeper)
        else:
            await self._run_fleet(session, markets, keeper)

    async def _run_one(self, session: TradingSession, market: Market, keeper: PurseKeeper) -> None:
        try:
            bot = await self._open_bot(session, market, None)
        except BaseException:
            await session.close()
            raise
        bot.keeper = keeper
        bot.closers.insert(0, session.close)
        await bot.run(self.stop)

    async def _run_fleet(self, session: TradingSession, markets: list[Market], keeper: PurseKeeper) -> None:
        self.tasks = [self._supervised(session, market) for market in markets]
        counting = asyncio.create_task(keeper.run())
        await asyncio.gather(*[task.run() for task in self.tasks])
        counting.cancel()
        await session.close()

    def _supervised(self, session: TradingSession, market: Market) -> MarketTask:
        async def opened(market: Market, tracker: PositionTracker | None) -> Bot:
            return await self._open_bot(session, market, tracker)

        return MarketTask(market, open_bot=opened, clock=self.clock, rng=session.venue.rng, redact=str, mode="live")

    async def _open_session(self, settings: Settings) -> TradingSession:
        clock, rng = self.clock, random.Random(f"{self.world.history.seed}|{self.name}")
        transport = SimulatedTransport(self.world.venue, self.host.network, clock)
        reader = Reader(transport, clock=clock, rng=rng, policy=RetryPolicy())
        venue = Venue(transport=transport, reader=reader, clob=ClobReader(reader, settings.host, clock=clock), clock=clock, rng=rng)
        account = self._account(settings, reader)
        at_gate = await self._open_gate(settings, rng)
        journal = await open_journal(settings, clock, at_gate=at_gate)
        journal._store = cast(JournalStore, FullDisk(journal._store, self.host))
        await recall_halts(settings, at_gate, journal)
        return TradingSession(settings=settings, venue=venue, account=account, journal=journal, at_gate=at_gate, purse=Purse())

    def _account(self, settings: Settings, reader: Reader) -> Account:
        credentials = given_credentials(settings)
        assert credentials is not None
        rows = account_reader(settings, reader, credentials, self.clock)
        execution = SimulatedExecution(
            self.world.venue,
            name=self.name,
            clock=self.clock,
            reader=rows,
            network=self.host.network,
            power=self.power,
            judge=self.judge,
        )
        return Account(reader=rows, execution=cast(ClobExecution, execution))

    async def _open_gate(self, settings: Settings, rng: random.Random) -> OpenGate:
        if self.world.gate_server is not None:
            opened = await open_shared_gate(self.world.gate_server, self, settings, rng)
        else:
            opened = await open_gate(settings, wallet_name(settings), clock=self.clock, rng=rng)
        return replace(opened, gate=WatchedGate(opened.gate, self))

    async def _market(self, session: TradingSession, listed: PaperMarket) -> Market:
        return market_of(listed, await session.venue.clob.market_info(listed.condition_id))

    async def _open_bot(self, session: TradingSession, market: Market, tracker: PositionTracker | None) -> Bot:
        counters = self.counters[market.condition_id] = FeedCounters()

        def feed_for(on_view: OnView) -> SimulatedFeed:
            feed = SimulatedFeed(
                url="wss://venue",
                market=market,
                clock=self.clock,
                rng=session.venue.rng,
                fetch_books=session.venue.fetch_books,
                on_view=on_view,
                settings=FeedSettings(),
                counters=counters,
            )
            feed.dial = self._dial
            return feed

        bot = await open_bot(
            session, market, feed_for=feed_for, counters=counters, observer=Unobserved(), settlements=Unobserved(), tracker=tracker
        )
        self.bots[market.condition_id] = bot
        return bot

    def _dial(self) -> SimulatedWire:
        wire = SimulatedWire(self.world.venue, self.host.network, self.clock, self.power)
        self.wires = [*(old for old in self.wires if not old.subscriber.severed), wire][-4:]
        return wire


class Unobserved:
    """Metrics that nobody reads: an `EngineObserver` and a `SettlementListener`."""

    def order_ended(self, plan: object, purpose: object, outcome: OrderOutcome, latency_s: float) -> None:
        """Uncounted."""

    def order_found(self, plan: object, outcome: OrderOutcome) -> None:
        """Uncounted."""

    def position(self, position: object, *, naked: bool) -> None:
        """Uncounted."""

    def gate(self, answer: object) -> None:
        """Uncounted."""

    def settled(self, *, lag_s: float) -> None:
        """Uncounted."""

    def settlement_failed(self) -> None:
        """Uncounted."""
