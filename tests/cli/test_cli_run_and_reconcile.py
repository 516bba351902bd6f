"""`kabobagool run` and `reconcile` as a user meets them: processes, exit statuses, and what they print."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import aiohttp
from tests.support.paper import TEST_KEY, PaperServer, ScriptedBooks, paper_exchange_server

CROSSED = ScriptedBooks(
    yes=[
        (0, [("0.52", 200)], [("0.54", 200)]),
        *((at_ms, [("0.60", 200)], [("0.50", 200 + at_ms // 500)]) for at_ms in range(1_000, 90_000, 500)),
    ]
)
"""One edge that stands long enough for a process to start, its depth moving twice a second so that it is never stale."""
ONE_PAIR = {"MAX_POSITION_USD": "50"}
PATIENCE_S = 60.0


def environment(paper: PaperServer, folder: Path, **own: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MARKET_SLUG": paper.market.slug,
        "HOST": paper.urls["clob"],
        "GAMMA_HOST": paper.urls["gamma"],
        "MARKET_SOCKET_URL": paper.urls["market_socket"],
        "HEALTH_CHECK_PORT": "0",
        "LOG_LEVEL": "WARNING",
        "JOURNAL_PATH": str(folder / "journal.sqlite"),
    } | own


async def ended(arguments: list[str], env: dict[str, str]) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kabobagool.cli.main", *arguments, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, out.decode(), err.decode()


async def status_when(port: int, met: Any) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"http://127.0.0.1:{port}/status") as reply:
                status: dict[str, Any] = await reply.json()
            if met(status):
                return status
            await asyncio.sleep(0.05)


async def test_a_live_bot_buys_a_pair_stops_on_sigterm_and_reconcile_finds_what_it_owns(tmp_path: Path) -> None:
    async with paper_exchange_server(CROSSED) as paper:
        env = environment(paper, tmp_path, DRY_RUN="false", PRIVATE_KEY=TEST_KEY, **ONE_PAIR)
        pipe = asyncio.subprocess.PIPE
        bot = await asyncio.create_subprocess_exec(sys.executable, "-m", "kabobagool.cli.main", "run", "--json", env=env, stdout=pipe)
        assert bot.stdout is not None
        facts = json.loads(await asyncio.wait_for(bot.stdout.readline(), PATIENCE_S))
        assert facts["live"] is True
        status = await status_when(facts["port"], lambda s: s["fills"] == 2 and not s["unsettled_orders"])
        bot.terminate()
        assert await asyncio.wait_for(bot.wait(), PATIENCE_S) == 0

        code, out, _ = await ended(["reconcile", "--json"], env)
        found = json.loads(out)
        assert code == 0
        assert found["objection"] is None
        assert found["orders"] == 2
        assert found["shares"] == {"yes": status["position"]["shares_yes"], "no": status["position"]["shares_no"]}
        assert found["locked_profit"] == status["position"]["locked_profit"]

        code, out, _ = await ended(["reconcile"], env)
        assert code == 0
        assert "trades and balances agree" in out


async def test_a_dry_run_trades_the_same_edge_without_sending_anything(tmp_path: Path) -> None:
    async with paper_exchange_server(CROSSED) as paper:
        pipe = asyncio.subprocess.PIPE
        bot = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "kabobagool.cli.main", "run", "--json", env=environment(paper, tmp_path, **ONE_PAIR), stdout=pipe
        )
        assert bot.stdout is not None
        facts = json.loads(await asyncio.wait_for(bot.stdout.readline(), PATIENCE_S))
        status = await status_when(facts["port"], lambda s: s["fills"] == 2)
        assert (facts["live"], status["mode"]) == (False, "dry_run")
        assert not list(paper.exchange.orders())
        bot.terminate()
        assert await asyncio.wait_for(bot.wait(), PATIENCE_S) == 0


async def test_an_unknown_market_ends_with_its_name_and_what_to_do_and_without_a_traceback(tmp_path: Path) -> None:
    async with paper_exchange_server(CROSSED) as paper:
        code, _, err = await ended(["run"], environment(paper, tmp_path, MARKET_SLUG="no-such-market"))
        assert code == 1
        assert "no-such-market" in err
        assert "Traceback" not in err


async def test_a_venue_that_is_not_there_ends_with_its_name_and_without_a_traceback(tmp_path: Path) -> None:
    async with paper_exchange_server(CROSSED) as paper:
        code, _, err = await ended(["run"], environment(paper, tmp_path, HOST="http://127.0.0.1:9", REQUEST_TIMEOUT_S="0.5"))
        assert code == 1
        assert "127.0.0.1" in err
        assert "Traceback" not in err


async def test_reconcile_without_a_key_says_what_is_missing(tmp_path: Path) -> None:
    async with paper_exchange_server(CROSSED) as paper:
        code, _, err = await ended(["reconcile"], environment(paper, tmp_path))
        assert code == 2
        assert "PRIVATE_KEY" in err
