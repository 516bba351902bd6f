"""What a person gets to see of a failure: the shortest history that still shows it, told as a timeline."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.simulation import simulate
from tests.simulation.explain import explained
from tests.simulation.generate import random_history
from tests.simulation.history import History
from tests.simulation.mutants.bug import mutated
from tests.simulation.mutations import BUGS
from tests.simulation.shrink import shrunk
from tests.simulation.simulate import run, summary
from tests.simulation.world import Result, play

from kabobagool.cli import simulate as command
from kabobagool.cli.main import main

BUG = next(bug for bug in BUGS if bug.name == "a settled fill is booked twice")


def test_a_failing_history_is_made_shorter_and_still_fails() -> None:
    history = random_history(BUG.seed)
    with mutated(BUG):
        least = shrunk(history, BUG.promise, most_runs=25)
        result = play(least)
    assert BUG.promise in {violation.invariant for violation in result.violations}
    assert len(least.happenings) <= len(history.happenings) // 2
    assert sum(len(market.edges) + len(market.bursts) for market in least.markets) < sum(
        len(market.edges) + len(market.bursts) for market in history.markets
    )


def test_a_history_is_told_as_a_timeline() -> None:
    history = random_history(BUG.seed)
    with mutated(BUG):
        told = explained(history, play(history))
    assert f"seed {BUG.seed}" in told
    assert "a pair costs 0." in told
    assert "sends" in told
    assert "BROKEN at 0:" in told
    assert told.index("a.1 starts") < told.index("BROKEN")


def test_a_report_names_the_seed_and_holds_the_shortest_history(tmp_path: Path) -> None:
    with mutated(BUG):
        report = run([BUG.seed], workers=1, report=tmp_path / "simulation.json", shrink=False)
    assert report.failed_seeds == [BUG.seed]
    assert f"seed {BUG.seed}: {BUG.promise}" in summary(report)
    assert '"shrunk"' in (tmp_path / "simulation.json").read_text()


def test_a_history_that_cannot_be_played_fails_and_keeps_no_other_one_from_being_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_once(history: History) -> Result:
        if history.seed == 1:
            raise IndexError("list index out of range")
        return play(history)

    monkeypatch.setattr(simulate, "play", broken_once)
    report = simulate.run([0, 1, 2], workers=1, report=tmp_path / "simulation.json")
    assert (report.histories, report.failed_seeds) == (3, [1])
    assert "seed 1: the_simulation_itself: IndexError: list index out of range" in summary(report)


def test_the_command_plays_one_seed() -> None:
    ended = CliRunner().invoke(main, ["simulate", "--seed", "0"])
    assert (ended.exit_code, ended.output) == (0, "every promise was kept\n")


def test_the_command_says_where_the_simulation_is_when_it_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "ROOT", tmp_path)
    ended = CliRunner().invoke(main, ["simulate", "--seed", "0"])
    assert ended.exit_code == 1
    assert "checkout of the repository" in ended.output
