"""The environment of a bot starts a bot: a process with nothing else, before a real exchange, asked what the kubelet asks."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from tests.operator.bot_objects import FACTS, LIVE, POLICY, container_of, market
from tests.operator.venue_rig import scripted
from tests.support.paper import TEST_KEY, PaperServer, paper_exchange_server

from kabobagool.settings import key_address
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.bot_config import bot_environment
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.deployment import Desired, desired

OF_THIS_MACHINE = "HEALTH_CHECK_PORT", "JOURNAL_PATH"
"""A Pod has all ports and a folder of its own; tests that run at the same time do not."""


def wanted(paper: PaperServer, asked: ArbMarket) -> Desired:
    """The objects of a market of this exchange."""
    urls = paper.urls
    policy = POLICY.model_copy(update={"gamma_url": urls["gamma"], "clob_url": urls["clob"], "ws_url": urls["market_socket"]})
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


async def healthy(port: int, probe: dict[str, Any]) -> dict[str, Any]:
    """What the probe is answered when it is content."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        while True:
            async with session.get(f"http://127.0.0.1:{port}{probe['httpGet']['path']}") as reply:
                answer: dict[str, Any] = await reply.json()
            if reply.status == 200:
                return answer
            await asyncio.sleep(0.1)


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


async def test_a_live_bot_without_its_secret_says_what_is_missing(tmp_path: Path) -> None:
    async with paper_exchange_server(scripted("rain")) as paper:
        objects = wanted(paper, market(**LIVE))
        with pytest.raises(AssertionError, match="PRIVATE_KEY is not set"):
            async with bot(objects, tmp_path):
                pass
