"""A fleet that takes over from an earlier process: what that one owns is looked after, whatever the criteria say now."""

import asyncio
from pathlib import Path

from tests.support.fleet_rig import PAIR, FleetRig, FleetVenue, cheap_markets, fleet_on, venue_for_a_fleet

NOTHING_NEW = {"MARKET_PATTERNS": "no-market-is-called-so"}


async def buy_a_pair_each(venue: FleetVenue, *slugs: str) -> None:
    """An earlier process: trades these markets and stops in good order."""
    async with fleet_on(venue, MARKET_PATTERNS=",".join(slugs)) as rig:
        await rig.until_pair(*slugs)
        assert await rig.stopped()


def owned(rig: FleetRig) -> dict[str, int]:
    """Pairs of every market in the fleet."""
    return {slug: task.position.pairs for slug, task in rig.tasks.items() if task.bot}


async def test_markets_of_an_earlier_process_are_taken_over_with_the_ledgers_positions(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(3)) as venue:
        await buy_a_pair_each(venue, "one-0", "one-1")
        async with fleet_on(venue, **NOTHING_NEW, RETIRE_AFTER_S="0") as rig:
            await rig.until(lambda: owned(rig) == {"one-0": PAIR, "one-1": PAIR}, "both are back")
            rig.agrees_with_the_ledger("one-0", "one-1")
            await rig.venue_seconds(20)
            assert set(rig.tasks) == {"one-0", "one-1"}, "what holds something stays"
            assert rig.posts == 4


async def test_a_fleet_that_was_killed_between_two_legs_is_followed_by_one_that_hedges(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
        venue.wire.replies_may_pass.clear()
        async with fleet_on(venue) as rig:
            await rig.until(lambda: rig.filled() >= 1, "a first leg filled, its reply is on its way")
            rig.run.cancel()
            await asyncio.wait({rig.run})
            venue.wire.replies_may_pass.set()
        naked = [slug for slug in ("one-0", "one-1") if venue.held(slug)[0] != venue.held(slug)[1]]
        assert naked
        async with fleet_on(venue, **NOTHING_NEW) as rig:
            await rig.until(lambda: all(rig.held(slug) == (PAIR, PAIR) for slug in naked), f"{naked} hedged")
            await rig.at_rest()
            rig.agrees_with_the_ledger()


async def test_a_venue_that_cannot_describe_them_at_the_start_only_delays_taking_them_over(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
        await buy_a_pair_each(venue, "one-0")
        venue.wire.broken[b"GET /gamma"] = 500
        async with fleet_on(venue, **NOTHING_NEW) as rig:
            await rig.until(lambda: rig.supervisor.rounds.failures >= 2, "the catalogue is away")
            assert not rig.tasks
            venue.wire.broken.clear()
            await rig.until(lambda: owned(rig) == {"one-0": PAIR}, "taken over as soon as it is back")
            rig.agrees_with_the_ledger("one-0")


async def test_a_market_that_closed_meanwhile_is_not_taken_up_and_stops_nobody(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
        await buy_a_pair_each(venue, "one-0", "one-1")
        venue.paper.venue.close(venue.listed("one-0"))
        async with fleet_on(venue, **NOTHING_NEW) as rig:
            await rig.until(lambda: owned(rig) == {"one-1": PAIR}, "the one that is open")
            await rig.until(lambda: rig.supervisor.fleet.state == "running", "and it goes on")


async def test_a_simulated_fleet_takes_nothing_over(tmp_path: Path) -> None:
    async with venue_for_a_fleet(tmp_path, cheap_markets(1)) as venue:
        await buy_a_pair_each(venue, "one-0")
        async with fleet_on(venue, **NOTHING_NEW, DRY_RUN="true") as rig:
            await rig.until(lambda: rig.supervisor.rounds.view().at_ms is not None, "a round of discovery")
            assert not rig.tasks
