"""A server that is gone, slow, full, read-only or still loading: no new pair leaves, and hedges live from what was set aside."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
import redis
from tests.gate.gate_rig import DOLLAR, ask
from tests.gate.redis_rig import gate_on, new_wallet, numbers_of
from tests.gate.redis_servers import BINARIES, Server
from tests.support.wire import Wire

from kabobagool.clock import SystemClock
from kabobagool.gate.breaker import FAILURES
from kabobagool.gate.interface import RECHECK_S, Answer, Exposure, GateUnreachableError, Granted, Lease, Priority, Refusal, Refused
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.redis_gate import RedisGate

TIMEOUT_S = 1.0
NEVER_US = 3_600_000_000
"""A local budget of one order, as far as a test is concerned."""


@pytest.fixture(params=["valkey", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that the test may ill-treat, which forgets when it ends."""
    if not BINARIES[request.param]:
        pytest.skip("no redis-server on PATH: apt-get install redis-server")
    server = Server(request.param)
    yield server
    server.close()


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    """The way to it."""
    wire = Wire(server.port)
    await wire.start()
    yield wire
    await wire.go_down()


def a_bot(server: Server, wallet: str | None = None, holder: str = "bot", url: str | None = None, **settings: object) -> RedisGate:
    """A bot's gate with a local budget of one order."""
    local = LocalBudget(interval_us=NEVER_US, clock=SystemClock())
    budget = {"burst": 9, "tokens_at_start": 9, **settings}
    return gate_on(server, wallet=wallet or new_wallet(), holder=holder, timeout_s=TIMEOUT_S, local=local, url=url, **budget)


async def pair(gate: RedisGate) -> Answer:
    return await ask(gate, cost=2, notional=DOLLAR, priority=Priority.NEW_PAIR)


def is_unavailable(answer: Answer) -> bool:
    return isinstance(answer, Refused) and answer.reason is Refusal.UNAVAILABLE


async def lives_on_its_own(gate: RedisGate) -> None:
    """No new pair; one hedge from what was set aside, and no second one."""
    assert is_unavailable(await pair(gate))
    assert isinstance(await ask(gate, priority=Priority.HEDGE), Granted)
    assert is_unavailable(await ask(gate, priority=Priority.UNWIND))
    objection = await gate.objection(market="m", notional=0, priority=Priority.NEW_PAIR)
    assert objection is not None
    assert objection.reason is Refusal.UNAVAILABLE
    assert await gate.objection(market="m", notional=0, priority=Priority.HEDGE) is None


async def trades(gate: RedisGate) -> Granted:
    """Sooner or later a pair is granted, by itself."""
    async with asyncio.timeout(30):
        while True:
            answer = await pair(gate)
            if isinstance(answer, Granted):
                return answer
            await asyncio.sleep(0.05)


