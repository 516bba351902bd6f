"""The work queue's promises, one by one, in virtual time."""

import asyncio
import logging

import pytest
from tests.operator.workqueue_rig import Desk

from kabobagool_operator.cluster_errors import Throttled, Unavailable
from kabobagool_operator.workqueue import HIGHEST_PAUSE_S, LOWEST_PAUSE_S


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def test_a_key_that_is_added_many_times_is_looked_at_once(desk: Desk) -> None:
    async with desk.open():
        for _ in range(10):
            desk.queue.add("a")
        assert desk.queue.depth == 1
        await desk.clock.settle()
    assert desk.looks == [(0.0, "a")]
    assert desk.noted.added_times == 1


async def test_keys_that_were_added_before_anybody_worked_are_not_lost(desk: Desk) -> None:
    desk.queue.add("a")
    desk.queue.add_after("b", 5)
    async with desk.open():
        await desk.clock.advance(5)
    assert desk.looks == [(0.0, "a"), (5.0, "b")]


async def test_a_key_that_changes_while_it_is_looked_at_is_looked_at_once_more_and_not_at_the_same_time(desk: Desk) -> None:
    desk.takes_s = 3
    async with desk.open(workers=5):
        desk.queue.add("a")
        await desk.clock.advance(1)
        desk.queue.add("a")
        desk.queue.add("a")
        assert (desk.queue.depth, desk.queue.active) == (0, 1)
        await desk.clock.advance(10)
    assert desk.looks_at("a") == [0.0, 3.0]


async def test_a_key_whose_moment_comes_while_it_is_looked_at_is_looked_at_once_more(desk: Desk) -> None:
    desk.takes_s = 3
    async with desk.open(workers=5):
        desk.queue.add("a")
        await desk.clock.advance(1)
        desk.queue.add_after("a", 1)
        await desk.clock.advance(10)
    assert desk.looks_at("a") == [0.0, 3.0]


async def test_a_key_that_is_looked_at_before_its_moment_is_not_looked_at_again_for_it(desk: Desk) -> None:
    async with desk.open(workers=5):
        desk.queue.add_after("a", 5)
        await desk.clock.advance(2)
        desk.queue.add("a")
        await desk.clock.advance(10)
        assert desk.queue.delayed == 0
    assert desk.looks_at("a") == [2.0]


async def test_no_more_keys_are_looked_at_at_once_than_there_are_workers(desk: Desk) -> None:
    desk.takes_s = 1
    async with desk.open(workers=3):
        for n in range(10):
            desk.queue.add(f"{n}")
        await desk.clock.advance(4)
    assert desk.most_inside == 3
    assert [at for at, _ in desk.looks] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    assert [key for _, key in desk.looks] == [f"{n}" for n in range(10)]


async def test_one_slow_key_does_not_hold_up_the_others(desk: Desk) -> None:
    async with desk.open(workers=2):
        desk.takes_s = 1000
        desk.queue.add("slow")
        await desk.clock.settle()
        desk.takes_s = 0.05
        for n in range(20):
            desk.queue.add(f"{n}")
        await desk.clock.advance(1)
        assert len(desk.ended) == 20
        assert desk.queue.longest_running_s == 1.0
        await desk.clock.advance(1000)


async def test_the_earliest_moment_counts_whatever_the_order_they_were_asked_in(desk: Desk) -> None:
    async with desk.open():
        for seconds in (30, 10, 20):
            desk.queue.add_after("a", seconds)
        assert desk.queue.delayed == 1
        await desk.clock.advance(100)
    assert desk.looks_at("a") == [10.0]


async def test_a_moment_that_is_set_while_the_queue_rests_is_not_slept_through(desk: Desk) -> None:
    async with desk.open():
        desk.queue.add_after("late", 100)
        await desk.clock.advance(1)
        desk.queue.add_after("soon", 2)
        await desk.clock.advance(2)
        assert desk.looks == [(3.0, "soon")]
        await desk.clock.advance(97)
    assert desk.looks_at("late") == [100.0]


async def test_a_moment_that_is_over_is_now(desk: Desk) -> None:
    async with desk.open():
        desk.queue.add_after("a", 0)
        desk.queue.add_after("b", -1)
        await desk.clock.settle()
    assert [key for _, key in desk.looks] == ["a", "b"]


async def test_a_key_comes_again_when_its_look_asked_for_it(desk: Desk) -> None:
    desk.requeues["a"] = [300.0, 300.0, None]
    async with desk.open():
        desk.queue.add("a")
        await desk.clock.advance(2000)
    assert desk.looks_at("a") == [0.0, 300.0, 600.0]
    assert desk.noted.results == [300.0, 300.0, None]


async def test_a_failed_key_comes_again_after_a_pause_that_doubles_up_to_a_minute_and_starts_again_after_a_success(desk: Desk) -> None:
    desk.errors["a"] = [Unavailable("away")] * 10
    async with desk.open():
        desk.queue.add("a")
        await desk.clock.advance(1000)
        assert desk.queue.failures("a") == 0
        looks = desk.looks_at("a")
        pauses = [later - earlier for earlier, later in zip(looks, looks[1:], strict=False)]
        ceilings = [min(HIGHEST_PAUSE_S, LOWEST_PAUSE_S * 2**n) for n in range(1, 11)]
        assert len(pauses) == 10
        assert all(ceiling / 2 - 0.001 <= pause <= ceiling for pause, ceiling in zip(pauses, ceilings, strict=True))
        desk.errors["a"] = [Unavailable("away again")]
        desk.queue.add("a")
        await desk.clock.advance(1)
    assert len(desk.looks_at("a")) == 13


