"""`kabobagool replay` as a process: what it prints, what it writes, and what it never looks at."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.replay.made_tapes import TapeMaker, made_market


def replay(*arguments: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kabobagool.cli.main", "replay", *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    market = made_market()
    maker = TapeMaker(tmp_path / "rain.tape").opened().joined(market)
    return maker.pair(market, 4_800, 4_700, at=1_000).pair(market, 5_100, 5_000, at=4_000).closed(5_000).done()


def test_people_get_the_truth_in_a_few_lines_and_two_files(tape, tmp_path):
    ended = replay(tape, "--out", tmp_path / "out")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "rain.tape: 5 s of 1 market, 2 frames" in ended.stdout
    assert "below $1   1 time; 1 whole, 1 after fees, 1 within the limits, 1 acted on" in ended.stdout
    assert "locked in  $2.50 simulated" in ended.stdout
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "report.json").exists()


def test_machines_get_json(tape, tmp_path):
    told = json.loads(replay(tape, "--out", tmp_path / "out", "--json").stdout)
    assert told["totals"]["locked_profit"] == "2.5"
    assert Path(told["report"]).exists()
    assert told["run"]["frames_per_s"] > 0


def test_the_report_is_put_below_build_when_nobody_says_where(tape, tmp_path):
    command = [sys.executable, "-m", "kabobagool.cli.main", "replay", str(tape)]
    subprocess.run(command, cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, capture_output=True, timeout=60, check=True)
    assert (tmp_path / "build" / "replay" / "rain.tape" / "report.html").exists()


def test_keys_and_the_live_switch_are_not_even_looked_at(tape, tmp_path):
    secrets = {"PRIVATE_KEY": "not a key at all", "DRY_RUN": "false", "CLOB_API_SECRET": "hush", "HOST": "no url"}
    ended = replay(tape, "--out", tmp_path / "out", **secrets)
    assert (ended.returncode, ended.stderr) == (0, "")
    written = (tmp_path / "out" / "report.json").read_text() + (tmp_path / "out" / "report.html").read_text() + ended.stdout
    assert not [value for value in secrets.values() if value in written and value != "false"]


def test_options_and_environment_decide_together(tape, tmp_path):
    ended = replay(tape, "--out", tmp_path / "out", "--max-pair-cost", "0.9", "--json", BATCH_SIZE="7")
    assert json.loads(ended.stdout)["totals"]["edges"]["rejected"] == {"pair_cost_too_high": 1}
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["settings"]["MAX_PAIR_COST"], report["settings"]["BATCH_SIZE"]) == ("0.9", "7")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("missing.tape",), 1, "No such file or directory; make a tape with `kabobagool record"),
        ((".",), 1, "it cannot be read"),
        ((__file__,), 1, "not one whole block"),
        (("missing.tape", "--max-pair-cost", "2"), 2, "MAX_PAIR_COST=2"),
        (("missing.tape", "--dry-run-latency-ms", "soon"), 2, "DRY_RUN_LATENCY_MS=soon"),
    ],
)
def test_what_cannot_be_played_is_said_in_a_line(arguments, status, said):
    ended = replay(*arguments)
    assert ended.returncode == status
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_report_that_cannot_be_written_names_the_place(tape):
    ended = replay(tape, "--out", "/proc/no-such-place")
    assert ended.returncode == 1
    assert "choose another place with --out or --log" in ended.stderr
