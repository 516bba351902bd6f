"""The journal survives what processes and disks do, and refuses loudly where it cannot."""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
import tempfile
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.execution.bench_account import CONDITION, a_journal, a_market, an_account, buy, intent_of, sell, some_books
from tests.support.paper import PaperServer, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import MICRO
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.execution.client import SignedOrder
from kabobagool.execution.journal import Journal, JournalError, set_aside
from kabobagool.execution.journal_store import RETENTION_MS, OrderState
from kabobagool.execution.reconcile import reconcile, resolve_open_orders

ROOT = Path(__file__).parents[2]
RUN_PROCESS = f"""
import runpy, sys, types
sys.modules["tests"] = tests = types.ModuleType("tests")
tests.__path__ = [{str(ROOT / "tests")!r}]  # Installed packages may bring a "tests" of their own.
runpy.run_module("tests.execution.journal_process", run_name="__main__")
"""


def signed(number: int, *, created_ms: int = 1_000) -> SignedOrder:
    plan = buy(4800, 10, Outcome.NO) if number % 2 else sell(5100, 7)
    return SignedOrder(order_hash=f"0x{number:064x}", plan=plan, market=a_market(), signed_ms=created_ms, payload=None)


class SetClock:
    """A clock whose time is set by hand."""

    def __init__(self) -> None:
        self.ms = 10 * RETENTION_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    async def sleep(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


async def a_process(journal: Path, step: str, host: str = "-", condition_id: str = CONDITION, token: str = "111") -> Process:
    words = (sys.executable, "-c", RUN_PROCESS, str(journal), step, host, condition_id, token)
    path = os.pathsep.join([str(ROOT / "bot"), str(ROOT)])
    return await asyncio.create_subprocess_exec(*words, cwd=ROOT, stdout=PIPE, stderr=PIPE, env=os.environ | {"PYTHONPATH": path})


async def said_by(process: Process) -> str:
    assert process.stdout
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    if not line:
        assert process.stderr
        raise AssertionError((await process.stderr.read()).decode())
    return line


async def killed_at(journal: Path, step: str, paper: PaperServer, *, received: int) -> str:
    """Run a process to a step, kill it the hard way once the venue has so many of its orders, and return the hash of the order."""
    market = paper.market
    process = await a_process(journal, step, paper.urls["clob"], market.condition_id, market.tokens[0])
    order_hash = (await said_by(process)).split()[1]
    for _ in range(200):
        if paper.venue.counters["orders_received"] >= received:
            break
        await asyncio.sleep(0.02)
    assert paper.venue.counters["orders_received"] == received
    process.send_signal(signal.SIGKILL)
    await process.wait()
    return order_hash


async def test_what_was_recorded_is_read_back_whole_after_a_restart(tmp_path: Path) -> None:
    intent = intent_of("pair-1", signed(1), signed(2))
    async with a_journal(tmp_path / "j") as journal:
        await journal.record(intent)
    async with a_journal(tmp_path / "j") as journal:
        [found] = await journal.intents(CONDITION, 0)
        assert (found.intent_id, found.purpose, found.pair_cost, found.created_ms) == ("pair-1", intent.purpose, 970_000, 1_000)
        assert [
            (order.order_hash, order.outcome, order.side, order.price, order.shares, order.dollars, order.token) for order in found.orders
        ] == [
            (order.order_hash, order.outcome, order.side, order.price, order.shares, order.dollars, order.token) for order in intent.orders
        ]
        assert [order.state for order in found.orders] == [OrderState.OPEN] * 2
        assert [order.order_hash for order in await journal.open_orders(CONDITION)] == [signed(1).order_hash, signed(2).order_hash]
        assert await journal.open_orders("0xother") == []


@pytest.mark.parametrize(
    ("outcome", "state", "still_open"),
    [
        (Filled(10 * MICRO, 4_800_000, 167_000), OrderState.FILLED, False),
        (Killed("no match"), OrderState.KILLED, False),
        (Rejected(Rejection.BALANCE, "not enough"), OrderState.REJECTED, False),
        (Delayed("held"), OrderState.DELAYED, True),
        (Unknown("timeout"), OrderState.UNKNOWN, True),
    ],
)
async def test_every_outcome_is_kept_and_only_doubt_stays_open(
    tmp_path: Path, outcome: OrderOutcome, state: OrderState, still_open: bool
) -> None:
    async with a_journal(tmp_path / "j") as journal:
        await journal.record(intent_of("i", signed(1)))
        await journal.mark(signed(1).order_hash, outcome)
        [[order]] = [found.orders for found in await journal.intents(CONDITION, 0)]
        assert order.state is state
        assert bool(await journal.open_orders(CONDITION)) is still_open
        assert (order.resolved_ms is None) is still_open
        if isinstance(outcome, Filled):
            assert (order.shares_filled, order.dollars_filled, order.fee) == (outcome.shares, outcome.dollars, outcome.fee)


async def test_a_late_doubt_does_not_reopen_a_resolved_order(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        await journal.record(intent_of("i", signed(1)))
        await journal.mark(signed(1).order_hash, Filled(1, 1, 1))
        await journal.mark(signed(1).order_hash, Unknown("a lost reply, told late"))
        assert await journal.open_orders(CONDITION) == []


async def test_an_order_that_was_never_recorded_cannot_be_marked(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        with pytest.raises(JournalError, match="never recorded"):
            await journal.mark("0x77", Killed())


async def test_the_same_order_cannot_be_recorded_twice_and_the_failure_leaves_nothing_half_written(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        await journal.record(intent_of("first", signed(1)))
        with pytest.raises(JournalError, match="UNIQUE"):
            await journal.record(intent_of("second", signed(2), signed(1)))
        assert [found.intent_id for found in await journal.intents(CONDITION, 0)] == ["first"]
        await journal.record(intent_of("third", signed(3)))


async def test_three_days_are_kept_and_open_orders_for_ever(tmp_path: Path) -> None:
    clock = SetClock()
    journal = await Journal.open(tmp_path / "j", clock=clock)
    await journal.claim(CONDITION)
    start_ms = clock.ms
    for number in (1, 2):
        await journal.record(intent_of(f"i{number}", signed(number, created_ms=start_ms)))
    await journal.mark(signed(1).order_hash, Killed())
    clock.ms += RETENTION_MS
    await journal.record(intent_of("i3", signed(3, created_ms=clock.ms)))
    assert [found.intent_id for found in await journal.intents(CONDITION, 0)] == ["i1", "i2", "i3"]
    clock.ms += 2 * 60 * 60 * 1000
    await journal.record(intent_of("i4", signed(4, created_ms=clock.ms)))
    assert [found.intent_id for found in await journal.intents(CONDITION, 0)] == ["i2", "i3", "i4"]
    assert [found.intent_id for found in await journal.intents(CONDITION, start_ms + 1)] == ["i3", "i4"]
    await journal.close()


async def test_a_market_has_one_living_writer(tmp_path: Path) -> None:
    process = await a_process(tmp_path / "j", "claimed")
    assert await said_by(process) == "ready"
    journal = await Journal.open(tmp_path / "j", clock=SystemClock())
    with pytest.raises(JournalError, match="another process trades market"):
        await journal.claim(CONDITION)
    with pytest.raises(JournalError, match="not claimed"):
        await journal.record(intent_of("i", signed(1)))
    await journal.claim("0xanother")
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await journal.claim(CONDITION)
    await journal.record(intent_of("i", signed(1)))
    await journal.close()


async def test_whoever_is_cancelled_while_it_claims_does_not_lock_its_own_process_out(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "j", clock=SystemClock())
    claiming = asyncio.create_task(journal.claim(CONDITION))
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait({claiming})
    await journal.prune()  # after whatever the disk was doing
    await journal.claim(CONDITION)
    await journal.record(intent_of("i", signed(1)))
    await journal.close()


async def test_a_released_market_can_be_claimed_by_the_next(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as first:
        second = await Journal.open(tmp_path / "j", clock=SystemClock())
        await first.release(CONDITION)
        await second.claim(CONDITION)
        await second.close()


async def test_killed_between_journal_and_post_the_order_is_found_and_never_arrived(tmp_path: Path) -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper, not_found_after_s=0.1) as account:
        market = account.market
        order_hash = await killed_at(tmp_path / "j", "recorded", paper, received=0)
        async with a_journal(tmp_path / "j", market) as journal:
            assert [order.order_hash for order in await journal.open_orders(market.condition_id)] == [order_hash]
            resolved, doubtful = await resolve_open_orders(market, client=account.execution, journal=journal, clock=SystemClock(rate=10))
            assert isinstance(resolved.get(order_hash), Killed | None)
            while doubtful:
                await asyncio.sleep(0.5)
                resolved, doubtful = await resolve_open_orders(
                    market, client=account.execution, journal=journal, clock=SystemClock(rate=10)
                )
            assert isinstance(resolved[order_hash], Killed)
            assert await journal.open_orders(market.condition_id) == []
        assert paper.exchange.orders() == []


async def test_killed_between_post_and_reply_the_fill_is_found_and_not_bought_again(tmp_path: Path) -> None:
    async with paper_exchange_server(some_books()) as paper, an_account(paper) as account:
        market = account.market
        paper.add_fault("order_latency", delay_ms=1_500)
        order_hash = await killed_at(tmp_path / "j", "sent", paper, received=1)
        async with a_journal(tmp_path / "j", market) as journal:
            await asyncio.sleep(1.5)
            paper.step()
            result = await reconcile(
                market, reader=account.reader, client=account.execution, journal=journal, clock=account.clock, lookback_hours=72
            )
            assert isinstance(result.resolved_orders[order_hash], Filled)
            assert result.position.yes.bought == 10 * MICRO
            assert result.position.yes.cost == 4_800_000
            assert result.unresolved == []
            assert await journal.open_orders(market.condition_id) == []
        assert len(paper.exchange.orders()) == 1


async def test_a_full_disk_refuses_the_next_intent_and_keeps_the_former_ones(tmp_path: Path) -> None:
    async with paper_exchange_server(some_books()) as paper:
        process = await a_process(tmp_path / "j", "full", paper.urls["clob"])
        verdict, count, reason = (await said_by(process)).split(maxsplit=2)
        await process.wait()
    assert verdict == "refused"
    assert "no new pair is opened" in reason
    async with a_journal(tmp_path / "j") as journal:
        assert len(await journal.open_orders(CONDITION)) == int(count) > 5
        await journal.record(intent_of("after", signed(1)))


async def test_a_locked_journal_is_an_error_after_a_while_and_works_again_when_it_is_free(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        other = sqlite3.connect(tmp_path / "j", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalError, match="locked"):
            await journal.record(intent_of("i", signed(1)))
        other.execute("ROLLBACK")
        other.close()
        await journal.record(intent_of("i", signed(1)))


async def test_a_damaged_journal_is_refused_and_left_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "j"
    async with a_journal(path) as journal:
        for number in range(40):
            await journal.record(intent_of(f"i{number}", signed(number)))
    damaged = bytearray(path.read_bytes())
    damaged[4096:12288] = os.urandom(8192)
    path.write_bytes(damaged)
    with pytest.raises(JournalError, match="damaged") as failure:
        await Journal.open(path, clock=SystemClock())
    assert "reconcile" in str(failure.value)
    assert path.read_bytes() == damaged


async def test_a_damaged_journal_is_set_aside_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b"this was never a database, but it is long enough to be looked at" * 99)
    with pytest.raises(JournalError, match="damaged"):
        await Journal.open(path, clock=SystemClock())
    aside = set_aside(path, now_ms=7)
    assert aside.read_bytes().startswith(b"this was never")
    assert not path.exists()
    async with a_journal(path) as journal:
        assert await journal.intents(CONDITION, 0) == []


async def test_the_database_of_another_program_is_not_touched(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "j")
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    before = (tmp_path / "j").read_bytes()
    with pytest.raises(JournalError, match="another program"):
        await Journal.open(tmp_path / "j", clock=SystemClock())
    assert (tmp_path / "j").read_bytes() == before


async def test_a_journal_of_another_version_is_refused(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j"):
        pass
    newer = sqlite3.connect(tmp_path / "j")
    newer.execute("PRAGMA user_version = 2")
    newer.commit()
    newer.close()
    with pytest.raises(JournalError, match="version 2"):
        await Journal.open(tmp_path / "j", clock=SystemClock())


async def test_a_journal_that_has_no_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="folder"):
        await Journal.open(tmp_path / "missing" / "j", clock=SystemClock())


@pytest.fixture
def folder_of_somebody_else() -> Iterator[Path]:
    """A folder with a journal that this process may read and not write; even root steps down for it."""
    folder = Path(tempfile.mkdtemp())
    was_root = os.geteuid() == 0
    sqlite3.connect(folder / "j").close()
    (folder / "j").chmod(0o444)
    folder.chmod(0o555)
    if was_root:
        os.seteuid(65_534)
    try:
        yield folder
    finally:
        if was_root:
            os.seteuid(0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


async def test_a_journal_that_may_only_be_read_is_refused_before_anything_is_traded(folder_of_somebody_else: Path) -> None:
    with pytest.raises(JournalError, match="writ"):
        await Journal.open(folder_of_somebody_else / "j", clock=SystemClock())


async def test_a_closed_journal_says_so(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "j", clock=SystemClock())
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        await journal.open_orders(CONDITION)


async def test_the_journal_works_on_its_own_thread_and_is_durable(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        seen: list[str] = []
        await journal._run(lambda: seen.append(threading.current_thread().name))
        assert seen[0].startswith("journal")
        settings = await journal._run(
            lambda: [journal._store._pragma("synchronous"), journal._store._db.execute("PRAGMA journal_mode").fetchone()[0]]
        )
        assert settings == [2, "wal"]


async def test_a_cancelled_record_is_still_written(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        task = asyncio.ensure_future(journal.record(intent_of("i", signed(1))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert [found.intent_id for found in await journal.intents(CONDITION, 0)] == ["i"]
