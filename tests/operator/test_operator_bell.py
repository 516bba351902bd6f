"""What happens to a market has it looked at soon, and the later the more bots are starting."""

import pytest
from tests.operator.workqueue_rig import Desk

from kabobagool_operator.assembly import LONGEST_GATHER_S, Bell


@pytest.mark.parametrize(("starting", "gather_s"), [(0, 0.2), (1, 0.21), (100, 1.2), (100_000, LONGEST_GATHER_S)])
async def test_what_happens_meanwhile_is_gathered_into_one_look(starting: int, gather_s: float) -> None:
    desk = Desk()
    bell = Bell(desk.queue)
    bell.starting = lambda: starting
    async with desk.open():
        bell.cluster_changed("rain", by_us=False)
        await desk.clock.advance(gather_s / 2)
        bell.cluster_changed("rain", by_us=False)
        bell.cluster_changed("snow", by_us=True)
        await desk.clock.advance(10)
    assert desk.looks == [(pytest.approx(gather_s, abs=0.002), "rain")]
