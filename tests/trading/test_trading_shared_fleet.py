"""Two fleets of one wallet, in processes of their own: each market has one bot, the rate is one, and a stop stops both."""

from pathlib import Path

from tests.support.fleet_rig import cheap_markets, fleet_on, venue_for_a_fleet
from tests.trading.gate_rig import long_awake, on_host, valkey

from kabobagool.gate.interface import WALLET


async def test_a_market_that_another_fleet_trades_waits_says_who_and_is_taken_over_when_that_fleet_stops(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
            await long_awake(server, venue.address)
            async with fleet_on(venue, **on_host(venue, server, "first"), MARKET_PATTERNS="one-0") as first:
                await first.until_pair("one-0")
                async with fleet_on(venue, **on_host(venue, server, "second")) as second:
                    await second.until_pair("one-1")
                    await second.until(lambda: second.tasks["one-0"].trouble is not None, "one-0 refused")
                    assert second.phase("one-0") in ("waiting", "starting")
                    assert "another bot trades market one-0" in str(second.row("one-0").trouble)
                    assert second.phase("one-1") == "running", "the others do not mind"
                    first.agrees_with_the_ledger("one-0")
                    await first.stopped()
                    await second.until_running("one-0")
                    await second.until(lambda: second.believed("one-0") == second.true("one-0"), "what the first fleet bought is known")
                    assert venue.held("one-0") == venue.held("one-1")
                    second.agrees_with_the_ledger()


async def test_a_halt_on_the_page_of_one_fleet_stops_the_other_one_too(tmp_path: Path) -> None:
    room = {"BATCH_SIZE": "5", "MAX_POSITION_USD": "1000", "GLOBAL_ORDER_MIN_INTERVAL_S": "0.2"}
    with valkey() as server:
        async with venue_for_a_fleet(tmp_path, cheap_markets(2), speed=10) as venue:
            await long_awake(server, venue.address)
            first_env = on_host(venue, server, "first", MARKET_PATTERNS="one-0", **room)
            second_env = on_host(venue, server, "second", MARKET_PATTERNS="one-1", **room)
            async with fleet_on(venue, **first_env) as first, fleet_on(venue, **second_env) as second:
                await first.until(lambda: min(*venue.held("one-0"), *venue.held("one-1")) > 0, "both trade")
                await first.supervisor.fleet.halt(scope=WALLET, who="somebody", why="test")
                assert [halt.why for halt in (await second.supervisor.fleet.snapshot()).halts] == ["test"]
                await venue.venue_seconds(20)  # what had been granted before has left, on a busy machine too
                halted = venue.posts
                await venue.venue_seconds(30)
                assert venue.posts == halted, "three seconds, and fifteen orders would have left"
                await second.supervisor.fleet.resume(scope=WALLET, who="somebody else")
                await venue.until(lambda: venue.posts > halted, "the next order")
            venue.nothing_was_sent_twice()
