"""A pair is two orders, the safer one first, and the second only when the first filled."""

from pathlib import Path

import pytest
from tests.support.engine_rig import BASE_S, Hang, engine_rig, fill, fill_with_extra

from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome, Side
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Filled, Killed
from kabobagool.engine.market_engine import EngineState
from kabobagool.execution.journal_store import OrderState
from kabobagool.gate.interface import Granted


async def test_a_good_edge_buys_the_cheaper_leg_first_and_then_the_other(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.show("0.48", "0.45")
        assert [(plan.outcome, plan.side, plan.price) for plan in rig.execution.plans()] == [
            (Outcome.NO, Side.BUY, 4500),
            (Outcome.YES, Side.BUY, 4800),
        ]
        assert rig.tracker.position.pairs == 10_000_000
        assert rig.tracker.position.locked_profit == 700_000
        assert rig.engine.state() is EngineState.WATCHING


@pytest.mark.parametrize(("yes_depth", "no_depth", "first"), [("12", "1000", Outcome.YES), ("1000", "12", Outcome.NO)])
async def test_the_thinner_leg_goes_first_whatever_it_costs(tmp_path: Path, yes_depth: str, no_depth: str, first: Outcome) -> None:
    async with engine_rig(tmp_path) as rig:
        yes_ask, no_ask = ("0.48", "0.45") if first is Outcome.YES else ("0.45", "0.48")
        await rig.show(yes_ask, no_ask, yes_depth=yes_depth, no_depth=no_depth)
        assert [plan.outcome for plan in rig.execution.plans()] == [first, first.other]


async def test_both_legs_are_paid_for_at_the_gate_before_the_first_leaves(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=100_000) as rig:
        await rig.show("0.48", "0.45")
        assert rig.listener.answers == [Granted(0.0)]
        assert len(rig.execution.sent) == 2


async def test_the_second_leg_is_not_sent_before_the_first_has_filled(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.latency_s = 0.2
        await rig.show("0.48", "0.45")
        await rig.clock.advance(0.19)
        assert len(rig.execution.sent) == 1
        await rig.clock.advance(0.01)
        assert len(rig.execution.sent) == 2
        await rig.clock.advance(0.2)
        assert rig.tracker.position.pairs == 10_000_000


async def test_a_killed_first_leg_means_the_second_is_never_sent_and_the_journal_says_so(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Killed("no match"))
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 1
        assert [(order.state, order.text) for order in await rig.journalled()] == [
            (OrderState.KILLED, "no match"),
            (OrderState.KILLED, "not sent"),
        ]
        assert rig.tracker.fills() == 0
        assert rig.engine.state() is EngineState.COOLDOWN


async def test_every_order_is_in_the_journal_before_the_first_is_sent(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        hang = Hang()
        rig.execution.replies.append(hang)
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 1
        assert [(order.order_hash, order.state) for order in await rig.journalled()] == [
            (order.order_hash, OrderState.OPEN) for order in rig.execution.prepared
        ]
        hang.release.set_result(Killed())


async def test_the_journal_keeps_what_filled_and_names_the_pair(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([Filled(10_000_000, 4_500_000, 1230), fill])
        await rig.show("0.48", "0.45")
        (intent,) = await rig.journal.intents(rig.view.market.condition_id, 0)
        assert (intent.purpose, intent.pair_cost) == (Purpose.PAIR, 930_000)
        assert intent.intent_id == intent.orders[0].order_hash == rig.execution.sent[0].order_hash
        assert [(order.token, order.state, order.dollars_filled, order.fee) for order in intent.orders] == [
            ("222", OrderState.FILLED, 4_500_000, 1230),
            ("111", OrderState.FILLED, 4_800_000, 0),
        ]
        assert await rig.journal.open_orders(rig.view.market.condition_id) == []


async def test_the_cooldown_grows_with_every_kill_and_a_fill_resets_it(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.otherwise = Killed()
        waits = []
        for _ in range(4):
            await rig.show("0.48", "0.45")
            waits.append(rig.cooldown.remaining(rig.clock.monotonic()))
            await rig.clock.advance(waits[-1])
        assert waits == [0.5, 1.0, 2.0, 4.0]
        rig.execution.otherwise = fill
        await rig.show("0.48", "0.45")
        assert rig.cooldown.remaining(rig.clock.monotonic()) == 0
        rig.execution.replies.append(Killed())
        await rig.show("0.48", "0.45")
        assert rig.cooldown.remaining(rig.clock.monotonic()) == BASE_S


async def test_during_the_cooldown_edges_are_counted_but_nothing_is_sent(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Killed())
        await rig.show("0.48", "0.45")
        await rig.clock.advance(0.4)
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 1
        assert set(rig.strategy.truth.rejected) == {"cooldown"}


async def test_price_improvement_leaves_dust_that_is_no_orphan(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(fill_with_extra("0.25"))
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.imbalance == -250_000
        assert rig.engine.state() is EngineState.WATCHING
        await rig.clock.advance(2)
        await rig.show("0.48", "0.45")
        assert [purpose for purpose, _ in rig.listener.ended] == [Purpose.PAIR] * 4


async def test_the_shares_really_received_are_booked_and_not_those_asked_for(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Filled(10_012_345, 4_500_000, 7_000))
        await rig.show("0.48", "0.45")
        position = rig.tracker.position
        assert (position.no.shares, position.yes.shares, position.fees) == (10_012_345, 10_000_000, 7_000)


async def test_the_position_cap_stops_a_market_that_keeps_offering_edges(tmp_path: Path) -> None:
    policy = Policy(batch_shares=parse_micros("10"), max_position=parse_micros("20"))
    async with engine_rig(tmp_path, policy=policy) as rig:
        await rig.show_for(5, "0.48", "0.45")
        assert len(rig.execution.sent) == 4
        assert rig.tracker.position.spent == 18_600_000
        assert rig.strategy.truth.rejected["position_cap"] == rig.strategy.truth.seen - 2


async def test_in_sequential_mode_the_worked_example_buys_one_leg_now_and_the_other_when_it_is_cheap(tmp_path: Path) -> None:
    policy = Policy(paired=False, batch_shares=parse_micros("100"))
    async with engine_rig(tmp_path, policy=policy) as rig:
        await rig.show("0.52", "0.45", no_depth="100")
        await rig.show("0.48", "0.53", yes_depth="100")
        assert [(plan.outcome, plan.price, plan.shares) for plan in rig.execution.plans()] == [
            (Outcome.NO, 4500, 100_000_000),
            (Outcome.YES, 4800, 100_000_000),
        ]
        assert (rig.tracker.position.spent, rig.tracker.position.locked_profit) == (93_000_000, 7_000_000)
        assert [purpose for purpose, _ in rig.listener.ended] == [Purpose.LEG, Purpose.LEG]
