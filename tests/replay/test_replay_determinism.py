"""Same tape, same settings, same decisions: in one process, in two, and on a tape that was written in pieces."""

import json
import subprocess
import sys
from pathlib import Path

from tests.replay.made_tapes import TapeMaker, both_books, logged, made_market, played

from kabobagool.domain.market import FeeSchedule

MARKETS = [made_market(number, fee=FeeSchedule(rate_micros=20_000)) for number in range(1, 7)]


def busy_tape(path: Path, *, frames_a_block: int = 1_000) -> Path:
    """Six markets that are cheap now and then, often together, so that they compete for the wallet's order rate."""
    maker = TapeMaker(path).opened()
    for market in MARKETS:
        maker.joined(market)
    for step in range(600):
        market = MARKETS[step * 7 % 6]
        cheap = step % 11 in (0, 1, 2)
        yes_ask = 4_500 + step % 5 * 100 if cheap else 5_100
        books = both_books(market, yes_ask, 4_900, shares=20 + step % 60, at=step * 90)
        maker.frame(books if step % 4 else books[: 1 + step % 2], at=step * 90)
        if (step + 1) % frames_a_block == 0:
            maker.flush()
    return maker.closed(60_000).done()


def test_a_second_replay_in_the_same_process_decides_the_same(tmp_path):
    tape = busy_tape(tmp_path / "a.tape")
    first, second = played(tape, tmp_path / "first"), played(tape, tmp_path / "second")
    assert first == second
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    assert first.totals.edges.acted_on > 5
    assert len(first.totals.edges.rejected) > 1


def test_processes_with_different_hash_seeds_write_the_same_log_and_the_same_report(tmp_path):
    tape = busy_tape(tmp_path / "a.tape")
    reports, logs = [], []
    for seed in ("1", "2"):
        log, out = tmp_path / f"log-{seed}", tmp_path / f"out-{seed}"
        ended = subprocess.run(
            [sys.executable, "-m", "kabobagool.cli.main", "replay", str(tape), "--out", str(out), "--log", str(log), "--json"],
            env={"PYTHONHASHSEED": seed, "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        report = json.loads((out / "report.json").read_text())
        assert json.loads(ended.stdout)["decisions"] == report["decisions"]
        del report["run"]
        reports.append(report)
        logs.append(log.read_bytes())
    assert reports[0] == reports[1]
    assert logs[0] == logs[1]


def test_how_a_tape_is_cut_into_blocks_changes_nothing(tmp_path):
    whole, pieces = busy_tape(tmp_path / "whole.tape"), busy_tape(tmp_path / "pieces.tape", frames_a_block=7)
    assert whole.read_bytes() != pieces.read_bytes()
    assert played(whole).decisions == played(pieces).decisions


def test_a_continued_tape_decides_the_same_every_time(tmp_path):
    maker = TapeMaker(busy_tape(tmp_path / "a.tape")).opened(70_000)
    for market in MARKETS:
        maker.joined(market, 70_000)
    tape = maker.pair(MARKETS[0], 4_500, 4_900, at=71_000).closed(75_000).done()
    first = played(tape)
    assert len(first.tape.gaps) == 1
    assert played(tape) == first


def test_a_setting_that_matters_changes_the_hash_and_is_in_the_report(tmp_path):
    tape = busy_tape(tmp_path / "a.tape")
    usual, stricter = played(tape), played(tape, max_pair_cost="0.9")
    assert usual.decisions != stricter.decisions
    assert (usual.settings["MAX_PAIR_COST"], stricter.settings["MAX_PAIR_COST"]) == ("0.98", "0.9")


def test_the_hash_is_that_of_the_log(tmp_path):
    import hashlib

    report = played(busy_tape(tmp_path / "a.tape"), tmp_path / "log")
    assert hashlib.sha256((tmp_path / "log").read_bytes()).hexdigest() == report.decisions
    assert len(logged(tmp_path / "log", "edge")) == report.totals.edges.seen
