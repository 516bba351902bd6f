"""An order whose end is not known freezes its market, is looked up by its hash, and is never sent again."""

from pathlib import Path

import pytest
from tests.support.engine_rig import EngineRig, engine_rig, fill

from kabobagool.domain.intent import Purpose
from kabobagool.domain.market import Outcome
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Unknown
from kabobagool.engine.market_engine import EngineState
from kabobagool.execution.journal_store import OrderState

DOUBTS = [Unknown("no reply"), Delayed("status delayed")]


async def lose_a_reply(rig: EngineRig, doubt: OrderOutcome | None = None) -> None:
    """The first leg of a pair (10 NO at 0.45) leaves, and nobody knows what it did."""
    rig.execution.replies.append(doubt or Unknown("no reply"))
    await rig.show("0.48", "0.45")


@pytest.mark.parametrize("doubt", DOUBTS)
async def test_an_order_whose_end_is_not_known_is_looked_up_and_never_sent_again(tmp_path: Path, doubt: OrderOutcome) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig, doubt)
        await rig.show_for(60, "0.48", "0.45")
        assert len(rig.execution.sent) == 1
        assert set(rig.execution.submits.values()) == {1}
        assert {order_hash for order_hash, _ in rig.execution.lookups} == {rig.execution.sent[0].order_hash}
        assert rig.engine.state() is EngineState.FROZEN
        assert rig.strategy.truth.rejected["frozen"] >= 240


async def test_looking_up_begins_soon_and_then_takes_its_time(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        await rig.clock.advance(0.25)
        assert len(rig.execution.lookups) == 1
        await rig.clock.advance(60)
        assert 10 <= len(rig.execution.lookups) <= 20


async def test_the_second_leg_of_an_unknown_first_is_not_sent(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        assert [(order.state, order.text) for order in await rig.journalled()] == [
            (OrderState.UNKNOWN, "no reply"),
            (OrderState.KILLED, "not sent"),
        ]
        assert [order.order_hash for order in await rig.journal.open_orders(rig.view.market.condition_id)] == [
            rig.execution.sent[0].order_hash
        ]


async def test_an_unknown_order_that_had_filled_is_booked_and_its_other_leg_is_hedged(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        rig.execution.found.extend([None, fill])
        await rig.clock.advance(1)
        assert rig.tracker.position.no.shares == 10_000_000
        assert rig.listener.found == [Filled(10_000_000, 4_500_000, 0)]
        await rig.show("0.55", "0.45")
        assert [plan.outcome for plan in rig.execution.plans()] == [Outcome.NO, Outcome.YES]
        assert rig.listener.ended[1][0] is Purpose.HEDGE
        assert rig.tracker.position.imbalance == 0
        assert rig.engine.state() is EngineState.WATCHING
        assert rig.engine.outcomes == {"unknown": 1, "unknown_filled": 1, "filled": 1}


async def test_an_unknown_order_that_never_traded_frees_the_market_after_the_cooldown(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        rig.execution.found.append(Killed("never arrived"))
        await rig.clock.advance(0.3)
        assert rig.engine.state() is EngineState.COOLDOWN
        await rig.clock.advance(5)
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.pairs == 10_000_000
        assert [order.state for order in (await rig.journalled())[:2]] == [OrderState.KILLED, OrderState.KILLED]


async def test_a_look_up_that_fails_is_only_looked_up_again(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        rig.execution.found.extend([OSError("no route"), ValueError("not JSON"), Delayed("LIVE"), Unknown("?"), fill])
        await rig.clock.advance(20)
        assert len(rig.execution.lookups) == 5
        assert rig.unknown.open == {}
        assert rig.tracker.position.no.shares == 10_000_000


async def test_a_market_frozen_by_its_second_leg_keeps_the_naked_first_one_waiting(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Unknown("no reply")])
        await rig.show("0.48", "0.45")
        assert rig.engine.state() is EngineState.FROZEN
        await rig.show_for(10, "0.48", "0.45")
        assert len(rig.execution.sent) == 2, "hedging now could buy the second leg twice"
        rig.execution.otherwise_found = fill
        await rig.show_for(6, "0.60", "0.45")
        assert rig.tracker.position.pairs == 10_000_000
        assert len(rig.execution.sent) == 2


async def test_what_is_found_out_is_written_down_even_when_the_journal_failed_meanwhile(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        rig.journal.disk_full = True
        rig.execution.found.append(fill)
        await rig.clock.advance(1)
        assert rig.unknown.open == {}
        assert rig.tracker.position.no.shares == 10_000_000
        rig.journal.disk_full = False
        open_orders = await rig.journal.open_orders(rig.view.market.condition_id)
        assert [order.order_hash for order in open_orders] == [rig.execution.sent[0].order_hash], "the next start looks it up again"


async def test_closing_stops_looking_and_leaves_the_order_open_in_the_journal(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        await rig.unknown.close()
        await rig.clock.advance(30)
        assert rig.execution.lookups == []
        assert len(await rig.journal.open_orders(rig.view.market.condition_id)) == 1


async def test_the_same_order_is_not_followed_twice(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await lose_a_reply(rig)
        order = rig.execution.sent[0]
        rig.unknown.add(order, order.plan, since_ms=0)
        await rig.clock.advance(0.3)
        assert len(rig.execution.lookups) == 1
