"""The programs that the chart starts besides the operator, run as it starts them: `helm test`, the paper exchange and its probe."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.chart.chart_rig import Helm, of_kind
from tests.chart.test_chart_gate import ChartServer
from tests.gate.redis_servers import free_port
from tests.operator.operator_rig import OperatorProcess, World, world

PATIENCE_S = 60.0
PATIENCE = "time.monotonic() + 60"
"""How long the Pod of `helm test` tries, as its program says it."""


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    async with world(tmp_path, control_plane, namespace, "rain-0") as around:
        yield around


@pytest.fixture
def gate(helm: Helm, tmp_path: Path) -> Iterator[ChartServer]:
    folder = tmp_path / "gate"
    folder.mkdir()
    running = ChartServer(folder, "valkey", helm.template())
    yield running
    running.kill()


def helm_test(helm: Helm, operator: OperatorProcess, url: str) -> subprocess.CompletedProcess[str]:
    """The Pod of `helm test`, as a process that is not as patient."""
    container = of_kind(helm.template(), "Pod")["test"]["spec"]["containers"][0]
    assert container["command"] == ["python", "-c"]
    variables = {"KABOBAGOOL_REDIS_URL": url, "READY_URL": f"http://127.0.0.1:{operator.port}/readyz"}
    assert {variable["name"] for variable in container["env"]} == set(variables)
    (program,) = container["args"]
    assert PATIENCE in program
    command = [sys.executable, "-c", program.replace(PATIENCE, "time.monotonic() + 15")]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=180, check=False)


async def test_helm_test_passes_when_the_operator_is_ready_and_the_gate_lets_it_in(at: World, helm: Helm, gate: ChartServer) -> None:
    url = f"redis://operator:{gate.passwords['operator']}@127.0.0.1:{gate.port}/0"
    operator = await at.running(REDIS_URL=url)

    async def ready() -> bool:
        return (await operator.probe("/readyz"))[0] == 200

    await at.until(ready, "it is ready")
    done = helm_test(helm, operator, url)
    assert done.returncode == 0, done.stderr
    assert "order gate: lets the operator in" in done.stdout
    refused = helm_test(helm, operator, url.replace(gate.passwords["operator"], "wrong"))
    assert refused.returncode != 0
    assert "AuthenticationError" in refused.stderr
    operator.kill()
    assert helm_test(helm, operator, url).returncode != 0


@contextmanager
def paper_exchange(helm: Helm, values: dict[str, Any]) -> Iterator[tuple[int, list[str]]]:
    """The paper exchange as the chart starts it: its port, and the command of its liveness probe."""
    container = of_kind(helm.template({"paperExchange": values}), "Deployment")["paper"]["spec"]["template"]["spec"]["containers"][0]
    port = free_port()
    assert container["command"] == ["kabobagool", "paper-exchange"]
    arguments = [argument.replace("--port=8899", f"--port={port}") for argument in container["args"]]
    process = subprocess.Popen([sys.executable, "-m", "kabobagool.cli.main", "paper-exchange", *arguments], stdout=subprocess.DEVNULL)
    probe = container["livenessProbe"]["exec"]["command"]
    assert probe[:2] == ["python", "-c"]
    try:
        yield port, [sys.executable, "-c", probe[2].replace("8899", str(port))]
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/time", timeout=5):
            return True
    except OSError:
        return False


def until(holds: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.2)


def test_the_paper_exchange_starts_with_the_values_as_they_stand_and_offers_so_many_markets(helm: Helm) -> None:
    with paper_exchange(helm, {}) as (port, probe):
        until(lambda: answers(port), "it answers")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/gamma/markets?closed=false&limit=500", timeout=10) as answer:
            assert len(json.load(answer)) == 6
        assert subprocess.run(probe, check=False).returncode == 0


def test_a_paper_exchange_whose_markets_have_all_ended_is_started_again(helm: Helm) -> None:
    short = {"books": "synthetic", "markets": 2, "durationMinutes": 1, "speed": 20}
    with paper_exchange(helm, short) as (port, probe):
        until(lambda: answers(port), "it answers")
        until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode != 0, "the probe fails")
        assert b"all markets have ended" in subprocess.run(probe, capture_output=True, check=False).stderr
