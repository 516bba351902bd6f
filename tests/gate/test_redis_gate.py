"""What is particular to the gate of many processes: it is asked once, never in vain, and what nobody waits for is not taken."""

import asyncio
import random
from fractions import Fraction
from typing import Any

import pytest
from tests.gate.gate_rig import DOLLAR, SECOND, ManualClock, ask
from tests.gate.redis_rig import earnest_gate, gate_on, manual_redis_gate, new_wallet, quiet
from tests.gate.redis_servers import every_server, shared_server
from tests.support.virtual_clock import VirtualClock
from tests.support.wire import Wire

from kabobagool.clock import SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Exposure, Granted, LeasedGate, Priority, Refusal, Refused
from kabobagool.gate.limits import LONGEST_WAIT_S, Limits
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.memory import MemoryGate
from kabobagool.gate.redis_gate import RedisGate


@every_server
async def test_one_question_is_one_round_trip_whatever_is_granted_or_refused(kind: str) -> None:
    gate = gate_on(shared_server(kind), wallet=new_wallet(), holder="bot", interval_us=3600 * SECOND)
    await ask(gate)
    for max_wait_s in (0.0, 5.0):
        calls = gate.link.calls
        await ask(gate, max_wait_s=max_wait_s)
        assert gate.link.calls == calls + 1


@every_server
async def test_what_the_server_knows_is_not_told_again(kind: str) -> None:
    gate = gate_on(shared_server(kind), wallet=new_wallet(), holder="bot", interval_us=0)
    await ask(gate)
    gate.set_exposure("m", Exposure(at_stake=7 * DOLLAR))
    await gate.beat()
    calls = gate.link.calls
    for _ in range(100):
        gate.set_exposure("m", Exposure(at_stake=7 * DOLLAR))
        await asyncio.sleep(0)
    assert gate.link.calls == calls
    await ask(gate)
    gate.set_exposure("m", Exposure(at_stake=7 * DOLLAR))
    await ask(gate)
    assert gate.link.calls == calls + 3


@every_server
async def test_a_question_that_is_cancelled_on_its_way_takes_nothing(kind: str) -> None:
    clock = ManualClock()
    gate = manual_redis_gate(kind, clock, exposure_cap_micros=DOLLAR)
    await gate.take_lease("m")
    asking = asyncio.ensure_future(ask(gate, notional=DOLLAR, priority=Priority.NEW_PAIR))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await quiet(clock)
    assert isinstance(await ask(gate, notional=DOLLAR, priority=Priority.NEW_PAIR), Granted)


@every_server
async def test_patience_is_cut_to_the_longest_wait_that_is_ever_granted(kind: str) -> None:
    gate = gate_on(shared_server(kind), wallet=new_wallet(), holder="bot", interval_us=int((LONGEST_WAIT_S + 5) * SECOND))
    await ask(gate)
    refused = await ask(gate, max_wait_s=3600.0)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.WAIT_TOO_LONG


@every_server
async def test_a_gate_as_a_bot_opens_it_starts_with_silence_and_an_empty_bucket(kind: str) -> None:
    gate = open_gate(kind)
    refused = await ask(gate, priority=Priority.NEW_PAIR, max_wait_s=1.0)
    assert isinstance(refused, Refused)
    assert isinstance(await gate.take_lease("m"), Refused)
    await gate.close()


def open_gate(kind: str) -> RedisGate:
    return earnest_gate(shared_server(kind).url, wallet=new_wallet(), limits=Limits.from_min_interval(0.5), processes=50)


@every_server
async def test_the_rate_without_what_processes_may_send_alone_is_what_the_server_gives_out(kind: str) -> None:
    gate = open_gate(kind)
    assert gate.limits.interval_us == 555_556
    assert Limits.from_min_interval(0.5).interval_us == 500_000
    await gate.close()


async def test_the_standard_tier_is_the_default() -> None:
    limits = Limits()
    assert (limits.interval_us, limits.burst, limits.reserve_fraction) == (50_000, 30, Fraction(1, 5))
    assert (limits.pair_interval_us, limits.pair_burst) == (62_500, 24)


