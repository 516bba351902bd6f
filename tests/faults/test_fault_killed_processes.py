"""A bot that dies without a word between two of its steps: the next one learns from journal and venue, and buys nothing twice."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.bot_rig import PATIENCE_S, BotProcess, Rig, Venue, bot_on, process_on, venue_for_a_bot

from kabobagool.engine.market_engine import EngineState

SPEED = 20


def journalled(folder: Path) -> list[str]:
    """Hashes of all orders the journal knows."""
    with sqlite3.connect(f"file:{folder / 'journal.sqlite'}?mode=ro", uri=True) as journal:
        return [row[0] for row in journal.execute("SELECT order_hash FROM orders")]


@asynccontextmanager
async def killed_with_a_held_reply(folder: Path) -> AsyncIterator[Venue]:
    """A venue whose bot was killed when its first leg had filled and the reply was on its way."""
    async with venue_for_a_bot(folder, speed=SPEED) as venue:
        venue.wire.replies_may_pass.clear()
        async with process_on(venue) as first:
            await venue.until(lambda: venue.filled() == 1, "the first leg filled")
            first.kill()
            await first.ended()
        venue.wire.replies_may_pass.set()
        yield venue


@asynccontextmanager
async def killed_with_a_held_order(folder: Path) -> AsyncIterator[Venue]:
    """A venue whose bot was killed when its orders were journalled and the first POST had not reached anybody."""
    async with venue_for_a_bot(folder, speed=SPEED) as venue:
        venue.wire.orders_may_pass.clear()
        async with process_on(venue) as first:
            await venue.until(lambda: venue.posts == 1, "the first order left the process")
            first.kill()
            await first.ended()
        yield venue


async def pair_and_agreement(rig: Rig) -> None:
    await rig.until_pairs(1)
    await rig.agrees_with_the_ledger()
    assert rig.shares() == (10_000_000, 10_000_000)


async def test_killed_between_fill_and_reply_the_next_bot_finds_the_fill_by_its_hash_and_only_hedges(tmp_path: Path) -> None:
    async with killed_with_a_held_reply(tmp_path) as venue:
        assert len(journalled(tmp_path)) == 2, "both legs were written down before the first left"
        async with bot_on(venue) as rig:
            await pair_and_agreement(rig)
            assert rig.posts == 2, "the first bot's leg and the second bot's hedge"


async def test_killed_between_journal_and_post_the_next_bot_trades_only_when_nothing_can_arrive_any_more(tmp_path: Path) -> None:
    async with killed_with_a_held_order(tmp_path) as venue:
        await venue.wire.go_down()
        venue.wire.orders_may_pass.set()
        await venue.wire.start()
        assert len(journalled(tmp_path)) == 2
        async with bot_on(venue) as rig:
            assert rig.state is EngineState.DEGRADED
            assert "no known end" in " ".join(rig.bot.snapshot().reasons)
            assert rig.posts == 1
            await pair_and_agreement(rig)
            assert rig.posts == 3


async def test_an_order_that_arrives_after_its_bot_died_is_found_and_hedged_by_the_next_one(tmp_path: Path) -> None:
    async with killed_with_a_held_order(tmp_path) as venue, bot_on(venue) as rig:
        assert rig.filled() == 0
        venue.wire.orders_may_pass.set()
        await rig.until(lambda: rig.filled() == 1, "the dead bot's order arrives")
        await pair_and_agreement(rig)
        assert rig.posts == 2


async def test_killed_after_a_whole_pair_the_next_bot_knows_it_and_adds_nothing(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        async with process_on(venue) as first:
            await venue.until(lambda: venue.filled() == 2, "a pair")
            first.kill()
            await first.ended()
        async with bot_on(venue) as rig:
            await rig.venue_seconds(20)
            assert rig.posts == 2
            await rig.agrees_with_the_ledger()
            assert rig.bot.engine.tracker.position.pairs == 10_000_000


async def test_killed_again_and_again_the_position_is_still_what_the_ledger_says(tmp_path: Path) -> None:
    room = {"MAX_POSITION_USD": "200", "GLOBAL_ORDER_MIN_INTERVAL_S": "0.5"}
    async with venue_for_a_bot(tmp_path, speed=SPEED) as venue:
        for kill in range(3):
            async with process_on(venue, **room) as bot:
                sent = venue.posts
                await asyncio.wait_for(_posts_beyond(venue, sent + kill % 3), PATIENCE_S)
                bot.kill()
                await bot.ended()
        async with bot_on(venue, **room) as rig:
            await rig.until(lambda: not rig.bot.engine.degraded, "reconciled")
            await rig.at_rest()
            await rig.agrees_with_the_ledger()
            yes, no = rig.shares()
            assert yes == no > 0


async def _posts_beyond(venue: Venue, sent: int) -> None:
    while venue.posts <= sent:
        await asyncio.sleep(0.001)


async def test_a_second_bot_on_the_same_journal_and_market_refuses_to_start_and_says_what_to_do(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue, process_on(venue) as first:
        second = BotProcess(venue)
        try:
            await second.start(announced=False)
            status, said = await second.ended()
            assert status == 1
            assert "another process trades market" in said
            assert "stop it first" in said
            assert "Traceback" not in said
            assert (await first.status())["market"] == venue.paper.market.slug, "the first one is not disturbed"
        finally:
            await second.put_away()
