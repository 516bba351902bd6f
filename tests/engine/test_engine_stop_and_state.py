"""Stopping opens nothing and leaves no leg naked when that can be helped; the state in one word is the most serious thing that holds."""

from pathlib import Path

from tests.support.engine_rig import Hang, engine_rig, fill

from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Killed, Unknown
from kabobagool.engine.gate_window import MAX_WAIT_S, PRIORITIES
from kabobagool.engine.market_engine import EngineState
from kabobagool.gate.interface import Priority


async def test_stopping_a_market_that_holds_nothing_ends_at_once(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        assert await rig.engine.hedge_before_stop(timeout_s=10)
        assert rig.clock.slept == []


async def test_a_stopping_market_opens_nothing_new(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.engine.hedge_before_stop(timeout_s=10)
        await rig.show_for(10, "0.48", "0.45")
        assert rig.execution.sent == []
        assert rig.engine.state() is EngineState.STOPPING
        assert set(rig.strategy.truth.rejected) == {"stopping"}


async def test_a_pair_on_its_way_is_finished_before_the_stop(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.latency_s = 0.5
        await rig.show("0.48", "0.45")
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=10))
        await rig.clock.advance(0.9)
        assert not stopped.done()
        await rig.clock.advance(0.2)
        assert await stopped
        assert rig.tracker.position.pairs == 10_000_000


async def test_a_naked_leg_is_hedged_before_the_stop(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Killed()])
        await rig.show("0.48", "0.45")
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=10))
        await rig.show_for(3, "0.55", "0.45")
        assert await stopped
        assert [purpose for purpose, _ in rig.listener.ended] == [Purpose.PAIR, Purpose.PAIR, Purpose.HEDGE]
        assert rig.tracker.position.imbalance == 0


async def test_a_leg_that_cannot_be_hedged_in_time_is_reported_as_naked(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=Policy(orphan_loss_cap=0)) as rig:
        rig.hold(Outcome.NO, "10", "0.45")
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=10))
        await rig.show_for(9, "0.60", "0.45")
        assert not stopped.done()
        await rig.show_for(2, "0.60", "0.45")
        assert await stopped is False


async def test_the_states_and_what_brings_them(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        engine, hang = rig.engine, Hang()
        seen = [engine.state()]
        rig.execution.replies.extend([hang, Unknown("no reply")])
        await rig.show("0.48", "0.45")
        seen.append(engine.state())
        hang.release.set_result(Killed())
        await rig.settle()
        seen.append(engine.state())
        await rig.clock.advance(1)
        await rig.show("0.48", "0.45")
        seen.append(engine.state())
        engine.degrade("balances disagree")
        seen.append(engine.state())
        rig.view.resolved = True
        seen.append(engine.state())
        assert seen == ["watching", "ordering", "cooldown", "frozen", "degraded", "resolved"]


async def test_why_nothing_can_be_opened_is_named_by_the_most_serious_obstacle(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        engine = rig.engine
        seen = [engine.obstacle()]
        rig.cooldown.fail(rig.clock.monotonic())
        seen.append(engine.obstacle())
        engine.stopping = True
        seen.append(engine.obstacle())
        rig.hold(Outcome.NO, "10", "0.45")
        seen.append(engine.obstacle())
        rig.unknown.open["0x1"] = 0
        seen.append(engine.obstacle())
        engine.degrade("balances disagree")
        seen.append(engine.obstacle())
        assert seen == [None, Reason.COOLDOWN, Reason.STOPPING, Reason.ORPHAN_OPEN, Reason.FROZEN, Reason.DEGRADED]


async def test_a_resolved_market_is_left_alone(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.view.resolved = True
        await rig.show_for(5, "0.48", "0.45")
        assert rig.execution.sent == []
        assert set(rig.strategy.truth.rejected) == {"market_resolved"}


async def test_a_hanging_order_blocks_every_other_one(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        hang = Hang()
        rig.execution.replies.append(hang)
        await rig.show_for(60, "0.48", "0.45")
        assert len(rig.execution.sent) == 1
        assert rig.strategy.truth.rejected == {"order_in_flight": rig.strategy.truth.seen - 1}
        hang.release.set_result(Killed())
        await rig.settle()
        assert rig.unaccounted() == 0


def test_legs_that_close_a_risk_go_before_those_that_open_one_and_may_wait_longer() -> None:
    assert set(PRIORITIES) == set(Purpose)
    assert PRIORITIES[Purpose.UNWIND] < PRIORITIES[Purpose.HEDGE] < PRIORITIES[Purpose.PAIR] == PRIORITIES[Purpose.LEG]
    assert MAX_WAIT_S[Priority.NEW_PAIR] < MAX_WAIT_S[Priority.HEDGE] == MAX_WAIT_S[Priority.UNWIND]


async def test_a_position_taken_over_at_the_start_is_hedged(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=Policy(batch_shares=parse_micros("10"))) as rig:
        rig.hold(Outcome.YES, "25", "0.50", settled=True)
        await rig.show("0.50", "0.51", no_depth="30")
        assert [(plan.outcome, plan.shares) for plan in rig.execution.plans()] == [(Outcome.NO, 25_000_000)]
