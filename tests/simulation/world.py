"""Plays a history: one exchange, the hosts with their programs, and everything that happens to them, in one thread and virtual time.

`play` is what everybody calls. Time stands still while anything can still run, and then jumps to the next thing that is due: a happening,
an event of the exchange, or somebody's sleep. The same history gives the same log, to the byte, in any process.
"""

import asyncio
import gc
import hashlib
import heapq
import logging
import os
import shutil
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Final

import msgspec
from tests.simulation.books import SimulatedBooks
from tests.simulation.history import History, VenueFault
from tests.simulation.invariants import Bench
from tests.simulation.ports import Network
from tests.simulation.process import Host, Life
from tests.simulation.shared_gate import GateServer
from tests.simulation.sight import START_US, Sight
from tests.simulation.troubles import Troubles
from tests.simulation.virtual_loop import VirtualLoop
from tests.simulation.witness import SentOrder, Witness
from tests.support.virtual_clock import START_MS, VenueTime
from tests.support.virtual_venue import VirtualVenue, halves

from kabobagool.settings import Settings, load_settings
from kabobagool.settings_wallet import wallet_name
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.faults import Fault, FaultPlan

VENUE_START_MS: Final = START_MS + 5_000
NEVER: Final = 1 << 62
LOOK_EVERY_MS: Final = 10_000
"""How often the invariants look at everything, besides every order, while something happens."""
CALM_MS: Final = 200_000
"""After so long without a line in the log nothing can become wrong by waiting: the invariants look more seldom."""
LOOK_WHEN_CALM_MS: Final = 60_000
RESTART_MS: Final = 10_000
"""How long a program that ended by itself stays away; longer each time, as a cluster does it."""
LONGEST_RESTART_MS: Final = 160_000
ENVIRONMENT: Final = {
    "DRY_RUN": "false",
    "PRIVATE_KEY": "0x" + "11" * 32,
    "CLOB_API_KEY": "5f1e0000-0000-4000-8000-000000000001",
    "CLOB_API_SECRET": "c2VjcmV0LW9mLXRoZS1zaW11bGF0aW9u",
    "CLOB_API_PASSPHRASE": "passphrase",
    "MARKET_SLUG": "market-0",
}


class Violation(msgspec.Struct, frozen=True):
    """A promise that was broken: which, when, and by what."""

    invariant: str
    at_ms: int
    text: str


