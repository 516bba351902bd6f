"""Carries a soak out: the exchange and the fleet as two processes, troubles at their time, a sample every few seconds, a quiet end.

Called by `__main__.py` and by the tests, which play a short one. The processes are those of `kabobagool demo`, started the same way.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from kabobagool.cli.demo_parts import DemoError, Exchange, RunningFleet, end, run_exchange, run_fleet
from kabobagool.cli.demo_report import market_differences
from kabobagool.cli.signals import pause
from kabobagool.telemetry.stalls import StallMeter
from tests.soak.judge import Ending
from tests.soak.plan import Trouble, plan
from tests.soak.sample import Sample, is_sound, take_sample

BALANCE_DOLLARS: Final = 1_000_000
AFTERWARDS_S: Final = 300.0
"""So much longer than the run the markets trade: none may end before the fleet was halted and looked at."""
READY_S: Final = 60.0
SETTLED_S: Final = 60.0
ENDED_S: Final = 60.0
HALTS: Final = 5
LOOK_S: Final = 0.25
VARIABLES: Final = {
    "HEALTH_PORT_BASE": "0",
    "BATCH_SIZE": "20",
    "MAX_POSITION_USD": "1000000",
    "LOG_LEVEL": "WARNING",
}
"""Of the fleet: it may go on buying for an hour, a little at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is played. `edges_per_hour`: true dislocations in each of the synthetic markets."""

    seed: int
    seconds: float
    markets: int
    edges_per_hour: int
    sample_every_s: float


@dataclass(slots=True, kw_only=True)
class Record:
    """What was seen, filled while it runs: whoever stops the run has what there was until then."""

    samples: list[Sample] = field(default_factory=list)
    unanswered: int = 0
    happened: list[Trouble] = field(default_factory=list)
    counters: dict[str, Any] = field(default_factory=dict)
    reconnects: dict[str, int] = field(default_factory=dict)
    totals: dict[str, Any] = field(default_factory=dict)
    ending: Ending | None = None


async def soak(play: Play, folder: Path, stop: asyncio.Event, say: Callable[[str], None]) -> Record:
    """Play it until it is over or `stop` is set; the fleet's log and journal are left in `folder`. DemoError when it does not start."""
    record, log = Record(), folder / "fleet.log"
    with log.open("wb") as errors:
        async with (
            run_exchange(_exchange_options(play)) as exchange,
            run_fleet(exchange, VARIABLES, folder=folder, errors=errors.fileno()) as fleet,
            aiohttp.ClientSession() as session,
        ):
            await _ready(fleet, stop)
            say(f"{play.markets} markets are traded; page: {fleet.url}, log: {log}")
            watch = _Watch(play, record, exchange, fleet, session)
            await watch.run(stop, say)
            record.ending = await _ended(exchange, fleet, session, record, log)
    return record


def _exchange_options(play: Play) -> dict[str, str]:
    return {
        "--books": "synthetic",
        "--markets": str(play.markets),
        "--duration-ms": str(round((play.seconds + AFTERWARDS_S) * 1000)),
        "--inject": str(play.edges_per_hour),
        "--seed": str(play.seed),
        "--balance": str(BALANCE_DOLLARS),
        "--order-latency-ms": "100",
    }


async def _ready(fleet: RunningFleet, stop: asyncio.Event) -> None:
    """Wait until all markets are sound. DemoError when they never are."""
    deadline = asyncio.get_running_loop().time() + READY_S
    while not stop.is_set():
        rows = (await fleet.status())["markets"]
        if rows and all(is_sound(row) for row in rows):
            return
        if asyncio.get_running_loop().time() > deadline:
            states = {row["bot"]["market"]: (row["phase"], row["bot"]["state"]) for row in rows}
            raise DemoError(f"not all markets were sound after {READY_S:g} s: {states}")
        await asyncio.sleep(LOOK_S)


