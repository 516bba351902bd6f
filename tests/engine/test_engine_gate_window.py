"""Leave that was given and not used costs nobody a turn, and the wait that is told is the one that was waited."""

import asyncio
from pathlib import Path

import pytest
from tests.support.engine_rig import EngineRig, engine_rig

from kabobagool.gate.interface import Answer, Granted, Priority, Refused

BUSY_US = 200_000


async def busy_gate(rig: EngineRig) -> None:
    """Somebody else just took all slots there were."""
    answer = await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
    assert isinstance(answer, Granted)


async def slots_come_after_s(rig: EngineRig) -> float:
    """How long another market would wait now for a pair."""
    answer = await rig.gate.acquire(market="0xthird", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
    return answer.retry_after_s if isinstance(answer, Refused) else 0.0


def never_signs(rig: EngineRig) -> asyncio.Event:
    """From now on signing does not end; set when it begins."""
    began = asyncio.Event()

    async def never(*_: object) -> None:
        began.set()
        await asyncio.Event().wait()

    rig.execution.prepare = never  # type: ignore[method-assign,assignment]
    return began


async def test_an_engine_that_is_stopped_while_it_waits_leaves_its_slots_to_the_others(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        await busy_gate(rig)
        await rig.show("0.48", "0.45")
        assert await slots_come_after_s(rig) == pytest.approx(0.8, abs=0.01), "the slots of both markets are taken"
        assert rig.task is not None
        rig.task.cancel()
        await asyncio.gather(rig.task, return_exceptions=True)
        assert await slots_come_after_s(rig) == pytest.approx(0.4, abs=0.01), "those that were not used are free again"
        assert rig.execution.sent == []
        rig.task = None


async def test_an_engine_takes_no_slots_before_its_orders_are_signed(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        signing = never_signs(rig)
        rig.show_now("0.48", "0.45")
        await signing.wait()
        assert await slots_come_after_s(rig) == 0


async def test_an_engine_that_is_stopped_while_it_signs_what_stands_in_leaves_its_slots_to_the_others(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        await busy_gate(rig)
        await rig.show("0.48", "0.45")
        rig.fill_books("0.48", "0.45", yes_depth="7")
        signing = never_signs(rig)
        await rig.clock.advance(0.4)
        assert signing.is_set()
        assert await slots_come_after_s(rig) == pytest.approx(0.4, abs=0.01)
        assert rig.task is not None
        rig.task.cancel()
        await asyncio.gather(rig.task, return_exceptions=True)
        assert await slots_come_after_s(rig) == 0
        assert rig.execution.sent == []
        rig.task = None


async def test_an_edge_that_ends_while_its_orders_are_signed_takes_no_slots(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        rig.execution.while_preparing = lambda: rig.fill_books("0.55", "0.45")
        await rig.show("0.48", "0.45")
        assert rig.strategy.truth.rejected == {"view_moved": 1}
        assert await slots_come_after_s(rig) == 0


async def test_the_wait_that_is_told_is_the_one_that_was_waited(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        told: list[Answer] = []
        rig.listener.gate = told.append  # type: ignore[method-assign]
        await busy_gate(rig)
        await rig.show("0.48", "0.45")
        assert told == [], "nothing is told before it is known"
        await rig.clock.advance(0.5)
        (answer,) = told
        assert isinstance(answer, Granted)
        assert answer.wait_s == pytest.approx(0.4, abs=0.01)


async def test_a_halt_while_an_engine_waits_for_its_slots_stops_its_orders_and_frees_the_slots(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=BUSY_US) as rig:
        await busy_gate(rig)
        await rig.show("0.48", "0.45")
        await rig.gate.halt(scope=rig.view.market.condition_id, who="me", why="news")
        await rig.clock.advance(0.5)
        assert rig.execution.sent == []
        assert rig.strategy.truth.rejected["gate_refused"] == 1
        await rig.gate.resume(scope=rig.view.market.condition_id)
        await rig.clock.advance(5)
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) >= 2, "resumed, it trades again"
