"""The two processes of the demo: the paper exchange and the bot, started, asked and stopped.

Nothing of the exchange is imported: the demo talks to it the way any trader would, and to its `/admin` pages for the ledger.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from pydantic import SecretStr

from kabobagool.settings_checks import key_address

BALANCE_DOLLARS = 1000
ORDER_LATENCY_MS = 100
START_PATIENCE_S = 30.0
STOP_PATIENCE_S = 10.0
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT")


class DemoError(Exception):
    """The demo cannot go on; the text says which part failed and what it said."""


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

    def __init__(self, session: aiohttp.ClientSession, urls: Mapping[str, Any], *, inject: int, started: float) -> None:
        super().__init__(session)
        self.urls = urls
        self.inject = inject
        self.started = started

    async def ledger(self, address: str) -> dict[str, Any]:
        """The exchange's own account of a wallet, amounts in millionths."""
        return await self.get(f"{self.urls['admin']}/ledger/{address}")

    async def counters(self) -> dict[str, Any]:
        """What the exchange counted."""
        return await self.get(f"{self.urls['admin']}/counters")


class TradingBot(Asked):
    """The running bot and the address of its throw-away key."""

    def __init__(self, session: aiohttp.ClientSession, *, port: int, address: str) -> None:
        super().__init__(session)
        self.address = address
        self._url = f"http://127.0.0.1:{port}/status"

    async def status(self) -> dict[str, Any]:
        """Its RuntimeSnapshot."""
        return await self.get(self._url)


@asynccontextmanager
async def start_exchange(*, slug: str, speed: float, inject: int, seed: int, offset_s: int) -> AsyncIterator[Exchange]:
    """The paper exchange on one recorded market, from `offset_s` into its quarter hour."""
    arguments = [
        "--port",
        "0",
        "--books",
        "recorded",
        "--slug",
        slug,
        "--speed",
        f"{speed:g}",
        "--seed",
        str(seed),
        "--inject",
        str(inject),
    ]
    arguments += ["--from-offset-ms", str(offset_s * 1000), "--balance", str(BALANCE_DOLLARS), "--order-latency-ms", str(ORDER_LATENCY_MS)]
    async with (
        _process("paper exchange", ["-m", "paper_exchange", *arguments], _environment({})) as urls,
        aiohttp.ClientSession() as session,
    ):
        yield Exchange(session, urls, inject=inject, started=asyncio.get_running_loop().time())


@asynccontextmanager
async def start_bot(exchange: Exchange, *, slug: str, speed: float, folder: Path) -> AsyncIterator[TradingBot]:
    """The bot, live on the paper exchange with a key made on the spot."""
    key = "0x" + secrets.token_hex(32)
    environment = _environment(
        {
            "DRY_RUN": "false",
            "PRIVATE_KEY": key,
            "MARKET_SLUG": slug,
            "HOST": exchange.urls["clob"],
            "GAMMA_HOST": exchange.urls["gamma"],
            "MARKET_SOCKET_URL": exchange.urls["market_socket"],
            "CLOCK_RATE": f"{speed:g}",
            "HEALTH_CHECK_PORT": "0",
            "JOURNAL_PATH": str(folder / "journal.sqlite"),
            "LOG_LEVEL": "ERROR",
            "LOG_FORMAT": "text",
        }
    )
    async with _process("bot", ["-m", "kabobagool.cli.main", "run", "--json"], environment) as facts, aiohttp.ClientSession() as session:
        yield TradingBot(session, port=int(facts["port"]), address=key_address(SecretStr(key)))


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the user's trading variables may leak into the demo."""
    return {name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ} | dict(own)


@asynccontextmanager
async def _process(name: str, arguments: list[str], environment: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    """Run Python on `arguments`; yields the JSON of its first line, and ends it with SIGTERM."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment, stdout=pipe, stdin=asyncio.subprocess.DEVNULL
    )
    assert process.stdout is not None  # noqa: S101 - it was asked for
    try:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_PATIENCE_S)
        except TimeoutError:
            raise DemoError(f"the {name} was not ready after {START_PATIENCE_S:g} s") from None
        if not line:
            raise DemoError(f"the {name} ended with status {await process.wait()} before it was ready; what it said is above")
        yield json.loads(line)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
