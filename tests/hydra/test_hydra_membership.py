"""Who is in the fleet: markets join and leave as discovery says, without haste, without disturbing others, and never with a position."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.faults.fault_books import calm
from tests.support.fleet_rig import PAIR, FleetRig, FleetVenue, cheap_markets, fleet, fleet_on, venue_for_a_fleet
from tests.support.paper import ScriptedBooks

from kabobagool.discovery.criteria import Criteria
from kabobagool.telemetry.health import HealthReason

BY_DURATION = {"MIN_DURATION_HOURS": "0.05", "MAX_DURATION_HOURS": "0.5", "RETIRE_AFTER_S": "15"}
"""From 180 to 1800 seconds before its end a market qualifies."""


def quiet_market(slug: str, *, ends_after_s: int = 3600) -> ScriptedBooks:
    """A market whose books move and in which there is nothing to buy."""
    return ScriptedBooks(calm(), slug=slug, ends_after_ms=ends_after_s * 1000)


def sees(venue: FleetVenue, slug: str) -> bool:
    """Whether the venue sends anybody this market's frames."""
    return bool(venue.paper.venue.market_sockets.listening(venue.listed(slug).tokens))


def why(rig: FleetRig, slug: str) -> str | None:
    """Why the roster would let a market go."""
    watched = rig.supervisor.rounds.roster.watched.get(rig.listed(slug).condition_id)
    return None if watched is None or watched.reason is None else watched.reason.value


def ask_for_more(rig: FleetRig) -> None:
    """From the next round on no market of the exchange lasts long enough."""
    rig.supervisor.rounds.criteria = replace(rig.supervisor.rounds.criteria, min_duration_ms=24 * 3_600_000)


async def test_markets_join_when_they_qualify_and_leave_when_they_missed_the_criteria_for_a_while(tmp_path: Path) -> None:
    books = [quiet_market("early", ends_after_s=320), quiet_market("late", ends_after_s=1920), quiet_market("stays", ends_after_s=1500)]
    async with fleet(tmp_path, books, variables=BY_DURATION, speed=20) as rig:
        await rig.until_running("early", "stays")
        assert rig.phase("late") == "gone"
        await rig.until(lambda: why(rig, "early") == "ends_too_soon", "the first round that it misses")
        assert rig.phase("early") == "running", "one round is no reason"
        await rig.until(lambda: rig.phase("early") == "gone", "it missed them for long enough")
        assert rig.left()["early"].reason == "ends_too_soon"
        await rig.until_running("late")
        await rig.until(lambda: (sees(rig, "early"), sees(rig, "late"), sees(rig, "stays")) == (False, True, True), "the venue was told")
        assert rig.row("stays").restarts == 0
        assert rig.wire.socket_connects == 1


@pytest.mark.parametrize("dry_run", ["false", "true"])
async def test_a_market_that_holds_a_position_stays_however_long_it_misses_the_criteria(tmp_path: Path, dry_run: str) -> None:
    async with fleet(tmp_path, cheap_markets(1), variables={"RETIRE_AFTER_S": "0", "DRY_RUN": dry_run}) as rig:
        await rig.until(lambda: rig.tasks and rig.tasks["one-0"].position.pairs == PAIR, "a pair")
        ask_for_more(rig)
        await rig.until(lambda: why(rig, "one-0") == "ends_too_soon", "it misses the criteria")
        await rig.venue_seconds(20)
        assert rig.phase("one-0") == "running"
        assert rig.tasks["one-0"].position.pairs == PAIR


async def test_a_closed_market_without_a_position_goes_at_once(tmp_path: Path) -> None:
    async with fleet(tmp_path, [quiet_market("a"), quiet_market("b")], variables={"RETIRE_AFTER_S": "3600"}) as rig:
        await rig.until_running("a", "b")
        rig.paper.venue.close(rig.listed("a"))
        await rig.until(lambda: rig.phase("a") == "gone", "gone with the next round")
        assert rig.left()["a"].reason == "closed"
        assert rig.phase("b") == "running"


