"""What the deployment page hands out works as written: the unit of systemd, the exit states, the limits that have to fit together."""

import configparser
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from tests.docs.pages import DOCS, fences, in_backticks

from kabobagool.settings import FIELDS

PAGE = DOCS / "DEPLOYMENT.md"
UNIT = next(fence for fence in fences(PAGE, "ini") if fence.startswith("[Unit]"))


def unit() -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(UNIT)
    return read


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt install systemd), so it is not asked")
    here = UNIT.replace("/opt/kabobagool/bin/kabobagool", "/bin/true").replace("User=kabobagool", "User=root")
    file = tmp_path / "kabobagool.service"
    file.write_text(here)
    checked = subprocess.run([analyze, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_service_gives_hedges_their_time_and_never_gives_up() -> None:
    service = unit()["Service"]
    assert int(service["TimeoutStopSec"]) > FIELDS["drain_timeout_s"].default + 2
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")
    assert unit()["Unit"]["StartLimitIntervalSec"] == "0"


def test_the_service_writes_only_where_it_may() -> None:
    service = unit()["Service"]
    set_here = dict(assignment.split("=", 1) for assignment in service["Environment"].split())
    assert set_here.keys() <= {field.upper() for field in FIELDS}
    assert Path(set_here["JOURNAL_PATH"]).parent == Path("/var/lib") / service["StateDirectory"]
    assert Path(set_here["TARGETS_PATH"]).parent == Path("/run") / service["RuntimeDirectory"]


def test_no_secret_is_written_into_the_unit() -> None:
    assert re.findall(r"PRIVATE_KEY|CLOB_API|CONTROL_TOKEN", UNIT) == []


def test_every_recorded_market_is_listed_with_its_winner() -> None:
    with (files("resolvedkit") / "sample_data" / "markets.parquet").open("rb") as file:
        rows = parquet.read_table(file).to_pylist()
    page = DOCS / "events.md"
    (row,) = [line for line in page.read_text().splitlines() if line.startswith("| `btc-updown-15m-1790588700`")]
    up, down = (set(re.findall(r"`([^`]+)`", cell)) for cell in row.strip("| ").split(" | "))
    assert up == {market["slug"] for market in rows if market["payout_up"] == 1}
    assert down == {market["slug"] for market in rows if market["payout_up"] == 0}
    assert f"replay {len(rows)} settled" in page.read_text()
    assert in_backticks(page) >= up | down
