"""Every deliberate bug is noticed, in the history that shows it, by the promise it breaks; and no promise is there for nothing."""

import pytest
from tests.simulation.mutants.bug import Bug
from tests.simulation.mutations import BUGS, promises_broken
from tests.simulation.promises_orders import ORDER_PROMISES
from tests.simulation.promises_state import END_PROMISES, LOOK_PROMISES, a_program_ends_for_a_reason


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name.replace(" ", "-"))
def test_a_deliberate_bug_breaks_a_promise(bug: Bug) -> None:
    promises, _ = promises_broken(bug, bug.seed)
    assert bug.promise in promises
    assert len(promises) == 1 or not bug.alone


def test_for_every_promise_there_is_a_bug_that_no_other_promise_notices() -> None:
    promises = (*ORDER_PROMISES, *LOOK_PROMISES, *END_PROMISES, a_program_ends_for_a_reason)
    assert {promise.__name__ for promise in promises} == {bug.promise for bug in BUGS if bug.alone}
