"""The operator's benchmark works from end to end when small, and what it measures beside is what the operator writes."""

from functools import partial
from pathlib import Path

import pytest

from tests.bench import operator

MARKETS = 12


@pytest.mark.usefixtures("kubernetes_binaries")
def test_a_few_markets_become_deployments_once_and_nothing_is_written_again(tmp_path: Path) -> None:
    run = operator.measured(MARKETS, tmp_path, nodes=False, quiet_s=1.0)
    assert run.writes >= 4 * MARKETS
    assert (run.quiet_writes, run.restart_writes) == (0, 0)
    assert min(run.bare_s, run.made_s, run.settled_s, run.restarted_s, run.cpu_s) > 0
    figures = operator.figures([run])
    assert [found.met for found in figures if "quiet" in found.name or "writes of the restart" in found.name] == [True, True]
    assert all(found.group == operator.GROUP for found in figures)


def test_the_sizes_are_those_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(operator.SIZES, raising=False)
    assert operator.sizes() == [1_000]
    monkeypatch.setenv(operator.SIZES, "5000,1000")
    assert operator.sizes() == [1_000, 5_000]


def test_two_sizes_say_whether_a_restart_costs_the_same_for_each_market() -> None:
    run = partial(operator.Run, bare_s=1.0, made_s=2.0, settled_s=3.0, cpu_s=1.0, resident_kib=1.0, empty_kib=1.0, writes=4)
    few = run(markets=1_000, restarted_s=5.0, quiet_writes=0, restart_writes=0)
    many = run(markets=5_000, restarted_s=30.0, quiet_writes=0, restart_writes=0)
    linear = operator.figures([few, many])[-1]
    assert (linear.value, linear.reference_value, linear.met) == (pytest.approx(6.0), pytest.approx(5.0), True)
    assert operator.figures([many])[0].target is not None
