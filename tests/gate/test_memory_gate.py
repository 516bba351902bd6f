"""What is particular to the in-process gate: it reserves without waiting, and its settings. The rest: `test_gate_conformance.py`."""

from fractions import Fraction

import pytest
from tests.gate.gate_rig import DOLLAR, SECOND, ManualClock, ask, memory_gate

from kabobagool.gate.interface import Exposure, Granted, OrderGate, Priority
from kabobagool.gate.memory import MemoryGate


def test_the_memory_gate_is_an_order_gate() -> None:
    gate: OrderGate = memory_gate(ManualClock())
    assert gate is not None


async def test_slots_are_reserved_without_waiting_for_them() -> None:
    clock = ManualClock()
    gate = MemoryGate.from_min_interval(0.25, clock)
    assert await ask(gate) == Granted(0.0)
    assert await ask(gate, max_wait_s=1) == Granted(0.25)
    assert await ask(gate, max_wait_s=1) == Granted(0.5)
    assert clock.now_us == ManualClock().now_us


async def test_a_minimum_interval_of_zero_does_not_limit() -> None:
    gate = MemoryGate.from_min_interval(0.0, ManualClock())
    assert [await ask(gate, cost=2) for _ in range(50)] == [Granted(0.0)] * 50


async def test_exposure_counts_granted_orders_until_their_position_is_told() -> None:
    gate = memory_gate(ManualClock(), interval_us=0)
    question = {"market": "m", "cost": 1, "notional": 30 * DOLLAR, "priority": Priority.HEDGE}
    await ask(gate, notional=60 * DOLLAR, priority=Priority.NEW_PAIR)
    unused = await gate.acquire(**question, max_wait_s=0)  # type: ignore[arg-type]
    assert gate.stakes.at_stake == 90 * DOLLAR
    gate.give_back(unused, **question)  # type: ignore[arg-type]
    assert gate.stakes.at_stake == 60 * DOLLAR
    gate.set_exposure("m", Exposure(at_stake=10 * DOLLAR))
    assert gate.stakes.at_stake == 10 * DOLLAR


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"interval_us": -1}, "interval_us"),
        ({"burst": 0}, "burst"),
        ({"reserve_fraction": Fraction(1)}, "reserve_fraction"),
        ({"reserve_fraction": Fraction(-1, 2)}, "reserve_fraction"),
        ({"tokens_at_start": 2}, "tokens_at_start"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        memory_gate(ManualClock(), **settings)


async def test_an_interval_is_kept_to_the_microsecond() -> None:
    clock = ManualClock()
    gate = memory_gate(clock, interval_us=333_333)
    await ask(gate)
    clock.now_us += 333_332
    assert await ask(gate, max_wait_s=SECOND) == Granted(0.000_001)
