"""What the doctor says about the order journal: real files, real locks."""

import asyncio
import fcntl
import os
import sqlite3
import sys
from pathlib import Path

import pytest
from tests.doctor.doctor_rig import BOOKS, FAILURE, LIVE, OK, WARNING, environment, examined, levels
from tests.support.paper import paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.execution.journal import Journal

HOLD = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN EXCLUSIVE'); print('held', flush=True); sys.stdin.read()"


async def test_a_journal_that_is_not_there_yet_is_not_created_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE, JOURNAL_PATH=str(tmp_path / "deep" / "er" / "journal.sqlite")))
    assert report["journal"].level is OK
    assert "can be created" in report["journal"].what
    assert os.listdir(tmp_path) == []


async def test_a_journal_in_use_is_opened_and_its_unfinished_orders_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await (await Journal.open(path, clock=SystemClock())).close()
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
        unnamed = await examined(environment(paper, tmp_path, **LIVE, MARKET_SLUG=""))
    assert report["journal"].level is unnamed["journal"].level is OK
    assert "0 unfinished orders" in report["journal"].what
    assert "undamaged" in unnamed["journal"].what


async def test_a_market_another_process_trades_fails_live_and_warns_a_dry_run(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        holder = await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())
        await holder.claim(paper.market.condition_id)
        live = await examined(environment(paper, tmp_path, **LIVE))
        dry = await examined(environment(paper, tmp_path))
        await holder.release(paper.market.condition_id)
        free = await examined(environment(paper, tmp_path, **LIVE))
        await holder.claim(paper.market.condition_id)
        await holder.close()
    assert levels(live, FAILURE) == {"journal"}
    assert "another process trades market" in live["journal"].what
    assert dry["journal"].level is WARNING
    assert free["journal"].level is OK


async def test_the_examination_lets_go_of_the_market(tmp_path: Path) -> None:
    await (await Journal.open(tmp_path / "journal.sqlite", clock=SystemClock())).close()
    async with paper_exchange_server(BOOKS) as paper:
        await examined(environment(paper, tmp_path, **LIVE))
    locks = [name for name in os.listdir(tmp_path) if name.endswith(".lock")]
    assert len(locks) == 1
    descriptor = os.open(tmp_path / locks[0], os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)


async def test_a_journal_another_process_has_locked_fails(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    await (await Journal.open(path, clock=SystemClock())).close()
    pipe = asyncio.subprocess.PIPE
    holder = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, str(path), stdin=pipe, stdout=pipe)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
    await holder.communicate(b"")
    assert report["journal"].level is FAILURE
    assert "locked" in report["journal"].what


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database, whatever its name says" * 100)


def folder(path: Path) -> None:
    path.mkdir()


def broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "missing" / "elsewhere.sqlite")


@pytest.mark.parametrize("make", [garbage, folder, broken_link])
async def test_something_else_at_the_path_fails_and_is_left_as_it_is(make: object, tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    assert callable(make)
    make(path)
    before = path.read_bytes() if path.is_file() else b""
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
    assert levels(report, FAILURE) == {"journal"}
    assert str(path) in report["journal"].what
    assert (path.read_bytes() if path.is_file() else b"") == before


async def test_the_database_of_another_program_fails_and_keeps_what_is_in_it(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    database.execute("CREATE TABLE recipes (name TEXT)")
    database.execute("INSERT INTO recipes VALUES ('soup')")
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE))
    assert levels(report, FAILURE) == {"journal"}
    assert "another program's database" in report["journal"].what
    assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("recipes",)]
    assert database.execute("SELECT * FROM recipes").fetchall() == [("soup",)]
    database.close()


async def test_a_path_below_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE, JOURNAL_PATH=str(tmp_path / "file" / "journal.sqlite")))
    assert levels(report, FAILURE) == {"journal"}
    assert "cannot be created" in report["journal"].what
    assert "JOURNAL_PATH" in report["journal"].fix


async def test_a_file_system_that_takes_no_files_fails(tmp_path: Path) -> None:
    async with paper_exchange_server(BOOKS) as paper:
        report = await examined(environment(paper, tmp_path, **LIVE, JOURNAL_PATH="/proc/kabobagool/journal.sqlite"))
    assert levels(report, FAILURE) == {"journal"}