async def test_a_slow_reply_delays_a_grant_and_never_doubles_it() -> None:
    server = shared_server("valkey")
    wire = Wire(server.port)
    await wire.start()
    gate = gate_on(server, wallet=new_wallet(), holder="bot", url=wire.redis_url, interval_us=3600 * SECOND)
    await gate.take_lease("m")
    wire.lose_replies()
    asking = asyncio.ensure_future(ask(gate))
    await asyncio.sleep(0.2)
    wire.mend()
    assert isinstance(await asking, Granted)
    assert isinstance(await ask(gate), Refused)
    await wire.go_down()


class Reserving(MemoryGate):
    """Remembers how far ahead it was asked to reserve."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.asked: list[tuple[str, float]] = []

    async def acquire(self, **question: Any) -> Any:
        self.asked.append((question["market"], question["max_wait_s"]))
        return await super().acquire(**question)


async def test_a_queue_before_a_shared_gate_reserves_one_turn_ahead_and_a_hedge_does_not_wait_for_it() -> None:
    clock = VirtualClock()
    behind = Reserving(clock=clock, interval_us=SECOND)
    queue: LeasedGate = FairGate(behind, clock=clock, ahead_s=5.0)
    asked = [asyncio.ensure_future(ask(queue, market=f"m{n}", priority=Priority.NEW_PAIR, max_wait_s=60.0)) for n in range(4)]
    await clock.settle()
    assert [market for market, _ in behind.asked] == ["m0", "m1"]
    assert [answer.done() for answer in asked] == [True, True, False, False]
    hedge = await ask(queue, market="naked", priority=Priority.HEDGE, max_wait_s=60.0)
    assert hedge == Granted(2.0)
    await clock.advance(2.0)
    assert [market for market, _ in behind.asked] == ["m0", "m1", "naked", "m2"]
    assert await asked[2] == Granted(1.0)
    await clock.advance(5.0)
    await asyncio.gather(*asked)
    await queue.close()


async def test_a_queue_that_reserves_refuses_who_has_no_patience_left_and_tells_the_truth() -> None:
    clock = VirtualClock()
    queue = FairGate(MemoryGate(clock=clock, interval_us=10 * SECOND), clock=clock, ahead_s=1.0)
    assert await ask(queue) == Granted(0.0)
    assert await ask(queue, max_wait_s=4.0) == Refused(Refusal.WAIT_TOO_LONG, 6.0)
    waiting = asyncio.ensure_future(ask(queue, max_wait_s=30.0))
    await clock.advance(9.0)
    assert await waiting == Granted(1.0)
    await queue.close()


@every_server
async def test_a_hedge_that_would_wait_long_takes_what_was_set_aside_and_leaves_the_shared_slot_to_others(kind: str) -> None:
    clock = ManualClock()
    rig = manual_redis_gate(kind, clock, interval_us=2 * SECOND)
    local = LocalBudget(interval_us=3600 * SECOND, clock=clock)
    gate = RedisGate(
        rig.link,
        limits=rig.limits,
        holder="bot",
        clock=clock,
        rng=random.Random(1),
        local=local,
        longest_wait_s=99.0,
        silence_at_start_s=0.0,
    )
    assert isinstance(await ask(gate), Granted)
    alone = await ask(gate, max_wait_s=10.0)
    assert alone == Granted(0.0)
    await quiet(clock)
    shared = await ask(gate, max_wait_s=10.0)
    assert isinstance(shared, Granted)
    assert shared.wait_s == 2.0
    assert isinstance(pair := await ask(gate, priority=Priority.NEW_PAIR, max_wait_s=10.0), Granted)
    assert pair.wait_s == 4.0
    await gate.halt(scope="m", who="me", why="look")
    assert isinstance(await ask(gate, max_wait_s=10.0), Refused)


@every_server
async def test_the_queue_of_one_process_adds_no_round_trip_for_whoever_is_next(kind: str) -> None:
    gate = gate_on(shared_server(kind), wallet=new_wallet(), holder="bot", interval_us=0)
    queue = FairGate(gate, clock=SystemClock(), ahead_s=1.0)
    await ask(queue)
    calls = gate.link.calls
    for _ in range(10):
        assert isinstance(await ask(queue), Granted)
    assert gate.link.calls == calls + 10
    await gate.halt(scope="m", who="me", why="look")
    refused = await ask(queue)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.HALTED
