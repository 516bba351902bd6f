"""Who is served when many ask: the promises of the queue before the gate, in virtual time."""

import asyncio
from fractions import Fraction
from typing import Any

import pytest
from tests.gate.gate_rig import DOLLAR, MANY, SECOND, Crowd, ask, fair_gate, memory_gate, turns
from tests.support.virtual_clock import VirtualClock

from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Answer, Granted, Priority, Refusal, Refused
from kabobagool.gate.memory import MemoryGate


async def test_unwinds_go_before_hedges_before_new_pairs_whoever_came_first(crowd: Crowd) -> None:
    await crowd.line_up("pair 1", "pair 2")
    await crowd.line_up("hedge 1", "hedge 2", priority=Priority.HEDGE)
    await crowd.line_up("unwind", priority=Priority.UNWIND)
    await crowd.clock.advance(5)
    assert crowd.granted() == ["unwind", "hedge 1", "hedge 2", "pair 1", "pair 2"]
    assert [departure.at_us - crowd.left[0].at_us for departure in crowd.left] == [n * SECOND for n in range(5)]


async def test_a_hedge_that_comes_while_a_pair_waits_for_its_slots_is_served_in_its_place(crowd: Crowd) -> None:
    await crowd.line_up("pair")
    await crowd.clock.advance(0.9)
    await crowd.line_up("hedge", priority=Priority.HEDGE)
    await crowd.clock.advance(0.1)
    assert crowd.granted() == ["hedge"]
    await crowd.clock.advance(1)
    assert crowd.granted() == ["hedge", "pair"]


async def test_a_hedge_takes_a_slot_that_a_pair_may_not_have() -> None:
    clock = VirtualClock()
    gate = fair_gate(clock, burst=2, tokens_at_start=2, reserve_fraction=Fraction(1, 2))
    crowd = Crowd(gate, clock)
    await ask(gate, cost=2, market="before", priority=Priority.NEW_PAIR)
    crowd.asks("pair", cost=2)
    await clock.advance(1)
    crowd.asks("hedge", priority=Priority.HEDGE)
    await clock.advance(0)
    assert crowd.granted() == ["hedge"]
    await clock.advance(4)
    assert crowd.granted() == ["hedge", "pair"]


async def test_a_market_refused_for_want_of_time_is_first_when_it_comes_back_soon(crowd: Crowd) -> None:
    crowd.asks("hedge", cost=3, priority=Priority.HEDGE)
    crowd.asks("impatient", max_wait_s=2.0)
    await crowd.clock.advance(0.5)
    await crowd.line_up("second", "third")
    await crowd.clock.advance(2)
    await crowd.line_up("fourth", "impatient")
    await crowd.clock.advance(10)
    assert crowd.granted() == ["hedge", "impatient", "second", "third", "fourth"]


async def test_a_market_whose_patience_ended_in_the_middle_of_the_line_is_there_again_when_it_comes_back(crowd: Crowd) -> None:
    await crowd.line_up("first")
    crowd.asks("impatient", max_wait_s=0.5)
    await crowd.line_up("second", "third")
    await crowd.clock.advance(0.6)
    await crowd.line_up("fourth", "impatient")
    await crowd.clock.advance(10)
    assert crowd.granted() == ["first", "impatient", "second", "third", "fourth"]


async def test_a_market_that_stayed_away_for_long_has_lost_its_place(crowd: Crowd) -> None:
    crowd.asks("hedge", cost=12, priority=Priority.HEDGE)
    crowd.asks("impatient", max_wait_s=2.0)
    await crowd.line_up("second")
    await crowd.clock.advance(8)
    await crowd.line_up("impatient")
    await crowd.clock.advance(10)
    assert crowd.granted() == ["hedge", "second", "impatient"]


async def test_waiting_ends_in_time_and_says_when_asking_again_can_help(crowd: Crowd) -> None:
    await crowd.line_up("first")
    hopeless = crowd.asks("second", max_wait_s=0.25)
    await crowd.clock.advance(0.25)
    assert not hopeless.done()
    await crowd.clock.advance(0.000_001)
    assert hopeless.result() == Refused(Refusal.WAIT_TOO_LONG, 0.499_999)


