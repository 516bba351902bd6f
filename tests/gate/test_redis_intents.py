"""What was about to be sent is found by whoever comes after: on another host, with an empty disk, after a kill at any step."""

import asyncio
from typing import Any

import pytest
from tests.gate.gate_rig import ManualClock, ask
from tests.gate.redis_rig import close_links, gate_on, manual_redis_gate, new_wallet, sibling
from tests.gate.redis_servers import Server, every_server, shared_server
from tests.support.wire import Wire

from kabobagool.clock import SystemClock
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Granted, IntentNote, OrderGate, Priority, Refusal, Refused
from kabobagool.gate.lease_book import LEASE_S
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_intents import KEPT_MS, UnknownOrderError


def intent(number: int = 1, *, created_ms: int = 1_000) -> IntentNote:
    hashes = (f"0x{number}a", f"0x{number}b")
    return IntentNote(intent_id=f"intent {number}", created_ms=created_ms + number, order_hashes=hashes, text=f'{{"number": {number}}}')


def a_gate(kind: str, wallet: str | None = None, holder: str = "bot", **limits: Any) -> RedisGate:
    return gate_on(shared_server(kind), wallet=wallet or new_wallet(), holder=holder, **{"interval_us": 0, **limits})


async def acquire(gate: OrderGate, written: IntentNote, market: str = "m", *, patience_s: float = 0.0) -> object:
    return await gate.acquire(market=market, cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=patience_s, intent=written)


@every_server
async def test_an_intent_is_written_in_the_very_call_that_grants_it(kind: str) -> None:
    gate = a_gate(kind)
    await ask(gate)
    calls = gate.link.calls
    assert isinstance(await acquire(gate, intent()), Granted)
    assert gate.link.calls == calls + 1
    (found,) = await gate.intents.open_intents("m")
    assert (found.intent_id, found.market, found.created_ms, found.text) == ("intent 1", "m", 1_001, '{"number": 1}')
    assert (found.outcomes, found.ended) == ({}, frozenset())


@every_server
async def test_a_refused_order_leaves_no_intent(kind: str) -> None:
    gate = a_gate(kind)
    await gate.halt(scope="m", who="me", why="look")
    assert isinstance(await acquire(gate, intent()), Refused)
    assert await gate.intents.intents("m") == []


@every_server
async def test_the_queue_hands_an_intent_through_and_it_is_written_when_its_turn_was_granted(kind: str) -> None:
    gate = a_gate(kind, interval_us=50_000, burst=2, tokens_at_start=2)
    queue = FairGate(gate, clock=SystemClock())
    asked = [asyncio.ensure_future(acquire(queue, intent(number), patience_s=20.0)) for number in (1, 2)]
    assert isinstance(await asked[0], Granted)
    assert [found.intent_id for found in await gate.intents.open_intents("m")] == ["intent 1"]
    assert isinstance(await asked[1], Granted)
    assert [found.intent_id for found in await gate.intents.open_intents("m")] == ["intent 1", "intent 2"]


@every_server
async def test_a_bot_knows_which_of_its_intents_the_server_has_until_they_end(kind: str) -> None:
    gate = a_gate(kind)
    await acquire(gate, intent(1))
    assert gate.intents.has_written("intent 1")
    first, second = intent(1).order_hashes
    await gate.intents.resolve(first, "filled", ended=True)
    await gate.intents.resolve(second, "unknown", ended=False)
    assert gate.intents.has_written("intent 1")
    await gate.intents.resolve(second, "killed", ended=True)
    assert not gate.intents.may_know("intent 1")
    assert not gate.intents.has_written("intent 1")
    await gate.halt(scope="m", who="me", why="look")
    await acquire(gate, intent(2))
    assert not gate.intents.may_know("intent 2"), "refused: certainly not written"


async def test_an_answer_that_was_lost_leaves_a_doubt_that_ends_with_the_orders() -> None:
    wire = Wire(shared_server("valkey").port)
    await wire.start()
    gate = gate_on(shared_server("valkey"), wallet=new_wallet(), holder="bot", interval_us=0, timeout_s=1.0, url=wire.redis_url)
    await ask(gate)
    wire.lose_replies()
    assert isinstance(await acquire(gate, intent()), Refused)
    assert (gate.intents.may_know("intent 1"), gate.intents.has_written("intent 1")) == (True, False)
    wire.mend()
    assert [found.intent_id for found in await gate.intents.open_intents("m")] == ["intent 1"], "the server had heard the question"
    for order_hash in intent().order_hashes:
        await gate.intents.resolve(order_hash, "not sent", ended=True)
    assert not gate.intents.may_know("intent 1")
    await wire.go_down()


async def test_a_doubt_about_an_intent_that_never_arrived_ends_too() -> None:
    wire = Wire(shared_server("valkey").port)
    await wire.start()
    gate = gate_on(shared_server("valkey"), wallet=new_wallet(), holder="bot", interval_us=0, timeout_s=1.0, url=wire.redis_url)
    await ask(gate)
    await wire.go_down()
    assert isinstance(await acquire(gate, intent()), Refused)
    assert gate.intents.may_know("intent 1")
    await wire.start()
    for order_hash in intent().order_hashes:
        with pytest.raises(UnknownOrderError):
            await gate.intents.resolve(order_hash, "not sent", ended=True)
    assert not gate.intents.may_know("intent 1")
    await wire.go_down()


