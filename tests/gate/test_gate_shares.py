"""Who gets how much: fifty engines on one wallet are served alike, whatever they cost, however they wait, and whoever comes and goes."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from tests.gate.gate_rig import MANY, SECOND, Crowd, ask, turns
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Answer, Granted, OrderGate, Priority
from kabobagool.gate.memory import MemoryGate


@pytest.mark.parametrize("priority", list(Priority))
async def test_fifty_engines_that_always_want_something_are_served_within_one_of_each_other_at_any_time(
    crowd: Crowd, priority: Priority
) -> None:
    names = [f"market {n}" for n in range(50)]
    for name in names:
        crowd.always_asks(name, cost=2, priority=priority)
    await crowd.clock.advance(400)
    served = Counter(dict.fromkeys(names, 0))
    for name in crowd.granted():
        served[name] += 1
        assert max(served.values()) - min(served.values()) <= 1
    assert sum(served.values()) == 200


async def test_fifty_engines_that_give_up_after_a_second_and_come_back_are_served_alike(crowd: Crowd) -> None:
    names = [f"market {n}" for n in range(50)]
    for name in names:
        crowd.always_asks(name, cost=2, max_wait_s=1.0, pause_s=0.1)
        await crowd.clock.advance(0.013)
    await crowd.clock.advance(600)
    served = Counter(dict.fromkeys(names, 0))
    for name in crowd.granted():
        served[name] += 1
        assert max(served.values()) - min(served.values()) <= 2
    assert sum(served.values()) >= 250


async def test_shares_are_counted_in_slots_so_a_market_of_pairs_is_granted_half_as_often(crowd: Crowd) -> None:
    for name, cost in (("pairs", 2), ("legs", 1), ("more pairs", 2)):
        crowd.always_asks(name, cost=cost)
    await crowd.clock.advance(301)
    slots: Counter[str] = Counter()
    for departure in crowd.left:
        slots[departure.market] += departure.cost
        assert max(slots.values()) - min(slots[name] for name in ("pairs", "legs", "more pairs")) <= 2


async def test_a_market_that_joins_late_neither_catches_up_nor_waits_for_the_others_to_grow_old(crowd: Crowd) -> None:
    for name in ("a", "b", "c"):
        crowd.always_asks(name)
    await crowd.clock.advance(300)
    crowd.left.clear()
    crowd.always_asks("late")
    await crowd.clock.advance(40)
    served = Counter(crowd.granted())
    assert max(served.values()) - min(served.values()) <= 1
    assert "late" in crowd.granted()[:4]


async def test_a_market_that_was_idle_has_no_claim_for_the_time_it_wanted_nothing(crowd: Crowd) -> None:
    await crowd.line_up("idle")
    await crowd.clock.advance(1)
    for name in ("a", "b"):
        crowd.always_asks(name)
    await crowd.clock.advance(100)
    crowd.left.clear()
    crowd.always_asks("idle")
    await crowd.clock.advance(30)
    served = Counter(crowd.granted())
    assert max(served.values()) - min(served.values()) <= 1


class DistantGate(MemoryGate):
    """A gate that is asked over a network: every answer takes a while."""

    delay_s = 0.0

    async def acquire(self, *, market: str, **question: Any) -> Answer:
        await self._clock.sleep(self.delay_s)
        return await super().acquire(market=market, **question)


async def test_before_a_gate_that_takes_time_to_answer_the_order_and_the_shares_hold() -> None:
    clock = VirtualClock(settle=turns(MANY))
    behind = DistantGate(clock=clock, interval_us=SECOND)
    behind.delay_s = 0.01
    crowd = Crowd(FairGate(behind, clock=clock), clock)
    for n in range(20):
        crowd.always_asks(f"market {n}", max_wait_s=50)
    for n in range(3):
        crowd.asks(f"stops {n}").cancel()
    await clock.advance(60.5)
    served = Counter(crowd.granted())
    assert len(served) == 20
    assert max(served.values()) - min(served.values()) <= 1
    assert len(crowd.left) >= 55
    await crowd.line_up("hedge", priority=Priority.HEDGE)
    crowd.left.clear()
    await clock.advance(1.5)
    assert crowd.granted()[0] == "hedge"
    await crowd.go_home()
    assert crowd.gate.waiting == 0


async def test_on_the_wall_clock_twenty_engines_share_alike() -> None:
    clock = SystemClock()
    gate: OrderGate = FairGate(MemoryGate(clock=clock, interval_us=2_000), clock=clock)
    served: Counter[str] = Counter()
    spread = 0

    async def engine(name: str) -> None:
        nonlocal spread
        while sum(served.values()) < 200:
            answer = await ask(gate, market=name, cost=2, priority=Priority.NEW_PAIR, max_wait_s=60)
            if isinstance(answer, Granted):
                served[name] += 1
                spread = max(spread, max(served.values()) - min(served.values())) if len(served) == 20 else spread

    async with asyncio.timeout(60):
        await asyncio.gather(*(engine(f"market {n}") for n in range(20)))
    await gate.close()
    assert len(served) == 20
    assert spread == 1