async def test_a_pair_leaves_with_both_slots_or_not_at_all_whoever_waits() -> None:
    clock = VirtualClock(settle=turns(MANY))
    crowd = Crowd(fair_gate(clock, burst=2, tokens_at_start=0), clock)
    crowd.asks("pair", cost=2)
    await clock.settle()
    crowd.asks("leg")
    await clock.advance(1.5)
    assert crowd.granted() == []
    await clock.advance(0.5)
    assert crowd.granted() == ["pair"]
    await clock.advance(1)
    assert crowd.granted() == ["pair", "leg"]


async def test_who_stands_behind_one_that_gives_up_is_served_in_its_own_moment() -> None:
    clock = VirtualClock(settle=turns(MANY))
    crowd = Crowd(fair_gate(clock, burst=3, tokens_at_start=0), clock)
    crowd.asks("needs three", cost=3)
    await crowd.line_up("needs one")
    await clock.advance(1.5)
    assert crowd.granted() == []
    crowd.tasks[0].cancel()
    await clock.settle()
    assert crowd.granted() == ["needs one"]


async def test_who_was_called_too_late_and_overtaken_by_a_hedge_waits_no_longer_than_it_said() -> None:
    clock = VirtualClock(settle=turns(MANY))
    crowd = Crowd(fair_gate(clock, burst=2, tokens_at_start=0), clock)
    pair = crowd.asks("pair", max_wait_s=1.0)
    await clock.settle()
    clock.settle = turns(1)
    await clock.advance(1)
    clock.now_us += 2
    hedge = crowd.gate.acquire(market="hedge", cost=2, notional=0, priority=Priority.HEDGE, max_wait_s=9)
    hedge.send(None)  # in line before the called one gets to run
    await turns(MANY)()
    assert reason_of(pair) is Refusal.WAIT_TOO_LONG
    hedge.close()


async def test_an_engine_that_stops_while_it_waits_leaves_its_turn_to_the_next(crowd: Crowd) -> None:
    await crowd.line_up("stops", "stays")
    crowd.tasks[0].cancel()
    await crowd.clock.advance(1)
    assert crowd.granted() == ["stays"]


@pytest.mark.parametrize("passes", range(8))
async def test_an_engine_that_stops_in_the_very_moment_of_its_turn_leaks_nothing(passes: int) -> None:
    clock = VirtualClock(settle=turns(MANY))
    crowd = Crowd(fair_gate(clock), clock)
    await ask(crowd.gate, market="before")
    await crowd.line_up("stops", "stays", "last")
    clock.settle = turns(passes)
    await clock.advance(1)
    crowd.tasks[0].cancel()
    clock.settle = turns(MANY)
    await clock.settle()
    served = "stays" if crowd.tasks[0].cancelled() else "stops"
    assert crowd.granted() == [served]
    await clock.advance(1)
    assert len(crowd.left) == 2
    assert crowd.left[1].at_us - crowd.left[0].at_us == SECOND
    await crowd.go_home()


async def test_slots_given_back_go_to_the_next_in_line_at_once(crowd: Crowd) -> None:
    unused = crowd.asks("changed its mind")
    await crowd.clock.settle()
    await crowd.line_up("next")
    await crowd.clock.advance(1.25)
    assert crowd.granted() == ["changed its mind"]
    answer = unused.result()
    assert isinstance(answer, Granted)
    crowd.gate.give_back(answer, market="changed its mind", cost=1, notional=0, priority=Priority.NEW_PAIR)
    await crowd.clock.settle()
    assert crowd.granted() == ["changed its mind", "next"]


async def test_slots_given_back_do_not_count_as_served(crowd: Crowd) -> None:
    for name in ("a", "b", "c"):
        crowd.always_asks(name)
    unused = crowd.asks("unlucky")
    await crowd.clock.advance(4)
    answer = unused.result()
    assert isinstance(answer, Granted)
    crowd.gate.give_back(answer, market="unlucky", cost=1, notional=0, priority=Priority.NEW_PAIR)
    crowd.asks("unlucky")
    await crowd.clock.settle()
    crowd.left.clear()
    await crowd.clock.advance(2)
    assert "unlucky" in crowd.granted()