async def test_markets_that_come_and_go_while_frames_pour_in_disturb_no_other_and_leave_no_task_behind(tmp_path: Path) -> None:
    books = [quiet_market(slug) for slug in ("stays", "guest-0", "guest-1", "guest-2")]
    async with fleet(tmp_path, books, variables={"RETIRE_AFTER_S": "0", "DISCOVERY_INTERVAL_S": "1"}, speed=20) as rig:
        everybody = rig.supervisor.rounds.criteria
        only_one = replace(everybody, patterns=("stays",))
        await _switch(rig, everybody, 4)
        bot, tasks = rig.tasks["stays"].bot, len(_fleet_tasks())
        for _ in range(4):
            await _switch(rig, only_one, 1)
            await _switch(rig, everybody, 4)
        assert len(_fleet_tasks()) == tasks
        assert bot is not None
        assert rig.tasks["stays"].bot is bot, "the same bot all the time"
        counters = rig.supervisor.fleet.counters
        assert (counters.connects, counters.resubscribed) == (1, 0)
        seen = bot.engine.strategy.ticks
        await rig.until(lambda: bot.engine.strategy.ticks > seen, "still fed")


async def _switch(rig: FleetRig, criteria: Criteria, markets: int) -> None:
    rig.supervisor.rounds.criteria = criteria
    await rig.until(lambda: len(rig.tasks) == markets and all(task.alive for task in rig.tasks.values()), f"{markets} markets")
    await rig.until(lambda: sum(rig.supervisor.fleet.sockets()) == markets, f"{markets} markets fed")


def _fleet_tasks() -> "list[asyncio.Task[object]]":
    return [task for task in asyncio.all_tasks() if task.get_name().startswith(("market ", "engine", "feed"))]


async def test_an_outage_of_the_catalogue_retires_nobody_and_is_shown(tmp_path: Path) -> None:
    async with fleet(tmp_path, [quiet_market("a"), quiet_market("b")], variables={"RETIRE_AFTER_S": "0"}) as rig:
        await rig.until_running("a", "b")
        rig.wire.broken[b"GET /gamma"] = 500
        await rig.until(lambda: rig.supervisor.rounds.failures >= 4, "several rounds failed")
        assert [rig.phase(slug) for slug in "ab"] == ["running", "running"]
        trouble = (await rig.supervisor.fleet.snapshot()).discovery.trouble
        assert trouble is not None
        assert "500" in trouble
        await rig.until(lambda: rig.supervisor.fleet.health().healthy, "markets that trade are no reason to restart the process")
        assert rig.supervisor.rounds.failures >= 4
        rig.wire.broken.clear()
        await rig.until(lambda: rig.supervisor.rounds.trouble is None, "it looks again")


async def test_a_defect_of_discovery_itself_is_shown_and_stops_no_market(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet(tmp_path, cheap_markets(1)) as rig:
        await rig.until_running("one-0")

        async def broken(*arguments: object, **named: object) -> None:
            raise KeyError("conditionId")

        monkeypatch.setattr("kabobagool.hydra.rounds.discover", broken)
        await rig.until(lambda: rig.supervisor.rounds.trouble == "KeyError: 'conditionId'", "said")
        await rig.until_pair("one-0")
        assert rig.phase("one-0") == "running"
        monkeypatch.undo()
        await rig.until(lambda: rig.supervisor.rounds.trouble is None, "it looks again")


async def test_a_fleet_that_finds_no_market_because_the_catalogue_is_away_is_unhealthy_and_recovers_by_itself(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, [quiet_market("a")]) as venue:
        venue.wire.broken[b"GET /gamma"] = 500
        async with fleet_on(venue) as rig:
            await rig.until(lambda: rig.supervisor.fleet.health().reasons == (HealthReason.DISCOVERY_FAILS,), "unhealthy")
            venue.wire.broken.clear()
            await rig.until_running("a")
            await rig.until(lambda: rig.supervisor.fleet.health().healthy, "healthy again")


async def test_health_is_about_the_prices_of_all_and_not_of_one(tmp_path: Path) -> None:
    books = [quiet_market("a"), ScriptedBooks(calm(until_s=4), slug="b")]
    async with fleet(tmp_path, books, variables={"HEALTH_PRICE_STALENESS_THRESHOLD": "6"}) as rig:
        await rig.until_running("a", "b")
        rig.wire.broken[b"POST /books"] = 500  # a quiet book cannot be confirmed, so it grows old
        bot = rig.tasks["b"].bot
        assert bot is not None
        fleet_health = rig.supervisor.fleet.health
        await rig.until(lambda: not bot.health().healthy and fleet_health().healthy, "one market's prices are old, the others' are young")
        await rig.wire.go_down()
        await rig.until(lambda: not rig.supervisor.fleet.health().healthy, "nobody has prices")
        await rig.wire.start()
        await rig.until(lambda: rig.supervisor.fleet.health().healthy, "prices are back")
