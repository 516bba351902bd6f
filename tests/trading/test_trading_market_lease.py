"""One market, one bot, wherever its processes run: the lease decides, and what the second bot does after the first one died is right."""

import asyncio
import signal
import sqlite3
from pathlib import Path

import aiohttp
from tests.faults.fault_books import cheap
from tests.gate.redis_rig import set_number
from tests.gate.redis_servers import Server, free_port
from tests.support.bot_rig import BotProcess, Venue, venue_for_a_bot
from tests.support.paper import ScriptedBooks
from tests.support.wire import wire_to
from tests.trading.gate_rig import bot_on_host, everything, lease_of, link_to, long_awake, on_host, refused, valkey

from kabobagool.domain.intent import Purpose
from kabobagool.domain.money import format_micros
from kabobagool.gate.limits import Limits
from kabobagool.gate.redis_link import Keys
from kabobagool.trading.gate_report import read_budget

SPEED = 20
TWO_PAIRS = {"MAX_POSITION_USD": "20"}
ALWAYS_WANTS_MORE = {"MAX_POSITION_USD": "900"}
CHEAP_FOR_LONG = ScriptedBooks(cheap(until_s=5_000))
PATIENCE_S = 60.0
"""A bot looks after its lease every ten seconds, and a look that a busy machine makes too late is made again ten seconds later."""


async def free_lease(server: Server, venue: Venue) -> None:
    """Until nobody holds the market any more."""
    async with asyncio.timeout(PATIENCE_S):
        while await lease_of(server, venue) is not None:
            await asyncio.sleep(0.2)


