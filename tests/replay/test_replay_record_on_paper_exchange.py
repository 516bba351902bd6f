"""`kabobagool record` on the paper exchange, as a process, and what a replay finds on the tape it wrote."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest
from tests.feed.feed_examples import eventually
from tests.replay.made_tapes import played, records_of
from tests.support.paper import PaperServer, ScriptedBooks, paper_exchange_server

from kabobagool.replay.tape import Closed, Frame, Joined, Opened
from kabobagool.replay.tape_reader import TapeReader
from paper_exchange.app import ServeOptions

SPEED = 20.0
OPTIONS = ServeOptions(port=0, speed=SPEED, markets=3, from_offset_ms=120_000, inject=24)
SMALL_DISK = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))
from kabobagool.cli.record import command
command()
"""
PLAIN = {"PATH": "/usr/bin:/bin", "LOG_FORMAT": "text", "LOG_LEVEL": "ERROR"}


def environment_of(paper: PaperServer, **more: str) -> dict[str, str]:
    urls = paper.urls
    venue = {"HOST": urls["clob"], "GAMMA_HOST": urls["gamma"], "MARKET_SOCKET_URL": urls["market_socket"]}
    wide = {"MIN_VOLUME": "0", "SPAWN_PAIR_COST": "2", "DISCOVERY_INTERVAL_S": "10"}
    return PLAIN | venue | wide | {"CLOCK_RATE": f"{paper.clock.speed:g}"} | more


