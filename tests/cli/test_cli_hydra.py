"""`kabobagool hydra` as a user meets it: a process, its first line, the targets file, its signals, its last words and its exit status."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.fleet_rig import PAIR, FleetProcess, FleetVenue, cheap_markets, fleet_process, venue_for_a_fleet

from paper_exchange.faults import Fault, FaultKind


def targets(venue: FleetVenue) -> Any:
    return json.loads((venue.folder / "targets" / "hydra.json").read_text())


def holding(status: Mapping[str, Any]) -> int:
    """How many markets hold a whole pair that is settled."""
    return sum(row["bot"]["position"]["pairs"] == "10" and not row["bot"]["unsettled_orders"] for row in status["markets"])


async def failed(venue: FleetVenue, **env: str) -> tuple[int, str]:
    """Exit status and last words of a fleet that does not start."""
    process = FleetProcess(venue, **env)
    try:
        await process.start(announced=False)
        status, said = await process.ended()
    finally:
        await process.put_away()
    assert "Traceback" not in said
    return status, said


async def test_a_fleet_trades_many_markets_and_on_sigterm_says_what_stays_and_ends_with_status_0(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue, fleet_process(venue) as process:
        facts = process.facts
        assert facts["live"] is True
        assert facts["url"] == f"http://127.0.0.1:{facts['port']}/"
        assert facts["token"]
        assert targets(venue) == [{"targets": [f"127.0.0.1:{facts['port']}"], "labels": {"job": "kabobagool", "mode": "live"}}]
        await process.until_status(lambda found: holding(found) == 2, "both hold a pair")
        process.terminate()
        status, said = await process.ended()
        assert status == 0, said
        assert sorted(line.partition(",")[0] for line in said.splitlines() if line.startswith("left:")) == [
            "left: one-0: 10 pairs",
            "left: one-1: 10 pairs",
        ]
        assert targets(venue) == [], "nobody scrapes a process that is gone"
        assert venue.held("one-0") == venue.held("one-1") == (PAIR, PAIR)
        venue.nothing_was_sent_twice()
        assert venue.key[2:] not in said
        assert facts["token"] not in said, "a secret is no log line"


async def test_a_stop_with_a_reply_that_is_lost_in_that_moment_still_hedges_and_ends_with_status_0(tmp_path: Path) -> None:
    lost = Fault(FaultKind.REPLY_DROPPED, filled=True)
    async with venue_for_a_fleet(tmp_path, cheap_markets(2), faults=[lost], speed=20) as venue:
        async with fleet_process(venue, DRAIN_TIMEOUT_S="120") as process:
            await venue.until(lambda: venue.posts, "an order")
            process.terminate()
            status, said = await process.ended()
            assert status == 0, said
        assert all(yes == no for yes, no in (venue.held("one-0"), venue.held("one-1")))
        assert venue.filled() >= 2
        venue.nothing_was_sent_twice()


async def test_a_leg_that_had_to_be_left_naked_ends_the_process_with_status_1(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue:

        def close_before_the_second(number: int) -> None:
            if number == 2:
                venue.paper.venue.close(venue.listed("one-0"))

        venue.wire.on_order = close_before_the_second
        async with fleet_process(venue, DRAIN_TIMEOUT_S="4") as process:
            await process.until_status(lambda found: any(row["bot"]["state"] == "orphan" for row in found["markets"]), "a naked leg")
            process.terminate()
            status, said = await process.ended()
        assert status == 1
        [left] = [line for line in said.splitlines() if line.startswith("left:")]
        assert "10 NO without a partner" in left or "10 YES without a partner" in left


async def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue:
        venue.wire.replies_may_pass.clear()
        async with fleet_process(venue, DRAIN_TIMEOUT_S="86400", REQUEST_TIMEOUT_S="100") as process:
            await venue.until(lambda: venue.filled() == 1, "a first leg whose reply is on its way")
            process.terminate()
            await process.until_status(lambda found: found["state"] == "draining", "it waits for the hedge, for up to a day")
            process.terminate()
            status, _ = await process.ended()
        assert status == -15
        venue.wire.replies_may_pass.set()


async def test_a_simulated_fleet_sends_nothing_and_its_labels_and_first_line_say_so(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue, fleet_process(venue, DRY_RUN="true") as process:
        assert process.facts["live"] is False
        assert targets(venue)[0]["labels"]["mode"] == "dry_run"
        await process.until_status(lambda found: holding(found) == 1, "a simulated pair")
        assert venue.posts == 0
        process.terminate()
        assert (await process.ended())[0] == 0


async def test_other_users_can_read_the_targets_file_and_no_half_of_it_is_ever_there(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue, fleet_process(venue, DRY_RUN="true"):
        file = venue.folder / "targets" / "hydra.json"
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
        assert os.listdir(file.parent) == [file.name], "what it was written to first is gone"


async def test_a_targets_path_that_cannot_be_written_is_named_with_the_fix(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue:
        status, said = await failed(venue, TARGETS_PATH=str(tmp_path / "file" / "targets.json"))
        assert status == 1
        assert f"TARGETS_PATH={tmp_path / 'file' / 'targets.json'}: cannot be written" in said
        assert "name a file in a folder this user may write to" in said


async def test_a_venue_that_is_not_there_and_criteria_nothing_can_meet_end_the_start_with_one_clear_line(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue:
        status, said = await failed(venue, HOST="http://127.0.0.1:9", REQUEST_TIMEOUT_S="0.2")
        assert status == 1
        assert "127.0.0.1/version" in said
        status, said = await failed(venue, MIN_DURATION_HOURS="9", MAX_DURATION_HOURS="3")
        assert status == 2
        assert "MIN_DURATION_HOURS" in said
