"""Whoever watches a wallet's bots reads on its server what each of them does, and reporting it never gets in the way of trading."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gate.redis_servers import Server
from tests.support.bot_rig import Venue, bot_on, trading, venue_for_a_bot
from tests.support.fleet_rig import cheap_markets, fleet_on, venue_for_a_fleet
from tests.trading.gate_rig import bot_on_host, lease_of, link_to, long_awake, on_host, patient, said_by_gate, valkey

from kabobagool.clock import SystemClock
from kabobagool.domain.money import format_micros
from kabobagool.gate.interface import Lease
from kabobagool.gate.redis_status import KEPT_MS, BotStatus, StatusBoard
from kabobagool.settings import load_settings
from kabobagool.trading.gate_choice import open_gate
from kabobagool.trading.status_report import LOOK_EVERY_S, status_of

PAIR = 10_000_000
SPEED = 20


async def board(server: Server, wallet: str) -> tuple[BotStatus, ...]:
    """What all bots of the wallet reported."""
    async with link_to(server, wallet) as link:
        return tuple(report.status for report in await StatusBoard(link, clock=SystemClock()).read())


async def the_only_pair(server: Server, venue: Venue) -> BotStatus:
    """The report of the venue's bot, once it tells of a whole pair."""
    async with asyncio.timeout(60):
        while not any(status.yes_shares == status.no_shares == PAIR for status in await board(server, venue.address)):
            await asyncio.sleep(0.1)
    (status,) = await board(server, venue.address)
    return status


async def gate_status(server: Server, wallet: str, *more: str) -> str:
    """What `kabobagool gate status` prints, with no key at hand."""
    return await said_by_gate(server, "status", "--wallet", wallet, *more)


async def test_a_report_is_what_the_bot_knows_and_holds_no_key(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=SPEED) as rig:
        await rig.until_pairs(1)
        await rig.settled()
        status, position = status_of(rig.bot, "me"), rig.bot.engine.tracker.position
        assert (status.market, status.holder, status.mode) == (rig.paper.market.condition_id, "me", "live")
        assert (status.yes_shares, status.no_shares) == rig.shares()
        assert status.locked_profit == position.locked_profit != 0
        assert (status.phase, status.pair_cost) == (rig.state.value, rig.bot.pair_cost_micros())
        assert status.last_fill_ms == rig.bot.engine.tracker.last_fill_ms is not None
        assert status.feed_age_ms is not None
        assert status.feed_age_ms % 1000 == 0, "else it would be new at every look"
        assert rig.key.removeprefix("0x") not in msgspec.json.encode(status).decode()
        rig.bot.engine.degrade("a person must look")
        assert status_of(rig.bot, "me").reasons == ("a person must look",)


async def test_a_bot_alone_is_shown_by_gate_status_as_the_holder_of_its_market(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            assert "no bot reports" in await gate_status(server, venue.address)
            async with bot_on_host(venue, server, "host"):
                reported = await the_only_pair(server, venue)
                lease = await lease_of(server, venue)
                assert lease is not None
                (shown,) = json.loads(await gate_status(server, venue.address, "--json"))["bots"]
                assert (shown["market"], shown["holder"]) == (venue.paper.market.condition_id, lease.holder)
                assert (shown["mode"], shown["shares_yes"], shown["shares_no"]) == ("live", "10", "10")
                assert shown["locked_profit"] == format_micros(reported.locked_profit)
                assert shown["reported"].endswith("+00:00")
                table = await gate_status(server, venue.address)
                assert "bot on market" in table
                assert " live " in table


async def test_every_bot_of_a_fleet_reports_its_own_market(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_fleet(tmp_path, cheap_markets(2)) as venue:
            await long_awake(server, venue.address)
            async with fleet_on(venue, **on_host(venue, server, "host")) as fleet:
                for slug in ("one-0", "one-1"):
                    await fleet.until_pair(slug)
                async with asyncio.timeout(30):
                    while len({status.market for status in await board(server, venue.address) if status.yes_shares}) < 2:
                        await asyncio.sleep(0.1)
                assert len({status.holder for status in await board(server, venue.address)}) == 1, "one process, one name"


async def test_a_server_that_dies_stops_no_bot_and_hears_of_it_again_when_it_is_back(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on(venue, **on_host(venue, server, "host")) as rig:
                await the_only_pair(server, venue)
                server.kill()
                await asyncio.sleep(LOOK_EVERY_S)  # a look meets no server
                server.start()
                assert server.admin.keys("*status*") == [], "nothing is left of what was reported before"
                await the_only_pair(server, venue)
                assert not rig.run.done()


async def test_reports_that_the_server_forbids_do_not_count_against_the_gate_and_the_log_says_that_only_they_are_missing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with valkey() as server:
        server.admin.acl_setuser("mute", enabled=True, nopass=True, keys=["*:gate", "*:halts", "*:leases", "*:stakes"], commands=["+@all"])
        settings = load_settings({"MARKET_SLUG": "rain", "REDIS_URL": patient(server.url.replace("redis://", "redis://mute:any@"))})
        await long_awake(server, "0xabc")
        at_gate = await open_gate(settings, "0xabc", clock=SystemClock(), rng=random.Random(1))
        try:
            assert at_gate.shared is not None
            assert at_gate.reporter is not None
            async with trading(tmp_path, speed=SPEED) as rig:
                at_gate.reporter.follow(rig.bot)
                for _ in range(5):
                    await at_gate.reporter.look()
                assert await board(server, "0xabc") == ()
                assert not at_gate.shared.link.broken
                assert "the shared gate cannot be reached: reports of bots are not written" in caplog.text
                async with asyncio.timeout(30):  # on a busy machine an answer can be later than a gate waits for one
                    while not isinstance(await at_gate.gate.take_lease("m"), Lease):
                        await asyncio.sleep(0.1)
        finally:
            await at_gate.close()


async def test_a_bot_that_stopped_in_order_is_listed_no_more_and_a_killed_one_until_its_report_disappears(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "host") as bot:
                await the_only_pair(server, venue)
                bot.terminate()
                status, said = await bot.ended()
                assert status == 0, said
            assert json.loads(await gate_status(server, venue.address, "--json"))["bots"] == []
            async with bot_on_host(venue, server, "host") as bot:
                await the_only_pair(server, venue)
                bot.kill()
                await bot.ended()
            assert len(await board(server, venue.address)) == 1
            (report,) = (key for key in server.admin.scan_iter("*") if ":status:" in key)
            assert 0 < server.admin.pttl(report) <= KEPT_MS


async def test_a_bot_that_closed_is_reported_no_more(tmp_path: Path) -> None:
    with valkey() as server:
        settings = load_settings({"MARKET_SLUG": "rain", "REDIS_URL": patient(server.url)})
        at_gate = await open_gate(settings, "0xabc", clock=SystemClock(), rng=random.Random(1))
        try:
            reporter: Any = at_gate.reporter
            async with trading(tmp_path, speed=SPEED) as rig:
                reporter.follow(rig.bot)
                await reporter.look()
                assert [status.market for status in await board(server, "0xabc")] == [rig.bot.market.condition_id]
                await reporter.forget(rig.bot)
                assert await board(server, "0xabc") == ()
                rig.bot.engine.degrade("something new")
                await reporter.look()
                assert await board(server, "0xabc") == ()
        finally:
            await at_gate.close()
