"""The environment of a bot starts a bot: a process with nothing else, before a real exchange, asked what the kubelet asks."""

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from tests.gate.redis_servers import Server
from tests.operator.bot_objects import FACTS, LIVE, POLICY, container_of, market
from tests.operator.venue_rig import scripted
from tests.support.paper import HOUR_MS, TEST_KEY, PaperServer, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.money import format_micros
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import BotStatus, StatusBoard
from kabobagool.gate.redis_url import connect
from kabobagool.settings import key_address
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.bot_config import bot_environment
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.deployment import Desired, desired
from kabobagool_operator.policy import Policy

OF_THIS_MACHINE = "HEALTH_CHECK_PORT", "JOURNAL_PATH"
"""A Pod has all ports and a folder of its own; tests that run at the same time do not."""
EDGE = ScriptedBooks(
    yes=[
        (0, [("0.52", 200)], [("0.54", 200)]),
        *((at_ms, [("0.60", 200)], [("0.50", 200 + at_ms // 500)]) for at_ms in range(1_000, 90_000, 500)),
    ],
    slug="rain",
    ends_after_ms=24 * HOUR_MS,
)
"""Pairs that cost 90 cents, for as long as a slow machine takes to start a bot; the depth moves, so that they are never stale."""

TWO_PAIRS = 20_000_000
"""Millionths of a share of each side, when two orders of ten shares each bought all that the position may cost."""


def wanted(paper: PaperServer, asked: ArbMarket, policy: Policy = POLICY) -> Desired:
    """The objects of a market of this exchange."""
    urls = paper.urls
    policy = policy.model_copy(update={"gamma_url": urls["gamma"], "clob_url": urls["clob"], "ws_url": urls["market_socket"]})
    facts = FACTS.model_copy(update={"condition_id": paper.market.condition_id})
    return desired(asked, facts, bot_environment(asked, facts, policy, Profiles().profile(asked.spec.profile)), policy)


@contextlib.asynccontextmanager
async def bot(objects: Desired, folder: Path, **secrets: str) -> AsyncIterator[dict[str, Any]]:
    """The bot as its container starts it; what it announces. It must end well when it is told to."""
    environment = objects.config_map["data"] | dict(zip(OF_THIS_MACHINE, ("0", str(folder / "journal.sqlite")), strict=True)) | secrets
    program, *arguments = container_of(objects.deployment)["command"]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name(program)), *arguments, "--json", env=environment, stdout=pipe, stderr=pipe
    )
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), 60)
        assert line, (await process.communicate())[1].decode()
        yield json.loads(line)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def healthy(port: int, probe: dict[str, Any], holds: Callable[[dict[str, Any]], object] = bool) -> dict[str, Any]:
    """What the probe is answered when it is content, and something holds of the answer."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(f"http://127.0.0.1:{port}{probe['httpGet']['path']}") as reply:
                answer: dict[str, Any] = await reply.json()
            if reply.status == 200 and holds(answer):
                return answer
            await asyncio.sleep(0.1)


async def reported(server: Server, wallet: str | None, holds: Callable[[BotStatus], object]) -> BotStatus:
    """What the only bot of a wallet says at the gate, once something holds of it."""
    assert wallet is not None
    clock = SystemClock()
    link = RedisLink(connect(server.url, timeout_s=5.0), wallet=wallet, clock=clock, rng=random.Random(5))
    try:
        async with asyncio.timeout(60):
            while not (found := [said.status for said in await StatusBoard(link, clock=clock).read()]) or not holds(found[0]):
                await asyncio.sleep(0.1)
    finally:
        await link.close()
    (status,) = found
    return status


@pytest.mark.parametrize("profile", ["conservative", "15min", "hydra-test"])
async def test_a_dry_run_becomes_ready_and_ends_when_told(tmp_path: Path, profile: str) -> None:
    async with paper_exchange_server(scripted("rain")) as paper:
        objects = wanted(paper, market(profile=profile, drainTimeoutSeconds=5))
        async with bot(objects, tmp_path) as announced:
            assert (announced["market"], announced["live"]) == ("rain", False)
            container = container_of(objects.deployment)
            assert (await healthy(announced["port"], container["startupProbe"]))["mode"] == "dry_run"
            assert (await healthy(announced["port"], container["readinessProbe"]))["status"] == "ok"


async def test_a_live_bot_trades_with_the_wallet_that_the_resource_names(tmp_path: Path) -> None:
    """Its key comes out of the Secret, the rest out of the ConfigMap."""
    async with paper_exchange_server(scripted("rain")) as paper:
        address = key_address(SecretStr(TEST_KEY))
        asked = market(**{**LIVE, "credentials": {"secretName": "x", "walletAddress": address}})
        objects = wanted(paper, asked)
        assert objects.config_map["data"]["PROXY_ADDRESS"] == address
        async with bot(objects, tmp_path, PRIVATE_KEY=TEST_KEY) as announced:
            assert announced["live"] is True
            assert (await healthy(announced["port"], container_of(objects.deployment)["readinessProbe"]))["status"] == "ok"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of the order gate."""
    started = Server("valkey")
    yield started
    started.close()


async def test_a_paper_bot_trades_with_the_play_wallet_and_knows_its_account_to_the_millionth(tmp_path: Path, server: Server) -> None:
    """Its user of the gate reaches the keys of that wallet and no others, and under that wallet the operator hears it."""
    wallet = key_address(SecretStr(TEST_KEY)).lower()
    server.admin.acl_setuser("paper", enabled=True, passwords="+play", keys=[f"kabobagool:{{{wallet}}}:*"], commands=["+@all"])
    gate = server.url.replace("redis://", "redis://paper:play@")
    policy = POLICY.model_copy(update={"paper_wallet": wallet, "paper_wallet_secret": "play-wallet"})
    asked = market(mode="Paper", drainTimeoutSeconds=5, strategy={"batchSize": "10", "maxPositionUsd": "20"})
    async with paper_exchange_server(EDGE) as paper:
        objects = wanted(paper, asked, policy)
        async with bot(objects, tmp_path, PRIVATE_KEY=TEST_KEY, REDIS_URL=gate) as announced:
            assert announced["live"] is True
            probe = container_of(objects.deployment)["startupProbe"]
            status = await healthy(announced["port"], probe, lambda said: said["fills"] == 4 and not said["unsettled_orders"])
            heard = await reported(server, policy.wallets.name(asked.spec), lambda said: said.yes_shares == said.no_shares == TWO_PAIRS)
        trades, account = paper.exchange.trades(wallet), paper.exchange.ledger.account(wallet)
    assert {trade.maker.lower() for trade in trades} == {wallet}
    assert [account.held(token) for token in paper.market.tokens] == [heard.yes_shares, heard.no_shares]
    believed = status["position"]
    assert (believed["shares_yes"], believed["shares_no"]) == (format_micros(heard.yes_shares), format_micros(heard.no_shares))
    assert (believed["spent"], believed["fees"]) == (format_micros(account.spent + account.fees_paid), format_micros(account.fees_paid))


async def test_a_live_bot_without_its_secret_says_what_is_missing(tmp_path: Path) -> None:
    async with paper_exchange_server(scripted("rain")) as paper:
        objects = wanted(paper, market(**LIVE))
        with pytest.raises(AssertionError, match="PRIVATE_KEY is not set"):
            async with bot(objects, tmp_path):
                pass
