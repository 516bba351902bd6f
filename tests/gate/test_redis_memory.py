"""A server that lost its memory, all of it or the last moment: an empty bucket, and nothing new before everything is put back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from tests.gate.gate_rig import DOLLAR, ask
from tests.gate.redis_rig import gate_on, new_wallet, numbers_of, wallet_on
from tests.gate.redis_servers import Server, every_server
from tests.support.wire import Wire

from kabobagool.gate.interface import Answer, Exposure, GateUnreachableError, Granted, IntentNote, Lease, Priority, Refusal, Refused
from kabobagool.gate.redis_gate import NO_CAP, RedisGate
from kabobagool.gate.redis_wallet import GRANTED, RedisWallet

HOUR_US = 3_600_000_000
FULL = {"interval_us": HOUR_US, "burst": 9}
Trouble = Callable[[Server], None]


@pytest.fixture
def open_server() -> Iterator[Callable[..., Server]]:
    """Starts servers that go with the test."""
    started: list[Server] = []

    def start(kind: str, *options: str) -> Server:
        started.append(Server(kind, *options))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture
async def open_wire() -> AsyncIterator[Callable[[Server], Any]]:
    """A way to a server that can lead to another one."""
    wires: list[Wire] = []

    async def start(server: Server) -> Wire:
        wires.append(Wire(server.port))
        await wires[-1].start()
        return wires[-1]

    yield start
    for wire in wires:
        await wire.go_down()


def flush(server: Server) -> None:
    server.admin.flushall()


def restart(server: Server) -> None:
    server.restart()


losses = pytest.mark.parametrize("lose", [flush, restart])


async def answer_of(gate: RedisGate, **question: Any) -> Answer:
    """The first answer of a server that is there."""
    async with asyncio.timeout(30):
        while True:
            answer = await ask(gate, **question)
            if isinstance(answer, Granted) or answer.reason is not Refusal.UNAVAILABLE:
                return answer
            await asyncio.sleep(0.05)


def reason_of(answer: Answer) -> Refusal | None:
    return answer.reason if isinstance(answer, Refused) else None


@every_server
@losses
async def test_lost_memory_is_an_empty_bucket_and_never_a_second_burst(
    open_server: Callable[..., Server], kind: str, lose: Trouble
) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="bot", tokens_at_start=0, **FULL)
    assert reason_of(await answer_of(gate)) is Refusal.WAIT_TOO_LONG
    lose(server)
    assert reason_of(await answer_of(gate)) is Refusal.WAIT_TOO_LONG


@every_server
async def test_a_server_that_kept_its_memory_but_was_restarted_has_an_empty_bucket_too(
    open_server: Callable[..., Server], kind: str
) -> None:
    server = open_server(kind, "--appendonly", "yes", "--appendfsync", "always")
    wallet = new_wallet()
    gate = gate_on(server, wallet=wallet, holder="bot", tokens_at_start=5, **FULL)
    assert isinstance(await answer_of(gate), Granted)
    gate.limits = type(gate.limits)(interval_us=HOUR_US, burst=9, reserve_fraction=gate.limits.reserve_fraction, tokens_at_start=0)
    server.restart()
    assert reason_of(await answer_of(gate)) is Refusal.WAIT_TOO_LONG


@every_server
async def test_halts_leases_and_intents_survive_a_restart_of_everything(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind, "--appendonly", "yes", "--appendfsync", "always")
    wallet = new_wallet()
    gate = gate_on(server, wallet=wallet, holder="bot", interval_us=0)
    lease = await gate.take_lease("m")
    assert isinstance(lease, Lease)
    await gate.intents.record("m", intent())
    await gate.halt(scope="wallet", who="me", why="holiday")
    server.restart()
    assert reason_of(await answer_of(gate)) is Refusal.HALTED
    other = gate_on(server, wallet=wallet, holder="other", interval_us=0)
    assert reason_of(await answer_of(other)) is Refusal.HALTED
    assert [(halt.scope, halt.who, halt.why) for halt in await other.halts()] == [("wallet", "me", "holiday")]
    assert [found.intent_id for found in await other.intents.open_intents("m")] == ["i"]
    await other.resume(scope="wallet")
    assert reason_of(await answer_of(other)) is Refusal.LEASE_LOST
    assert isinstance(await answer_of(gate), Granted)
    assert gate.lease_number("m") == lease.number


@every_server
@losses
async def test_everything_is_put_back_before_any_new_pair(open_server: Callable[..., Server], kind: str, lose: Trouble) -> None:
    server = open_server(kind)
    wallet = new_wallet()
    first, second = (gate_on(server, wallet=wallet, holder=holder, interval_us=0, exposure_cap_micros=100 * DOLLAR) for holder in "ab")
    assert isinstance(await first.take_lease("m"), Lease)
    await first.intents.record("m", intent())
    first.set_exposure("m", Exposure(at_stake=80 * DOLLAR))
    await first.halt(scope="stopped", who="me", why="look")
    lose(server)
    assert reason_of(await answer_of(first, notional=21 * DOLLAR, priority=Priority.NEW_PAIR)) is Refusal.EXPOSURE
    assert reason_of(await answer_of(second)) is Refusal.LEASE_LOST
    assert reason_of(await answer_of(second, market="stopped")) is Refusal.HALTED
    assert reason_of(await answer_of(second, market="n", notional=21 * DOLLAR, priority=Priority.NEW_PAIR)) is Refusal.EXPOSURE
    assert [found.intent_id for found in await second.intents.open_intents("m")] == ["i"]


@every_server
@pytest.mark.parametrize("forgotten", [("rain",), ("rain", "snow")], ids=["one market", "all markets"])
async def test_a_server_that_kept_its_totals_and_lost_what_markets_had_said_counts_nothing_twice(
    open_server: Callable[..., Server], kind: str, forgotten: tuple[str, ...]
) -> None:
    server = open_server(kind, "--appendonly", "yes", "--appendfsync", "always")
    gate = gate_on(server, wallet=new_wallet(), holder="a", exposure_cap_micros=1000 * DOLLAR)
    gate.set_exposure("rain", Exposure(at_stake=300 * DOLLAR, orphan=2 * DOLLAR, result=-5 * DOLLAR))
    gate.set_exposure("snow", Exposure(at_stake=400 * DOLLAR, orphan=3 * DOLLAR, result=7 * DOLLAR))
    await gate.beat()
    keys = gate.link.keys
    told = [numbers_of(server, keys)[name] for name in ("at_stake", "orphans", "lost")]
    assert told == [700 * DOLLAR, 5 * DOLLAR, -2 * DOLLAR]
    server.admin.hdel(keys.stakes, *(f"{what}:{market}" for market in forgotten for what in ("at", "flight")))
    server.restart()
    await answer_of(gate, market="hail", notional=0)
    assert [numbers_of(server, keys)[name] for name in ("at_stake", "orphans", "lost")] == told


@every_server
async def test_a_stake_that_cannot_be_read_stops_no_server_that_begins(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind, "--appendonly", "yes", "--appendfsync", "always")
    gate = gate_on(server, wallet=new_wallet(), holder="a")
    gate.set_exposure("rain", Exposure(at_stake=300 * DOLLAR))
    await gate.beat()
    server.admin.hset(gate.link.keys.stakes, mapping={"at:snow": "rubbish", "flight:snow": "rubbish", "rubbish": "rubbish"})
    server.restart()
    assert isinstance(await answer_of(gate, market="hail", notional=0), Granted)
    assert numbers_of(server, gate.link.keys)["at_stake"] == 300 * DOLLAR


@every_server
@losses
async def test_an_order_of_a_forgotten_intent_is_still_resolved(open_server: Callable[..., Server], kind: str, lose: Trouble) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=0)
    await gate.take_lease("m")
    await gate.intents.record("m", intent())
    lose(server)
    async with asyncio.timeout(30):
        while True:
            with suppress(GateUnreachableError):
                await gate.intents.resolve("0xa", "filled", ended=True)
                break
            await asyncio.sleep(0.05)
    (found,) = await gate.intents.open_intents("m")
    assert found.ended == {"0xa"}


@every_server
async def test_nothing_is_answered_while_something_could_not_be_put_back(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind)
    wallet = wallet_on(server)
    assert await may_a_pair_leave(wallet)
    put_back: list[str] = []

    async def restore() -> None:
        put_back.append("tried")
        if len(put_back) < 3:
            raise GateUnreachableError("not yet")

    wallet.restorers.append(restore)
    flush(server)
    for _ in range(2):
        with pytest.raises(GateUnreachableError, match="not yet"):
            await may_a_pair_leave(wallet)
    assert await may_a_pair_leave(wallet)
    assert await may_a_pair_leave(wallet)
    assert len(put_back) == 3


@every_server
async def test_many_questions_at_once_put_back_once(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind)
    wallet = wallet_on(server)
    await may_a_pair_leave(wallet)
    put_back: list[str] = []

    async def restore() -> None:
        await asyncio.sleep(0)
        put_back.append("done")

    wallet.restorers.append(restore)
    flush(server)
    assert all(await asyncio.gather(*(may_a_pair_leave(wallet) for _ in range(30))))
    assert put_back == ["done"]


async def may_a_pair_leave(wallet: RedisWallet) -> bool:
    """Ask what takes nothing."""
    return (await wallet.ask("objection", args=("m", DOLLAR, True, (NO_CAP, NO_CAP, NO_CAP)))).word == GRANTED


@every_server
@pytest.mark.parametrize("stale", [True, False], ids=["a stale replica", "an empty server"])
async def test_after_a_failover_no_burst_is_given_out_twice(
    open_server: Callable[..., Server], open_wire: Callable[[Server], Any], kind: str, stale: bool
) -> None:
    primary, replica = open_server(kind), open_server(kind)
    wire = await open_wire(primary)
    gate = gate_on(primary, wallet=new_wallet(), holder="bot", url=wire.redis_url, tokens_at_start=9, **FULL)
    assert isinstance(await answer_of(gate, cost=1), Granted)
    if stale:
        await replicated(primary, replica)
    assert isinstance(await answer_of(gate, cost=8), Granted)
    gate.limits = type(gate.limits)(interval_us=HOUR_US, burst=9, reserve_fraction=gate.limits.reserve_fraction, tokens_at_start=0)
    await wire.lead_to(replica.port)
    assert reason_of(await answer_of(gate)) is Refusal.WAIT_TOO_LONG


async def replicated(primary: Server, replica: Server) -> None:
    """The replica has what the primary has now, is then cut off, and believes to be a primary."""
    replica.admin.replicaof("127.0.0.1", str(primary.port))
    async with asyncio.timeout(30):
        while replica.admin.dbsize() < primary.admin.dbsize():
            await asyncio.sleep(0.05)
    replica.admin.replicaof("NO", "ONE")


def intent() -> IntentNote:
    return IntentNote(intent_id="i", created_ms=1, order_hashes=("0xa", "0xb"), text="pair")


@every_server
@losses
async def test_who_only_looks_at_the_halts_forgets_none_that_the_server_lost(
    open_server: Callable[..., Server], kind: str, lose: Trouble
) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=0)
    await gate.take_lease("m")
    await gate.halt(scope="wallet", who="me", why="holiday")
    lose(server)
    await server_answers(gate)
    assert [halt.why for halt in await gate.halts()] == ["holiday"]
    assert reason_of(await answer_of(gate)) is Refusal.HALTED


@every_server
async def test_a_halt_that_is_set_when_the_server_has_lost_another_one_leaves_both(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=0)
    await gate.halt(scope="m", who="me", why="holiday")
    flush(server)
    await gate.halt(scope="n", who="me", why="news")
    assert reason_of(await answer_of(gate)) is Refusal.HALTED
    assert {halt.scope for halt in await gate.halts()} == {"m", "n"}


@every_server
async def test_who_never_asked_for_anything_looks_and_leaves_no_trace(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="person", interval_us=0)
    assert await gate.halts() == ()
    assert server.admin.dbsize() == 0


@every_server
async def test_thousands_of_halts_are_seen_and_put_back(open_server: Callable[..., Server], kind: str) -> None:
    server = open_server(kind)
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=0, timeout_s=20.0)
    await gate.take_lease("m")
    server.admin.hset(gate.link.keys.halts, mapping={f"draining:{number}": f"{number} text" for number in range(10_000)})
    assert len(await gate.halts()) == 10_000
    flush(server)
    assert len(await gate.halts()) == 10_000


async def server_answers(gate: RedisGate) -> None:
    """Until a server that was restarted is heard again."""
    async with asyncio.timeout(30):
        while True:
            with suppress(GateUnreachableError):
                await gate.link.call(gate.link.client.ping)
                return
            await asyncio.sleep(0.05)
