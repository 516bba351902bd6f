"""What a user sees: a market applied is a bot, a status that is true, and what happens to it when somebody changes or deletes something."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.operator.operator_rig import World, conditions, phase, world

SLUGS = ("fed-rate-hike-in-2026", "rain", "snow")
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "market.yaml"


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, controllers: None, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    async with world(tmp_path, control_plane, namespace, *SLUGS) as around:
        yield around


async def test_a_market_that_is_applied_gets_a_bot_and_a_status(at: World) -> None:
    operator = await at.running()
    await at.ask("apply", "--filename", str(EXAMPLE))
    market = await at.until_market(SLUGS[0], lambda body: phase(body) == "Starting" and "deployment" in body["status"], "starts")
    assert conditions(market)["Resolved"] == "True/Found"
    deployments = await at.objects("deployments")
    assert list(deployments) == [SLUGS[0]]
    pod = await at.pod_is(SLUGS[0])
    await at.reports(SLUGS[0], f"kabobagool@{pod}/1/abc", yes_shares=12_000_000, no_shares=12_000_000, pair_cost=970_000)
    market = await at.until_market(SLUGS[0], lambda body: phase(body) == "Running", "runs")
    table = await at.ask("get", "arb")
    print(table)
    assert await operator.stop() == 0
