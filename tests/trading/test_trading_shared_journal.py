"""Open orders outlive the disk of the bot that sent them: another host finds them at the gate, looks them up, and buys nothing twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gate.redis_rig import gate_on
from tests.gate.redis_servers import Server
from tests.support.bot_rig import Rig, Venue, bot_on, venue_for_a_bot
from tests.trading.gate_rig import bot_on_host, end_lease, long_awake, on_host, valkey

from kabobagool.clock import SystemClock
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.outcome import Filled, Killed, Unknown
from kabobagool.engine.market_engine import EngineState
from kabobagool.execution.journal import Journal, JournalError, JournalledIntent, JournalledOrder
from kabobagool.gate.interface import Answer, GateUnreachableError, Granted, Lease, Priority
from kabobagool.gate.local_budget import LocalBudget
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.shared_journal import SharedJournal

SPEED = 20
MARKET = "0x" + "ab" * 32


@asynccontextmanager
async def killed_on_another_host(folder: Path, *, held: str) -> AsyncIterator[tuple[Venue, Server]]:
    """A venue whose bot was killed on a host that is gone, its first order (or the reply to it) held on the way."""
    with valkey() as server:
        async with venue_for_a_bot(folder, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            door = venue.wire.orders_may_pass if held == "order" else venue.wire.replies_may_pass
            door.clear()
            async with bot_on_host(venue, server, "gone") as first:
                await venue.until(lambda: venue.posts == 1 if held == "order" else venue.filled() == 1, "the first order on its way")
                first.kill()
                await first.ended()
            if held == "reply":
                door.set()
            end_lease(server, venue)
            yield venue, server


async def one_pair(rig: Rig) -> None:
    await rig.until_pairs(1)
    await rig.agrees_with_the_ledger()
    assert rig.shares() == (10_000_000, 10_000_000)


async def test_a_fill_whose_bot_and_disk_are_gone_is_found_by_its_hash_and_only_hedged(tmp_path: Path) -> None:
    async with killed_on_another_host(tmp_path, held="reply") as (venue, server), bot_on(venue, **on_host(venue, server, "new")) as rig:
        await one_pair(rig)
        assert rig.posts == 2, "the dead bot's leg and the new one's hedge"


async def test_orders_written_down_and_not_sent_by_a_bot_that_is_gone_are_resolved_before_anything_new(tmp_path: Path) -> None:
    async with killed_on_another_host(tmp_path, held="order") as (venue, server):
        await venue.wire.go_down()
        venue.wire.orders_may_pass.set()
        await venue.wire.start()
        async with bot_on(venue, **on_host(venue, server, "new")) as rig:
            await one_pair(rig)
            assert rig.posts == 3, "the one that never arrived, and a pair"
        gate = gate_on(server, wallet=venue.address, holder="somebody who looks")
        assert await gate.intents.open_intents(venue.paper.market.condition_id) == []
        assert len(await gate.intents.intents(venue.paper.market.condition_id)) == 2
        await gate.close()


async def test_an_order_that_arrives_after_bot_and_disk_are_gone_is_found_and_hedged(tmp_path: Path) -> None:
    async with killed_on_another_host(tmp_path, held="order") as (venue, server), bot_on(venue, **on_host(venue, server, "new")) as rig:
        assert rig.state is EngineState.DEGRADED, "an order without a known end: watching only"
        venue.wire.orders_may_pass.set()
        await rig.until(lambda: rig.filled() == 1, "the dead bot's order arrives")
        await one_pair(rig)
        assert rig.posts == 2


@asynccontextmanager
async def journal_on(server: Server, folder: Path, *, holder: str = "one") -> AsyncIterator[tuple[SharedJournal, RedisGate]]:
    """The journal of one host, its market leased and claimed."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    local = LocalBudget(interval_us=1, clock=SystemClock())
    gate = gate_on(server, wallet="0xabc", holder=holder, timeout_s=2.0, interval_us=0, local=local)
    assert isinstance(await gate.take_lease(MARKET), Lease)
    journal = await SharedJournal.open_shared(folder / "journal.sqlite", clock=SystemClock(), intents=gate.intents)
    await journal.claim(MARKET)
    try:
        yield journal, gate
    finally:
        await journal.close()
        await gate.close()


def an_intent(name: str, purpose: Purpose = Purpose.PAIR) -> JournalledIntent:
    orders = tuple(
        JournalledOrder(
            order_hash=f"{name} {outcome.name}",
            token=f"token {outcome.name}",
            outcome=outcome,
            side=Side.BUY,
            price=4600,
            shares=10_000_000,
            dollars=4_600_000,
            created_ms=1_700_000_000_000,
        )
        for outcome in Outcome
    )
    return JournalledIntent(intent_id=name, market=MARKET, purpose=purpose, pair_cost=920_000, created_ms=1_700_000_000_000, orders=orders)


async def hashes(journal: SharedJournal) -> list[str]:
    return [order.order_hash for order in await journal.open_orders(MARKET)]


async def test_what_one_host_wrote_another_one_finds_whole_and_what_it_resolves_is_resolved_for_both(tmp_path: Path) -> None:
    with valkey() as server:
        async with journal_on(server, tmp_path / "one") as (journal, _):
            await journal.record(an_intent("a"))
            await journal.mark("a YES", Filled(10_000_000, 4_600_000, 0))
            await journal.mark("a NO", Unknown("no reply"))
            await journal.record(an_intent("b"))
        async with journal_on(server, tmp_path / "two", holder="two") as (journal, _):
            assert await journal.open_orders(MARKET) == [an_intent("a").orders[1], *an_intent("b").orders]
            for name in ("a NO", "b YES", "b NO"):
                await journal.mark(name, Killed())
            assert await hashes(journal) == []
        async with journal_on(server, tmp_path / "three", holder="three") as (journal, _):
            assert await hashes(journal) == []
        async with journal_on(server, tmp_path / "one", holder="four") as (journal, _):
            assert await hashes(journal) == ["a NO", "b YES", "b NO"], "its own disk still doubts them, and has them looked up once more"


