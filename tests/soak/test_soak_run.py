"""A short soak, for real: two processes, most troubles once, a quiet end. What it promises does not hang on how fast the machine is."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.plan import STANDSTILL, plan
from tests.soak.report import make_report, table_lines
from tests.soak.run import Play, Record, soak
from tests.soak.sample import process_numbers

PLAY = Play(seed=7, seconds=20.0, markets=3, edges_per_hour=1_200, sample_every_s=0.5)
PATIENCE_S = 200


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    folder = tmp_path_factory.mktemp("soak")
    return asyncio.run(soak(PLAY, folder, asyncio.Event(), lambda line: None)), folder


def test_after_all_troubles_fleet_and_exchange_agree_to_the_micro_dollar_and_no_leg_is_naked(played):
    record, folder = played
    ending = record.ending
    assert ending is not None
    assert not ending.differences
    assert not ending.naked
    assert ending.unsettled == 0
    assert ending.status == 0, (folder / "fleet.log").read_text()
    assert ending.tracebacks == 0, (folder / "fleet.log").read_text()


def test_the_troubles_of_the_plan_happened_and_orders_were_sent_through_them(played):
    record, _ = played
    assert record.happened == plan(PLAY.seed, PLAY.seconds)
    assert record.counters["faults_struck"]["disconnect"] >= 1
    assert STANDSTILL in {trouble.name for trouble in record.happened}
    assert record.samples[-1].orders["filled"] > 0
    assert record.reconnects


def test_the_fleet_alone_was_looked_at_from_outside(played):
    record, _ = played
    assert record.samples
    for sample in record.samples:
        assert sample.markets == PLAY.markets
        assert sample.resident_kib > 10_000
        assert sample.descriptors > 5
        assert sample.tasks > PLAY.markets
        assert sample.stall_s > 0
    assert record.samples[-1].cpu_s > record.samples[0].cpu_s


def test_the_table_and_the_report_say_the_same(played):
    record, _ = played
    report = json.loads(json.dumps(make_report(PLAY, record)))
    lines = table_lines(report)
    assert lines[-1] == ("every limit holds" if report["passed"] else "A LIMIT IS BROKEN")
    for verdict in report["verdicts"]:
        assert any(line.startswith(verdict["name"]) and verdict["found"] in line for line in lines)
    assert {line.split()[0] for line in lines if line} >= set(report["troubles"])
    assert len(report["samples"]) == len(record.samples)


def test_ctrl_c_ends_it_early_with_the_table_so_far_and_leaves_no_process_behind(tmp_path):
    out = tmp_path / "soak.json"
    command = [sys.executable, "-m", "tests.soak", "--minutes", "5", "--markets", "2", "--edges", "600", "--seed", "3", "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout
        first = [process.stdout.readline() for _ in range(3)]
        assert "--seed 3" in first[0]
        assert "2 markets are traded" in first[1]
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE_S)
    report = json.loads(out.read_text())
    assert 0 < report["seconds"] < 250
    assert report["play"]["seed"] == 3
    assert process.returncode == (0 if report["passed"] else 1)
    assert "equal in every market" in said
    assert "exit status" in said


def test_a_process_that_is_gone_is_said_to_be_gone():
    numbers = process_numbers(os.getpid())
    assert numbers["resident_kib"] > 1_000
    assert numbers["threads"] >= 1
    ended = subprocess.Popen([sys.executable, "-c", ""])
    with ended:
        pass
    with pytest.raises(ProcessLookupError, match="is gone"):
        process_numbers(ended.pid)
