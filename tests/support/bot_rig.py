"""A whole bot against a paper exchange, with the network between them in the test's hand.

`trading(...)` composes the bot exactly as `kabobagool run` does, in this process; `BotProcess` is the command itself, for tests that
kill it. Tests wait for conditions, and at the end compare what the bot believes with what the exchange's ledger knows, to the micro-dollar.
"""

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from eth_account import Account

from kabobagool.cli.compose import compose
from kabobagool.domain.edge import Reason
from kabobagool.domain.market import Outcome
from kabobagool.engine.bot import Bot
from kabobagool.engine.market_engine import EngineState
from kabobagool.settings import Settings, load_settings
from kabobagool.telemetry.metrics import BotMetrics
from paper_exchange.app import ServeOptions
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.faults import Fault, FaultKind, FaultPlan
from paper_exchange.types import OrderRecord, Side, Trade
from tests.faults.fault_books import always_cheap
from tests.support.paper import PaperServer, ScriptedBooks, paper_exchange_server
from tests.support.wire import ExchangeWire

SPEED = 40.0
PATIENCE_S = 60.0
ENDS_S = 20.0
PARTS = frozenset({"engine", "feed", "market", "memory", "settlement"})
"""Names of the tasks of a bot."""
NOTHING: Mapping[str, str] = {}
QUICK = ExchangeSettings(mine_ms=300, confirm_ms=800)
ONE_PAIR = {"BATCH_SIZE": "10", "MAX_POSITION_USD": "10"}
"""Room for one pair of 10 shares at 0.92 dollars, not for a second."""
TWO_PAIRS = {"BATCH_SIZE": "10", "MAX_POSITION_USD": "20"}
REFUSED_AT_THE_DOOR = (FaultKind.CLOUDFLARE_403, FaultKind.RESTART_425, FaultKind.POST_ONLY_503, FaultKind.RATE_LIMITED_WITH_HEADERS)


def new_key() -> str:
    """A private key nobody has used."""
    return "0x" + secrets.token_hex(32)


def environment(paper: PaperServer, wire: ExchangeWire, folder: Path, *, key: str, **more: str) -> dict[str, str]:
    """The variables of a live bot on this exchange."""
    return {
        "HOST": f"http://127.0.0.1:{wire.port}",
        "GAMMA_HOST": f"http://127.0.0.1:{wire.port}/gamma",
        "MARKET_SOCKET_URL": f"ws://127.0.0.1:{wire.port}/ws/market",
        "CLOCK_RATE": str(paper.clock.speed),
        "MARKET_SLUG": paper.market.slug,
        "DRY_RUN": "false",
        "PRIVATE_KEY": key,
        "HEALTH_CHECK_PORT": "0",
        "JOURNAL_PATH": str(folder / "journal.sqlite"),
        "GLOBAL_ORDER_MIN_INTERVAL_S": "0.1",
        "MAX_LEG_AGE_MS": "20000",
        **ONE_PAIR,
        **more,
    }


