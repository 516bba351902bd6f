"""A crowd of askers before the queue, which must be empty and still when everybody went home."""

from collections.abc import AsyncIterator

import pytest
from tests.gate.gate_rig import MANY, Crowd, ask, fair_gate, turns
from tests.support.virtual_clock import VirtualClock


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    """A crowd before a gate of one order a second whose first slot is taken."""
    clock = VirtualClock(settle=turns(MANY))
    gate = fair_gate(clock)
    crowd = Crowd(gate, clock)
    await ask(gate, market="before")
    yield crowd
    await crowd.go_home()
    await clock.settle()
    assert gate.waiting == clock.sleeping == 0
