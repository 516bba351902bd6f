"""The two processes of the demo: the paper exchange and the fleet, started, asked and stopped.

Nothing of the exchange is imported: the demo talks to it the way any trader would, and to its `/admin` pages for the ledger. A soak
(`tests/soak`) runs the same two for longer.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from kabobagool.settings_checks import key_address

TRADING_WINDOW_MS = 900_000
"""The recorded markets trade for a quarter of an hour."""
BALANCE_DOLLARS = 10_000
ORDER_LATENCY_MS = 100
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 10.0
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


class DemoError(Exception):
    """The demo cannot go on; the text says which part failed and what it said."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that runs in a process of its own, and the JSON that it said in its first line."""

    process: asyncio.subprocess.Process
    facts: dict[str, Any]


class Asked:
    """Something that answers JSON over HTTP."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def get(self, url: str) -> dict[str, Any]:
        """The JSON object at `url`. DemoError when nobody answers."""
        try:
            async with self._session.get(url, timeout=aiohttp.ClientTimeout(total=5)) as reply:
                answer: dict[str, Any] = await reply.json()
                return answer
        except (aiohttp.ClientError, TimeoutError) as e:
            raise DemoError(f"{url} does not answer: {type(e).__name__}") from e


class Exchange(Asked):
    """The running paper exchange; `started` is the loop's time at which its books began to move."""

    def __init__(self, session: aiohttp.ClientSession, program: Program, *, started: float) -> None:
        super().__init__(session)
        self.program = program
        self.urls: Mapping[str, Any] = program.facts
        self.started = started

    async def ledger(self, address: str) -> dict[str, Any]:
        """The exchange's own account of a wallet, amounts in millionths."""
        return await self.get(f"{self.urls['admin']}/ledger/{address}")

    async def counters(self) -> dict[str, Any]:
        """What the exchange counted."""
        return await self.get(f"{self.urls['admin']}/counters")


class RunningFleet(Asked):
    """The running fleet, the address of its throw-away key, and where its page is."""

    def __init__(self, session: aiohttp.ClientSession, program: Program, *, address: str) -> None:
        super().__init__(session)
        self.program = program
        self.address = address
        self.url: str = program.facts["url"]
        self.token: str = program.facts["token"]

    async def status(self) -> dict[str, Any]:
        """Its FleetSnapshot."""
        return await self.get(f"{self.url}status")


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """What is played: the last `minutes` of every recorded quarter hour and `synthetic` markets as long, `speed` times as fast."""

    minutes: int
    speed: float
    inject: int
    synthetic: int
    seed: int

    @property
    def seconds(self) -> float:
        """How long trading takes on the wall clock."""
        return self.minutes * 60 / self.speed


def start_exchange(play: Play) -> AbstractAsyncContextManager[Exchange]:
    """The paper exchange on all recorded markets side by side and some made-up ones."""
    offset_ms = TRADING_WINDOW_MS - play.minutes * 60_000
    return run_exchange(
        {
            "--books": "recorded",
            "--from-offset-ms": str(offset_ms),
            "--duration-ms": str(play.minutes * 60_000),
            "--synthetic": str(play.synthetic),
            "--inject": str(play.inject),
            "--speed": f"{play.speed:g}",
            "--seed": str(play.seed),
            "--balance": str(BALANCE_DOLLARS),
            "--order-latency-ms": str(ORDER_LATENCY_MS),
        }
    )


@asynccontextmanager
async def run_exchange(options: Mapping[str, str]) -> AsyncIterator[Exchange]:
    """The paper exchange with these options, on a free port."""
    arguments = ["-m", "paper_exchange", "--port", "0", *(part for option in options.items() for part in option)]
    async with _running("paper exchange", arguments, _environment({})) as program, aiohttp.ClientSession() as session:
        yield Exchange(session, program, started=asyncio.get_running_loop().time())


def start_fleet(exchange: Exchange, play: Play, *, folder: Path) -> AbstractAsyncContextManager[RunningFleet]:
    """Hydra as the demo has it: at the pace of the play, and with orders slowed down so that people can follow."""
    return run_fleet(exchange, {"CLOCK_RATE": f"{play.speed:g}", "GLOBAL_ORDER_MIN_INTERVAL_S": "0.1"}, folder=folder)


@asynccontextmanager
async def run_fleet(
    exchange: Exchange, variables: Mapping[str, str], *, folder: Path, errors: int | None = None
) -> AsyncIterator[RunningFleet]:
    """Hydra, live on all markets of the paper exchange with a key made on the spot. `errors`: a file for what it says on standard error."""
    key = "0x" + secrets.token_hex(32)
    environment = _environment(
        {
            "DRY_RUN": "false",
            "PRIVATE_KEY": key,
            "HOST": exchange.urls["clob"],
            "GAMMA_HOST": exchange.urls["gamma"],
            "MARKET_SOCKET_URL": exchange.urls["market_socket"],
            "MARKET_PATTERNS": "*",
            "MAX_MARKETS": "100",
            "MIN_VOLUME": "0",
            "MIN_DURATION_HOURS": "0",
            "ENABLE_BOOK_SCREEN": "false",
            "DISCOVERY_INTERVAL_S": "60",
            "JOURNAL_PATH": str(folder / "journal.sqlite"),
            "TARGETS_PATH": str(folder / "targets.json"),
            "LOG_LEVEL": "ERROR",
            "LOG_FORMAT": "text",
            **variables,
        }
    )
    command = ["-m", "kabobagool.cli.main", "hydra", "--json"]
    async with _running("fleet", command, environment, folder=folder, errors=errors) as program, aiohttp.ClientSession() as session:
        yield RunningFleet(session, program, address=key_address(SecretStr(key)))


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the user's trading variables may leak into the demo."""
    return {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | dict(own)


@asynccontextmanager
async def _running(
    name: str, arguments: list[str], environment: dict[str, str], *, folder: Path | None = None, errors: int | None = None
) -> AsyncIterator[Program]:
    """Run Python on `arguments` in `folder`; ready when it has said its first line, and ended with the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment,
        cwd=folder,
        stdout=pipe,
        stderr=errors,
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is the demo's alone: it stops its parts in order
    )
    try:
        yield Program(process, await _first_line(name, process))
    finally:
        await end(process)


async def _first_line(name: str, process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_PATIENCE_S)
    except TimeoutError:
        raise DemoError(f"the {name} was not ready after {START_PATIENCE_S:g} s") from None
    if not line:
        raise DemoError(f"the {name} ended with status {await process.wait()} before it was ready; what it said is above")
    facts: dict[str, Any] = json.loads(line)
    return facts


async def end(process: asyncio.subprocess.Process, patience_s: float = STOP_PATIENCE_S) -> int:
    """Ask it to end with SIGTERM, kill it after `patience_s`; its exit status, negative for a signal."""
    if process.returncode is None:
        process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), patience_s)
    except TimeoutError:
        process.kill()
        return await process.wait()
