"""The operator's benchmark works from end to end when small, and what it measures beside is what the operator writes."""

from functools import partial
from pathlib import Path

import pytest

from tests.bench import operator

MARKETS = 12
RUN = partial(operator.Run, bare_s=1.0, made_s=2.0, settled_s=3.0, cpu_s=1.0, resident_kib=1.0, empty_kib=1.0, writes=4, restart_reads=4)


@pytest.mark.usefixtures("kubernetes_binaries")
def test_a_few_markets_become_deployments_once_and_nothing_is_written_again(tmp_path: Path) -> None:
    run = operator.measured(MARKETS, tmp_path, nodes=False, quiet_s=1.0)
    assert run.writes >= 4 * MARKETS
    assert (run.quiet_writes, run.restart_writes) == (0, 0)
    assert run.restart_reads < MARKETS
    assert min(run.bare_s, run.made_s, run.settled_s, run.restarted_s, run.cpu_s) > 0
    figures = operator.figures([run])
    assert [found.met for found in figures if "quiet" in found.name or "writes of the restart" in found.name] == [True, True]
    assert all(found.group == operator.GROUP for found in figures)


def test_the_sizes_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(operator.SIZES, raising=False)
    assert operator.sizes() == [1_000]
    monkeypatch.setenv(operator.SIZES, "5000,1000")
    assert operator.sizes() == [1_000, 5_000]


def test_the_quiet_stretch_is_as_long_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(operator.QUIET, raising=False)
    assert operator.quiet_seconds() == operator.SHORT_QUIET_S
    monkeypatch.setenv(operator.QUIET, "600")
    run = RUN(markets=1_000, restarted_s=5.0, quiet_s=operator.quiet_seconds(), quiet_writes=0, restart_writes=0)
    assert operator.figures([run])[-1].name == "1,000 markets, writes in 600 quiet seconds"


def test_two_sizes_say_whether_a_restart_costs_the_same_for_each_market() -> None:
    few = RUN(quiet_s=15.0, markets=1_000, restarted_s=5.0, quiet_writes=0, restart_writes=0)
    many = RUN(quiet_s=15.0, markets=5_000, restarted_s=30.0, quiet_writes=0, restart_writes=0)
    linear = operator.figures([few, many])[-1]
    assert (linear.value, linear.reference_value, linear.met) == (pytest.approx(6.0), pytest.approx(5.0), True)
    assert operator.figures([many])[0].target is not None
