"""What is foreseen is what the bot sends next, and nothing while it could send nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.support.engine_rig import EngineRig, Hang, a_market, engine_rig
from tests.support.virtual_clock import turn_the_loop

from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market, Outcome
from kabobagool.domain.money import parse_micros
from kabobagool.engine.foresight import LOOK_EVERY_S, NEAR_MICROS, Foresight


def foresight_of(rig: EngineRig) -> Foresight:
    return Foresight(engine=rig.engine, foresee=lambda plans, market: None, clock=rig.clock)


async def test_the_leg_whose_price_stands_still_was_foreseen_when_the_other_makes_the_edge(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.49", "0.52")
        foreseen = foresight_of(rig).likely()
        await rig.show("0.44", "0.52")
        sent = rig.execution.plans()
        assert len(sent) == 2
        assert [plan for plan in sent if plan in foreseen] == [plan for plan in sent if plan.outcome is Outcome.NO]


async def test_both_legs_were_foreseen_when_an_edge_outlasts_a_cooldown(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.cooldown.fail(rig.clock.monotonic(), at_least_s=5)
        await rig.show("0.44", "0.52")
        foreseen = foresight_of(rig).likely()
        assert not rig.execution.sent
        await rig.show_for(6, "0.44", "0.52")
        assert rig.execution.plans()[:2] == list(foreseen)


async def test_a_calm_market_with_the_dearest_fee_is_near_enough(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, market=a_market(rate="0.07")) as rig:
        await rig.show("0.50", "0.51")
        assert [plan.price for plan in foresight_of(rig).likely()] == [5000, 5100]


async def test_a_pair_that_is_far_too_dear_is_not_foreseen(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        limit = (rig.strategy.policy.pair_limit_micros + NEAR_MICROS) // 100
        yes_ask = limit - 5000
        await rig.show(f"{(yes_ask - 100) / 10_000:.2f}", "0.50")
        assert len(foresight_of(rig).likely()) == 2
        await rig.show(f"{(yes_ask + 100) / 10_000:.2f}", "0.50")
        assert foresight_of(rig).likely() == ()


async def test_doubtful_books_are_no_reason_to_sign_anything(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        assert foresight_of(rig).likely() == ()
        await rig.show("0.49", "0.52")
        await rig.clock.advance(rig.strategy.policy.max_leg_age_ms / 1000 + 1)
        assert foresight_of(rig).likely() == ()


@pytest.mark.parametrize("trouble", ["degraded", "naked", "stopping", "ordering"])
async def test_nothing_is_foreseen_while_the_bot_could_open_nothing(tmp_path: Path, trouble: str) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.49", "0.52")
        assert len(foresight_of(rig).likely()) == 2
        match trouble:
            case "degraded":
                rig.engine.degrade("a test says so")
            case "naked":
                rig.hold(Outcome.YES, "10", "0.48")
            case "stopping":
                rig.engine.stopping = True
            case _:
                rig.execution.replies.append(Hang())
                await rig.show("0.44", "0.52")
                assert rig.execution.on_their_way == 1
        assert foresight_of(rig).likely() == ()


async def test_a_trader_who_buys_one_leg_at_a_time_has_that_leg_foreseen(tmp_path: Path) -> None:
    policy = Policy(batch_shares=parse_micros("10"), paired=False)
    async with engine_rig(tmp_path, policy=policy) as rig:
        await rig.show("0.49", "0.51")
        assert [plan.outcome for plan in foresight_of(rig).likely()] == [Outcome.YES]


@contextlib.asynccontextmanager
async def looking(rig: EngineRig, told: list[tuple[OrderPlan, ...]]) -> AsyncIterator[None]:
    def foresee(plans: Sequence[OrderPlan], market: Market) -> None:
        assert market is rig.engine.market
        told.append(tuple(plans))

    task = asyncio.ensure_future(Foresight(engine=rig.engine, foresee=foresee, clock=rig.clock).run())
    try:
        await turn_the_loop()
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_it_looks_now_and_then_and_forgets_everything_at_its_end(tmp_path: Path) -> None:
    told: list[tuple[OrderPlan, ...]] = []
    async with engine_rig(tmp_path) as rig:
        async with looking(rig, told):
            await rig.show("0.49", "0.52")
            ticks = rig.strategy.decisions
            await rig.clock.advance(LOOK_EVERY_S)
            await rig.show_for(LOOK_EVERY_S, "0.49", "0.60")
            assert rig.strategy.decisions == ticks
        assert [len(plans) for plans in told] == [2, 0, 0]
