"""A halt outlives everything: the server that forgets it while every program that knew of it is dead, and the program that kept it."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.gate.redis_rig import gate_on
from tests.gate.redis_servers import Server
from tests.support.bot_rig import venue_for_a_bot
from tests.trading.gate_rig import bot_on_host, long_awake, valkey

from kabobagool.clock import SystemClock
from kabobagool.execution.journal import Journal, JournalError
from kabobagool.gate.interface import WALLET, Halt, KeptHalts
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.gate_choice import GateAwayError
from kabobagool.trading.halts_on_disk import HaltsOnDisk, keep_halts
from kabobagool_operator import gate_marks

ADDRESS = "0xabc"
Lift = Callable[[RedisGate], Awaitable[None]]


@asynccontextmanager
async def program_on(server: Server, folder: Path) -> AsyncIterator[RedisGate]:
    """What a live program has of the wallet's gate, its journal in this folder."""
    gate = gate_on(server, wallet=ADDRESS, holder="bot", timeout_s=20.0, interval_us=0)
    journal = await Journal.open(folder / "journal.sqlite", clock=SystemClock())
    try:
        await keep_halts(gate, journal)
        yield gate
    finally:
        await journal.close()
        await gate.close()


@asynccontextmanager
async def person_at(server: Server, wallet: str = ADDRESS) -> AsyncIterator[RedisGate]:
    """Somebody who keeps nothing anywhere."""
    gate = gate_on(server, wallet=wallet, holder="person", timeout_s=20.0)
    try:
        yield gate
    finally:
        await gate.close()


def whys(halts: tuple[Halt, ...]) -> list[str]:
    return [halt.why for halt in halts]


async def test_a_halt_that_the_server_forgot_while_every_program_was_dead_is_put_back_by_the_next_one(tmp_path: Path) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate:
            await gate.halt(scope=WALLET, who="me", why="news")
        server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert whys(await gate.halts()) == ["news"]
        async with person_at(server) as person:
            assert whys(await person.halts()) == ["news"]


async def test_a_halt_that_somebody_else_set_is_kept_once_it_was_seen(tmp_path: Path) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate, person_at(server) as person:
            await person.halt(scope="m", who="me", why="news")
            await gate.beat()
        server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert whys(await gate.halts()) == ["news"]


@pytest.mark.parametrize("forgets", [False, True])
async def test_a_halt_that_was_lifted_while_the_program_was_alive_never_comes_back(tmp_path: Path, forgets: bool) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate:
            await gate.halt(scope=WALLET, who="me", why="news")
            await gate.resume(scope=WALLET)
        if forgets:
            server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert await gate.halts() == ()


async def test_a_halt_that_was_lifted_while_the_program_was_dead_stays_lifted_when_the_server_remembers(tmp_path: Path) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate:
            await gate.halt(scope=WALLET, who="me", why="news")
        async with person_at(server) as person:
            await person.resume(scope=WALLET)
        async with program_on(server, tmp_path) as gate:
            assert await gate.halts() == ()
        server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert await gate.halts() == (), "and it is gone from the disk"


async def test_a_halt_that_was_lifted_while_the_program_was_dead_stays_lifted_though_the_server_forgot_when_another_one_lived(
    tmp_path: Path,
) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate:
            await gate.halt(scope=WALLET, who="me", why="news")
        (tmp_path / "other").mkdir()
        async with program_on(server, tmp_path / "other") as other:
            await other.resume(scope=WALLET)
            await other.halt(scope="m", who="me", why="more news")
            for _ in range(2):
                server.admin.flushall()
                await other.beat()
            async with program_on(server, tmp_path) as gate:
                assert whys(await gate.halts()) == ["more news"]
        server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert whys(await gate.halts()) == ["more news"], "and that is what its disk says now"


