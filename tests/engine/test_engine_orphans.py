"""A naked leg is a state with a policy: hedge within the loss cap, then sell what is settled, else hold, and open nothing."""

from itertools import pairwise
from pathlib import Path

from tests.support.engine_rig import EngineRig, engine_rig, fill

from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Killed, Rejected, Rejection
from kabobagool.engine.market_engine import EngineState

POLICY = Policy(batch_shares=parse_micros("10"), orphan_loss_cap=parse_micros("1"), orphan_retry_ms=20_000)


async def leave_no_naked(rig: EngineRig) -> None:
    """Buy 10 NO at 0.45 and fail to buy YES."""
    rig.execution.replies.extend([fill, Killed()])
    await rig.show("0.48", "0.45")


async def test_a_killed_second_leg_leaves_a_naked_leg_and_says_so(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        assert rig.engine.state() is EngineState.ORPHAN
        position, naked = rig.listener.positions[-1]
        assert naked
        assert position.imbalance == -10_000_000


async def test_the_missing_leg_is_bought_after_the_cooldown_even_above_the_pair_limit(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        await rig.clock.advance(0.4)
        await rig.show("0.60", "0.45")
        assert len(rig.execution.sent) == 2
        await rig.clock.advance(0.2)
        await rig.show("0.60", "0.45")
        assert rig.execution.plans()[2:] == [rig.execution.sent[2].plan]
        assert (rig.execution.sent[2].plan.outcome, rig.execution.sent[2].plan.price) == (Outcome.YES, 6000)
        assert rig.listener.ended[2][0] is Purpose.HEDGE
        assert rig.engine.state() is EngineState.WATCHING
        assert rig.tracker.position.imbalance == 0


async def test_the_hedge_is_tried_again_without_a_new_frame_once_the_cooldown_is_over(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        await rig.clock.advance(1.9)
        assert rig.tracker.position.imbalance == 0
        assert len(rig.execution.sent) == 3


async def test_a_hedge_beyond_the_loss_cap_is_never_sent(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        await rig.show_for(15, "0.66", "0.45")
        assert len(rig.execution.sent) == 2
        await rig.show("0.65", "0.45")
        assert [plan.price for plan in rig.execution.plans()[2:]] == [6500]


async def test_no_new_pair_is_opened_while_a_leg_is_naked(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        rig.execution.otherwise = Killed()
        await rig.show_for(60, "0.48", "0.45")
        assert [purpose for purpose, _ in rig.listener.ended[:2]] == [Purpose.PAIR, Purpose.PAIR]
        assert {purpose for purpose, _ in rig.listener.ended[2:]} == {Purpose.HEDGE}
        assert all(plan.outcome is Outcome.YES for plan in rig.execution.plans()[2:])
        assert rig.strategy.truth.rejected["orphan_open"] > 100


async def test_hedges_that_are_killed_come_at_growing_distances(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await leave_no_naked(rig)
        rig.execution.otherwise = Killed()
        await rig.show_for(60, "0.48", "0.45")
        times = [rig.execution.sent_ms[order.order_hash] for order in rig.execution.sent[1:]]
        gaps = [after - before for before, after in pairwise(times)]
        assert len(gaps) == 6
        assert gaps == sorted(gaps)
        assert gaps[-1] >= 16_000


async def test_a_leg_is_not_sold_before_its_shares_are_settled(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.hold(Outcome.NO, "10", "0.45")
        await rig.show_for(40, "0.66", "0.45")
        assert rig.execution.sent == []
        assert rig.engine.state() is EngineState.ORPHAN


async def test_a_book_too_thin_for_the_least_order_is_waited_out(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.hold(Outcome.NO, "10", "0.45", settled=True)
        await rig.show_for(5, "0.60", "0.45", yes_depth="4")
        assert rig.execution.sent == []
        await rig.show("0.60", "0.45", yes_depth="10")
        assert [(plan.outcome, plan.side) for plan in rig.execution.plans()] == [(Outcome.YES, Side.BUY)]


async def show_a_good_bid_for_no(rig: EngineRig) -> None:
    """Hedging would lose 1.50 dollars, selling 0.90."""
    rig.fill_books("0.70", "0.45")
    rig.view.no.set_bid(3600, parse_micros("10"))
    rig.strategy.on_view(rig.view)
    await rig.settle()


async def test_settled_shares_are_sold_after_the_retry_time_and_not_before(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.hold(Outcome.NO, "10", "0.45", settled=True)
        await rig.clock.advance(19.9)
        await show_a_good_bid_for_no(rig)
        assert rig.execution.sent == []
        await rig.clock.advance(0.2)
        await show_a_good_bid_for_no(rig)
        assert [(plan.outcome, plan.side, plan.price) for plan in rig.execution.plans()] == [(Outcome.NO, Side.SELL, 3600)]
        assert rig.listener.ended[0][0] is Purpose.UNWIND
        assert rig.tracker.position.no.shares == 0
        assert rig.engine.state() is EngineState.WATCHING


async def test_when_both_would_lose_more_than_the_cap_the_leg_is_held(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.hold(Outcome.NO, "10", "0.45", settled=True)
        await rig.show_for(40, "0.70", "0.45")
        assert rig.execution.sent == []
        assert rig.engine.state() is EngineState.ORPHAN


async def test_a_trade_that_failed_to_settle_makes_an_orphan_and_is_hedged(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        await rig.show("0.48", "0.45")
        assert rig.engine.state() is EngineState.WATCHING
        rig.tracker.remove(rig.execution.sent[0].order_hash)
        rig.engine.booked()
        assert rig.engine.state() is EngineState.ORPHAN
        await rig.clock.advance(0.1)
        await rig.show("0.50", "0.49")
        assert [(plan.outcome, plan.price) for plan in rig.execution.plans()[2:]] == [(Outcome.NO, 4900)]
        assert rig.tracker.position.imbalance == 0


async def test_a_hedge_refused_for_lack_of_money_is_not_repeated_before_there_is_some(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.execution.replies.extend([fill, Killed(), Rejected(Rejection.BALANCE, "not enough balance")])
        await rig.show("0.48", "0.45")
        await rig.show_for(65, "0.48", "0.45", every_s=0.5)
        assert len(rig.execution.sent) == 3, "the shares are not settled, so they cannot be sold either"
        rig.engine.purse.cash = 100_000_000
        await rig.show_for(5, "0.48", "0.45", every_s=0.5)
        assert rig.tracker.position.imbalance == 0


async def test_dust_of_many_pairs_becomes_an_orphan_only_when_it_is_worth_an_order(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=POLICY) as rig:
        rig.hold(Outcome.NO, "4.999999", "0.45")
        assert rig.engine.state() is EngineState.WATCHING
        rig.hold(Outcome.NO, "0.000001", "0.45", name="a crumb")
        assert rig.engine.state() is EngineState.ORPHAN
