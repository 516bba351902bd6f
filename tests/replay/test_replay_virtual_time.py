"""Virtual time: every sleeper at its own moment, and everything it sets off before the next one."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.replay.virtual_time import VirtualTime, run_in_virtual_time

START_US = 1_795_305_600_000_000


def in_time(main):
    return run_in_virtual_time(main, start_us=START_US)


def test_a_day_of_sleep_takes_no_time_and_ends_at_its_moment():
    async def main(clock: VirtualTime) -> tuple[float, int]:
        sleeper = asyncio.create_task(clock.sleep(86_400.5))
        await clock.settle()
        await clock.move_to(START_US + 86_400_499_999)
        assert not sleeper.done()
        await clock.move_to(START_US + 100_000_000_000)
        assert sleeper.done()
        return clock.monotonic(), clock.now_ms()

    assert in_time(main) == (100_000.0, START_US // 1000 + 100_000_000)


@given(st.lists(st.integers(0, 5_000_000), max_size=30))
def test_sleepers_wake_in_the_order_of_their_moments_and_see_exactly_those(spans_us):
    async def main(clock: VirtualTime) -> list[tuple[int, int]]:
        woken = []

        async def sleep(span_us: int) -> None:
            await clock.sleep(span_us / 1_000_000)
            woken.append((clock.now_us - START_US, span_us))

        tasks = [asyncio.create_task(sleep(span_us)) for span_us in spans_us]
        await clock.settle()
        await clock.move_to(START_US + 6_000_000)
        await asyncio.gather(*tasks)
        return woken

    woken = in_time(main)
    assert woken == sorted(woken)
    assert all(at_us == span_us for at_us, span_us in woken)
    assert len(woken) == len(spans_us)


def test_a_chain_of_any_length_runs_dry_before_the_next_sleeper_wakes():
    async def main(clock: VirtualTime) -> list[str]:
        said = []

        async def chain(length: int) -> None:
            await clock.sleep(1)
            for _ in range(length):
                await asyncio.create_task(asyncio.sleep(0))
            said.append("chain")

        async def later() -> None:
            await clock.sleep(1.000001)
            said.append("later")

        tasks = [asyncio.create_task(later()), asyncio.create_task(chain(500))]
        await clock.settle()
        await clock.move_to(START_US + 2_000_000)
        await asyncio.gather(*tasks)
        return said

    assert in_time(main) == ["chain", "later"]


def test_time_never_runs_backwards():
    async def main(clock: VirtualTime) -> int:
        await clock.move_to(START_US + 5)
        await clock.move_to(START_US - 5)
        return clock.now_us

    assert in_time(main) == START_US + 5


def test_a_cancelled_sleeper_is_not_waited_for():
    async def main(clock: VirtualTime) -> int:
        sleeper = asyncio.create_task(clock.sleep(1))
        await clock.settle()
        sleeper.cancel()
        await clock.move_to(START_US + 2_000_000)
        return clock.now_us

    assert in_time(main) == START_US + 2_000_000


def test_what_breaks_inside_is_raised_outside():
    async def main(clock: VirtualTime) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(clock.sleep(0)).add_done_callback(lambda task: None)
            group.create_task(breaks(clock))
            await clock.settle()
            await clock.move_to(START_US + 10)

    async def breaks(clock: VirtualTime) -> None:
        await clock.sleep(0.000005)
        raise ValueError("broken")

    with pytest.raises(ExceptionGroup, match="unhandled errors"):
        in_time(main)
