"""Many processes, one budget: each is served like the others, none asks more often than it is granted, and hedges come through."""

import asyncio
import heapq
from collections import Counter
from fractions import Fraction

from tests.gate.gate_rig import SECOND, ManualClock, ask
from tests.gate.redis_rig import gate_on, manual_redis_gate, new_wallet, sibling
from tests.gate.redis_servers import every_server, shared_server

from kabobagool.clock import SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Granted, Priority


@every_server
async def test_fifty_clients_that_always_wait_are_served_alike_and_ask_once_for_each_grant(kind: str) -> None:
    clock, clients, rounds = ManualClock(), 50, 8
    first = manual_redis_gate(kind, clock, interval_us=50_000, burst=30)
    gates = [sibling(first, clock, f"bot {n}") for n in range(clients)]
    served = Counter(dict.fromkeys(range(clients), 0))
    asks = [(clock.now_us, number) for number in range(clients)]
    for _ in range(clients * rounds):
        clock.now_us, number = heapq.heappop(asks)
        answer = await ask(gates[number], cost=2, market=f"m{number}", max_wait_s=60.0)
        assert isinstance(answer, Granted)
        heapq.heappush(asks, (clock.now_us + round(answer.wait_s * SECOND), number))
        served[number] += 1
        assert max(served.values()) - min(served.values()) <= 1
    assert first.link.calls == clients * rounds + 1  # and one by which the rig begins


@every_server
async def test_a_hedge_never_waits_longer_than_a_pair_may_and_not_at_all_once_the_reserve_has_grown(kind: str) -> None:
    clock = ManualClock()
    patience_s, budget = 1.0, {"interval_us": 50_000, "burst": 30, "tokens_at_start": 30, "reserve_fraction": Fraction(1, 5)}
    gate = manual_redis_gate(kind, clock, **budget)
    waits: list[float] = []
    for _ in range(300):
        while isinstance(await ask(gate, cost=2, priority=Priority.NEW_PAIR, max_wait_s=patience_s), Granted):
            pass
        hedge = await ask(gate, market="naked", priority=Priority.HEDGE, max_wait_s=10.0)
        assert isinstance(hedge, Granted)
        waits.append(hedge.wait_s)
        clock.now_us += SECOND
    assert max(waits) <= patience_s
    assert max(waits[10:]) == 0.0


@every_server
async def test_queues_of_several_processes_before_one_gate_ask_about_once_for_each_grant(kind: str) -> None:
    wallet, granted = new_wallet(), 0
    gates = [gate_on(shared_server(kind), wallet=wallet, holder=f"process {n}", interval_us=5_000) for n in range(5)]
    queues = [FairGate(gate, clock=SystemClock(), ahead_s=1.0) for gate in gates]
    served: Counter[str] = Counter()

    async def trade(queue: FairGate, market: str) -> None:
        nonlocal granted
        while granted < 300:
            answer = await ask(queue, market=market, priority=Priority.NEW_PAIR, max_wait_s=30)
            assert isinstance(answer, Granted)
            granted += 1
            served[market] += 1
            await asyncio.sleep(answer.wait_s)

    markets = [(queue, f"{n} {m}") for n, queue in enumerate(queues) for m in range(10)]
    await asyncio.gather(*(trade(queue, market) for queue, market in markets))
    questions = sum(gate.link.calls for gate in gates)
    assert questions <= 1.2 * granted
    assert len(served) == 50
    assert min(served.values()) >= 3
