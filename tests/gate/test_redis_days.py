"""The loss of a day outlives restarted bots, forgetful servers and midnight, whatever the clocks of the bots say."""

from typing import Any

from tests.gate.gate_rig import DOLLAR, SECOND, ManualClock, ask
from tests.gate.redis_rig import manual_redis_gate, quiet, sibling
from tests.gate.redis_servers import every_server

from kabobagool.gate.interface import Exposure, Granted, Priority, Refusal, Refused
from kabobagool.gate.limits import Limits
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.gate_report import read_budget, read_stakes

DAY = 86_400 * SECOND
CAP = 10 * DOLLAR


def evening_gate(kind: str) -> tuple[RedisGate, ManualClock]:
    """A second before midnight."""
    clock = ManualClock()
    clock.now_us = DAY * 20_000 - SECOND
    return manual_redis_gate(kind, clock, interval_us=0, daily_loss_cap_micros=CAP), clock


async def told(gate: RedisGate, clock: ManualClock, result: int) -> None:
    gate.set_exposure("m", Exposure(result=result))
    await quiet(clock)


async def forget(gate: RedisGate, clock: ManualClock) -> None:
    """The server loses everything it knows of the wallet."""
    await gate.link.client.delete(*gate.link.keys.gate)
    clock.now_us += 1


async def reason(gate: RedisGate) -> Refusal | None:
    answer = await ask(gate, market="m", priority=Priority.NEW_PAIR)
    return answer.reason if isinstance(answer, Refused) else None


@every_server
async def test_a_restarted_bot_that_tells_its_result_again_has_still_lost_it_today(kind: str) -> None:
    gate, clock = evening_gate(kind)
    await told(gate, clock, -30 * DOLLAR)
    clock.now_us += SECOND
    await told(gate, clock, -40 * DOLLAR)
    await gate.drop_lease("m")
    restarted = sibling(gate, clock, "restarted")
    await told(restarted, clock, -40 * DOLLAR)
    assert await reason(restarted) is Refusal.DAILY_LOSS
    await told(restarted, clock, -39 * DOLLAR)
    assert await reason(restarted) is None


@every_server
async def test_a_server_that_forgot_counts_the_day_from_where_its_bot_heard_it_began(kind: str) -> None:
    gate, clock = evening_gate(kind)
    await told(gate, clock, -30 * DOLLAR)
    clock.now_us += SECOND
    await told(gate, clock, -39 * DOLLAR)
    await forget(gate, clock)
    assert await reason(gate) is None, "nine dollars lost today, not thirty-nine"
    await told(gate, clock, -40 * DOLLAR)
    assert await reason(gate) is Refusal.DAILY_LOSS
    await forget(gate, clock)
    assert await reason(gate) is Refusal.DAILY_LOSS


@every_server
async def test_a_server_that_forgot_overnight_begins_the_day_with_what_its_bot_told_last(kind: str) -> None:
    gate, clock = evening_gate(kind)
    await told(gate, clock, -30 * DOLLAR)
    clock.now_us += SECOND
    await forget(gate, clock)
    await told(gate, clock, -39 * DOLLAR)
    assert await reason(gate) is None
    await told(gate, clock, -40 * DOLLAR)
    assert await reason(gate) is Refusal.DAILY_LOSS


@every_server
async def test_a_bot_nobody_remembers_counts_with_all_it_ever_lost(kind: str) -> None:
    gate, clock = evening_gate(kind)
    await told(gate, clock, -30 * DOLLAR)
    clock.now_us += DAY
    await forget(gate, clock)
    restarted = sibling(gate, clock, "restarted")
    await told(restarted, clock, -30 * DOLLAR)
    assert await reason(restarted) is Refusal.DAILY_LOSS


@every_server
async def test_what_two_processes_lost_adds_up_and_stands_in_the_report_until_midnight(kind: str) -> None:
    gate, clock = evening_gate(kind)
    other = sibling(gate, clock, "other")
    await told(gate, clock, -6 * DOLLAR)
    other.set_exposure("n", Exposure(at_stake=9 * DOLLAR, orphan=2 * DOLLAR, result=-4 * DOLLAR))
    await quiet(clock)
    assert await reason(gate) is await reason(other) is Refusal.DAILY_LOSS
    assert await caps_of(gate) == (9 * DOLLAR, 2 * DOLLAR, CAP)
    clock.now_us += SECOND
    assert await caps_of(gate) == (9 * DOLLAR, 2 * DOLLAR, 0)


async def caps_of(gate: RedisGate) -> tuple[int, int, int]:
    budget = await read_budget(gate.link, gate.limits)
    return budget.at_stake, budget.orphans, budget.lost_today


@every_server
async def test_the_report_shows_each_market_with_what_counts_against_a_cap(kind: str) -> None:
    gate, clock = evening_gate(kind)
    assert isinstance(await ask(gate, market="m", notional=5 * DOLLAR), Granted)
    gate.set_exposure("n", Exposure(at_stake=9 * DOLLAR, orphan=2 * DOLLAR, result=-4 * DOLLAR))
    gate.set_exposure("over", Exposure())
    await quiet(clock)
    found: dict[str, Any] = {stake.market: stake for stake in await read_stakes(gate.link)}
    assert (found["m"].at_stake, found["m"].in_flight) == (0, 5 * DOLLAR)
    assert (found["n"].at_stake, found["n"].orphan, found["n"].result) == (9 * DOLLAR, 2 * DOLLAR, -4 * DOLLAR)
    assert [market for market, stake in found.items() if stake.counts] == ["m", "n"]


@every_server
async def test_changed_caps_hold_from_the_next_question_on(kind: str) -> None:
    gate, clock = evening_gate(kind)
    await told(gate, clock, -10 * DOLLAR)
    assert await reason(gate) is Refusal.DAILY_LOSS
    gate.limits = Limits(interval_us=0, daily_loss_cap_micros=CAP + 1)
    assert await reason(gate) is None


@every_server
async def test_a_result_that_is_told_by_several_counts_once(kind: str) -> None:
    gate, clock = evening_gate(kind)
    for teller in (gate, *(sibling(gate, clock, f"bot {number}") for number in range(3))):
        await told(teller, clock, -9 * DOLLAR)
    assert await caps_of(gate) == (0, 0, 9 * DOLLAR)
