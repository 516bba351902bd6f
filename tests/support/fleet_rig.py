"""A whole fleet against a paper exchange, in this process: several scripted markets, one wallet, the network in the test's hand.

`fleet_on(venue)` puts a fleet together exactly as `kabobagool hydra` does; `FleetProcess` is the command itself, for tests about signals
and exit statuses. At the end every market's position is compared with the exchange's ledger, to the micro-dollar.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kabobagool.domain.book import PairView
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.hydra.fleet_assembly import assemble_fleet
from kabobagool.hydra.fleet_snapshot import MarketRow
from kabobagool.hydra.market_supervisor import MarketSupervisor
from kabobagool.hydra.market_task import MarketTask
from kabobagool.settings import load_settings
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.trading.session import TradingSession, open_session
from paper_exchange.app import ServeOptions
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.faults import Fault, FaultPlan
from paper_exchange.types import PaperMarket, Side
from tests.faults.fault_books import always_cheap
from tests.support.bot_rig import NOTHING, PATIENCE_S, QUICK, SPEED, BotProcess, Venue
from tests.support.paper import ScriptedBooks, paper_exchange_server
from tests.support.wire import ExchangeWire

PAIR = 10_000_000
"""Micro-shares of each outcome that the rig's batch size buys."""
FLEET = {
    "DISCOVERY_INTERVAL_S": "4",
    "ENABLE_BOOK_SCREEN": "false",
    "MIN_VOLUME": "0",
    "MIN_DURATION_HOURS": "0",
    "GLOBAL_ORDER_MIN_INTERVAL_S": "0.05",
    "DRAIN_TIMEOUT_S": "20",
    "HEALTH_PORT_BASE": "0",
}


def cheap_markets(count: int, **fields: Any) -> list[ScriptedBooks]:
    """Markets `one-0`, `one-1` ... whose pairs cost 0.92 all the time."""
    return [always_cheap(slug=f"one-{number}", **fields) for number in range(count)]


class FleetVenue(Venue):
    """A venue with many markets, as one wallet sees them."""

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of this wallet's fleet."""
        env = super().environment(**{**FLEET, "TARGETS_PATH": str(self.folder / "targets" / "hydra.json"), **more})
        del env["MARKET_SLUG"], env["HEALTH_CHECK_PORT"]
        return env

    def listed(self, slug: str) -> PaperMarket:
        """The exchange's market of that slug."""
        found = self.paper.exchange.market(slug)
        assert found is not None, slug
        return found

    def held(self, slug: str) -> tuple[int, int]:
        """Micro-shares of YES and NO of a market in the ledger, pending ones included."""
        self.paper.step()
        account = self.paper.exchange.account(self.address)
        yes, no = (account.held(token) for token in self.listed(slug).tokens)
        return yes, no

    def true(self, slug: str) -> dict[str, int]:
        """What the exchange's ledger says of a market, in millionths."""
        yes, no = self.held(slug)
        kept = [trade for trade in self.kept() if trade.condition_id == self.listed(slug).condition_id]
        signs = {Side.BUY: 1, Side.SELL: -1}
        dollars = sum(signs[trade.side] * trade.dollars for trade in kept)
        return {"yes": yes, "no": no, "dollars": dollars, "fees": sum(trade.fee for trade in kept)}


@dataclass(slots=True)
class FleetRig(FleetVenue):
    """A fleet on such a venue, running."""

    session: TradingSession = field(kw_only=True)
    supervisor: MarketSupervisor = field(kw_only=True)
    stop: asyncio.Event = field(kw_only=True)
    run: "asyncio.Task[bool]" = field(kw_only=True)

    @property
    def tasks(self) -> dict[str, MarketTask]:
        """The fleet's markets by slug."""
        return {task.market.slug: task for task in self.supervisor.fleet.tasks.values()}

    def row(self, slug: str) -> MarketRow:
        """What the page shows of a market."""
        return self.tasks[slug].row(halted=False)

    def phase(self, slug: str) -> str:
        """`gone` for a market that is not there."""
        return self.tasks[slug].phase.value if slug in self.tasks else "gone"

    def left(self) -> dict[str, Any]:
        """Markets that left, by slug, as the page shows them."""
        return {left.market.slug: left.shown() for left in self.supervisor.fleet.ledger.left}

    def believed(self, slug: str) -> dict[str, int]:
        """What the fleet thinks it owns and paid in a market, in millionths."""
        position = self.tasks[slug].position
        dollars = position.yes.cost - position.yes.proceeds + position.no.cost - position.no.proceeds
        return {"yes": position.yes.shares, "no": position.no.shares, "dollars": dollars, "fees": position.fees}

    def quiet(self) -> bool:
        """Whether nothing is on its way, unknown or pending on either side."""
        over = all(trade.status in ("CONFIRMED", "FAILED") for trade in self.trades())
        return over and all(not task.bot.engine.is_busy() and _settled(task) for task in self.tasks.values() if task.bot)

    async def until_running(self, *slugs: str) -> None:
        """Wait until these markets trade."""
        await self.until(lambda: all(self.phase(slug) == "running" for slug in slugs), f"{slugs} running")

    async def until_pair(self, *slugs: str) -> None:
        """Wait until each of these markets holds a pair, and settled."""
        await self.until(lambda: all(self.held(slug) == (PAIR, PAIR) for slug in slugs), f"a pair in {slugs}")
        await self.until(self.quiet, "everything settled")

    async def at_rest(self) -> None:
        """Allow no new pair; wait until no leg is naked and everything is settled."""
        await self.until(lambda: all(task.alive for task in self.tasks.values()), "every market trades")
        for task in self.tasks.values():
            if task.bot:
                task.bot.engine.stopping = True
        await self.until(lambda: self.quiet() and not any(_naked(task) for task in self.tasks.values()), "at rest")

    def agrees_with_the_ledger(self, *slugs: str) -> None:
        """Every position is the ledger's, and no order was sent twice."""
        for slug in slugs or self.tasks:
            assert self.believed(slug) == self.true(slug), slug
        self.nothing_was_sent_twice()

    async def stopped(self) -> bool:
        """Stop as a signal does; whether no leg was left naked."""
        self.stop.set()
        return await asyncio.wait_for(asyncio.shield(self.run), PATIENCE_S)


