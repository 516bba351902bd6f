"""A market that closes or resolves in the middle: no order after that, no storm, and the books of both sides agree."""

from pathlib import Path

from tests.faults.fault_books import always_cheap
from tests.support.bot_rig import BotProcess, trading, venue_for_a_bot

from kabobagool.engine.market_engine import EngineState
from paper_exchange.exchange import ExchangeSettings

MANY_PAIRS = {"BATCH_SIZE": "10", "MAX_POSITION_USD": "400"}
ON_ITS_WAY_MS = 10_000
"""A pair that was begun before: a second of a busy machine."""
SOON = ExchangeSettings(mine_ms=300, confirm_ms=800, resolution_delay_ms=4_000)


async def test_a_market_that_closes_early_gets_no_more_than_a_few_refused_orders(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=80, variables=MANY_PAIRS) as rig:
        await rig.until_pairs(2)
        rig.paper.venue.close(rig.paper.market)
        sent = rig.posts
        await rig.venue_seconds(100)
        assert rig.posts - sent <= 4
        assert not rig.bot.engine.market.accepting_orders, "noticed without being told by the socket"
        assert not rig.run.done()
        await rig.agrees_with_the_ledger()


async def test_a_market_that_closes_between_the_legs_leaves_a_naked_leg_that_is_said_aloud_and_not_hammered(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=80) as rig:

        def close_before_the_second(number: int) -> None:
            if number == 2:
                rig.paper.venue.close(rig.paper.market)

        rig.wire.on_order = close_before_the_second
        await rig.until(lambda: rig.posts == 2, "both legs left")
        await rig.until(lambda: rig.bot.engine.strategy.naked, "the second leg is refused")
        await rig.venue_seconds(100)
        assert rig.posts <= 4
        assert rig.state is EngineState.ORPHAN
        await rig.agrees_with_the_ledger()


async def test_nothing_is_bought_in_the_last_minute_of_a_market(tmp_path: Path) -> None:
    async with trading(tmp_path, always_cheap(ends_after_ms=70_000), speed=10, variables=MANY_PAIRS) as rig:
        await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.market.end_ms, "the end")
        last_ms = rig.paper.market.end_ms - 60_000
        assert all(trade.match_ms < last_ms + ON_ITS_WAY_MS for trade in rig.trades())
        assert rig.rejected.get("market_ending", 0) > 0
        await rig.agrees_with_the_ledger()


async def test_a_market_that_resolves_is_left_alone_and_the_bot_stays_up_to_say_so(tmp_path: Path) -> None:
    books = always_cheap(ends_after_ms=160_000, payout=(1_000_000, 0))
    async with trading(tmp_path, books, settings=SOON, END_MARGIN_S="0", variables=MANY_PAIRS) as rig:
        await rig.until(lambda: rig.state is EngineState.RESOLVED, "resolved")
        await rig.settled()
        kept, sent = rig.kept(), rig.posts
        assert kept, "something was bought before"
        believed = rig.believed()
        assert believed["dollars"] == sum(trade.dollars for trade in kept)
        assert believed["fees"] == sum(trade.fee for trade in kept)
        assert believed["yes"] + believed["no"] == sum(trade.shares for trade in kept)
        await rig.venue_seconds(30)
        assert rig.posts == sent
        assert not rig.run.done()
        rig.nothing_was_sent_twice()


async def test_a_resolved_market_does_not_make_kubernetes_restart_the_bot(tmp_path: Path) -> None:
    books = always_cheap(ends_after_ms=160_000, payout=(1_000_000, 0))
    async with trading(tmp_path, books, settings=SOON, speed=40, HEALTH_PRICE_STALENESS_THRESHOLD="20") as rig:
        await rig.until(lambda: rig.state is EngineState.RESOLVED, "resolved")
        await rig.venue_seconds(60)
        assert rig.bot.health().healthy, "silence after the end is not a fault"


async def test_a_bot_started_on_a_closed_market_says_so_and_sends_nothing(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        venue.paper.venue.close(venue.paper.market)
        bot = BotProcess(venue)
        try:
            await bot.start(announced=False)
            status, said = await bot.ended()
            assert status == 1
            assert "closed" in said.lower() or "not accept" in said.lower()
            assert venue.posts == 0
        finally:
            await bot.put_away()


async def test_a_bot_whose_market_is_unknown_ends_with_one_clear_line(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        bot = BotProcess(venue, MARKET_SLUG="no-such-market")
        try:
            await bot.start(announced=False)
            status, said = await bot.ended()
            assert status == 1
            assert "no-such-market" in said
            assert "Traceback" not in said
        finally:
            await bot.put_away()
