"""A match that fails to settle was never bought: the position says so, and what is left of the pair is closed or hedged."""

from pathlib import Path

import pytest
from tests.support.bot_rig import trading

from paper_exchange.faults import Fault, FaultKind


async def failed_and_level_again(tmp_path: Path, number: int) -> None:
    async with trading(tmp_path) as rig:

        def fail(current: int) -> None:
            if current == number:
                rig.paper.add_fault(FaultKind.SETTLEMENT_FAILED)

        rig.wire.on_order = fail
        await rig.until(lambda: any(trade.status == "FAILED" for trade in rig.trades()), "a failed settlement")
        await rig.until(lambda: rig.bot.engine.strategy.naked, "the bot notices the orphan")
        await rig.until(lambda: not rig.bot.engine.strategy.naked and rig.shares()[0] == rig.shares()[1], "hedged or unwound")
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3


@pytest.mark.parametrize("number", [1, 2], ids=["first leg", "second leg"])
async def test_a_leg_that_fails_to_settle_makes_the_other_an_orphan_that_is_closed(tmp_path: Path, number: int) -> None:
    await failed_and_level_again(tmp_path, number)


async def test_a_pair_that_fails_to_settle_on_both_legs_is_forgotten_and_bought_anew(tmp_path: Path) -> None:
    async with trading(tmp_path, faults=[Fault(FaultKind.SETTLEMENT_FAILED, count=2)]) as rig:
        await rig.until(lambda: sum(trade.status == "FAILED" for trade in rig.trades()) == 2, "both failed")
        await rig.until(lambda: rig.posts >= 4, "a second attempt")
        await rig.until(lambda: sum(trade.status == "CONFIRMED" for trade in rig.trades()) >= 2, "which settles")
        await rig.agrees_with_the_ledger()
        yes, no = rig.shares()
        assert yes == no > 0


async def test_settlements_failing_again_and_again_never_leave_the_bot_with_a_wrong_idea_of_what_it_owns(tmp_path: Path) -> None:
    failing = Fault(FaultKind.SETTLEMENT_FAILED, for_ms=60_000, probability=0.5)
    async with trading(tmp_path, faults=[failing], MAX_POSITION_USD="60") as rig:
        await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.clock.start_ms + 65_000, "the bad minute is over")
        await rig.until(lambda: rig.bot.engine.strategy.position.spent > 45_000_000, "the cap is nearly reached")
        await rig.until(lambda: not rig.bot.engine.strategy.naked, "level")
        await rig.agrees_with_the_ledger()
        assert any(trade.status == "FAILED" for trade in rig.trades())
