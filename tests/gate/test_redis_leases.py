"""One market, one bot: whoever holds the lease trades, whoever held it before does not, through start, expiry, return and lost memory."""

import random
from typing import Any

import pytest
import redis
from tests.gate.gate_rig import SECOND, ManualClock, ask
from tests.gate.redis_rig import PATIENT_S, ManualLink, manual_redis_gate, new_wallet, sibling
from tests.gate.redis_servers import every_server, shared_server
from tests.support.wire import wire_to

from kabobagool.gate.interface import Exposure, Granted, Lease, Priority, Refusal, Refused
from kabobagool.gate.lease_book import LEASE_S
from kabobagool.gate.limits import Limits
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_url import connect


def two_bots(kind: str, **budget: Any) -> tuple[RedisGate, RedisGate, ManualClock]:
    """Two processes of one wallet that share the test's time."""
    clock = ManualClock()
    first = manual_redis_gate(kind, clock, interval_us=0, **budget)
    return first, sibling(first, clock, "second"), clock


def silent_bots(kind: str) -> tuple[RedisGate, RedisGate, ManualClock]:
    """Two processes as they are in earnest, which do not trust a server without memory; past its first silence."""
    rig, _, clock = two_bots(kind)
    first, second = (sibling(rig, clock, holder, silence_at_start_s=LEASE_S) for holder in ("first", "second"))
    clock.now_us += round(LEASE_S) * SECOND
    return first, second, clock


async def number_of(gate: RedisGate, market: str = "m") -> int:
    lease = await gate.take_lease(market)
    assert isinstance(lease, Lease)
    return lease.number


@every_server
async def test_a_second_bot_is_refused_the_lease_while_the_first_is_alive_and_told_for_how_long(kind: str) -> None:
    first, second, clock = two_bots(kind)
    await first.take_lease("m")
    await clock.sleep(LEASE_S - 1)
    assert await second.take_lease("m") == Refused(Refusal.LEASE_LOST, 1.0)
    await first.beat()
    assert await second.take_lease("m") == Refused(Refusal.LEASE_LOST, LEASE_S)


@every_server
@pytest.mark.parametrize("priority", list(Priority))
async def test_only_the_holder_is_granted_anything(kind: str, priority: Priority) -> None:
    first, second, _ = two_bots(kind)
    await first.take_lease("m")
    assert await ask(second, priority=priority) == Refused(Refusal.LEASE_LOST, LEASE_S)
    assert isinstance(await ask(first, priority=priority), Granted)
    assert isinstance(await ask(second, priority=priority, market="other"), Granted)


@every_server
async def test_whoever_asks_first_for_a_market_that_nobody_holds_is_its_holder(kind: str) -> None:
    first, second, _ = two_bots(kind)
    assert isinstance(await ask(first), Granted)
    assert isinstance(await second.take_lease("m"), Refused)


@every_server
async def test_a_lease_that_ended_is_taken_over_with_a_higher_number_and_the_late_order_of_the_old_holder_is_refused(kind: str) -> None:
    first, second, clock = two_bots(kind)
    old = await number_of(first)
    await clock.sleep(LEASE_S)
    assert await number_of(second) > old
    for _ in range(3):
        refused = await ask(first)
        assert isinstance(refused, Refused)
        assert refused.reason is Refusal.LEASE_LOST
        assert isinstance(await ask(second), Granted)
    await first.beat()
    assert isinstance(await ask(first), Refused)


@every_server
async def test_an_old_holder_does_not_get_the_market_back_by_asking_for_an_order_only_by_taking_the_lease(kind: str) -> None:
    first, second, clock = two_bots(kind)
    old = await number_of(first)
    await clock.sleep(LEASE_S)
    between = await number_of(second)
    await second.drop_lease("m")
    assert isinstance(await ask(first), Refused)
    assert await number_of(first) > between > old
    assert isinstance(await ask(first), Granted)


@every_server
async def test_a_lease_that_nobody_took_over_lives_on_with_its_number(kind: str) -> None:
    first, _, clock = two_bots(kind)
    number = await number_of(first)
    await clock.sleep(10 * LEASE_S)
    assert isinstance(await ask(first), Granted)
    assert await number_of(first) == number


@every_server
async def test_every_grant_renews_the_lease_beyond_the_wait_it_imposes(kind: str) -> None:
    clock = ManualClock()
    first = manual_redis_gate(kind, clock, interval_us=50 * SECOND)
    second = sibling(first, clock, "second")
    await ask(first, max_wait_s=99)
    answer = await ask(first, max_wait_s=99)
    assert isinstance(answer, Granted)
    assert answer.wait_s == 50.0
    assert await second.take_lease("m") == Refused(Refusal.LEASE_LOST, 50.0 + LEASE_S)


@every_server
async def test_a_refused_order_takes_no_lease(kind: str) -> None:
    first, second, _ = two_bots(kind, exposure_cap_micros=0)
    assert isinstance(await ask(first, notional=1, priority=Priority.NEW_PAIR), Refused)
    assert isinstance(await second.take_lease("m"), Lease)


@every_server
async def test_a_closed_bot_lets_the_next_one_in_at_once(kind: str) -> None:
    first, second, _ = two_bots(kind)
    number = await number_of(first)
    await first.close()
    assert await number_of(second) > number