@dataclass(slots=True)
class _Watch:
    """The run itself: troubles and samples beside each other."""

    play: Play
    record: Record
    exchange: Exchange
    fleet: RunningFleet
    session: aiohttp.ClientSession
    _began_s: float = 0.0

    async def run(self, stop: asyncio.Event, say: Callable[[str], None]) -> None:
        """Until the time is over, the fleet has ended by itself, or `stop` is set."""
        self._began_s = asyncio.get_running_loop().time()
        makes_trouble = asyncio.create_task(self._make_trouble(say), name="trouble")
        try:
            async with StallMeter() as own:
                while self._now_s() < self.play.seconds and not stop.is_set() and self.fleet.program.process.returncode is None:
                    await self._sample(own)
                    await pause(stop, self.play.sample_every_s)
                    if makes_trouble.done():
                        makes_trouble.result()
        finally:
            makes_trouble.cancel()
            await asyncio.gather(makes_trouble, return_exceptions=True)

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s

    async def _sample(self, own: StallMeter) -> None:
        """One more sample; one for which the fleet did not answer in time is only counted."""
        try:
            status, metrics = await self.fleet.status(), await _text(self.session, f"{self.fleet.url}metrics")
            sample = take_sample(
                self._now_s(), self.fleet.program.process.pid, status=status, metrics=metrics, own_stall_s=own.recent_worst_s()
            )
        except (DemoError, aiohttp.ClientError, TimeoutError, ProcessLookupError):
            self.record.unanswered += 1
            return
        self.record.samples.append(sample)
        self.record.reconnects, self.record.totals = status["feed"]["reconnects"], status["totals"]

    async def _make_trouble(self, say: Callable[[str], None]) -> None:
        for trouble in plan(self.play.seed, self.play.seconds):
            await asyncio.sleep(trouble.begin_s - self._now_s())
            say(f"{trouble.begin_s:7.1f} s  {trouble.name} until {trouble.end_s:.1f} s")
            if trouble.faults:
                await _post(self.session, f"{self.exchange.urls['admin']}/faults", list(trouble.faults))
            else:
                async with _standing_still(self.exchange):
                    await asyncio.sleep(trouble.end_s - self._now_s())
            self.record.happened.append(trouble)


@asynccontextmanager
async def _standing_still(exchange: Exchange) -> AsyncIterator[None]:
    """The exchange's process gets no time: what is open stays open, and nothing is answered."""
    process = exchange.program.process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


async def _ended(exchange: Exchange, fleet: RunningFleet, session: aiohttp.ClientSession, record: Record, log: Path) -> Ending:
    """Halt, wait until all is settled, hold the ledgers against each other, stop. What a fleet that is gone leaves is said all the same."""
    differences, naked, unfresh, unsettled = ["the fleet could not be asked"], [], [], 0
    with suppress(DemoError, aiohttp.ClientError, TimeoutError):
        rows = [row["bot"] for row in await _halted(fleet, session)]
        record.counters = await exchange.counters()
        ledger = await exchange.ledger(fleet.address)
        differences = [line for bot in rows for line in market_differences(bot, ledger)]
        naked = [f"{bot['market']}: {bot['position']['imbalance']}" for bot in rows if bot["naked"]]
        unsettled = sum(bot["unsettled_orders"] + len(bot["frozen_orders"]) for bot in rows)
        unfresh = [row["bot"]["market"] for row in (await fleet.status())["markets"] if not is_sound(row)]
    status, (calm_s, fills) = await end(fleet.program.process, ENDED_S), _calm(record)
    return Ending(
        differences=differences,
        naked=naked,
        unsettled=unsettled,
        unfresh=unfresh,
        calm_s=calm_s,
        fills_in_the_calm=fills,
        status=status,
        tracebacks=await asyncio.to_thread(_tracebacks, log),
    )


def _tracebacks(log: Path) -> int:
    return log.read_text(encoding="utf-8", errors="replace").count("Traceback")


def _calm(record: Record) -> tuple[float, int]:
    """How long it was watched after the last trouble had ended, and how many orders filled."""
    calm_s = max((trouble.end_s for trouble in record.happened), default=0.0)
    seen = [sample for sample in record.samples if sample.at_s >= calm_s]
    return (seen[-1].at_s - calm_s, seen[-1].fills - seen[0].fills) if seen else (0.0, 0)


async def _halted(fleet: RunningFleet, session: aiohttp.ClientSession) -> Sequence[Mapping[str, Any]]:
    """The rows of the halted fleet. A halt stops the second leg of a pair too: such a pair is let be completed before the next try."""
    for _ in range(HALTS):
        await _command(fleet, session, "halt")
        rows = await _settled(fleet)
        if not any(row["bot"]["naked"] for row in rows):
            break
        await _command(fleet, session, "resume")
        await asyncio.sleep(1.0)
    return rows


async def _settled(fleet: RunningFleet) -> Sequence[Mapping[str, Any]]:
    """The rows once no order is on its way to its end, or as they are when that takes too long."""
    deadline = asyncio.get_running_loop().time() + SETTLED_S
    while True:
        await asyncio.sleep(LOOK_S)
        rows: Sequence[Mapping[str, Any]] = (await fleet.status())["markets"]
        on_the_way = [row["bot"]["unsettled_orders"] or row["bot"]["frozen_orders"] or row["bot"]["state"] == "ordering" for row in rows]
        if not any(on_the_way) or asyncio.get_running_loop().time() > deadline:
            return rows


async def _command(fleet: RunningFleet, session: aiohttp.ClientSession, what: str) -> None:
    order = {"scope": "wallet", "why": "the soak is over"}
    await _post(session, f"{fleet.url}{what}", order, headers={"Authorization": f"Bearer {fleet.token}"})


async def _post(session: aiohttp.ClientSession, url: str, body: object, *, headers: Mapping[str, str] | None = None) -> None:
    async with session.post(url, json=body, headers=headers) as reply:
        reply.raise_for_status()


async def _text(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as reply:
        reply.raise_for_status()
        return await reply.text()