async def test_a_failing_key_that_changes_is_looked_at_at_once_and_its_pause_goes_on_growing(desk: Desk) -> None:
    desk.errors["a"] = [Unavailable("away")] * 100
    async with desk.open():
        for _ in range(8):
            desk.queue.add("a")
            await desk.clock.settle()
        assert desk.looks_at("a") == [0.0] * 8
        assert desk.queue.failures("a") == 8
        assert desk.queue.failing == 1


async def test_a_pause_that_the_api_server_asks_for_is_kept(desk: Desk) -> None:
    desk.errors["a"] = [Throttled("busy", retry_after_s=17.0)]
    async with desk.open():
        desk.queue.add("a")
        await desk.clock.advance(100)
    assert desk.looks_at("a") == [0.0, 17.0]


async def test_a_forgotten_key_starts_with_the_shortest_pause(desk: Desk) -> None:
    desk.errors["a"] = [Unavailable("away")] * 9
    async with desk.open():
        desk.queue.add("a")
        await desk.clock.advance(70)
        assert desk.queue.failures("a") > 5
        desk.queue.forget("a")
        assert desk.queue.failures("a") == 0


async def test_a_bug_in_one_look_stops_nobody_else(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.errors["a"] = [ZeroDivisionError("a bug")]
    async with desk.open():
        desk.queue.add("a")
        desk.queue.add("b")
        await desk.clock.advance(2)
    assert desk.ended == ["b", "a"]
    assert "Traceback" in caplog.text


async def test_a_look_that_waited_for_something_that_was_cancelled_counts_as_failed(desk: Desk) -> None:
    tries = 0

    async def waits_for_something_cancelled(key: str) -> None:
        nonlocal tries
        tries += 1
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gone.cancel()
        await gone

    running = asyncio.create_task(desk.queue.run(1, waits_for_something_cancelled))
    desk.queue.add("a")
    await desk.clock.advance(10)
    assert 3 <= tries <= 7
    assert desk.queue.failures("a") == tries
    desk.queue.stop()
    await running


async def test_the_same_trouble_is_said_once_and_another_again(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    desk.errors["a"] = [Unavailable("away")] * 5 + [Unavailable("gone")] * 5
    async with desk.open():
        desk.queue.add("a")
        await desk.clock.advance(1000)
    assert [vars(record)["error"] for record in caplog.records] == ["Unavailable: away", "Unavailable: gone"]


async def test_stopping_finishes_what_was_begun_and_begins_nothing(desk: Desk) -> None:
    desk.takes_s = 5
    running = asyncio.create_task(desk.queue.run(1, desk.look))
    desk.queue.add("a")
    desk.queue.add("b")
    await desk.clock.advance(1)
    desk.queue.stop()
    await desk.clock.settle()
    assert not running.done()
    await desk.clock.advance(4)
    assert running.done()
    assert desk.ended == ["a"]
    assert desk.clock.sleeping == 0


async def test_cancelling_gives_up_what_was_begun_and_keeps_it(desk: Desk) -> None:
    desk.takes_s = 5
    running = asyncio.create_task(desk.queue.run(1, desk.look))
    desk.queue.add("a")
    desk.queue.add_after("b", 1)
    await desk.clock.advance(2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert desk.ended == []
    assert desk.queue.active == 0
    desk.takes_s = 0
    async with desk.open():
        await desk.clock.settle()
    assert sorted(desk.ended) == ["a", "b"]


async def test_a_queue_without_workers_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="workers=0"):
        await desk.queue.run(0, desk.look)


async def test_ages_tell_how_long_the_oldest_waits_and_the_longest_runs(desk: Desk) -> None:
    assert (desk.queue.oldest_age_s, desk.queue.longest_running_s, desk.queue.running_s) == (0.0, 0.0, 0.0)
    desk.takes_s = 10
    async with desk.open(workers=2):
        desk.queue.add("a")
        await desk.clock.advance(1)
        desk.queue.add("b")
        desk.queue.add("c")
        await desk.clock.advance(2)
        desk.queue.add("d")
        assert desk.queue.depth == 2
        assert desk.queue.oldest_age_s == pytest.approx(2)
        assert desk.queue.longest_running_s == pytest.approx(3)
        assert desk.queue.running_s == pytest.approx(5)
        await desk.clock.advance(30)
        assert (desk.queue.oldest_age_s, desk.queue.longest_running_s, desk.queue.depth) == (0.0, 0.0, 0)
    assert desk.noted.waits_s == pytest.approx([0, 0, 7 + 2, 8])
    assert desk.noted.worked_s == pytest.approx([10] * 4)


async def test_a_resting_queue_does_nothing(desk: Desk) -> None:
    async with desk.open():
        desk.queue.add_after("a", 1000)
        await desk.clock.settle()
        desk.clock.slept.clear()
        await desk.clock.advance(999)
        assert desk.clock.slept == []
        assert desk.clock.sleeping == 1
