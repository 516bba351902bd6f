"""A crowd of askers before the queue, which must be empty and still when everybody went home."""

from collections.abc import AsyncIterator

import pytest
from tests.gate.gate_rig import MANY, Crowd, ask, fair_gate, turns
from tests.gate.redis_rig import close_links
from tests.support.virtual_clock import VirtualClock


@pytest.fixture(autouse=True)
async def no_connection_outlives_its_test() -> AsyncIterator[None]:
    """Gates on a server are closed with the loop they were opened in."""
    yield
    await close_links()


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