@every_server
async def test_a_server_that_forgot_everything_learns_its_leases_again_and_the_number_does_not_go_back(kind: str) -> None:
    first, second, clock = two_bots(kind)
    number = await number_of(first)
    forget(first)
    await clock.sleep(1)
    assert isinstance(await ask(first), Granted)
    assert await number_of(first) == number
    assert isinstance(await ask(second), Refused)
    await clock.sleep(LEASE_S)
    assert await number_of(second) > number


@every_server
async def test_a_server_that_forgot_everything_gives_no_market_away_before_every_forgotten_lease_has_ended(kind: str) -> None:
    first, second, clock = silent_bots(kind)
    number = await number_of(first)
    forget(first)
    for seconds in (0.0, LEASE_S / 2, LEASE_S / 2 - 0.001):
        await clock.sleep(seconds)
        refused = await second.take_lease("m")
        assert isinstance(refused, Refused)
        assert refused.reason is Refusal.UNAVAILABLE
        assert isinstance(await ask(second, max_wait_s=0.0), Refused)
    await clock.sleep(0.001)
    assert await number_of(second) > number
    refused = await ask(first)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.LEASE_LOST


@every_server
async def test_of_two_bots_one_of_which_is_cut_off_never_both_may_hedge_and_when_it_is_back_it_is_refused(kind: str) -> None:
    clock, server, wallet = ManualClock(), shared_server(kind), new_wallet()
    async with wire_to(server.port) as wire:
        first = bot_over(wire.redis_url, wallet, clock, "first", timeout_s=0.2)
        second = bot_over(server.url, wallet, clock, "second", timeout_s=PATIENT_S)
        try:
            while not isinstance(await first.take_lease("m"), Lease):
                await clock.sleep(1)
            wire.half_open()
            hedged: dict[str, list[int]] = {"first": [], "second": []}
            for _ in range(round(LEASE_S)):
                await clock.sleep(2)
                await second.take_lease("m")
                for name, gate in (("first", first), ("second", second)):
                    if isinstance(await ask(gate, priority=Priority.HEDGE), Granted):
                        hedged[name].append(clock.now_us)
            assert hedged["first"]
            assert hedged["second"]
            assert max(hedged["first"]) < min(hedged["second"])
            wire.mend()
            while (refused := await refused_pair(first)).reason is Refusal.UNAVAILABLE:
                await clock.sleep(1)
            assert refused.reason is Refusal.LEASE_LOST
            assert isinstance(await ask(second), Granted)
        finally:
            for gate in (first, second):
                await gate.link.close()


async def refused_pair(gate: RedisGate) -> Refused:
    """What a bot is told that must not open anything."""
    refused = await ask(gate, priority=Priority.NEW_PAIR)
    assert isinstance(refused, Refused)
    return refused


def bot_over(url: str, wallet: str, clock: ManualClock, holder: str, *, timeout_s: float) -> RedisGate:
    """A process that may hedge on its own, on its own way to the server."""
    link = ManualLink(connect(url, timeout_s=timeout_s), wallet=wallet, clock=clock)
    return RedisGate(
        link,
        limits=Limits(interval_us=0),
        holder=holder,
        clock=clock,
        rng=random.Random(1),
        local=LocalBudget(interval_us=1, clock=clock),
        silence_at_start_s=0.0,
    )


@every_server
async def test_whatever_two_bots_do_only_the_newest_holder_is_granted(kind: str) -> None:
    for seed in range(12):
        first, second, clock = silent_bots(kind)
        rng = random.Random(seed)
        newest = 0
        for _ in range(60):
            await clock.sleep(rng.choice((0.0, 1.0, LEASE_S / 2, LEASE_S)))
            gate = rng.choice((first, second))
            match rng.choice(("ask", "ask", "ask", "take", "beat", "drop", "forget")):
                case "ask":
                    if isinstance(await ask(gate), Granted):
                        assert gate.lease_number("m") >= newest
                        newest = gate.lease_number("m")
                case "take":
                    if isinstance(lease := await gate.take_lease("m"), Lease):
                        assert lease.number >= newest
                        newest = lease.number
                case "beat":
                    await gate.beat()
                case "drop":
                    await gate.drop_lease("m")
                case "forget":
                    forget(gate)
        assert newest > 0


def forget(gate: RedisGate) -> None:
    """Everything this wallet has on the server is gone."""
    options = gate.link.client.connection_pool.connection_kwargs
    with redis.Redis(port=options["port"]) as client:
        for key in client.keys(gate.link.keys.of("*")):
            client.delete(key)


@every_server
async def test_whoever_lost_the_market_says_nothing_more_of_its_stake(kind: str) -> None:
    first, second, clock = two_bots(kind, exposure_cap_micros=100)
    await first.take_lease("m")
    first.set_exposure("m", Exposure(at_stake=5))
    await first.beat()
    clock.now_us += round(LEASE_S * SECOND) + 1
    assert isinstance(await second.take_lease("m"), Lease)
    second.set_exposure("m", Exposure(at_stake=90))
    await second.beat()
    first.set_exposure("m", Exposure(at_stake=6))
    await first.beat()
    answer = await ask(second, market="n", notional=20, priority=Priority.NEW_PAIR)
    assert isinstance(answer, Refused)
    assert answer.reason is Refusal.EXPOSURE
