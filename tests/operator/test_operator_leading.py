"""Half an operator is none: when a part of it ends the process ends, with the part's name and why, for Kubernetes to start it again."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.operator.operator_rig import World, world

from kabobagool_operator.kinds import POD
from kabobagool_operator.rights import RULES


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    async with world(tmp_path, control_plane, namespace, "rain") as around:
        yield around


async def test_a_watch_that_is_forbidden_ends_the_operator_and_the_log_says_which(at: World, service_account: Callable[..., Path]) -> None:
    account = service_account("short-of-a-right", [rule for rule in RULES if POD.plural not in rule["resources"]])
    operator = at.operator(kubeconfig=account)
    operator.start()
    assert await operator.ended() == 1
    said = operator.said("the operator ends, for a part of it ended")
    assert len(said) == 1
    assert said[0]["error"].startswith("watches ended: ")
    assert "pods is forbidden" in said[0]["error"] + said[0]["exception"]


async def test_a_port_that_is_taken_is_said_with_the_variable_to_change(at: World) -> None:
    first = await at.running()
    second = at.operator(HEALTH_PORT=str(first.port))
    second.start()
    assert await second.ended() == 1
    assert "KABOBAGOOL_HEALTH_PORT" in second.log.read_text()


async def test_a_second_signal_does_not_keep_it_from_ending_in_order(at: World) -> None:
    operator = await at.running()
    for _ in range(3):
        operator.terminate()
    assert await operator.ended() == 0