async def test_a_market_halted_while_it_waits_is_told_at_once_and_the_others_wait_on(crowd: Crowd) -> None:
    halted, other = crowd.asks("halted"), crowd.asks("other")
    await crowd.clock.settle()
    await crowd.gate.halt(scope="halted", who="me", why="look")
    await crowd.clock.settle()
    assert reason_of(halted) is Refusal.HALTED
    assert not other.done()
    await crowd.clock.advance(1)
    assert crowd.granted() == ["other"]


async def test_a_halted_wallet_and_a_pause_empty_the_queue_at_once(crowd: Crowd) -> None:
    await crowd.line_up("a", "b", "c")
    await crowd.gate.halt(scope="wallet", who="me", why="holiday")
    await crowd.clock.settle()
    assert [reason_of(task) for task in crowd.tasks] == [Refusal.HALTED] * 3
    await crowd.gate.resume(scope="wallet")
    await crowd.line_up("a", "b")
    await crowd.gate.pause(seconds=30, reason="429")
    await crowd.clock.settle()
    assert [reason_of(task) for task in crowd.tasks[3:]] == [Refusal.VENUE_PAUSED] * 2
    assert crowd.left == []


async def test_what_is_forbidden_behind_the_queue_is_noticed_when_the_turn_comes() -> None:
    clock = VirtualClock(settle=turns(MANY))
    behind = memory_gate(clock, exposure_cap_micros=10 * DOLLAR)
    crowd = Crowd(FairGate(behind, clock=clock), clock)
    await ask(crowd.gate, market="before")
    first, second, third = (crowd.asks(name, notional=notional * DOLLAR) for name, notional in (("a", 6), ("b", 6), ("c", 4)))
    halted = crowd.asks("halted")
    await clock.settle()
    await behind.halt(scope="halted", who="another process", why="look")
    await clock.advance(3)
    assert crowd.granted() == ["a", "c"]
    assert isinstance(first.result(), Granted)
    assert isinstance(third.result(), Granted)
    assert reason_of(second) is Refusal.EXPOSURE
    assert reason_of(halted) is Refusal.HALTED


async def test_there_is_one_timer_while_somebody_waits_none_else_and_nothing_polls(crowd: Crowd) -> None:
    assert crowd.clock.sleeping == 0
    for n in range(100):
        crowd.asks(f"market {n}", max_wait_s=10 + n / 2)
        await crowd.clock.settle()
        assert crowd.clock.sleeping == 1
    crowd.clock.slept.clear()
    await crowd.clock.advance(200)
    assert crowd.gate.waiting == crowd.clock.sleeping == 0
    assert len(crowd.clock.slept) <= 2 * 100
    assert {type(task.result()) for task in crowd.tasks} == {Granted, Refused}


async def test_closing_refuses_whoever_waits_and_whoever_asks_later(crowd: Crowd) -> None:
    await crowd.line_up("a", "b")
    await crowd.gate.close()
    late = crowd.asks("late")
    await crowd.clock.settle()
    assert [reason_of(task) for task in (*crowd.tasks[:2], late)] == [Refusal.UNAVAILABLE] * 3
    assert crowd.clock.sleeping == 0


async def test_closing_in_the_moment_of_a_turn_grants_nothing_any_more(crowd: Crowd) -> None:
    await crowd.line_up("a", "b")
    crowd.clock.settle = turns(1)
    await crowd.clock.advance(1)
    await crowd.gate.close()
    await turns(MANY)()
    assert [reason_of(task) for task in crowd.tasks] == [Refusal.UNAVAILABLE] * 2


async def test_an_error_of_the_gate_behind_reaches_the_asker_and_the_others_are_served() -> None:
    class FailingGate(MemoryGate):
        async def acquire(self, *, market: str, **question: Any) -> Answer:
            if market == "cursed":
                raise ConnectionError("the line is down")
            return await super().acquire(market=market, **question)

    clock = VirtualClock(settle=turns(MANY))
    crowd = Crowd(FairGate(FailingGate(clock=clock, interval_us=SECOND, tokens_at_start=0), clock=clock), clock)
    await crowd.line_up("a", "cursed", "b")
    await clock.advance(2)
    assert crowd.granted() == ["a", "b"]
    assert isinstance(crowd.tasks[1].exception(), ConnectionError)


def reason_of(task: "asyncio.Task[Answer]") -> Refusal | None:
    answer = task.result()
    return answer.reason if isinstance(answer, Refused) else None
