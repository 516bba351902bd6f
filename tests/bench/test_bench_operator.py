"""The operator's benchmark works from end to end when small, and what it measures beside is what the operator writes."""

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
