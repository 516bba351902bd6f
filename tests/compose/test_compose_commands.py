"""Every command of docker-compose.yml as written, as a real process: only ports, paths and host names of containers are this machine's."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.compose.compose_file import ROOT, compose

from kabobagool.settings import FIELDS

PROGRAMS = str(Path(sys.executable).parent)
PATIENCE_S = 90
LOOK_S = 0.2


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Service:
    """A service on this machine: `places` are texts of the container and what they are here, `entry` the image's entry point."""

    def __init__(self, name: str, folder: Path, places: Mapping[str, str], entry: tuple[str, ...] = ()) -> None:
        self.written = compose()["services"][name]
        self.written["command"] = [*entry, *self.written["command"]]
        self.folder = folder
        self.places = places
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def here(self, text: str) -> str:
        """The text with what is the container's put in terms of this machine; what was put in is not looked at again."""
        return re.sub("|".join(map(re.escape, self.places)), lambda found: self.places[found[0]], text)

    def environment(self) -> dict[str, str]:
        ours = {name.upper() for name in FIELDS}
        machine = {name: value for name, value in os.environ.items() if name.upper() not in ours}
        own = {name: self.here(value) for name, value in self.written.get("environment", {}).items()}
        return machine | own | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "HOME": str(self.folder)}

    @contextmanager
    def running(self) -> Iterator["Service"]:
        command = [self.here(word) for word in self.written["command"]]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=self.environment(), stdout=log, stderr=log)
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> int:
        assert self.process
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def becomes_healthy(self) -> None:
        """Ask its own health check, as written, until it is content."""
        check = [self.here(word) for word in self.written["healthcheck"]["test"][1:]]
        deadline = time.monotonic() + PATIENCE_S
        while subprocess.run(check, env=self.environment(), capture_output=True, check=False).returncode:
            assert self.process
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(LOOK_S)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's working folder and volumes."""
    folder = tmp_path_factory.mktemp("app")
    shutil.copytree(ROOT / ".env.profiles", folder / ".env.profiles", ignore=shutil.ignore_patterns("base.env", "*.local.env"))
    return folder


@pytest.fixture(scope="module")
def paper_port(app: Path) -> Iterator[str]:
    port = str(free_port())
    with Service("paper-exchange", app, {"8899": port}).running() as exchange:
        exchange.becomes_healthy()
        yield port


def places(app: Path, port: int, paper_port: str) -> dict[str, str]:
    paths = {"/var/lib/kabobagool": str(app / "volumes"), "/tmp/": f"{app}/"}
    return {"paper-exchange:8899": f"127.0.0.1:{paper_port}", "8000": str(port)} | paths


def targets(app: Path, name: str) -> list[dict[str, Any]]:
    return list(json.loads((app / "volumes" / "targets" / f"{name}.json").read_text()))


def test_the_quick_start_gets_healthy_tells_prometheus_and_stops_cleanly(app: Path, paper_port: str) -> None:
    port = free_port()
    supervisor = Service("supervisor", app, places(app, port, paper_port))
    # The one thing the file leaves to the user's .env: where the venue is. It is given here, because a test does not go to the internet.
    base = f"127.0.0.1:{paper_port}"
    supervisor.written["environment"] |= {
        "HOST": f"http://{base}",
        "GAMMA_HOST": f"http://{base}/gamma",
        "MARKET_SOCKET_URL": f"ws://{base}/ws/market",
    }
    with supervisor.running():
        supervisor.becomes_healthy()
        (target,) = targets(app, "supervisor")
        assert target["targets"] == [f"supervisor:{port}"]
        assert target["labels"]["profile"] == "conservative"
        assert supervisor.stop() == 0, supervisor.log.read_text()
    assert targets(app, "supervisor") == []


def test_the_fleet_on_the_paper_exchange_trades_its_markets(app: Path, paper_port: str) -> None:
    port = free_port()
    with Service("supervisor-paper", app, places(app, port, paper_port)).running() as fleet:
        fleet.becomes_healthy()
        assert targets(app, "supervisor-paper")[0]["targets"] == [f"supervisor-paper:{port}"]
        assert metric(port, 'kabobagool_fleet_markets{phase="running"}') == 4
        assert fleet.stop() == 0, fleet.log.read_text()


def metric(port: int, series: str) -> float:
    """A number of the fleet's own /metrics, once it is above 0."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            found = [line for line in page.read().decode().splitlines() if line.startswith(f"{series} ")]
        if found and float(found[0].split()[-1]) > 0:
            time.sleep(1)
            return float(found[0].split()[-1])
        time.sleep(LOOK_S)
    raise AssertionError(f"{series} stayed 0")


def test_prometheus_finds_the_fleet_through_the_targets_file(app: Path, paper_port: str) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: apt install prometheus), so its command is not run")
    port, own = free_port(), free_port()
    where = places(app, port, paper_port)
    config = app / "prometheus.yml"
    config.write_text(compose()["configs"]["prometheus"]["content"].replace("/var/lib/kabobagool", where["/var/lib/kabobagool"]))
    fleet = Service("supervisor-paper", app, where)
    fleet.written["environment"]["TARGETS_HOST"] = "127.0.0.1"
    here = {"/etc/prometheus/kabobagool.yml": str(config), "=/prometheus": f"={app}/prometheus", "9090": str(own)}
    prometheus = Service("prometheus", app, here, entry=("prometheus",))
    prometheus.written["command"].append("--web.listen-address=127.0.0.1:9090")
    with fleet.running(), prometheus.running():
        prometheus.becomes_healthy()
        assert scraped(own, 'kabobagool_fleet_info{mode="dry_run"}') == [{"profile": "hydra-test", "job": "kabobagool"}]


def scraped(port: int, query: str) -> list[dict[str, str]]:
    """Profile and job of what Prometheus has, once it has something."""
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(url, timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
        if found:
            return [{name: row["metric"][name] for name in ("profile", "job")} for row in found]
        time.sleep(LOOK_S)
    raise AssertionError(f"Prometheus never had {query}")