class Line(msgspec.Struct, frozen=True):
    """One line of the log."""

    at_us: int
    text: str


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a run brought. `violations` is empty when every promise was kept."""

    violations: list[Violation]
    lines: list[Line]
    fingerprint: str
    orders: int
    fills: int
    pairs: int
    lives: int
    market_hours: float


class World(Sight):
    """Everything there is in one history."""

    def __init__(self, history: History, folder: Path) -> None:
        self.history = history
        self.folder = folder
        self.clock = VenueTime()
        self.books = SimulatedBooks(history, start_ms=VENUE_START_MS)
        self.venue = VirtualVenue(
            self.books,
            seed=history.seed,
            order_latency_ms=history.order_latency_ms,
            balance_micros=history.balance_micros,
            faults=FaultPlan(self._faults(), seed=history.seed),
            settings=ExchangeSettings(),
            clock=self.clock,
        )
        self.settings = load_settings({**ENVIRONMENT, **history.variables})
        self.gate_server = GateServer(self, wallet_name(self.settings)) if history.shared_gate else None
        self.witness = Witness(self)
        self.hosts = [self._host(number) for number in range(len(history.hosts))]
        self.lives: list[Life] = []
        self.violations: list[Violation] = []
        self.lines: list[Line] = []
        self.troubles = Troubles(self)
        self._dying: list[Life] = []
        self._log = hashlib.sha256()
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._order = count()
        self._end_us = START_US + history.length_ms * 1000
        self._over: asyncio.Future[None] | None = None
        self.bench = Bench(self)
        self.open_eyes()

    # What others ask and tell

    def at(self, at_ms: int, action: Callable[[], None]) -> None:
        """Have something happen so many milliseconds from the beginning, or now when that is past."""
        heapq.heappush(self._agenda, (max(START_US + at_ms * 1000, self.clock.now_us), next(self._order), action))

    def later(self, after_ms: int, action: Callable[[], None]) -> None:
        """Have something happen in so many milliseconds."""
        self.at(self.elapsed_ms + after_ms, action)

    def note(self, *facts: object) -> None:
        """Add a line to the log."""
        text = " ".join(map(str, facts)).replace(f"{self.folder}/", "")
        line = Line(self.clock.now_us - START_US, text)
        self.lines.append(line)
        self._log.update(f"{line.at_us} {line.text}\n".encode())

    def broken(self, invariant: str, text: str) -> None:
        """A promise was broken."""
        self.violations.append(Violation(invariant, self.elapsed_ms, text))
        self.note("BROKEN", invariant, text)

    def order_leaves(self, sent: SentOrder) -> None:
        """An order is about to reach the venue."""
        plan = sent.plan
        self.note(sent.life.name, "sends", sent.order_hash[:10], plan.side.name, plan.outcome.name, plan.shares, plan.dollars, sent.purpose)
        self.bench.order_leaves(sent)

    def was_cut(self, life: Life, where: str) -> None:
        """A life was killed."""
        self.note(life.name, "killed:", where)
        life.let_go()
        self._dying.append(life)

    def ended(self, life: Life, error: Exception | None) -> None:
        """A program ended by itself, or because it was told to."""
        reason = "" if error is None else f"{type(error).__name__}: {error}"
        self.note(life.name, "ended", reason)
        life.let_go()
        self._dying.append(life)
        if not life.stop.is_set():
            self.bench.ended_by_itself(life, error)
            life.host.broken_ends.append(reason)
            pause_ms = min(RESTART_MS << min(len(life.host.broken_ends) - 1, 6), LONGEST_RESTART_MS)
            self.later(pause_ms, lambda: self.start(life.host))

    def start(self, host: Host) -> None:
        """Start a host's program, unless it runs."""
        if host.life is not None and host.life.alive:
            return
        host.life = life = Life(self, host)
        self.lives.append(life)
        self.note(life.name, "starts")
        life.begin()

    def settings_of(self, host: Host) -> Settings:
        """What the host's environment says."""
        return self.settings.model_copy(update={"journal_path": host.journal_path})

    # The run itself

    def run(self) -> Result:
        """From the beginning to the end."""
        with asyncio.Runner(loop_factory=lambda: VirtualLoop(self.clock.monotonic, self._idle)) as runner:
            runner.run(self._main())
        self.close_eyes()
        return Result(
            violations=self.violations,
            lines=self.lines,
            fingerprint=self._log.hexdigest(),
            orders=len(self.witness.orders),
            fills=sum(order.known_end and type(order.outcome).__name__ == "Filled" for order in self.witness.orders),
            pairs=self.pairs(),
            lives=len(self.lives),
            market_hours=sum(min(market.length_ms, self.history.length_ms) for market in self.history.markets) / 3_600_000,
        )

    async def _main(self) -> None:
        self._over = asyncio.get_running_loop().create_future()
        for happening in self.history.happenings:
            self.troubles.plan(happening)
        for host, plan in zip(self.hosts, self.history.hosts, strict=True):
            self.at(plan.starts_ms, lambda host=host: self.start(host))  # type: ignore[misc]
        self.at(LOOK_EVERY_MS, self._look)
        await self._over
        self.bench.at_the_end()
        for life in self.lives:
            life.power.on = False
            self._dying.append(life)
        while self._dying:
            await asyncio.sleep(0)
            self._bury()

    def _look(self) -> None:
        self.bench.look()
        happened_us = self.lines[-1].at_us if self.lines else 0
        calm = self.elapsed_ms - happened_us // 1000 > CALM_MS
        self.later(LOOK_WHEN_CALM_MS if calm else LOOK_EVERY_MS, self._look)

    def _idle(self, timer_s: float | None) -> None:
        """Nothing can run any more: let the next thing happen."""
        if self._dying:
            self._bury()
            return
        clock = self.clock
        due_us, event_us, agenda_us = self._end_us, NEVER, NEVER
        if timer_s is not None:
            due_us = min(due_us, clock.now_us + max(round(timer_s * 1e6), 1))
        if (wake_us := clock.next_wake_us()) is not None and wake_us < due_us:
            due_us = wake_us
        if (event_ms := self.venue.exchange.next_event_ms()) is not None and (event_us := (event_ms - START_MS) * 1000) < due_us:
            due_us = event_us
        if self._agenda and (agenda_us := self._agenda[0][0]) < due_us:
            due_us = agenda_us
        if due_us > clock.now_us:
            clock.now_us = due_us
        if agenda_us <= clock.now_us:
            heapq.heappop(self._agenda)[2]()
        elif event_us <= clock.now_us:
            self._publish()
        else:
            clock.wake_due()
            if clock.now_us >= self._end_us:
                self._end()

    def _publish(self) -> None:
        events = self.venue.exchange.advance(self.clock.now_ms())
        self.published.take_in(events)
        gap_ms = self.history.split_frames_ms
        if not gap_ms:
            self.venue.publish(events)
            return
        for place, part in enumerate(part for event in events for part in halves(event)):
            self.later(place * gap_ms, lambda part=part: self.venue.publish([part]))  # type: ignore[misc]

    def _end(self) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    def _bury(self) -> None:
        """What still runs in dead processes was held up by its own cleanup: cancel it again, until nothing is left."""
        self._dying = [life for life in self._dying if not life.power.ended]
        for life in self._dying:
            life.power.end_tasks()

    def _host(self, number: int) -> Host:
        plan = self.history.hosts[number]
        folder = self.folder / (plan.disk or plan.name)
        folder.mkdir(exist_ok=True)
        return Host(
            index=number,
            name=plan.name,
            markets=plan.markets,
            folder=folder,
            network=Network(plan.latency_ms),
            skew_ms=plan.skew_ms,
        )

    def _faults(self) -> list[Fault]:
        return [self._fault(fault) for fault in self.history.happenings if isinstance(fault, VenueFault)]

    def _fault(self, fault: VenueFault) -> Fault:
        market = None if fault.market is None else self.books.markets()[fault.market]
        return Fault(
            fault.kind,
            at_ms=fault.at_ms,
            for_ms=fault.for_ms,
            count=fault.count,
            probability=fault.probability,
            token=None if market is None or fault.outcome is None else market.tokens[fault.outcome],
            slug=None if market is None else market.slug,
            filled=fault.filled,
            delay_ms=fault.delay_ms,
            retry_after_s=fault.retry_after_s,
        )


def play(history: History) -> Result:
    """Run a history from its beginning to its end."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="kabobagool-simulation-", dir=shared if os.access(shared, os.W_OK) else None))
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    gc.disable()  # a history is over before its garbage matters
    try:
        return World(history, folder).run()
    finally:
        gc.enable()
        logging.disable(before)
        shutil.rmtree(folder, ignore_errors=True)
