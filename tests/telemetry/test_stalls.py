"""A blocked event loop is noticed, an idle one is not accused."""

import asyncio
import time

import pytest

from kabobagool.telemetry import stalls
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.stalls import StallMeter


async def test_a_blocking_call_is_measured_about_as_long_as_it_was() -> None:
    async with StallMeter() as meter:
        await asyncio.sleep(0.03)
        time.sleep(0.15)  # noqa: ASYNC251 - the fault under test
        await asyncio.sleep(0.03)
    assert 0.12 <= meter.worst_s < 1.0


async def test_a_stall_that_lasts_until_the_end_is_not_missed() -> None:
    async with StallMeter() as meter:
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - the fault under test
    assert meter.worst_s >= 0.08


async def test_a_stall_is_visible_while_it_lasts() -> None:
    async with StallMeter() as meter:
        await asyncio.sleep(0)
        time.sleep(0.1)  # noqa: ASYNC251 - the fault under test
        assert meter.worst_s >= 0.08


async def test_waiting_is_not_stalling() -> None:
    worst_s = []
    for _ in range(5):
        async with StallMeter() as meter:
            await asyncio.sleep(0.05)
        worst_s.append(meter.worst_s)
    assert min(worst_s) < 0.08


async def test_the_worst_is_told_once_when_it_is_taken() -> None:
    async with StallMeter() as meter:
        await asyncio.sleep(0)
        time.sleep(0.15)  # noqa: ASYNC251 - the fault under test
        await asyncio.sleep(0.03)
        first = meter.take_worst_s()
        await asyncio.sleep(0.03)
        assert first >= 0.12
        assert meter.take_worst_s() < first


async def test_stalls_reach_the_metrics() -> None:
    metrics = BotMetrics()
    async with StallMeter(on_lateness=metrics.loop_stalled):
        await asyncio.sleep(0.1)
    count = metrics.registry.get_sample_value("kabobagool_event_loop_stall_seconds_count")
    assert count is not None
    assert count >= 3


async def test_the_worst_of_late_stays_for_everybody_who_asks_and_is_forgotten_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stalls, "RECENT_S", 1.0)
    metrics = BotMetrics()
    async with StallMeter(interval_s=0.001) as meter:
        metrics.watch_loop(meter)
        await asyncio.sleep(0.02)
        time.sleep(0.5)  # noqa: ASYNC251 - the fault under test
        await asyncio.sleep(0.02)
        for _ in range(2):
            assert (metrics.registry.get_sample_value("kabobagool_event_loop_worst_stall_seconds") or 0) >= 0.45
        async with asyncio.timeout(30):
            while meter.recent_worst_s() >= 0.45:
                await asyncio.sleep(0.05)
        assert meter.worst_s >= 0.45


async def test_a_task_that_never_ends_is_counted() -> None:
    metrics = BotMetrics()
    async with StallMeter() as meter:
        metrics.watch_loop(meter)
        before = metrics.registry.get_sample_value("kabobagool_event_loop_tasks")
        assert before == len(asyncio.all_tasks())
        forgotten = asyncio.create_task(asyncio.Event().wait())
        assert metrics.registry.get_sample_value("kabobagool_event_loop_tasks") == before + 1
        forgotten.cancel()
        await asyncio.gather(forgotten, return_exceptions=True)
        assert metrics.registry.get_sample_value("kabobagool_event_loop_tasks") == before
    assert meter.tasks() == 0


async def test_stopping_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    meter = StallMeter()
    meter.start()
    await meter.stop()
    await meter.stop()
    assert asyncio.all_tasks() == before