async def start(paper: PaperServer, tape: Path, *arguments: str, **more: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kabobagool.cli.main", "record", "--out", str(tape), *arguments),
        env=environment_of(paper, **more),
        stdout=pipe,
        stderr=pipe,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def grown(tape: Path, least: int) -> None:
    """Until the tape is longer than that."""
    await eventually(lambda: tape.exists() and tape.stat().st_size > least, within_s=60)


async def test_what_a_fleet_would_have_seen_is_recorded_and_can_be_traded_on_again(tmp_path):
    tape = tmp_path / "fleet.tape"
    async with paper_exchange_server(options=OPTIONS) as paper:
        status, out, err = await ended(await start(paper, tape, "--for", "6s", "--json"))
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert sorted(told["markets"]) == sorted(market.slug for market in paper.exchange.markets)
    reader = TapeReader(tape)
    records = records_of(reader)
    assert isinstance(records[0], Opened)
    assert isinstance(records[-1], Closed)
    assert reader.torn is None
    assert told["bytes"] == reader.total_bytes
    assert told["frames"] == sum(isinstance(record, Frame) for record in records) > 30
    report = await asyncio.to_thread(played, tape)
    assert report.tape.closed
    assert (report.tape.gaps, report.tape.unreadable_frames) == ([], 0)
    assert report.totals.funnel.acted_on > 0
    assert report.totals.orders["filled"] > 0
    assert await asyncio.to_thread(played, tape) == report


async def test_a_signal_closes_the_tape_and_recording_to_it_again_leaves_a_gap(tmp_path):
    tape = tmp_path / "one.tape"
    scenes = [(step * 500, [("0.48", 100 + step)], [("0.52", 100)]) for step in range(2_000)]
    async with paper_exchange_server(ScriptedBooks(scenes), options=ServeOptions(port=0, speed=SPEED)) as paper:
        for stop in (signal.SIGTERM, signal.SIGINT):
            before = tape.stat().st_size if tape.exists() else 0
            process = await start(paper, tape, "--json", MARKET_SLUG="scripted")
            await grown(tape, before + 1_000)
            process.send_signal(stop)
            status, out, err = await ended(process)
            assert (status, err) == (0, "")
            assert json.loads(out)["continued"] == bool(before)
    kinds = [type(record) for record in records_of(TapeReader(tape)) if isinstance(record, Opened | Closed | Joined)]
    assert kinds == [Opened, Joined, Closed] * 2
    report = await asyncio.to_thread(played, tape)
    assert (report.tape.recordings, len(report.tape.gaps), len(report.markets)) == (2, 1, 1)


async def test_a_recorder_that_was_killed_leaves_a_tape_that_can_be_read_and_continued(tmp_path):
    tape = tmp_path / "one.tape"
    scenes = [(step * 200, [("0.48", 100 + step)], [("0.52", 100)]) for step in range(3_000)]
    async with paper_exchange_server(ScriptedBooks(scenes), options=ServeOptions(port=0, speed=SPEED)) as paper:
        process = await start(paper, tape, MARKET_SLUG="scripted")
        await grown(tape, 1_000)
        process.kill()
        await ended(process)
        cut = await asyncio.to_thread(played, tape)
        assert not cut.tape.closed
        assert cut.tape.frames > 0
        tape.write_bytes(tape.read_bytes()[:-5])  # and the power failed in the middle of a block
        status, out, _ = await ended(await start(paper, tape, "--for", "1s", "--json", MARKET_SLUG="scripted"))
    assert status == 0
    assert json.loads(out)["dropped_bytes"] > 0
    report = await asyncio.to_thread(played, tape)
    assert (report.tape.torn, report.tape.closed, len(report.tape.gaps)) == (None, True, 1)


async def test_a_connection_that_was_lost_is_on_the_tape(tmp_path):
    tape = tmp_path / "one.tape"
    scenes = [(step * 200, [("0.48", 100 + step)], [("0.52", 100)]) for step in range(3_000)]
    async with paper_exchange_server(ScriptedBooks(scenes), options=ServeOptions(port=0, speed=SPEED)) as paper:
        process = await start(paper, tape, "--for", "4s", "--json", MARKET_SLUG="scripted")
        await grown(tape, 1_000)
        paper.add_fault("disconnect", count=1)
        status, out, _ = await ended(process)
    assert status == 0
    assert json.loads(out)["lost_connections"] == 1
    report = await asyncio.to_thread(played, tape)
    assert report.tape.lost_connections == 1


async def test_a_full_disk_ends_the_recording_with_a_word_and_a_whole_tape(tmp_path):
    tape = tmp_path / "one.tape"
    scenes = [(step * 50, [("0.48", 100 + step)], [("0.52", 100)]) for step in range(12_000)]
    async with paper_exchange_server(ScriptedBooks(scenes), options=ServeOptions(port=0, speed=SPEED)) as paper:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SMALL_DISK, "--out", str(tape)),
            env=environment_of(paper, MARKET_SLUG="scripted"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        status, _, err = await ended(process)
    assert status == 1
    assert "the tape is whole up to here: make room and record to it again" in err
    assert "Traceback" not in err
    assert (await asyncio.to_thread(played, tape)).tape.torn is None


@pytest.mark.parametrize(
    ("arguments", "environment", "status", "said"),
    [
        (("--for", "ten minutes"), {}, 2, "'ten minutes' is no length of time; write a number above 0 and its unit: 90s, 10m, 2h, 1d"),
        (("--for", "0s"), {}, 2, "'0s' is no length of time"),
        ((), {"MARKET_SLUG": "nobody-knows-it"}, 1, "nobody-knows-it"),
        ((), {"MARKET_PATTERNS": "no-such-*"}, 1, "no market qualifies: `kabobagool discover` says why"),
    ],
)
async def test_what_cannot_be_recorded_is_said_and_leaves_no_tape_behind(tmp_path, arguments, environment, status, said):
    tape = tmp_path / "one.tape"
    async with paper_exchange_server(options=OPTIONS) as paper:
        code, _, err = await ended(await start(paper, tape, *arguments, **environment))
    assert code == status
    assert said in err
    assert "Traceback" not in err
    assert not tape.exists()


async def test_a_tape_somebody_else_writes_is_refused_before_anything_is_heard(tmp_path):
    tape = tmp_path / "one.tape"
    tape.write_bytes(b"my diary")
    async with paper_exchange_server(options=OPTIONS) as paper:
        code, _, err = await ended(await start(paper, tape, "--for", "1s"))
    assert code == 1
    assert "is no tape" in err
    assert tape.read_bytes() == b"my diary"
