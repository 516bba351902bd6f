"""Every deliberate bug is noticed, in the history that is known to show it, by the promise it breaks."""

import pytest
from tests.simulation.mutants.bug import Bug
from tests.simulation.mutations import BUGS, promises_broken


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_deliberate_bug_breaks_a_promise(bug: Bug) -> None:
    promises, _ = promises_broken(bug, bug.seed)
    assert bug.promise in promises