async def test_whoever_saw_the_halts_latest_is_believed_in_whatever_order_they_start(tmp_path: Path) -> None:
    for first, second in (("early", "late"), ("late", "early")):
        folders = {name: tmp_path / first / name for name in ("early", "late")}
        for folder in folders.values():
            folder.mkdir(parents=True)
        with valkey() as server:
            async with program_on(server, folders["late"]) as late:
                await late.halt(scope=WALLET, who="me", why="news")
                async with program_on(server, folders["early"]):
                    pass
                await late.resume(scope=WALLET)
                await late.halt(scope="m", who="me", why="more news")
            server.admin.flushall()
            async with program_on(server, folders[first]), person_at(server) as person:
                await person.halt(scope="n", who="me", why="since then")
                async with program_on(server, folders[second]) as gate:
                    assert whys(await gate.halts()) == ["more news", "since then"]


async def lift_as_a_bot_does(person: RedisGate) -> None:
    await person.resume(scope=WALLET)


async def lift_as_the_operators_page_does(person: RedisGate) -> None:
    await gate_marks.lift_halt(person.link, WALLET)


@pytest.mark.parametrize("lift", [lift_as_a_bot_does, lift_as_the_operators_page_does])
async def test_what_was_lifted_after_it_was_put_back_is_not_brought_back_by_a_disk_that_saw_it_too(tmp_path: Path, lift: Lift) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with valkey() as server:
        async with program_on(server, folders[0]) as gate:
            await gate.halt(scope=WALLET, who="me", why="news")
        async with program_on(server, folders[1]):
            pass
        server.admin.flushall()
        async with program_on(server, folders[0]) as gate, person_at(server) as person:
            assert whys(await gate.halts()) == ["news"]
            await lift(person)
            async with program_on(server, folders[1]) as other:
                assert await other.halts() == ()


async def test_a_full_disk_keeps_no_halt_from_being_set_is_said_once_and_is_made_up_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with valkey() as server:
        async with program_on(server, tmp_path) as gate:
            blocker = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
            blocker.execute("PRAGMA busy_timeout = 0")
            blocker.execute("BEGIN IMMEDIATE")
            await gate.halt(scope=WALLET, who="me", why="news")
            await gate.beat()
            assert len([record for record in caplog.records if "not kept on this disk" in record.message]) == 1
            blocker.execute("ROLLBACK")
            blocker.close()
            await gate.beat()
        server.admin.flushall()
        async with program_on(server, tmp_path) as gate:
            assert whys(await gate.halts()) == ["news"]


async def test_who_cannot_know_what_is_halted_does_not_start(tmp_path: Path) -> None:
    with valkey() as server:
        gate = gate_on(server, wallet=ADDRESS, holder="bot")
    journal = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
    with pytest.raises(GateAwayError, match="halts kept on this disk"):
        await keep_halts(gate, journal)
    await journal.close()
    await gate.close()


@pytest.mark.parametrize(
    ("damage", "said"),
    [("DROP TABLE halts", "no such table: halts"), ("INSERT INTO halts VALUES (1, '[]')", "was not written by this program")],
)
async def test_a_journal_whose_halts_cannot_be_read_is_refused(tmp_path: Path, damage: str, said: str) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
    journal._store._db.execute(damage)
    with pytest.raises(JournalError, match=said):
        await HaltsOnDisk(journal).kept_halts()
    await journal.close()


async def test_a_journal_of_an_older_program_gets_a_place_for_halts(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
    journal._store._db.execute("DROP TABLE halts")
    await journal.close()
    journal = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
    assert await journal.kept_halts() == KeptHalts()
    kept = KeptHalts(seen_us=7, texts={WALLET: "1 text", "m": "2 text"})
    await journal.keep_halts(kept)
    assert await journal.kept_halts() == kept
    await journal.close()


async def test_a_bot_that_is_killed_while_its_wallet_is_halted_comes_back_halted_though_the_server_forgot(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=20) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "home") as bot, person_at(server, venue.address) as person:
                await venue.until(lambda: venue.filled() > 0, "the first fill")
                await person.halt(scope=WALLET, who="me", why="news")
                await until_kept(tmp_path / "home" / "journal.sqlite")
                bot.kill()
                await bot.ended()
            server.admin.flushall()
            async with bot_on_host(venue, server, "home"), person_at(server, venue.address) as person:
                assert whys(await person.halts()) == ["news"]


async def until_kept(path: Path) -> None:
    """The heartbeat writes it down."""
    journal = await Journal.open(path, clock=SystemClock())
    while not (await journal.kept_halts()).texts:
        await SystemClock().sleep(0.05)
    await journal.close()