@dataclass(slots=True)
class Venue:
    """An exchange behind a wire, as one wallet sees it."""

    paper: PaperServer
    wire: ExchangeWire
    folder: Path
    key: str = field(default_factory=new_key)

    @property
    def address(self) -> str:
        """The wallet, lower case."""
        return str(Account.from_key(self.key).address).lower()

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of this wallet's bot."""
        return environment(self.paper, self.wire, self.folder, key=self.key, **more)

    @property
    def posts(self) -> int:
        """POST /order requests that left the bot."""
        return len(self.wire.orders)

    def trades(self) -> list[Trade]:
        """Every trade of the wallet, failed ones included."""
        self.paper.step()
        return self.paper.exchange.trades(self.address)

    def kept(self) -> list[Trade]:
        """Trades that stand."""
        return [trade for trade in self.trades() if trade.status != "FAILED"]

    def records(self) -> list[OrderRecord]:
        """Orders of the wallet that reached matching."""
        return [record for record in self.paper.exchange.orders() if record.request.maker.lower() == self.address]

    def filled(self, outcome: Outcome | None = None) -> int:
        """Orders that matched, of one outcome or of both."""
        return len({trade.order_hash for trade in self.trades() if outcome in (None, trade.outcome)})

    def shares(self) -> tuple[int, int]:
        """Micro-shares of YES and NO in the ledger, pending ones included."""
        self.paper.step()
        account = self.paper.exchange.account(self.address)
        yes, no = (account.held(token) for token in self.paper.market.tokens)
        return yes, no

    async def until(self, condition: Callable[[], object], what: str, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until it holds. AssertionError that says what never came."""
        deadline = asyncio.get_running_loop().time() + patience_s
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, f"not within {patience_s} s: {what}"
            await asyncio.sleep(0.005)

    async def venue_seconds(self, seconds: float) -> None:
        """Let that much venue time pass."""
        until_ms = self.paper.clock.now_ms() + seconds * 1000
        await self.until(lambda: self.paper.clock.now_ms() >= until_ms, f"{seconds} venue seconds")

    def nothing_was_sent_twice(self) -> None:
        """Every POST carried an order of its own."""
        assert self.wire.distinct_orders == len(self.wire.orders)
        self.paper.step()
        self.paper.exchange.ledger.check()


@dataclass(slots=True)
class Rig(Venue):
    """A venue with one bot on it, running."""

    bot: Bot = field(kw_only=True)
    stop: asyncio.Event = field(kw_only=True)
    run: "asyncio.Task[bool]" = field(kw_only=True)

    @property
    def state(self) -> EngineState:
        """The engine's state."""
        return self.bot.engine.state()

    @property
    def rejected(self) -> dict[str, int]:
        """Edges not acted on, by reason."""
        return dict(self.bot.engine.strategy.truth.rejected)

    def believed(self) -> dict[str, int]:
        """What the bot thinks it owns and paid, in millionths."""
        position = self.bot.engine.tracker.position
        return {
            "yes": position.yes.shares,
            "no": position.no.shares,
            "dollars": position.yes.cost - position.yes.proceeds + position.no.cost - position.no.proceeds,
            "fees": position.fees,
        }

    def true(self) -> dict[str, int]:
        """What the exchange's ledger says of the same."""
        kept, shares = self.kept(), self.shares()
        signs = {Side.BUY: 1, Side.SELL: -1}
        return {
            "yes": shares[0],
            "no": shares[1],
            "dollars": sum(signs[trade.side] * trade.dollars for trade in kept),
            "fees": sum(trade.fee for trade in kept),
        }

    def quiet(self) -> bool:
        """Whether nothing is on its way, unknown or pending on either side."""
        if self.bot.engine.obstacle() is Reason.ORDER_IN_FLIGHT:
            return False
        over = all(trade.status in ("CONFIRMED", "FAILED") for trade in self.trades())
        settlement = self.bot.settlement
        return over and not self.bot.engine.unknown.open and settlement is not None and not settlement.pending

    async def settled(self) -> None:
        """Wait until it is quiet."""
        await self.until(self.quiet, "everything settled")

    async def at_rest(self) -> None:
        """Allow no new pair, and wait until no leg is naked and everything is settled."""
        self.bot.engine.stopping = True
        await self.until(lambda: self.state is EngineState.STOPPING and self.quiet(), f"at rest, not {self.state}")

    async def agrees_with_the_ledger(self) -> None:
        """After settlement the bot's position is the ledger's, and no order was sent twice."""
        await self.settled()
        assert self.believed() == self.true()
        self.nothing_was_sent_twice()

    async def until_pairs(self, pairs: int, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until so many pairs of 10 shares are held, and level."""
        wanted = pairs * 10_000_000

        def held() -> bool:
            yes, no = self.shares()
            return yes >= wanted and no >= wanted

        await self.until(held, f"{pairs} pairs; state {self.state}, rejected {self.rejected}", patience_s=patience_s)

    async def cancelled(self) -> None:
        """Cancel the bot, as whatever ends its process does. AssertionError when it lives on; its parts are cancelled one by one then."""
        self.run.cancel()
        done, _ = await asyncio.wait({self.run}, timeout=ENDS_S)
        if not done:
            survivors = [task for task in asyncio.all_tasks() if task.get_name() in PARTS]
            for task in survivors:
                task.cancel()
            await asyncio.wait({self.run})
            raise AssertionError(f"cancelled, and {ENDS_S:g} s later still alive: {[task.get_name() for task in survivors]}")


@contextlib.asynccontextmanager
async def venue_for_a_bot(
    folder: Path,
    books: ScriptedBooks | None = None,
    *,
    faults: Sequence[Fault] = (),
    speed: float = SPEED,
    settings: ExchangeSettings = QUICK,
    balance_micros: int = 1_000_000_000,
    seed: int = 1,
) -> AsyncIterator[Venue]:
    """An exchange behind a wire. `faults` are armed from its start."""
    options = ServeOptions(speed=speed, balance_micros=balance_micros)
    served = paper_exchange_server(books or always_cheap(), options=options, settings=settings, faults=FaultPlan(faults, seed=seed))
    async with served as paper:
        wire = ExchangeWire(int(paper.urls["clob"].rpartition(":")[2]))
        await wire.start()
        try:
            yield Venue(paper, wire, folder)
        finally:
            await wire.go_down()


@contextlib.asynccontextmanager
async def bot_on(venue: Venue, **env: str) -> AsyncIterator[Rig]:
    """A composed bot on this venue, running until the block ends. If the bot died on the way its error is raised."""
    settings: Settings = load_settings(venue.environment(**env))
    bot = await compose(settings, BotMetrics())
    stop = asyncio.Event()
    run = asyncio.create_task(bot.run(stop))
    rig = Rig(venue.paper, venue.wire, venue.folder, venue.key, bot=bot, stop=stop, run=run)
    try:
        yield rig
        if run.done() and not run.cancelled():
            run.result()
    finally:
        await rig.cancelled()


@contextlib.asynccontextmanager
async def trading(
    folder: Path,
    books: ScriptedBooks | None = None,
    *,
    faults: Sequence[Fault] = (),
    speed: float = SPEED,
    settings: ExchangeSettings = QUICK,
    balance_micros: int = 1_000_000_000,
    seed: int = 1,
    variables: Mapping[str, str] = NOTHING,
    **env: str,
) -> AsyncIterator[Rig]:
    """One bot on one exchange; `variables` and upper-case keywords are variables of the bot."""
    opened = venue_for_a_bot(folder, books, faults=faults, speed=speed, settings=settings, balance_micros=balance_micros, seed=seed)
    async with opened as venue, bot_on(venue, **{**variables, **env}) as rig:
        yield rig


class BotProcess:
    """`kabobagool run` as a child process."""

    def __init__(self, venue: Venue, **env: str) -> None:
        self.venue = venue
        self.facts: dict[str, Any] = {}
        self._env = venue.environment(**env)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child; AssertionError before `start`."""
        assert self._process is not None, "start the bot first"
        return self._process

    async def start(self, *, announced: bool = True) -> "BotProcess":
        """Start it and, unless it is expected to fail first, wait for its first line."""
        command = (sys.executable, "-m", "kabobagool.cli.main", "run", "--json")
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *command, env=self._env, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL
        )
        if announced:
            assert self._process.stdout is not None
            line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_S)
            assert line, f"the bot ended before it started: {await self.ended()}"
            self.facts = json.loads(line)
        return self

    async def status(self) -> dict[str, Any]:
        """What /status says."""
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{self.facts['port']}/status") as reply:
            found: dict[str, Any] = await reply.json()
            return found

    async def until_status(self, condition: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """Ask /status until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            status = await self.status()
            while not condition(status):
                status = await self.status()
        return status

    def kill(self) -> None:
        """Kill -9."""
        self.process.kill()

    def terminate(self) -> None:
        """SIGTERM, as Kubernetes does."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self, *, patience_s: float = PATIENCE_S) -> tuple[int, str]:
        """Exit status and standard error, once it has ended."""
        _, stderr = await asyncio.wait_for(self.process.communicate(), patience_s)
        return int(self.process.returncode or 0), stderr.decode()

    async def put_away(self) -> None:
        """End it if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


@contextlib.asynccontextmanager
async def process_on(venue: Venue, **env: str) -> AsyncIterator[BotProcess]:
    """A started `kabobagool run`, ended with the block."""
    bot = BotProcess(venue, **env)
    try:
        yield await bot.start()
    finally:
        await bot.put_away()
