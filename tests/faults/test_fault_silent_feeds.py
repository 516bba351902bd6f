"""Prices that stop coming, for all or for one token, while the socket answers every PING: never traded on, noticed, repaired."""

import asyncio
from pathlib import Path

import aiohttp
from tests.faults.fault_books import calm, cheap, cheap_after, scenes
from tests.support.bot_rig import Rig, bot_on, trading, venue_for_a_bot
from tests.support.paper import ScriptedBooks

from kabobagool.domain.edge import Reason
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from paper_exchange.faults import Fault, FaultKind

NOT_YET = "the test is not ready"
STOOD_STILL_MS = 2_000
"""More than the venue's time between two looks is the machine's fault, and not the bot's."""


async def both_known(rig: Rig) -> None:
    """Wait for the first view of this connection."""
    await rig.until(lambda: rig.bot.snapshot().connected, "both books known")


def at_s(rig: Rig, seconds: float) -> bool:
    """Whether the venue is so many seconds old."""
    return rig.paper.clock.now_ms() >= rig.paper.clock.start_ms + seconds * 1000


async def test_a_feed_that_freezes_while_the_socket_lives_is_never_traded_on_and_is_replaced(tmp_path: Path) -> None:
    books = ScriptedBooks([*cheap(until_s=80), *calm(from_s=80, until_s=180), *cheap(from_s=180)])
    async with trading(tmp_path, books, speed=15, MAX_LEG_AGE_MS="4000") as rig:
        rig.bot.engine.degrade(NOT_YET)
        await both_known(rig)
        await rig.until(lambda: at_s(rig, 70), "the books are cheap for a little longer")
        rig.paper.add_fault(FaultKind.SILENT_FREEZE, for_ms=100_000)
        assert not at_s(rig, 80), "the machine is too slow for this script"
        await rig.until(lambda: at_s(rig, 82), "the books are calm, and the bot was not told")
        rig.bot.engine.recover(NOT_YET)
        assert rig.bot.snapshot().pair_cost == "0.92", "what it sees is a stale edge"
        await rig.until(lambda: rig.bot.counters.resnapshots[ResnapshotReason.SILENCE], "compared with REST")
        await rig.until(lambda: rig.bot.counters.reconnects[ReconnectReason.DISAGREEMENT], "the connection is left")
        assert rig.posts == 0
        await rig.until_pairs(1)
        assert at_s(rig, 180)
        await rig.agrees_with_the_ledger()


async def test_a_frozen_feed_turns_health_red_and_the_reason_says_stale(tmp_path: Path) -> None:
    async with trading(tmp_path, cheap_after(10_000), speed=40, HEALTH_PRICE_STALENESS_THRESHOLD="20") as rig:
        await both_known(rig)
        await rig.until(lambda: rig.bot.health().healthy, "healthy")
        rig.paper.add_fault(FaultKind.SILENT_FREEZE, for_ms=1_000_000)
        rig.wire.broken[b"POST /books"] = 500  # while REST confirms the books, silence is no fault
        await rig.until(lambda: not rig.bot.health().healthy, "unhealthy")
        assert rig.bot.health().reasons == ("prices_stale",)


async def test_a_quiet_market_is_no_sick_bot(tmp_path: Path) -> None:
    still = ScriptedBooks([(0, [("0.47", 100)], [("0.50", 100)])])
    async with trading(tmp_path, still, speed=100) as rig:
        await both_known(rig)
        last_ms = rig.paper.clock.now_ms()
        worst_ms, sick_ms, until_ms = 0, 0, last_ms + 300_000
        while (now_ms := rig.paper.clock.now_ms()) < until_ms:
            sick_ms = 0 if rig.bot.health().healthy else sick_ms + min(now_ms - last_ms, STOOD_STILL_MS)
            worst_ms, last_ms = max(worst_ms, sick_ms), now_ms
            await asyncio.sleep(0.005)
        assert worst_ms < 20_000, "a market nobody trades for minutes, whose books REST confirms, must not restart the bot"


async def test_one_token_that_freezes_makes_a_phantom_edge_that_is_never_bought(tmp_path: Path) -> None:
    fallen = scenes(from_s=80, until_s=1200, bids=[("0.37", 400)], asks=[("0.40", 400)])
    async with trading(tmp_path, ScriptedBooks([*calm(until_s=80), *fallen]), speed=15) as rig:
        await both_known(rig)
        await rig.until(lambda: at_s(rig, 70), "the books are calm for a little longer")
        rig.paper.add_fault(FaultKind.SILENT_FREEZE, token=rig.paper.market.tokens[1], for_ms=60_000)
        assert not at_s(rig, 80), "the machine is too slow for this script"
        await rig.until(lambda: rig.bot.snapshot().pair_cost == "0.93", "0.40 and a NO that is no longer at 0.53")
        await rig.until(lambda: rig.bot.snapshot().pair_cost == "1.03", "the frozen book was read again")
        seen = rig.bot.engine.strategy.truth.seen
        assert seen > 0
        assert sum(rig.rejected.values()) == seen
        assert set(rig.rejected) <= {Reason.MIRROR_BROKEN, Reason.LEGS_APART_IN_TIME, Reason.LEG_TOO_OLD}
        assert (rig.posts, rig.bot.engine.strategy.truth.acted_on) == (0, 0)


async def test_without_a_first_snapshot_nothing_is_bought_until_the_book_was_read(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        venue.paper.add_fault(FaultKind.MISSING_FIRST_SNAPSHOT, token=venue.paper.market.tokens[0])
        async with bot_on(venue) as rig:
            await rig.until(lambda: rig.bot.engine.view.no.has_snapshot, "the other book came")
            assert not rig.bot.engine.view.yes.has_snapshot
            assert rig.posts == 0
            await rig.until_pairs(1)
            assert rig.bot.counters.resnapshots[ResnapshotReason.FIRST_SNAPSHOT] >= 1
            await rig.agrees_with_the_ledger()
            assert rig.posts == 2


async def test_a_stale_rest_book_never_replaces_what_the_socket_said_later(tmp_path: Path) -> None:
    books = ScriptedBooks([*cheap(until_s=60), *calm(from_s=60)])
    stale = Fault(FaultKind.STALE_BOOK, for_ms=200_000)
    async with venue_for_a_bot(tmp_path, books, faults=[stale], speed=40) as venue:
        await venue.until(lambda: venue.paper.clock.now_ms() >= venue.paper.clock.start_ms + 1_000, "a first book")
        await read_books(venue.wire.port, venue.paper.market.tokens)
        await venue.until(lambda: venue.paper.clock.now_ms() >= venue.paper.clock.start_ms + 61_000, "the true books are calm")
        venue.paper.add_fault(FaultKind.MISSING_FIRST_SNAPSHOT, for_ms=130_000)
        async with bot_on(venue) as rig:
            await rig.until(lambda: rig.bot.counters.stale_snapshots, "REST gave a book older than the deltas")
            await both_known(rig)
            assert rig.bot.snapshot().pair_cost == "1.03"
            assert (rig.posts, rig.bot.engine.strategy.truth.seen) == (0, 0), "no view was ever made of the old book"


async def read_books(port: int, tokens: tuple[str, str]) -> None:
    """What some REST cache in between now holds."""
    async with aiohttp.ClientSession() as session:
        for token in tokens:
            async with session.get(f"http://127.0.0.1:{port}/book", params={"token_id": token}) as reply:
                assert reply.status == 200
