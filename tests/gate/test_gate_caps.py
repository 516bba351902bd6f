"""What stops new pairs although there are slots: dollars at stake, naked legs, the loss of the day. Every gate, in virtual time."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.gate_rig import DOLLAR, SECOND, Caller, MakeGate, ManualClock, ask, every_gate
from tests.gate.redis_rig import quiet

from kabobagool.gate.interface import Exposure, Granted, Priority, Refusal, Refused

DAY = 86_400 * SECOND
PAIR: dict[str, Any] = {"cost": 2, "priority": Priority.NEW_PAIR}
MARKETS = ("a", "b", "c")


def a_caller(make_gate: MakeGate, **caps: int) -> tuple[Caller, ManualClock]:
    """Half an hour before midnight, at a gate that does not limit the rate."""
    clock = ManualClock()
    clock.now_us = DAY * 20_000 - 1_800 * SECOND
    return Caller(make_gate(clock, interval_us=0, **caps), clock), clock


async def refused_for(caller: Caller, **question: Any) -> Refusal | None:
    """Why a new pair may not leave; every such refusal is also the objection, and never meant for a hedge or an unwind."""
    answer = await caller.leaves(**{**PAIR, "market": "new", **question})
    if not isinstance(answer, Refused):
        return None
    assert await caller.gate.objection(market="new", notional=question.get("notional", 0), priority=Priority.NEW_PAIR) == answer
    for priority in (Priority.HEDGE, Priority.UNWIND):
        assert isinstance(await caller.leaves(market="m", priority=priority), float)
    return answer.reason


@every_gate
async def test_new_pairs_stop_while_naked_legs_cost_the_cap_and_hedges_do_not(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, orphan_cap_micros=20 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(at_stake=50 * DOLLAR, orphan=12 * DOLLAR))
    assert await refused_for(caller) is None
    caller.gate.set_exposure("b", Exposure(at_stake=8 * DOLLAR, orphan=8 * DOLLAR))
    assert await refused_for(caller) is Refusal.ORPHANS
    caller.gate.set_exposure("b", Exposure(at_stake=16 * DOLLAR))
    assert await refused_for(caller) is None


@every_gate
async def test_what_was_lost_today_over_all_markets_stops_new_pairs_until_the_day_ends(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, daily_loss_cap_micros=10 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(result=-12 * DOLLAR))
    caller.gate.set_exposure("b", Exposure(result=3 * DOLLAR))
    assert await refused_for(caller) is None, "what another market gained counts against it"
    caller.gate.set_exposure("b", Exposure(result=2 * DOLLAR))
    assert await refused_for(caller) is Refusal.DAILY_LOSS
    refused = await caller.leaves(**PAIR)
    assert refused == Refused(Refusal.DAILY_LOSS, 1_800.0)
    await clock.sleep(1_799.999)
    assert await refused_for(caller) is Refusal.DAILY_LOSS
    await clock.sleep(0.001)
    assert await refused_for(caller) is None


@every_gate
async def test_a_day_counts_from_what_a_market_had_made_when_it_began(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, daily_loss_cap_micros=10 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(result=-30 * DOLLAR))
    await clock.sleep(1_800)
    caller.gate.set_exposure("a", Exposure(result=-39 * DOLLAR))
    assert await refused_for(caller) is None
    caller.gate.set_exposure("a", Exposure(result=-40 * DOLLAR))
    assert await refused_for(caller) is Refusal.DAILY_LOSS
    caller.gate.set_exposure("a", Exposure(result=-35 * DOLLAR))
    assert await refused_for(caller) is None


@every_gate
async def test_days_without_news_of_a_market_are_no_days_of_loss(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, daily_loss_cap_micros=10 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(result=-30 * DOLLAR))
    await clock.sleep(3 * 86_400)
    caller.gate.set_exposure("b", Exposure(result=-4 * DOLLAR))
    caller.gate.set_exposure("a", Exposure(result=-35 * DOLLAR))
    assert await refused_for(caller) is None
    caller.gate.set_exposure("b", Exposure(result=-5 * DOLLAR))
    assert await refused_for(caller) is Refusal.DAILY_LOSS


@every_gate
async def test_a_market_that_was_closed_keeps_its_loss_until_the_day_ends(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, daily_loss_cap_micros=10 * DOLLAR)
    await caller.leaves(market="a", notional=15 * DOLLAR, **PAIR)
    caller.gate.set_exposure("a", Exposure(at_stake=15 * DOLLAR, orphan=15 * DOLLAR))
    assert await refused_for(caller) is None
    caller.gate.set_exposure("a", Exposure(result=-15 * DOLLAR))
    await caller.gate.drop_lease("a")
    assert await refused_for(caller) is Refusal.DAILY_LOSS
    await clock.sleep(1_800)
    assert await refused_for(caller) is None


@every_gate
async def test_a_clock_that_is_set_back_does_not_bring_yesterdays_loss_back(make_gate: MakeGate) -> None:
    caller, clock = a_caller(make_gate, daily_loss_cap_micros=10 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(result=-12 * DOLLAR))
    await clock.sleep(1_800)
    assert await refused_for(caller) is None
    clock.now_us -= 600 * SECOND
    for result in (-12 * DOLLAR, -13 * DOLLAR):
        caller.gate.set_exposure("a", Exposure(result=result))
        assert await caller.gate.objection(market="new", notional=0, priority=Priority.NEW_PAIR) is None


@every_gate
async def test_a_corrected_position_lifts_what_it_had_caused(make_gate: MakeGate) -> None:
    caller, _ = a_caller(make_gate, exposure_cap_micros=50 * DOLLAR, orphan_cap_micros=20 * DOLLAR, daily_loss_cap_micros=10 * DOLLAR)
    caller.gate.set_exposure("a", Exposure(at_stake=60 * DOLLAR, orphan=30 * DOLLAR, result=-11 * DOLLAR))
    assert await refused_for(caller, notional=DOLLAR) is Refusal.EXPOSURE
    caller.gate.set_exposure("a", Exposure(at_stake=30 * DOLLAR, orphan=30 * DOLLAR, result=-11 * DOLLAR))
    assert await refused_for(caller, notional=DOLLAR) is Refusal.ORPHANS
    caller.gate.set_exposure("a", Exposure(result=-11 * DOLLAR))
    assert await refused_for(caller, notional=DOLLAR) is Refusal.DAILY_LOSS
    caller.gate.set_exposure("a", Exposure())
    assert await refused_for(caller, notional=DOLLAR) is None


reports = st.tuples(
    st.sampled_from(MARKETS),
    st.builds(
        Exposure,
        at_stake=st.integers(0, 60 * DOLLAR),
        orphan=st.integers(0, 30 * DOLLAR),
        result=st.integers(-20 * DOLLAR, 20 * DOLLAR),
    ),
)
questions = st.tuples(st.sampled_from(MARKETS), st.integers(0, 40 * DOLLAR))
idle = st.sampled_from((SECOND, 1_000 * SECOND, DAY // 2, DAY))


@every_gate
@settings(deadline=None, max_examples=50)
@given(steps=st.lists(st.one_of(reports, questions, idle), max_size=40))
async def test_no_new_pair_is_ever_granted_while_a_cap_is_reached(make_gate: MakeGate, steps: list[Any]) -> None:
    caller, clock = a_caller(make_gate, exposure_cap_micros=100 * DOLLAR, orphan_cap_micros=25 * DOLLAR, daily_loss_cap_micros=15 * DOLLAR)
    told, in_flight = dict.fromkeys(MARKETS, Exposure()), dict.fromkeys(MARKETS, 0)
    day, at_dawn = clock.now_us // DAY, dict.fromkeys(MARKETS, 0)
    for step in steps:
        if isinstance(step, int):
            clock.now_us += step
            if clock.now_us // DAY > day:
                day, at_dawn = clock.now_us // DAY, {market: told[market].result for market in MARKETS}
            continue
        market, what = step
        if isinstance(what, Exposure):
            caller.gate.set_exposure(market, what)
            await quiet(clock)
            told[market], in_flight[market] = what, 0
            continue
        reached = (
            sum(each.at_stake for each in told.values()) + sum(in_flight.values()) + what > 100 * DOLLAR
            or sum(each.orphan for each in told.values()) >= 25 * DOLLAR
            or sum(at_dawn[each] - told[each].result for each in MARKETS) >= 15 * DOLLAR
        )
        granted = isinstance(await ask(caller.gate, market=market, notional=what, **PAIR), Granted)
        assert granted == (not reached), "and none is refused while none is reached"
        in_flight[market] += what if granted else 0


@every_gate
@pytest.mark.parametrize("cap", ["exposure_cap_micros", "orphan_cap_micros", "daily_loss_cap_micros"])
async def test_a_cap_is_never_negative(make_gate: MakeGate, cap: str) -> None:
    with pytest.raises(ValueError, match="a cap is at least 0"):
        a_caller(make_gate, **{cap: -1})
