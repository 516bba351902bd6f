"""A start while the gate's server or the venue is away: at a terminal it fails at once, in a cluster it waits and says what for."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from tests.cli.test_cli_run_and_reconcile import CROSSED, ONE_PAIR, PATIENCE_S, environment, status_when
from tests.gate.redis_servers import Server, free_port
from tests.support.paper import paper_exchange_server

from kabobagool.cli.patient_start import Doorway, is_away, started
from kabobagool.engine.bot import Bot
from kabobagool.trading.gate_choice import GateAwayError, StartError
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import MarketNotFound
from kabobagool.venue.reader import HttpStatusError
from kabobagool.venue.transport import TransportError

URL = "http://venue/time"
A_BOT = cast("Bot", object())
NO_PAUSE = (0.001,)


def composed(*trials: VenueError | Bot) -> Callable[[], Awaitable[Bot]]:
    """What each trial comes to."""
    left = iter(trials)

    async def compose() -> Bot:
        match next(left):
            case VenueError() as error:
                raise error
            case bot:
                return bot

    return compose


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (TransportError("connect", method="GET", url=URL), True),
        (HttpStatusError(URL, 503, "maintenance"), True),
        (HttpStatusError(URL, 425, "restarting"), True),
        (GateAwayError("nobody answers"), True),
        (HttpStatusError(URL, 401, "who are you"), False),
        (StartError("another bot trades market rain"), False),
        (MarketNotFound("no market has the slug rain"), False),
    ],
    ids=str,
)
def test_only_what_passes_by_itself_is_waited_for(error: VenueError, away: bool) -> None:
    assert is_away(error) is away


async def test_a_start_goes_on_once_what_was_away_is_back() -> None:
    doorway = Doorway()
    assert doorway.health().reasons == ("starting",)
    trials = composed(GateAwayError("no gate"), HttpStatusError(URL, 503, "no venue"), A_BOT)
    assert await started(trials, doorway, asyncio.Event(), patience_s=60, pauses_s=NO_PAUSE) is A_BOT
    assert "no venue" in doorway.waits_for
    assert doorway.bot is A_BOT


async def test_a_start_without_patience_fails_at_once_and_so_does_one_that_waiting_does_not_mend() -> None:
    with pytest.raises(GateAwayError, match="no gate"):
        await started(composed(GateAwayError("no gate"), A_BOT), Doorway(), asyncio.Event(), patience_s=0, pauses_s=NO_PAUSE)
    with pytest.raises(StartError, match="another bot"):
        await started(composed(StartError("another bot"), A_BOT), Doorway(), asyncio.Event(), patience_s=60, pauses_s=NO_PAUSE)


async def test_a_start_that_waits_stops_when_it_is_told_to() -> None:
    stop = asyncio.Event()
    starting = asyncio.create_task(started(composed(GateAwayError("no gate")), Doorway(), stop, patience_s=600, pauses_s=(300.0,)))
    await asyncio.sleep(0.01)
    stop.set()
    assert await asyncio.wait_for(starting, PATIENCE_S) is None


async def test_a_bot_that_starts_before_its_gate_waits_says_so_and_trades_once_the_gate_is_there(tmp_path: Path) -> None:
    gate_port, port = free_port(), free_port()
    own = {"REDIS_URL": f"redis://127.0.0.1:{gate_port}/0", "START_PATIENCE_S": "300", "HEALTH_CHECK_PORT": str(port)}
    async with paper_exchange_server(CROSSED) as paper:
        env = environment(paper, tmp_path, **ONE_PAIR, **own)
        pipe = asyncio.subprocess.PIPE
        bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "kabobagool.cli.main", "run", "--json", env=env, stdout=pipe)
        waiting = await answer_when(port, lambda said: "REDIS_URL is set" in said.get("waits_for", ""))
        assert (waiting["status"], waiting["reasons"]) == ("unhealthy", ["starting"])
        server = Server("valkey", port=gate_port)
        try:
            assert bot.stdout is not None
            facts = json.loads(await asyncio.wait_for(bot.stdout.readline(), PATIENCE_S))
            assert facts["port"] == port
            assert (await status_when(port, lambda said: said["connected"]))["state"] != "starting"
            bot.terminate()
            assert await asyncio.wait_for(bot.wait(), PATIENCE_S) == 0
        finally:
            server.close()


async def answer_when(port: int, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """What /health says once it says this."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/health") as reply:
                    said: dict[str, Any] = await reply.json()
                    if met(said):
                        return said
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.05)
