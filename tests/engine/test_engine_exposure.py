"""What the gate counts of a market follows its position: what was bought, what settlement took back, what a restarted bot found."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.support.domain_strategies import bought, fills, micros
from tests.support.engine_rig import EngineRig, Hang, engine_rig, fill

from kabobagool.domain.edge import Policy
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import Micros, parse_micros
from kabobagool.domain.outcome import Killed, Unknown
from kabobagool.domain.position import EMPTY, Fill
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.execution.fills import FillStatus, OrderFill
from kabobagool.gate.interface import Exposure, Refusal, Refused
from kabobagool.gate.stakes import exposure_of

POLICY = Policy(batch_shares=parse_micros("10"), orphan_loss_cap=parse_micros("1"), orphan_retry_ms=20_000)
CENTS = 10_000


def counted(rig: EngineRig) -> tuple[Micros, Micros, Micros]:
    """Cents at stake, in naked legs, and lost today."""
    stakes = rig.gate.stakes
    return stakes.at_stake // CENTS, stakes.orphans // CENTS, stakes.lost_today // CENTS


def says(rig: EngineRig, order: int, status: FillStatus) -> None:
    """Settlement has a word on one of the orders that were sent."""
    order_hash = rig.execution.sent[order].order_hash
    change = OrderFill(order_hash, rig.execution.fills[order_hash], status, rig.clock.now_ms())
    rig.engine.take_over(change, now_ms=rig.clock.now_ms())


async def lose_half_a_dollar(rig: EngineRig) -> None:
    """Ten NO at 0.45, no YES with them, and ten YES at 0.60 afterwards."""
    rig.execution.replies.extend([fill, Killed()])
    await rig.show("0.48", "0.45")
    await rig.clock.advance(0.6)
    await rig.show("0.60", "0.45")


async def test_a_pair_puts_its_dollars_at_stake_and_what_it_locks_in_counts_as_made(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.48", "0.45")
        assert counted(rig) == (930, 0, -70)


async def test_a_trade_that_failed_to_settle_lowers_what_is_at_stake_at_once_and_bares_the_other_leg(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.48", "0.45")
        cheaper = next(place for place, plan in enumerate(rig.execution.plans()) if plan.outcome is Outcome.NO)
        says(rig, 1 - cheaper, FillStatus.FAILED)
        assert counted(rig) == (450, 450, 0)


async def test_what_was_granted_to_an_order_on_its_way_stays_counted_whatever_settlement_says_of_another(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.48", "0.45")
        hang = Hang()
        rig.execution.replies.append(hang)
        await rig.show("0.48", "0.45")
        assert counted(rig)[0] == 1860
        says(rig, 0, FillStatus.FAILED)
        assert counted(rig)[0] == 1860
        hang.release.set_result(Killed())
        await rig.settle()
        assert counted(rig)[0] == rig.tracker.position.spent // CENTS < 930


async def test_what_was_granted_to_an_order_of_unknown_end_stays_counted_until_its_end_is_known(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.48", "0.45")
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        says(rig, 0, FillStatus.CONFIRMED)
        assert counted(rig)[0] == 1860
        rig.execution.otherwise_found = Killed()
        await rig.clock.advance(60)
        assert counted(rig)[0] == rig.tracker.position.spent // CENTS


async def test_what_an_earlier_bot_had_at_stake_stays_counted_until_its_orders_have_an_end(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.gate.set_exposure(rig.view.market.condition_id, Exposure(at_stake=parse_micros("50")))
        rig.engine.history_open = True
        rig.engine.degrade("not reconciled")
        rig.hold(Outcome.NO, "10", "0.45", settled=True)
        await rig.clock.advance(3)
        assert counted(rig) == (5000, 0, 0)
        rig.engine.history_open = False
        await rig.clock.advance(3)
        assert counted(rig) == (450, 450, 0)


async def test_a_restarted_bot_that_finds_its_trades_again_restores_the_loss_of_today(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    async with (
        engine_rig(tmp_path, policy=POLICY) as rig,
        engine_rig(tmp_path / "again", policy=POLICY, daily_loss_cap_micros=500_000) as again,
    ):
        await lose_half_a_dollar(rig)
        assert counted(rig) == (1050, 0, 50)
        for order_hash, found in rig.execution.fills.items():
            again.engine.take_over(OrderFill(order_hash, found, FillStatus.CONFIRMED, 0), now_ms=again.clock.now_ms())
        assert counted(again) == (1050, 0, 50)
        await again.show("0.48", "0.45")
        assert [answer.reason for answer in again.listener.answers if isinstance(answer, Refused)] == [Refusal.DAILY_LOSS]


async def test_a_naked_leg_is_still_hedged_after_the_loss_of_the_day_was_reached(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY, daily_loss_cap_micros=1) as rig:
        rig.execution.replies.extend([fill, Killed()])
        await rig.show("0.48", "0.45")
        rig.gate.set_exposure("another", Exposure(result=-parse_micros("100")))
        await rig.clock.advance(0.6)
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.imbalance == 0
        sent = len(rig.execution.sent)
        await rig.show_for(3, "0.48", "0.45")
        assert len(rig.execution.sent) == sent, "and no new pair is bought"


def test_worked_examples() -> None:
    yes, no = bought(Outcome.YES, "10", "0.48", fee="0.10"), bought(Outcome.NO, "10", "0.45")
    assert exposure_of(EMPTY) == Exposure()
    assert exposure_of(EMPTY.plus(yes)) == Exposure(at_stake=micros("4.9"), orphan=micros("4.9"))
    assert exposure_of(EMPTY.plus(yes).plus(no)) == Exposure(at_stake=micros("9.4"), result=micros("0.6"))
    sold = Fill(Outcome.YES, Side.SELL, micros("10"), micros("4"), micros("0.1"))
    assert exposure_of(EMPTY.plus(yes).plus(sold)) == Exposure(at_stake=micros("1"), result=-micros("1"))
    dear = Fill(Outcome.YES, Side.SELL, micros("10"), micros("6"), 0)
    assert exposure_of(EMPTY.plus(yes).plus(dear)) == Exposure(result=micros("1.1")), "more came back than was spent"


@given(st.lists(fills(), max_size=20))
def test_of_any_history_something_can_be_told(history: list[Fill]) -> None:
    tracker = PositionTracker()
    for place, each in enumerate(history):
        tracker.book(str(place), each, now_ms=place)
    told, position = exposure_of(tracker.position), tracker.position
    assert told.at_stake >= 0
    assert told.orphan >= 0
    assert told.result - told.orphan == position.locked_profit
    assert told.orphan == 0 or position.imbalance