async def test_a_gate_that_does_not_answer_takes_no_new_pair_and_leaves_nothing_to_look_up(tmp_path: Path) -> None:
    with valkey("--appendonly", "yes", "--appendfsync", "always") as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            server.kill()
            with pytest.raises(JournalError, match="could not be written to the shared gate"):
                await journal.record(an_intent("a"))
            with pytest.raises(JournalError, match="cannot say which orders are open"):
                await journal.open_orders(MARKET)
            server.start()
            await answering(gate)
            assert await hashes(journal) == []


async def test_a_hedge_needs_the_disk_alone_and_the_gate_is_told_of_it_when_it_answers_again(tmp_path: Path) -> None:
    with valkey("--appendonly", "yes", "--appendfsync", "always") as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            server.kill()
            await journal.record(an_intent("hedge", Purpose.HEDGE))
            await journal.mark("hedge YES", Filled(10_000_000, 4_600_000, 0))
            server.start()
            await answering(gate)
            await journal.mark("hedge NO", Unknown("no reply"))
            assert await hashes(journal) == ["hedge NO"]
            (found,) = await gate.intents.open_intents(MARKET)
            assert (found.intent_id, found.ended) == ("hedge", {"hedge YES"})


async def test_a_hedge_that_this_process_granted_alone_is_written_at_the_gate_when_it_answers_again(tmp_path: Path) -> None:
    with valkey("--appendonly", "yes", "--appendfsync", "always") as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            server.kill()
            hedge = an_intent("hedge", Purpose.HEDGE)
            assert isinstance(await granted_with(gate, journal, hedge, Priority.HEDGE), Granted)
            await journal.record(hedge)
            server.start()
            await answering(gate)
            await journal.mark("hedge YES", Filled(10_000_000, 4_600_000, 0))
            assert await hashes(journal) == ["hedge NO"]
            (found,) = await gate.intents.open_intents(MARKET)
            assert (found.intent_id, found.ended) == ("hedge", {"hedge YES"})


async def test_an_intent_that_came_with_its_grant_is_recorded_without_asking_the_gate_again(tmp_path: Path) -> None:
    with valkey() as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            assert isinstance(await granted_with(gate, journal, an_intent("a"), Priority.NEW_PAIR), Granted)
            calls = gate.link.calls
            await journal.record(an_intent("a"))
            assert gate.link.calls == calls
            assert await hashes(journal) == ["a YES", "a NO"]


async def test_an_intent_that_did_not_leave_is_closed_at_the_gate_and_was_never_on_this_disk(tmp_path: Path) -> None:
    with valkey() as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            await granted_with(gate, journal, an_intent("a"), Priority.NEW_PAIR)
            journal.withdraw(an_intent("a"))
            journal.withdraw(an_intent("never asked for"))
            assert await hashes(journal) == []
            assert [found.intent_id for found in await gate.intents.intents(MARKET)] == ["a"]
            assert await journal.intents(MARKET, 0) == []


async def test_what_a_bot_that_is_stopped_had_not_told_yet_is_told_before_it_ends(tmp_path: Path) -> None:
    with valkey() as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            await granted_with(gate, journal, an_intent("a"), Priority.NEW_PAIR)
            journal.withdraw(an_intent("a"))
        async with journal_on(server, tmp_path / "two", holder="two") as (journal, gate):
            assert await gate.intents.open_intents(MARKET) == []


async def granted_with(gate: RedisGate, journal: SharedJournal, intent: JournalledIntent, priority: Priority) -> Answer:
    """What the gate says to orders that it is to write down."""
    note = journal.note(intent)
    return await gate.acquire(market=MARKET, cost=2, notional=0, priority=priority, max_wait_s=1.0, intent=note)


async def test_who_lost_the_market_cannot_write_an_intent_down(tmp_path: Path) -> None:
    with valkey() as server:
        async with journal_on(server, tmp_path / "one") as (journal, gate):
            another_takes_over(server, gate)
            with pytest.raises(JournalError, match="another bot trades market"):
                await journal.record(an_intent("a", Purpose.HEDGE))
            assert await hashes(journal) == []


async def test_orders_from_before_the_gate_was_shared_can_still_be_resolved(tmp_path: Path) -> None:
    alone = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
    await alone.claim(MARKET)
    await alone.record(an_intent("old"))
    await alone.close()
    with valkey() as server:
        async with journal_on(server, tmp_path) as (journal, _):
            assert await hashes(journal) == ["old YES", "old NO"]
            await journal.mark("old YES", Killed())
            await journal.mark("old NO", Killed())
            assert await hashes(journal) == []


async def answering(gate: RedisGate) -> None:
    """Until the link has noticed that the server is back."""
    async with asyncio.timeout(60):
        while True:
            try:
                await gate.beat()
                return
            except GateUnreachableError:
                await asyncio.sleep(0.05)


def another_takes_over(server: Server, gate: RedisGate) -> None:
    """Another process has the market, as after a partition."""
    lease = gate.link.keys.leases
    number, until_us, _ = str(server.admin.hget(lease, MARKET)).split(" ", 2)
    server.admin.hset(lease, MARKET, f"{int(number) + 1} {until_us} somebody else")