def _settled(task: MarketTask) -> bool:
    settlement = task.bot.settlement if task.bot else None
    return settlement is None or not settlement.pending


def _naked(task: MarketTask) -> bool:
    return task.bot is not None and task.bot.engine.strategy.naked


@contextlib.asynccontextmanager
async def venue_for_a_fleet(
    folder: Path,
    books: Sequence[ScriptedBooks],
    *,
    faults: Sequence[Fault] = (),
    speed: float = SPEED,
    settings: ExchangeSettings = QUICK,
    balance_micros: int = 1_000_000_000,
    seed: int = 1,
) -> AsyncIterator[FleetVenue]:
    """An exchange with these markets behind a wire."""
    options = ServeOptions(speed=speed, balance_micros=balance_micros)
    async with paper_exchange_server(*books, options=options, settings=settings, faults=FaultPlan(faults, seed=seed)) as paper:
        wire = ExchangeWire(int(paper.urls["clob"].rpartition(":")[2]))
        await wire.start()
        try:
            yield FleetVenue(paper, wire, folder)
        finally:
            await wire.go_down()


@contextlib.asynccontextmanager
async def fleet_on(venue: FleetVenue, **env: str) -> AsyncIterator[FleetRig]:
    """A fleet that runs until the block ends. If it died on the way its error is raised."""
    session = await open_session(load_settings(venue.environment(**env), market_required=False))
    supervisor = assemble_fleet(session, BotMetrics(), redact=lambda text: text)
    stop = asyncio.Event()
    run = asyncio.create_task(supervisor.run(stop))
    rig = FleetRig(venue.paper, venue.wire, venue.folder, venue.key, session=session, supervisor=supervisor, stop=stop, run=run)
    try:
        yield rig
        if run.done() and not run.cancelled():
            run.result()
    finally:
        run.cancel()
        await asyncio.wait({run})
        await session.close()


@contextlib.asynccontextmanager
async def fleet(
    folder: Path, books: Sequence[ScriptedBooks], *, variables: Mapping[str, str] = NOTHING, **options: Any
) -> AsyncIterator[FleetRig]:
    """One fleet on one exchange; `variables` are variables of the fleet, other keywords those of `venue_for_a_fleet`."""
    async with venue_for_a_fleet(folder, books, **options) as venue, fleet_on(venue, **variables) as rig:
        yield rig


class BrokenMarkets:
    """Markets, by slug, whose rule raises as long as they are named here: in the engine, or where the feed shows it a view."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.in_the_engine: set[str] = set()
        self.in_the_feed: set[str] = set()
        propose, on_view = KabobagoolStrategy.propose, KabobagoolStrategy.on_view

        def breaking_propose(strategy: KabobagoolStrategy, view: PairView) -> Any:
            if view.market.slug in self.in_the_engine and strategy.pending:  # asked by the engine, not by the feed
                raise ZeroDivisionError("a rule that divides by nothing")
            return propose(strategy, view)

        def breaking_on_view(strategy: KabobagoolStrategy, view: PairView) -> None:
            if view.market.slug in self.in_the_feed:
                raise KeyError("a view nobody understands")
            on_view(strategy, view)

        patch.setattr(KabobagoolStrategy, "propose", breaking_propose)
        patch.setattr(KabobagoolStrategy, "on_view", breaking_on_view)


class FleetProcess(BotProcess):
    """`kabobagool hydra` as a child process, in a folder of its own."""

    async def start(self, *, announced: bool = True) -> "FleetProcess":
        """Start it and, unless it is expected to fail first, wait for its first line."""
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "kabobagool.cli.main", "hydra", "--json"),
            env=self._env,
            cwd=self.venue.folder,
            stdout=pipe,
            stderr=pipe,
            stdin=asyncio.subprocess.DEVNULL,
        )
        if announced:
            assert self._process.stdout is not None
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
            assert line, f"the fleet ended before it started: {await self.ended()}"
            self.facts = json.loads(line)
        return self


@contextlib.asynccontextmanager
async def fleet_process(venue: FleetVenue, **env: str) -> AsyncIterator[FleetProcess]:
    """A started `kabobagool hydra`, ended with the block."""
    process = FleetProcess(venue, **env)
    try:
        yield await process.start()
    finally:
        await process.put_away()
