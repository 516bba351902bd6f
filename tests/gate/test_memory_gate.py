"""The promises of the in-process order gate, in virtual time."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kabobagool.gate.interface import Answer, Granted, OrderGate, Priority, Refusal, Refused
from kabobagool.gate.memory import MICROSECONDS, MemoryGate

SECOND = MICROSECONDS
DOLLAR = 1_000_000


class ManualClock:
    """A clock that stands still until it is told to move; counts whole microseconds so that no rounding hides a slot."""

    def __init__(self) -> None:
        self.now_us = 5_000_000

    def now_ms(self) -> int:
        return self.now_us // 1000

    def monotonic(self) -> float:
        return self.now_us / MICROSECONDS

    async def sleep(self, seconds: float) -> None:
        self.now_us += round(seconds * MICROSECONDS)


def a_gate(clock: ManualClock, **settings: object) -> MemoryGate:
    return MemoryGate(clock=clock, **{"interval_us": SECOND, **settings})  # type: ignore[arg-type]


async def ask(
    gate: OrderGate, *, cost: int = 1, market: str = "m", notional: int = 0, priority: Priority = Priority.HEDGE, max_wait_s: float = 0.0
) -> Answer:
    return await gate.acquire(market=market, cost=cost, notional=notional, priority=priority, max_wait_s=max_wait_s)


def test_the_memory_gate_is_an_order_gate() -> None:
    gate: OrderGate = a_gate(ManualClock())
    assert gate is not None


async def test_the_first_order_leaves_at_once_and_the_next_one_an_interval_later() -> None:
    clock = ManualClock()
    gate = MemoryGate.from_min_interval(0.25, clock)
    assert await ask(gate) == Granted(0.0)
    assert await ask(gate, max_wait_s=1) == Granted(0.25)
    assert await ask(gate, max_wait_s=1) == Granted(0.5)


async def test_a_minimum_interval_of_zero_does_not_limit() -> None:
    gate = MemoryGate.from_min_interval(0.0, ManualClock())
    assert [await ask(gate, cost=2) for _ in range(50)] == [Granted(0.0)] * 50


async def test_a_pair_with_burst_one_leaves_at_once_and_the_next_order_waits_for_both_its_slots() -> None:
    clock = ManualClock()
    gate = MemoryGate.from_min_interval(1.0, clock)
    assert await ask(gate, cost=2, max_wait_s=5) == Granted(0.0)
    assert await ask(gate, cost=1, max_wait_s=5) == Granted(2.0)


async def test_slots_saved_while_a_pair_waits_are_not_spent_a_second_time_when_it_leaves() -> None:
    gate = a_gate(ManualClock(), interval_us=4 * SECOND, reserve_fraction=Fraction(1, 3), tokens_at_start=0)
    assert await ask(gate, cost=2, priority=Priority.NEW_PAIR, max_wait_s=99) == Granted(6.0)
    assert await ask(gate, priority=Priority.UNWIND, max_wait_s=99) == Granted(14.0)


async def test_a_pair_is_reserved_whole_or_not_at_all() -> None:
    clock = ManualClock()
    gate = a_gate(clock, burst=2, tokens_at_start=1)
    assert await ask(gate, cost=2) == Refused(Refusal.WAIT_TOO_LONG, 1.0)
    assert await ask(gate, cost=1) == Granted(0.0)


async def test_a_refusal_consumes_nothing_and_its_retry_after_is_exact() -> None:
    clock = ManualClock()
    gate = a_gate(clock)
    await ask(gate)
    for _ in range(20):
        assert await ask(gate, max_wait_s=0.25) == Refused(Refusal.WAIT_TOO_LONG, 0.75)
    await clock.sleep(0.75)
    assert await ask(gate, max_wait_s=0.25) == Granted(0.25)


async def test_a_cold_start_does_not_spend_the_burst() -> None:
    gate = a_gate(ManualClock(), burst=30)
    assert await ask(gate) == Granted(0.0)
    assert isinstance(await ask(gate), Refused)


async def test_a_warm_start_may_spend_the_burst() -> None:
    gate = a_gate(ManualClock(), burst=3, tokens_at_start=3)
    answers = [await ask(gate) for _ in range(4)]
    assert answers == [Granted(0.0)] * 3 + [Refused(Refusal.WAIT_TOO_LONG, 1.0)]


async def test_an_empty_start_makes_the_first_order_wait_one_interval() -> None:
    gate = a_gate(ManualClock(), burst=3, tokens_at_start=0)
    assert await ask(gate, max_wait_s=2) == Granted(1.0)


async def test_new_pairs_leave_the_reserve_to_hedges() -> None:
    clock = ManualClock()
    gate = a_gate(clock, interval_us=SECOND, burst=4, tokens_at_start=4, reserve_fraction=Fraction(1, 2))
    pairs = hedges = 0
    for _ in range(100):
        await clock.sleep(1)
        pairs += isinstance(await ask(gate, cost=2, priority=Priority.NEW_PAIR), Granted)
        hedges += isinstance(await ask(gate), Granted)
    assert pairs * 2 <= 4 + 50
    assert hedges >= 45


async def test_hedges_alone_may_use_the_whole_rate() -> None:
    clock = ManualClock()
    gate = a_gate(clock, reserve_fraction=Fraction(9, 10))
    granted = 0
    for _ in range(100):
        granted += isinstance(await ask(gate), Granted)
        await clock.sleep(1)
    assert granted == 100


@pytest.mark.parametrize("priority", list(Priority))
async def test_a_halted_market_sends_nothing_and_others_still_do(priority: Priority) -> None:
    gate = a_gate(ManualClock(), burst=9, tokens_at_start=9)
    await gate.halt(scope="m", who="operator", why="drain")
    answer = await ask(gate, priority=priority)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.HALTED
    assert await ask(gate, market="other", priority=priority) == Granted(0.0)
    assert gate.halts() == {"m": "operator: drain"}
    await gate.resume(scope="m")
    assert await ask(gate, priority=priority) == Granted(0.0)


async def test_a_halted_wallet_stops_every_market_until_it_is_resumed() -> None:
    gate = a_gate(ManualClock())
    await gate.halt(scope="wallet", who="me", why="holiday")
    assert isinstance(await ask(gate, market="a"), Refused)
    assert isinstance(await ask(gate, market="b"), Refused)
    await gate.resume(scope="wallet")
    await gate.resume(scope="wallet")
    assert await ask(gate) == Granted(0.0)


async def test_a_pause_stops_everything_says_for_how_long_and_leaves_no_burst_behind() -> None:
    clock = ManualClock()
    gate = a_gate(clock, burst=5, tokens_at_start=5)
    await gate.pause(seconds=10, reason="429")
    await clock.sleep(4)
    assert await ask(gate, priority=Priority.UNWIND, max_wait_s=60) == Refused(Refusal.VENUE_PAUSED, 6.0)
    await clock.sleep(6)
    assert await ask(gate) == Granted(0.0)
    assert await ask(gate) == Refused(Refusal.WAIT_TOO_LONG, 1.0)


async def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    clock = ManualClock()
    gate = a_gate(clock)
    await gate.pause(seconds=10, reason="425")
    await gate.pause(seconds=1, reason="429")
    await clock.sleep(2)
    assert await ask(gate) == Refused(Refusal.VENUE_PAUSED, 8.0)


async def test_new_pairs_stop_at_the_exposure_cap_and_hedges_do_not() -> None:
    gate = MemoryGate(clock=ManualClock(), interval_us=0, exposure_cap_micros=100 * DOLLAR)
    assert isinstance(await ask(gate, notional=60 * DOLLAR, priority=Priority.NEW_PAIR), Granted)
    refused = await ask(gate, market="other", notional=41 * DOLLAR, priority=Priority.NEW_PAIR)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXPOSURE
    assert isinstance(await ask(gate, notional=41 * DOLLAR, priority=Priority.HEDGE), Granted)
    assert gate.exposure() == 101 * DOLLAR


async def test_the_exposure_of_a_market_is_what_its_position_says_once_the_order_is_over() -> None:
    gate = MemoryGate(clock=ManualClock(), interval_us=0, exposure_cap_micros=100 * DOLLAR)
    await ask(gate, notional=100 * DOLLAR, priority=Priority.NEW_PAIR)
    gate.set_exposure("m", 40 * DOLLAR)
    assert isinstance(await ask(gate, notional=60 * DOLLAR, priority=Priority.NEW_PAIR), Granted)
    assert isinstance(await ask(gate, notional=1, priority=Priority.NEW_PAIR), Refused)
    gate.set_exposure("m", 0)
    assert gate.exposure() == 0


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
        a_gate(ManualClock(), **settings)


async def test_an_order_costs_at_least_one_slot() -> None:
    with pytest.raises(ValueError, match="cost=0"):
        await ask(a_gate(ManualClock()), cost=0)


requests = st.tuples(
    st.integers(0, 3 * SECOND),
    st.integers(1, 2),
    st.sampled_from(list(Priority)),
    st.floats(0, 4, allow_nan=False).map(lambda s: round(s, 3)),
)


@settings(deadline=None)
@given(
    st.lists(requests, max_size=40),
    st.integers(0, 2 * SECOND),
    st.integers(1, 5),
    st.fractions(0, Fraction(9, 10), max_denominator=20),
    st.data(),
)
async def test_no_window_ever_holds_more_orders_than_burst_and_rate_allow(
    steps: list[tuple[int, int, Priority, float]], interval_us: int, burst: int, reserve: Fraction, data: st.DataObject
) -> None:
    clock = ManualClock()
    tokens = data.draw(st.integers(0, burst))
    gate = MemoryGate(clock=clock, interval_us=interval_us, burst=burst, reserve_fraction=reserve, tokens_at_start=tokens)
    left: list[tuple[int, int, Priority]] = []
    for idle_us, cost, priority, max_wait_s in steps:
        clock.now_us += idle_us
        answer = await ask(gate, cost=cost, priority=priority, max_wait_s=max_wait_s)
        if isinstance(answer, Granted):
            assert answer.wait_s <= max_wait_s + 1e-6
            left.append((clock.now_us + round(answer.wait_s * MICROSECONDS), cost, priority))
    _no_window_overflows(left, interval_us, max(burst, 2))
    pairs = [departure for departure in left if departure[2] is Priority.NEW_PAIR]
    _no_window_overflows(pairs, interval_us / (1 - reserve), max(burst, 2))


def _no_window_overflows(left: list[tuple[int, int, Priority]], interval_us: int | Fraction, burst: int) -> None:
    for start_us, _, _ in left:
        for end_us, _, _ in left:
            inside = sum(cost for at, cost, _ in left if start_us <= at <= end_us)
            # One microsecond of rounding on either side of the window is the clock's, not the gate's.
            assert inside == 0 or (inside - burst) * interval_us <= end_us - start_us + 2


@settings(deadline=None)
@given(st.lists(requests, max_size=30), st.integers(1, 2 * SECOND), st.integers(1, 5))
async def test_refused_requests_leave_no_trace(steps: list[tuple[int, int, Priority, float]], interval_us: int, burst: int) -> None:
    def fresh() -> tuple[ManualClock, MemoryGate]:
        clock = ManualClock()
        return clock, MemoryGate(clock=clock, interval_us=interval_us, burst=burst, reserve_fraction=Fraction(1, 4))

    clock, gate = fresh()
    answers: list[Answer] = []
    for idle_us, cost, priority, max_wait_s in steps:
        clock.now_us += idle_us
        answers.append(await ask(gate, cost=cost, priority=priority, max_wait_s=max_wait_s))
    clock, gate = fresh()
    for (idle_us, cost, priority, max_wait_s), before in zip(steps, answers, strict=True):
        clock.now_us += idle_us
        if isinstance(before, Granted):
            assert await ask(gate, cost=cost, priority=priority, max_wait_s=max_wait_s) == before