async def test_a_server_that_is_gone_leaves_no_more_doubts_than_it_takes_to_notice() -> None:
    server = Server("valkey")
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=0, timeout_s=1.0)
    await ask(gate)
    server.kill()
    for number in range(20):
        assert isinstance(await acquire(gate, intent(number)), Refused)
    assert [number for number in range(20) if gate.intents.may_know(f"intent {number}")] == [0, 1, 2]
    server.close()


async def test_an_intent_that_was_put_back_while_its_orders_were_refused_is_known_to_be_there() -> None:
    server = Server("valkey")
    gate = gate_on(server, wallet=new_wallet(), holder="bot", interval_us=3_600_000_000, tokens_at_start=0)
    await ask(gate)
    server.admin.flushall()
    assert isinstance(await acquire(gate, intent()), Refused)
    assert [found.intent_id for found in await gate.intents.open_intents("m")] == ["intent 1"]
    assert gate.intents.has_written("intent 1"), "so whoever asked closes it"
    await close_links()
    server.close()


@every_server
@pytest.mark.parametrize("ended", [0, 1], ids=["killed before the first reply", "killed before the second reply"])
async def test_a_new_bot_on_another_host_finds_what_the_dead_one_left_and_resolves_it(kind: str, ended: int) -> None:
    wallet = new_wallet()
    dead = a_gate(kind, wallet)
    await acquire(dead, intent())
    for order_hash in intent().order_hashes[:ended]:
        await dead.intents.resolve(order_hash, "filled", ended=True)
    await close_links()
    born = a_gate(kind, wallet, holder="born")
    (found,) = await born.intents.open_intents("m")
    assert found.ended == frozenset(intent().order_hashes[:ended])
    for order_hash in set(intent().order_hashes) - found.ended:
        await born.intents.resolve(order_hash, "killed", ended=True)
    assert await born.intents.open_intents("m") == []
    (closed,) = await born.intents.intents("m")
    assert closed.ended == frozenset(intent().order_hashes)


@every_server
async def test_an_order_whose_end_is_unknown_stays_open_and_one_that_ended_is_not_opened_again(kind: str) -> None:
    gate = a_gate(kind)
    await acquire(gate, intent())
    first, second = intent().order_hashes
    await gate.intents.resolve(first, "unknown: timed out", ended=False)
    await gate.intents.resolve(second, "filled", ended=True)
    await gate.intents.resolve(second, "unknown: late reply", ended=False)
    (found,) = await gate.intents.open_intents("m")
    assert found.outcomes == {first: "unknown: timed out", second: "filled"}
    await gate.intents.resolve(first, "killed", ended=True)
    await gate.intents.resolve(first, "killed", ended=True)
    assert await gate.intents.open_intents("m") == []
    await gate.intents.resolve(first, "failed on chain", ended=True)
    (found,) = await gate.intents.intents("m")
    assert found.outcomes[first] == "failed on chain"


@every_server
async def test_an_order_that_was_never_written_down_cannot_be_resolved(kind: str) -> None:
    with pytest.raises(UnknownOrderError, match="0xnever"):
        await a_gate(kind).intents.resolve("0xnever", "filled", ended=True)


@every_server
async def test_intents_are_listed_oldest_first_for_their_market_alone(kind: str) -> None:
    gate = a_gate(kind)
    for number, market in ((3, "m"), (1, "m"), (2, "other")):
        await acquire(gate, intent(number), market)
    assert [found.intent_id for found in await gate.intents.open_intents("m")] == ["intent 1", "intent 3"]
    assert [found.intent_id for found in await gate.intents.intents("m", since_ms=1_002)] == ["intent 3"]


@every_server
async def test_open_intents_are_kept_for_ever_and_resolved_ones_for_three_days(kind: str) -> None:
    gate = a_gate(kind)
    admin = shared_server(kind).admin
    old = intent(1, created_ms=0)
    await acquire(gate, old)
    key = gate.link.keys.of("intent", old.intent_id)
    assert admin.ttl(key) == -1
    for order_hash in old.order_hashes:
        assert admin.ttl(gate.link.keys.of("order", order_hash)) == -1
        await gate.intents.resolve(order_hash, "killed", ended=True)
    assert admin.pttl(key) > KEPT_MS - 60_000
    admin.delete(key)
    await acquire(gate, intent(2))
    assert admin.zrange(gate.link.keys.of("intents", "m"), 0, -1) == ["intent 2"]


@every_server
async def test_a_bot_that_was_replaced_can_write_nothing_down(kind: str) -> None:
    clock = ManualClock()
    first = manual_redis_gate(kind, clock, interval_us=0)
    second = sibling(first, clock, "second")
    assert isinstance(await ask(first), Granted)
    assert await first.intents.record("m", intent(1)) is None
    await clock.sleep(LEASE_S)
    await second.take_lease("m")
    refused = await first.intents.record("m", intent(2))
    assert refused is not None
    assert refused.reason is Refusal.LEASE_LOST
    assert [found.intent_id for found in await second.intents.open_intents("m")] == ["intent 1"]


@every_server
async def test_no_secret_and_no_other_wallet_is_touched(kind: str) -> None:
    wallet = new_wallet()
    gate = a_gate(kind, wallet)
    admin = shared_server(kind).admin
    others = set(admin.keys()) - set(admin.keys(f"kabobagool:{{{wallet}}}:*"))
    await asyncio.gather(acquire(gate, intent()), gate.halt(scope="wallet", who="me", why="look"), gate.pause(seconds=1, reason="429"))
    assert set(admin.keys()) - set(admin.keys(f"kabobagool:{{{wallet}}}:*")) == others
