"""Whatever is added, fails and changes in whatever order: no key has two workers, none is lost, no pause is out of bounds."""

import asyncio
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.workqueue_rig import Desk
from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.cluster_errors import ClusterError, Throttled
from kabobagool_operator.delayed_keys import SLACK, DelayedKeys
from kabobagool_operator.trouble import Trouble
from kabobagool_operator.workqueue import WorkQueue

KEYS = st.sampled_from("abcd")
MOMENTS = st.integers(0, 4_000).map(lambda thousandths: thousandths / 1000)
steps = st.lists(st.tuples(MOMENTS, KEYS, st.none() | MOMENTS), min_size=1, max_size=40)


class Versions:
    """Objects that change, and a reader: the last version of each must have been read after it was made."""

    def __init__(self, desk: Desk, *, takes_s: float, failing: list[bool]) -> None:
        self.desk = desk
        self.takes_s = takes_s
        self.failing = failing
        self.made: Counter[str] = Counter()
        self.read: Counter[str] = Counter()
        self.inside: set[str] = set()

    def change(self, key: str, after_s: float | None) -> None:
        self.made[key] += 1
        if after_s is None:
            self.desk.queue.add(key)
        else:
            self.desk.queue.add_after(key, after_s)

    async def look(self, key: str) -> float | None:
        assert key not in self.inside
        self.inside.add(key)
        seen = self.made[key]
        try:
            await self.desk.clock.sleep(self.takes_s)
            if self.failing and self.failing.pop():
                raise Throttled("busy", retry_after_s=1.0)
            self.read[key] = seen
            return None
        finally:
            self.inside.remove(key)


@settings(deadline=None, max_examples=80)
@given(steps=steps, workers=st.integers(1, 4), takes_s=MOMENTS, failing=st.lists(st.booleans(), max_size=10))
async def test_every_change_is_looked_at_and_no_key_has_two_workers(
    steps: list[tuple[float, str, float | None]], workers: int, takes_s: float, failing: list[bool]
) -> None:
    desk = Desk()
    world = Versions(desk, takes_s=takes_s, failing=failing)
    running = asyncio.create_task(desk.queue.run(workers, world.look))
    for pause_s, key, after_s in steps:
        await desk.clock.advance(pause_s)
        world.change(key, after_s)
    await desk.clock.advance(2000)
    assert world.read == world.made
    assert (desk.queue.depth, desk.queue.active, desk.queue.delayed, desk.queue.failing) == (0, 0, 0, 0)
    assert not running.done()
    desk.queue.stop()
    await running


@settings(deadline=None, max_examples=50)
@given(steps=steps, stops_after=st.lists(MOMENTS, min_size=1, max_size=3), takes_s=MOMENTS)
async def test_nothing_is_lost_by_workers_that_are_cancelled(
    steps: list[tuple[float, str, float | None]], stops_after: list[float], takes_s: float
) -> None:
    desk = Desk()
    world = Versions(desk, takes_s=takes_s, failing=[])
    for _, key, after_s in steps:
        world.change(key, after_s)
    for seconds in stops_after:
        running = asyncio.create_task(desk.queue.run(2, world.look))
        await desk.clock.advance(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    running = asyncio.create_task(desk.queue.run(2, world.look))
    await desk.clock.advance(1000)
    assert world.read == world.made
    desk.queue.stop()
    await running


@given(
    lowest=st.floats(0.01, 10),
    factor=st.floats(1, 1000),
    failures=st.integers(1, 200),
    asked=st.floats(0, 100),
    seed=st.integers(),
)
def test_a_pause_is_between_the_lowest_and_the_highest_and_never_less_than_asked(
    lowest: float, factor: float, failures: int, asked: float, seed: int
) -> None:
    highest = lowest * factor
    trouble = Trouble(lowest, highest, rng=random.Random(seed))
    pauses = [trouble.pause_s(ClusterError("no", retry_after_s=asked)) for _ in range(failures)]
    assert all(max(lowest, asked) <= pause <= max(highest, asked) for pause in pauses)
    assert trouble.times == failures


@given(puts=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1000)), max_size=300), now=st.integers(0, 1000))
def test_delayed_keys_come_up_once_each_at_their_earliest_moment_in_order(puts: list[tuple[int, int]], now: int) -> None:
    delayed: DelayedKeys[int] = DelayedKeys()
    earliest: dict[int, int] = {}
    for key, due in puts:
        delayed.put(key, due)
        earliest[key] = min(due, earliest.get(key, due))
        assert delayed.next_due() == min(earliest.values())
        assert len(delayed) == len(earliest)
    popped = list(delayed.pop_due(now))
    assert sorted(popped) == sorted(key for key, due in earliest.items() if due <= now)
    assert [earliest[key] for key in popped] == sorted(earliest[key] for key in popped)
    assert delayed.next_due() == min((due for due in earliest.values() if due > now), default=None)


def test_five_thousand_keys_that_are_put_off_again_and_again_need_no_more_room() -> None:
    delayed: DelayedKeys[int] = DelayedKeys()
    for due in range(20, 0, -1):
        for key in range(5_000):
            delayed.put(key, due)
    assert len(delayed) == 5_000
    assert delayed.room <= 2 * 5_000 + SLACK


async def test_five_thousand_keys_are_looked_at_once_each_with_a_bounded_number_of_tasks() -> None:
    clock = VirtualClock()
    queue: WorkQueue[int] = WorkQueue(clock=clock, rng=random.Random(1), observer=Desk().noted)
    seen: Counter[int] = Counter()
    most_tasks = 0

    async def look(key: int) -> None:
        nonlocal most_tasks
        most_tasks = max(most_tasks, len(asyncio.all_tasks()))
        seen[key] += 1
        await asyncio.sleep(0)
        if len(seen) == 5_000:
            queue.stop()

    for key in range(5_000):
        queue.add(key)
    await queue.run(20, look)
    assert seen == Counter(range(5_000))
    assert most_tasks < 30
