"""A second leg that did not fill: bought at a worse price within the loss cap, else sold, else held and said aloud. Never a storm."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.faults.fault_books import CROSSED_BIDS, cheap, scenes
from tests.support.bot_rig import Rig, trading
from tests.support.paper import ScriptedBooks

from kabobagool.domain.market import Outcome, Side
from kabobagool.engine.market_engine import EngineState
from paper_exchange.faults import FaultKind

MOVES_AT_S = 120


@asynccontextmanager
async def second_leg_comes_too_late(folder: Path, *, yes_ask: str, yes_bid: str, speed: float = 30, **env: str) -> AsyncIterator[Rig]:
    """NO was bought at 0.42; the order for YES at 0.50 reaches the venue when YES costs `yes_ask`."""
    after = scenes(from_s=MOVES_AT_S, until_s=1200, bids=[(yes_bid, 400)], asks=[(yes_ask, 400)])
    async with trading(folder, ScriptedBooks([*cheap(until_s=MOVES_AT_S), *after]), speed=speed, variables=env) as rig:

        def hold_the_second(number: int) -> None:
            if number == 2:
                rig.wire.orders_may_pass.clear()

        rig.wire.on_order = hold_the_second
        await rig.until(lambda: rig.posts == 2, "both legs left")
        assert rig.filled(Outcome.NO) == 1
        moved_ms = rig.paper.clock.start_ms + MOVES_AT_S * 1000 + 600
        assert rig.paper.clock.now_ms() < moved_ms, "the machine is too slow for this script"
        await rig.until(lambda: rig.paper.clock.now_ms() >= moved_ms, "the price of YES moved")
        rig.wire.orders_may_pass.set()
        await rig.until(lambda: rig.bot.engine.outcomes["killed"], "the second leg is killed")
        yield rig


async def test_a_killed_second_leg_is_bought_at_a_worse_price_within_the_loss_cap(tmp_path: Path) -> None:
    bid, _ = CROSSED_BIDS[0]
    async with second_leg_comes_too_late(tmp_path, yes_ask="0.62", yes_bid=bid) as rig:
        await rig.until(lambda: rig.bot.engine.strategy.naked, "an orphan")
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3
        assert -1_000_000 < rig.bot.engine.tracker.position.locked_profit < 0, "a known, small loss"
        assert rig.state in (EngineState.WATCHING, EngineState.COOLDOWN)


async def test_an_orphan_whose_other_book_is_unknown_is_sold_once_it_is_settled(tmp_path: Path) -> None:
    opened = second_leg_comes_too_late(
        tmp_path, yes_ask="0.60", yes_bid="0.58", ORPHAN_RETRY_S="5", MAX_LEG_AGE_MS="2000", COOLDOWN_BASE_S="4"
    )
    async with opened as rig:
        yes = rig.paper.market.tokens[0]
        rig.paper.add_fault(FaultKind.SILENT_FREEZE, token=yes, for_ms=25_000)
        await rig.until(lambda: rig.shares() == (0, 0), f"sold; {rig.rejected}")
        sale = rig.trades()[-1]
        assert (sale.side.value, sale.outcome) == (Side.SELL.value, Outcome.NO)
        assert rig.trades()[0].updated_ms < sale.match_ms, "only confirmed shares are sold"
        await rig.agrees_with_the_ledger()


async def test_an_orphan_beyond_the_loss_cap_is_held_and_said_aloud_without_a_single_order(tmp_path: Path) -> None:
    async with second_leg_comes_too_late(tmp_path, yes_ask="0.80", yes_bid="0.78", ORPHAN_LOSS_CAP="0.5") as rig:
        await rig.settled()
        sent = rig.posts
        await rig.venue_seconds(30)
        assert rig.posts == sent
        assert rig.state is EngineState.ORPHAN
        assert rig.bot.snapshot().position.imbalance == "-10"
        await rig.agrees_with_the_ledger()
        rig.stop.set()
        assert await rig.run is False, "the exit status says that a leg is naked"


async def test_a_hedge_that_is_killed_again_and_again_backs_off(tmp_path: Path) -> None:
    async with second_leg_comes_too_late(tmp_path, yes_ask="0.62", yes_bid="0.58") as rig:
        rig.paper.add_fault(FaultKind.COULD_NOT_RUN_500, for_ms=70_000, filled=False)
        await rig.venue_seconds(70)
        assert rig.posts <= 4, "every doubt is looked up for a minute before the next try"
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
