"""What the wallet can pay: a pair of which one leg only could be paid is never begun, and asking again does not spin."""

from pathlib import Path

from tests.support.engine_rig import engine_rig, fill

from kabobagool.domain.market import Side
from kabobagool.domain.outcome import Rejected, Rejection


async def test_a_pair_that_cannot_be_paid_sends_nothing_and_is_tried_when_there_is_money(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.engine.purse.cash = 5_000_000
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        assert rig.strategy.truth.rejected["not_enough_balance"] == 1
        rig.engine.purse.cash = 10_000_000
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 2
        assert rig.engine.purse.cash == 10_000_000 - rig.tracker.position.spent


async def test_a_refused_balance_is_learnt_from_and_does_not_make_the_engine_spin(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(Rejection.BALANCE, "not enough balance / allowance"))
        await rig.show("0.48", "0.45")
        await rig.show_for(60, "0.48", "0.45")
        assert len(rig.execution.sent) == 1, "until the balance is read again, the wallet is known to be too poor for this pair"


async def test_a_leg_whose_hedge_cannot_be_paid_is_sold(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Rejected(Rejection.BALANCE, "not enough balance / allowance")])
        await rig.show("0.48", "0.45")
        for order_hash in rig.tracker.unsettled():
            entry = rig.tracker.unsettled()[order_hash]
            rig.tracker.book(order_hash, entry.fill, now_ms=rig.clock.now_ms(), settled=True)
        rig.engine.booked()
        await rig.show_for(5, "0.52", "0.49")
        assert [plan.side for plan in rig.execution.plans()] == [Side.BUY, Side.BUY, Side.SELL]
        assert rig.tracker.position.imbalance == 0
