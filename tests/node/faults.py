"""The frame of every fault: the fleet is well, something breaks and is said, it ends, and the fleet is well again with nothing lost.

`conftest.py` hands it to tests as the fixture `fault`; what happens inside of the block is the test.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.node.fleet import Fleet
from tests.node.steps import Step, Steps

Fault = Callable[[str], AbstractContextManager[Step]]
CONVERGES_S = 300.0


def faults_of(fleet: Fleet, steps: Steps) -> Fault:
    """A function that opens the frame; its argument is the fault's line in the table."""

    @contextmanager
    def fault(name: str) -> Iterator[Step]:
        fleet.converged(patience_s=CONVERGES_S)
        traded = fleet.exchange.trades()
        with steps.entered(name) as step:
            yield step
            over = time.monotonic()
            fleet.converged(patience_s=CONVERGES_S)
            step.seconds = time.monotonic() - over
            fleet.agrees()
            fleet.gate_agrees()
            fleet.exchange.nothing_was_bought_twice()
        assert fleet.exchange.trades() >= traded, "the exchange forgot trades"
        fleet.trades_again(patience_s=CONVERGES_S)

    return fault


def said(step: Step, message: str) -> None:
    """Note in the table what the status said of the fault."""
    step.note(f"said: {message[:70]}")