async def test_without_the_server_new_pairs_are_refused_and_a_hedge_lives_from_the_local_budget(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    server.kill()
    await lives_on_its_own(gate)
    server.start()
    await trades(gate)


async def test_a_dead_server_is_not_asked_for_every_order(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    server.kill()
    for _ in range(FAILURES):
        await pair(gate)
    calls = gate.link.calls
    for _ in range(100):
        assert is_unavailable(await pair(gate))
    assert gate.link.calls - calls <= 2
    assert gate.link.broken


async def test_a_half_open_connection_is_no_reason_to_hang_or_to_trade(server: Server, wire: Wire) -> None:
    gate = a_bot(server, url=wire.redis_url)
    await trades(gate)
    wire.half_open()
    await lives_on_its_own(gate)
    wire.mend()
    await trades(gate)


async def test_an_answer_that_was_lost_counts_as_a_refusal_and_its_slots_and_dollars_as_taken_until_told(
    server: Server, wire: Wire
) -> None:
    gate = a_bot(server, url=wire.redis_url, burst=3, tokens_at_start=3, interval_us=NEVER_US, exposure_cap_micros=DOLLAR)
    await pair(a_bot(server, url=wire.redis_url))  # the server knows the scripts: one round trip is all that is lost
    gate.set_exposure("m", Exposure())
    await gate.take_lease("m")
    await gate.beat()  # nothing is left to tell
    wire.lose_replies()
    assert is_unavailable(await pair(gate))
    wire.mend()
    refused = await pair(gate)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.EXPOSURE
    gate.set_exposure("m", Exposure())
    refused = await pair(gate)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.WAIT_TOO_LONG


async def test_a_slow_server_is_a_server_that_is_not_there(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    server.admin.client_pause(600_000, all=False)
    await lives_on_its_own(gate)
    server.admin.client_unpause()
    await trades(gate)


async def test_a_full_server_grants_nothing_and_writes_nothing_half(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    before = numbers_of(server, gate.link.keys)
    server.admin.config_set("maxmemory", "1")
    await lives_on_its_own(gate)
    assert numbers_of(server, gate.link.keys) == before
    server.admin.config_set("maxmemory", "0")
    await trades(gate)


async def test_a_server_that_became_a_replica_grants_nothing(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    server.admin.replicaof("127.0.0.1", "1")
    await lives_on_its_own(gate)
    server.admin.replicaof("NO", "ONE")
    await trades(gate)


async def test_a_server_that_is_still_loading_grants_nothing(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    for n in range(2_000):
        server.admin.set(f"filling {n}", "x" * 100)
    server.admin.save()
    server.kill()
    server.start("--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024")
    with pytest.raises(redis.exceptions.BusyLoadingError):
        server.admin.get("filling 1")
    await lives_on_its_own(gate)


async def test_hedges_on_their_own_respect_the_halts_and_pauses_that_were_seen(server: Server) -> None:
    gate, other = a_bot(server), a_bot(server)
    for each in (gate, other):
        await trades(each)
    await gate.halt(scope="wallet", who="me", why="look")
    server.kill()
    refused = await ask(gate, priority=Priority.HEDGE)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.HALTED
    assert [halt.who for halt in await gate.halts()] == ["me"]
    await other.pause(seconds=3600, reason="429")
    refused = await ask(other, priority=Priority.UNWIND)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.VENUE_PAUSED


async def test_a_halt_that_nobody_took_is_an_error_and_no_silence(server: Server) -> None:
    gate = a_bot(server)
    await trades(gate)
    server.kill()
    with pytest.raises(GateUnreachableError, match="failed"):
        await gate.halt(scope="wallet", who="me", why="look")
    with pytest.raises(GateUnreachableError, match="failed"):
        await gate.resume(scope="wallet")


async def test_a_hedge_on_its_own_needs_a_lease_that_nobody_else_can_have(server: Server) -> None:
    gate = a_bot(server)
    server.kill()
    refused = await ask(gate, priority=Priority.HEDGE)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.LEASE_LOST
    assert await gate.take_lease("m") == Refused(Refusal.UNAVAILABLE, RECHECK_S)


async def test_a_pause_that_could_not_be_told_is_told_before_the_next_question(server: Server) -> None:
    wallet = new_wallet()
    gate, other = a_bot(server, wallet), a_bot(server, wallet, holder="other")
    await trades(gate)
    server.admin.client_pause(600_000, all=False)
    await gate.pause(seconds=3600, reason="429")
    server.admin.client_unpause()
    async with asyncio.timeout(30):
        while not (isinstance(answer := await ask(gate, priority=Priority.NEW_PAIR), Refused) and answer.reason is Refusal.VENUE_PAUSED):
            await asyncio.sleep(0.05)
    refused = await ask(other, market="other")
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.VENUE_PAUSED


async def test_the_heartbeat_survives_everything_and_keeps_the_lease(server: Server) -> None:
    gate = a_bot(server)
    assert isinstance(await gate.take_lease("m"), Lease)
    beating = asyncio.ensure_future(gate.run())
    server.kill()
    assert is_unavailable(await pair(gate))
    server.start()
    await trades(gate)
    assert not beating.done()
    beating.cancel()
    await asyncio.gather(beating, return_exceptions=True)
    await gate.close()
