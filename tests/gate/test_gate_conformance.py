"""The promises every order gate keeps to a single caller, in virtual time.

A gate may reserve and tell how long to wait, or wait itself: what is compared is the moment at which the orders leave.
"""

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.gate_rig import (
    DOLLAR,
    SECOND,
    Caller,
    Departure,
    MakeGate,
    ManualClock,
    ask,
    every_gate,
    fair_gate,
    memory_gate,
    no_window_overflows,
)

from kabobagool.gate.interface import Exposure, Granted, Lease, OrderGate, Priority, Refusal, Refused


def a_caller(make_gate: MakeGate, **own: Any) -> tuple[Caller, ManualClock]:
    clock = ManualClock()
    return Caller(make_gate(clock, **own), clock), clock


@every_gate
async def test_the_first_order_leaves_at_once_and_each_next_one_an_interval_later(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=SECOND // 4)
    assert [await caller.leaves(max_wait_s=1) for _ in range(4)] == [0.0, 0.25, 0.5, 0.75]


@every_gate
async def test_an_interval_of_zero_does_not_limit(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=0)
    assert [await caller.leaves(cost=2) for _ in range(50)] == [0.0] * 50


@every_gate
async def test_a_pair_with_burst_one_leaves_at_once_and_the_next_order_waits_for_both_its_slots(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate)
    assert await caller.leaves(cost=2, max_wait_s=5) == 0.0
    assert await caller.leaves(cost=1, max_wait_s=5) == 2.0


@every_gate
async def test_slots_saved_while_a_pair_waits_are_not_spent_a_second_time_when_it_leaves(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=4 * SECOND, reserve_fraction=Fraction(1, 3), tokens_at_start=0)
    assert await caller.leaves(cost=2, priority=Priority.NEW_PAIR, max_wait_s=99) == 6.0
    assert await caller.leaves(priority=Priority.UNWIND, max_wait_s=99) == 14.0


@every_gate
async def test_a_pair_is_granted_whole_or_not_at_all(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, burst=2, tokens_at_start=1)
    assert await caller.leaves(cost=2) == Refused(Refusal.WAIT_TOO_LONG, 1.0)
    assert await caller.leaves(cost=1) == 0.0


@every_gate
async def test_a_refusal_consumes_nothing_takes_no_time_and_its_retry_after_is_exact(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate)
    await caller.leaves()
    for _ in range(20):
        assert await caller.leaves(max_wait_s=0.25) == Refused(Refusal.WAIT_TOO_LONG, 0.75)
    assert caller.now == 0.0
    await clock.sleep(0.75)
    assert await caller.leaves(max_wait_s=0.25) == 1.0


@every_gate
async def test_a_cold_start_does_not_spend_the_burst(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, burst=30)
    assert await caller.leaves() == 0.0
    assert isinstance(await caller.leaves(), Refused)


@every_gate
async def test_a_warm_start_may_spend_the_burst(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, burst=3, tokens_at_start=3)
    assert [await caller.leaves() for _ in range(4)] == [0.0] * 3 + [Refused(Refusal.WAIT_TOO_LONG, 1.0)]


@every_gate
async def test_an_empty_start_makes_the_first_order_wait_one_interval(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, burst=3, tokens_at_start=0)
    assert await caller.leaves(max_wait_s=2) == 1.0


@every_gate
async def test_new_pairs_leave_the_reserve_to_hedges(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, burst=4, tokens_at_start=4, reserve_fraction=Fraction(1, 2))
    pairs = hedges = 0
    for _ in range(100):
        await clock.sleep(1)
        pairs += isinstance(await caller.leaves(cost=2, priority=Priority.NEW_PAIR), float)
        hedges += isinstance(await caller.leaves(), float)
    assert pairs * 2 <= 4 + 50
    assert hedges >= 45


@every_gate
async def test_hedges_alone_may_use_the_whole_rate(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, reserve_fraction=Fraction(9, 10))
    for second in range(100):
        assert await caller.leaves() == second
        await clock.sleep(1)


@every_gate
@pytest.mark.parametrize("priority", list(Priority))
async def test_a_halted_market_sends_nothing_and_others_still_do(make_gate: MakeGate, priority: Priority) -> None:
    caller, clock = a_caller(make_gate, burst=9, tokens_at_start=9)
    await caller.gate.halt(scope="m", who="operator", why="drain")
    refused = await caller.leaves(priority=priority, max_wait_s=60)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.HALTED
    assert await caller.gate.objection(market="m", notional=0, priority=priority) == refused
    assert await caller.leaves(market="other", priority=priority) == 0.0
    (halt,) = await caller.gate.halts()
    assert (halt.scope, halt.who, halt.why, halt.since_ms) == ("m", "operator", "drain", clock.now_ms())
    await caller.gate.resume(scope="m")
    assert await caller.leaves(priority=priority) == 0.0


@every_gate
async def test_a_halted_wallet_stops_every_market_until_it_is_resumed(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate)
    await caller.gate.halt(scope="wallet", who="me", why="holiday")
    assert isinstance(await caller.leaves(market="a"), Refused)
    assert isinstance(await caller.leaves(market="b"), Refused)
    await caller.gate.resume(scope="wallet")
    await caller.gate.resume(scope="wallet")
    assert await caller.leaves() == 0.0


@every_gate
async def test_halts_are_shown_oldest_first_and_a_halt_said_again_is_a_new_one(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate)
    for scope in ("a", "b", "a"):
        await clock.sleep(1)
        await caller.gate.halt(scope=scope, who="me", why="look")
    halts = await caller.gate.halts()
    assert [halt.scope for halt in halts] == ["b", "a"]
    assert halts[0].since_ms < halts[1].since_ms


@every_gate
async def test_a_pause_stops_everything_says_for_how_long_and_leaves_no_burst_behind(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, burst=5, tokens_at_start=5)
    await caller.gate.pause(seconds=10, reason="429")
    await clock.sleep(4)
    assert await caller.leaves(priority=Priority.UNWIND, max_wait_s=60) == Refused(Refusal.VENUE_PAUSED, 6.0)
    await clock.sleep(6)
    assert await caller.leaves() == 10.0
    assert await caller.leaves() == Refused(Refusal.WAIT_TOO_LONG, 1.0)


@every_gate
async def test_a_shorter_pause_does_not_shorten_a_longer_one(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate)
    await caller.gate.pause(seconds=10, reason="425")
    await caller.gate.pause(seconds=1, reason="429")
    await clock.sleep(2)
    assert await caller.leaves() == Refused(Refusal.VENUE_PAUSED, 8.0)


@every_gate
async def test_new_pairs_stop_at_the_exposure_cap_and_hedges_do_not(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=0, exposure_cap_micros=100 * DOLLAR)
    assert await caller.leaves(notional=60 * DOLLAR, priority=Priority.NEW_PAIR) == 0.0
    refused = await caller.leaves(market="other", notional=41 * DOLLAR, priority=Priority.NEW_PAIR)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXPOSURE
    assert await caller.gate.objection(market="other", notional=41 * DOLLAR, priority=Priority.NEW_PAIR) == refused
    assert await caller.leaves(notional=41 * DOLLAR, priority=Priority.HEDGE) == 0.0


@every_gate
async def test_the_exposure_of_a_market_is_what_its_position_says_once_the_order_is_over(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=0, exposure_cap_micros=100 * DOLLAR)
    await caller.leaves(notional=100 * DOLLAR, priority=Priority.NEW_PAIR)
    caller.gate.set_exposure("m", Exposure(at_stake=40 * DOLLAR))
    assert await caller.leaves(notional=60 * DOLLAR, priority=Priority.NEW_PAIR) == 0.0
    assert isinstance(await caller.leaves(notional=1, priority=Priority.NEW_PAIR), Refused)
    caller.gate.set_exposure("m", Exposure())
    assert await caller.leaves(notional=100 * DOLLAR, priority=Priority.NEW_PAIR) == 0.0


async def granted(gate: OrderGate, **question: Any) -> Granted:
    answer = await ask(gate, **question)
    assert isinstance(answer, Granted)
    return answer


@every_gate
async def test_orders_that_did_not_leave_give_back_their_slots_and_their_dollars(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, burst=2, tokens_at_start=2, exposure_cap_micros=100 * DOLLAR)
    pair: dict[str, Any] = {"market": "m", "cost": 2, "notional": 100 * DOLLAR, "priority": Priority.NEW_PAIR}
    for _ in range(3):
        caller.gate.give_back(await granted(caller.gate, **pair), **pair)
        await clock.sleep(0.25)
    assert await caller.leaves(**pair) == 0.75
    assert isinstance(await caller.leaves(**pair), Refused)


@every_gate
async def test_no_more_slots_come_back_than_were_granted(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, burst=3, tokens_at_start=3)
    question: dict[str, Any] = {"market": "m", "cost": 1, "notional": 0, "priority": Priority.NEW_PAIR}
    assert await caller.leaves(**question) == 0.0
    caller.gate.give_back(await granted(caller.gate, **question), **question)
    assert [await caller.leaves(**question, max_wait_s=9) for _ in range(3)] == [0.0, 0.0, 1.0]


@every_gate
async def test_slots_that_others_already_queue_behind_are_not_given_out_twice(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate)
    question: dict[str, Any] = {"market": "m", "cost": 1, "notional": 0, "priority": Priority.HEDGE}
    first = await granted(caller.gate, **question)
    assert await caller.leaves(max_wait_s=9) == 1.0
    caller.gate.give_back(first, **question)
    assert await caller.leaves(max_wait_s=9) == 2.0


@every_gate
async def test_an_answer_is_given_back_once(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate)
    question: dict[str, Any] = {"market": "m", "cost": 1, "notional": 0, "priority": Priority.HEDGE}
    first = await granted(caller.gate, **question)
    caller.gate.give_back(first, **question)
    assert await caller.leaves() == 0.0
    caller.gate.give_back(first, **question)
    assert await caller.leaves(max_wait_s=9) == 1.0


@every_gate
async def test_slots_given_back_in_a_pause_do_not_shorten_it(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, burst=3, tokens_at_start=3)
    question: dict[str, Any] = {"market": "m", "cost": 1, "notional": 0, "priority": Priority.HEDGE}
    first = await granted(caller.gate, **question)
    await caller.gate.pause(seconds=10, reason="429")
    caller.gate.give_back(first, **question)
    await clock.sleep(10)
    assert [await caller.leaves(max_wait_s=9) for _ in range(2)] == [10.0, 11.0]


@every_gate
async def test_an_order_costs_at_least_one_slot(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate)
    with pytest.raises(ValueError, match="cost=0"):
        await caller.leaves(cost=0)


requests = st.tuples(
    st.integers(0, 3 * SECOND),
    st.integers(1, 2),
    st.sampled_from(list(Priority)),
    st.floats(0, 4, allow_nan=False).map(lambda s: round(s, 3)),
)
Request = tuple[int, int, Priority, float]


@every_gate
@settings(deadline=None)
@given(
    steps=st.lists(requests, max_size=40),
    interval_us=st.integers(0, 2 * SECOND),
    burst=st.integers(1, 5),
    reserve=st.fractions(0, Fraction(9, 10), max_denominator=20),
    data=st.data(),
)
async def test_no_window_ever_holds_more_orders_than_burst_and_rate_allow(
    make_gate: MakeGate, steps: list[Request], interval_us: int, burst: int, reserve: Fraction, data: st.DataObject
) -> None:
    tokens = data.draw(st.integers(0, burst))
    clock = ManualClock()
    gate = make_gate(clock, interval_us=interval_us, burst=burst, reserve_fraction=reserve, tokens_at_start=tokens)
    left: list[Departure] = []
    for idle_us, cost, priority, max_wait_s in steps:
        clock.now_us += idle_us
        asked_us = clock.now_us
        answer = await ask(gate, cost=cost, priority=priority, max_wait_s=max_wait_s)
        if isinstance(answer, Granted):
            at_us = clock.now_us + round(answer.wait_s * SECOND)
            assert at_us - asked_us <= max_wait_s * SECOND + 1
            left.append(Departure(at_us, cost, priority=priority))
    no_window_overflows(left, interval_us, max(burst, 2))
    pairs = [departure for departure in left if departure.priority is Priority.NEW_PAIR]
    no_window_overflows(pairs, interval_us / (1 - reserve), max(burst, 2))


async def departures(make_gate: MakeGate, steps: list[Request], **own: Any) -> list[float | Refused]:
    caller, clock = a_caller(make_gate, **own)
    answers = []
    for idle_us, cost, priority, max_wait_s in steps:
        clock.now_us += idle_us
        answers.append(await caller.leaves(cost=cost, priority=priority, max_wait_s=max_wait_s))
    return answers


@every_gate
@settings(deadline=None)
@given(steps=st.lists(requests, max_size=30), interval_us=st.integers(1, 2 * SECOND), burst=st.integers(1, 5))
async def test_refused_requests_leave_no_trace(make_gate: MakeGate, steps: list[Request], interval_us: int, burst: int) -> None:
    own = {"interval_us": interval_us, "burst": burst, "reserve_fraction": Fraction(1, 4)}
    answers = await departures(make_gate, steps, **own)
    kept: list[Request] = []
    idle_us = 0
    for step, answer in zip(steps, answers, strict=True):
        idle_us += step[0]
        if isinstance(answer, float):
            kept.append((idle_us, *step[1:]))
            idle_us = 0
    assert await departures(make_gate, kept, **own) == [answer for answer in answers if isinstance(answer, float)]


@settings(deadline=None)
@given(
    steps=st.lists(requests, max_size=30),
    interval_us=st.integers(0, 2 * SECOND),
    burst=st.integers(1, 5),
    reserve=st.fractions(0, Fraction(9, 10), max_denominator=20),
)
async def test_alone_in_the_queue_a_market_is_served_as_if_there_were_none(
    steps: list[Request], interval_us: int, burst: int, reserve: Fraction
) -> None:
    own = {"interval_us": interval_us, "burst": burst, "reserve_fraction": reserve}
    assert await departures(fair_gate, steps, **own) == await departures(memory_gate, steps, **own)


@every_gate
async def test_draining_stops_new_pairs_and_lets_hedges_and_unwinds_finish(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=0)
    for scope in ("draining:m", "draining:wallet"):
        await caller.gate.halt(scope=scope, who="operator", why="deleted")
        refused = await caller.leaves(priority=Priority.NEW_PAIR)
        assert isinstance(refused, Refused)
        assert refused.reason is Refusal.HALTED
        assert await caller.leaves(priority=Priority.HEDGE) == await caller.leaves(priority=Priority.UNWIND) == 0.0
        assert (await caller.leaves(market="other", priority=Priority.NEW_PAIR) == 0.0) == (scope == "draining:m")
        await caller.gate.resume(scope=scope)
    assert await caller.leaves(priority=Priority.NEW_PAIR) == 0.0


@every_gate
async def test_a_lease_keeps_its_number_while_it_is_held_and_a_later_one_has_a_higher_number(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, interval_us=0)
    first, again = await caller.gate.take_lease("m"), await caller.gate.take_lease("m")
    assert await caller.leaves() == 0.0
    other = await caller.gate.take_lease("other")
    await caller.gate.drop_lease("m")
    await caller.gate.drop_lease("never held")
    later = await caller.gate.take_lease("m")
    assert isinstance(first, Lease)
    assert isinstance(again, Lease)
    assert isinstance(other, Lease)
    assert isinstance(later, Lease)
    assert first.number == again.number < other.number < later.number
    assert later.valid_s > 0
    assert await caller.leaves() == 0.0