async def test_of_two_bots_on_one_market_exactly_one_trades_and_the_other_says_who_does(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first"):
                await venue.until(lambda: venue.filled() == 2, "a pair")
                said = await refused(venue, server, "second")
                lease = await lease_of(server, venue)
                assert lease is not None
                assert f"another bot trades market {venue.paper.market.slug}: {lease.holder}" in said
                assert f"lease {lease.number}" in said
                assert venue.posts == 2
            venue.nothing_was_sent_twice()


async def gave_up(bot: BotProcess, venue: Venue) -> None:
    """Until the bot has ended because it was replaced, and said so."""
    status, said = await bot.ended(patience_s=PATIENCE_S)
    assert status == 1, said
    assert f"another bot took over market {venue.paper.market.slug}" in said
    assert "Traceback" not in said


def journalled(venue: Venue, host: str) -> list[tuple[str, str]]:
    """Every order that this host's bot wrote down before it sent it: hash and purpose."""
    with sqlite3.connect(f"file:{venue.folder / host / 'journal.sqlite'}?mode=ro", uri=True) as journal:
        return list(journal.execute("SELECT order_hash, purpose FROM orders JOIN intents USING (intent_id)"))


def opened(venue: Venue, host: str) -> int:
    """How many orders of new pairs that bot wrote down."""
    return sum(purpose == Purpose.PAIR for _, purpose in journalled(venue, host))


async def without_the_gate(bot: BotProcess) -> None:
    """Until the bot knows that the gate does not answer."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(PATIENCE_S):
        while True:
            async with session.get(f"http://127.0.0.1:{bot.facts['port']}/metrics") as reply:
                if "gate_reachable 0" in await reply.text():
                    return
            await asyncio.sleep(0.1)


async def test_of_two_bots_that_start_in_the_same_moment_exactly_one_trades(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, CHEAP_FOR_LONG, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            hosts = ("first", "second")
            bots = [await BotProcess(venue, **on_host(venue, server, host)).start(announced=False) for host in hosts]
            try:
                endings = [asyncio.ensure_future(bot.process.wait()) for bot in bots]
                done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE_S)
                (loser,) = (number for number, ending in enumerate(endings) if ending in done)
                status, said = await bots[loser].ended()
                assert status == 1, said
                assert f"another bot trades market {venue.paper.market.slug}" in said
                await venue.until(lambda: venue.filled() == 2, "the pair of the other one", patience_s=PATIENCE_S)
                assert journalled(venue, hosts[loser]) == []
                assert len(journalled(venue, hosts[1 - loser])) == venue.posts == 2
                assert not endings[1 - loser].done()
            finally:
                for bot in bots:
                    await bot.put_away()
            venue.nothing_was_sent_twice()


async def test_a_bot_cut_off_from_the_gate_opens_nothing_and_ends_when_it_hears_again_that_another_one_trades(tmp_path: Path) -> None:
    with valkey() as server:
        async with wire_to(server.port) as wire, venue_for_a_bot(tmp_path, CHEAP_FOR_LONG, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first", redis_url=f"{wire.redis_url}?socket_timeout=1", **ALWAYS_WANTS_MORE) as first:
                await venue.until(lambda: venue.filled() >= 2, "a pair")
                wire.half_open()
                await without_the_gate(first)
                await venue.venue_seconds(2 * SPEED)  # whatever was granted before has left
                pairs = opened(venue, "first")
                await free_lease(server, venue)
                async with bot_on_host(venue, server, "second", **ALWAYS_WANTS_MORE) as second:
                    orders = journalled(venue, "first")
                    await venue.until(lambda: opened(venue, "second") >= 2, "a pair of the other bot", patience_s=PATIENCE_S)
                    assert first.process.returncode is None, "it is alive, and wants to trade as much as the other one"
                    assert opened(venue, "first") == pairs
                    assert journalled(venue, "first") == orders, "nor is anything hedged by two"
                    wire.mend()
                    await gave_up(first, venue)
                    assert journalled(venue, "first") == orders
                    assert second.process.returncode is None
            venue.nothing_was_sent_twice()


async def test_after_kill_9_the_next_bot_takes_over_when_the_lease_ends_with_a_higher_number_and_knows_the_position(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first") as first:
                await venue.until(lambda: venue.filled() == 2, "a pair")
                killed = await lease_of(server, venue)
                first.kill()
                await first.ended()
            assert killed is not None
            assert killed.holder in await refused(venue, server, "second"), "the dead bot is believed alive until its lease ends"
            await free_lease(server, venue)
            async with bot_on_host(venue, server, "second", **TWO_PAIRS) as second:
                lease = await lease_of(server, venue)
                assert lease is not None
                assert lease.number > killed.number
                await venue.until(lambda: venue.filled() == 4, "the second pair, and no third")
                status = await second.until_status(
                    lambda s: not s["unsettled_orders"] and s["position"]["shares_yes"] == "20", "both pairs"
                )
                assert status["position"]["shares_no"] == "20"
                assert venue.shares() == (20_000_000, 20_000_000)
            venue.nothing_was_sent_twice()


async def test_a_bot_that_stops_in_order_lets_the_next_one_have_the_market_at_once(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first") as first:
                held = await lease_of(server, venue)
                first.terminate()
                status, said = await first.ended()
                assert status == 0, said
            assert await lease_of(server, venue) is None
            async with bot_on_host(venue, server, "second"):
                lease = await lease_of(server, venue)
                assert held is not None
                assert lease is not None
                assert lease.number > held.number


async def test_what_a_market_has_at_stake_is_known_at_the_gate_again_when_its_next_bot_has_reconciled(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first") as first:
                await first.until_status(lambda s: s["fills"] == 2 and not s["unsettled_orders"], "a pair, settled")
                first.terminate()
                await first.ended()
            set_number(server, Keys(venue.address), "at_stake", 0)
            server.admin.delete(f"kabobagool:{{{venue.address}}}:stakes")
            async with bot_on_host(venue, server, "second") as second, link_to(server, venue.address) as link, asyncio.timeout(PATIENCE_S):
                spent = (await second.until_status(lambda s: s["position"]["pairs"] == "10", "the pair is known"))["position"]["spent"]
                while format_micros((await read_budget(link, Limits())).at_stake) != spent:
                    await asyncio.sleep(0.05)


async def test_a_bot_that_was_frozen_past_its_lease_ends_when_it_wakes_and_sends_nothing(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            async with bot_on_host(venue, server, "first", **TWO_PAIRS, BATCH_SIZE="5") as first:
                first.process.send_signal(signal.SIGSTOP)
                await free_lease(server, venue)
                async with bot_on_host(venue, server, "second"):
                    first.process.send_signal(signal.SIGCONT)
                    await gave_up(first, venue)
            venue.nothing_was_sent_twice()


async def test_a_server_that_is_not_there_is_named_at_the_start_with_the_way_out(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        bot = BotProcess(venue, REDIS_URL=f"redis://:hidden@127.0.0.1:{free_port()}/0")
        await bot.start(announced=False)
        status, said = await bot.ended()
        assert status == 1
        assert "REDIS_URL is set, but the server of the shared gate failed" in said
        assert "kabobagool doctor" in said
        assert "hidden" not in said
        assert "Traceback" not in said


async def test_a_dry_run_uses_no_budget_and_no_lease_of_the_live_wallet(tmp_path: Path) -> None:
    with valkey() as server:
        async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
            await long_awake(server, venue.address)
            await long_awake(server, "dry-run")
            async with bot_on_host(venue, server, "live"), bot_on_host(venue, server, "dry", DRY_RUN="true") as dry:
                await dry.until_status(lambda s: s["fills"] >= 2, "a simulated pair")
            assert {key.split("}")[0] for key in server.admin.scan_iter("*")} == {
                f"kabobagool:{{{venue.address}",
                "kabobagool:{dry-run",
            }
            secret = venue.key.removeprefix("0x")
            assert not any(secret in str(found) for found in everything(server).values()), "the key never leaves the process"
