"""Only the view at the moment of sending counts: whatever moved, aged or vanished on the way to the wire sends nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.engine_rig import EngineRig, engine_rig

from kabobagool.domain.market import Outcome
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Killed
from kabobagool.domain.sizing import buy_order
from kabobagool.execution.journal import JournalledIntent
from kabobagool.gate.interface import Priority

Change = Callable[[EngineRig], None]
OLD_YES = buy_order(Outcome.YES, 4800, parse_micros("10"))


def the_price_moves(rig: EngineRig) -> None:
    rig.fill_books("0.49", "0.45")


def the_depth_shrinks(rig: EngineRig) -> None:
    rig.fill_books("0.48", "0.45", yes_depth="7")


def the_edge_closes(rig: EngineRig) -> None:
    rig.fill_books("0.55", "0.45")


def the_socket_drops(rig: EngineRig) -> None:
    rig.view.invalidate()


def a_frame_is_half_applied(rig: EngineRig) -> None:
    rig.view.frame_open = True


def the_tick_size_changes(rig: EngineRig) -> None:
    rig.view.tick_is_current = False


def the_market_resolves(rig: EngineRig) -> None:
    rig.view.resolved = True


def the_market_closes(rig: EngineRig) -> None:
    rig.view.market = replace(rig.view.market, accepting_orders=False)


def a_person_must_look(rig: EngineRig) -> None:
    rig.engine.degrade("balances disagree")


def the_bot_is_stopping(rig: EngineRig) -> None:
    rig.engine.stopping = True


MOVES: list[Change] = [the_price_moves, the_depth_shrinks]
ENDS: list[Change] = [
    the_edge_closes,
    the_socket_drops,
    a_frame_is_half_applied,
    the_tick_size_changes,
    the_market_resolves,
    the_market_closes,
    a_person_must_look,
    the_bot_is_stopping,
]


@pytest.mark.parametrize("change", MOVES)
async def test_orders_signed_for_a_view_that_moved_are_never_sent(tmp_path: Path, change: Change) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.while_preparing = lambda: change(rig)
        await rig.show("0.48", "0.45")
        stale = {order.order_hash for order in rig.execution.prepared[:2]}
        assert len(stale) == 2
        assert stale.isdisjoint(rig.execution.submits)
        assert OLD_YES not in rig.execution.plans()
        assert rig.strategy.truth.rejected["view_moved"] == 1
        assert stale.isdisjoint(order.order_hash for order in await rig.journalled()), "what nobody asked leave for is written nowhere"


async def test_a_price_that_moved_during_the_gates_wait_is_not_paid(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=200_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.48", "0.45")
        the_price_moves(rig)
        await rig.clock.advance(0.5)
        assert OLD_YES not in rig.execution.plans()
        assert rig.strategy.truth.rejected["view_moved"] >= 1


async def test_an_edge_that_shrank_during_the_gates_wait_is_taken_as_it_is_now_with_the_leave_that_was_given(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=200_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.48", "0.45")
        the_depth_shrinks(rig)
        await rig.clock.advance(0.5)
        sent = rig.execution.plans()
        assert OLD_YES not in sent
        assert len(sent) == 2
        assert {plan.shares for plan in sent} == {min(plan.shares for plan in sent)}
        assert sent[0].shares < OLD_YES.shares
        assert rig.strategy.truth.rejected == {}
        assert [order.order_hash for order in await rig.journalled()] == [order.order_hash for order in rig.execution.prepared[2:]]


@pytest.mark.parametrize("change", ENDS)
async def test_what_ends_the_edge_while_orders_are_signed_sends_nothing(tmp_path: Path, change: Change) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.while_preparing = lambda: change(rig)
        await rig.show("0.48", "0.45")
        assert len(rig.execution.prepared) == 2
        assert rig.execution.sent == []
        assert rig.strategy.truth.rejected["view_moved"] == 1
        assert await rig.journalled() == []


@pytest.mark.parametrize("change", [*MOVES, *ENDS])
async def test_what_moves_while_the_orders_are_written_down_sends_none_of_them(tmp_path: Path, change: Change) -> None:
    async with engine_rig(tmp_path) as rig:
        write = rig.journal.record

        async def written_too_late(intent: JournalledIntent) -> None:
            rig.journal.record = write  # type: ignore[method-assign]
            await write(intent)
            change(rig)

        rig.journal.record = written_too_late  # type: ignore[method-assign]
        await rig.show("0.48", "0.45")
        stale = {order.order_hash for order in rig.execution.prepared[:2]}
        assert stale.isdisjoint(rig.execution.submits)
        assert rig.strategy.truth.rejected["view_moved"] == 1
        assert [order.text for order in await rig.journalled()][:2] == ["not sent", "not sent"]


@pytest.mark.parametrize("change", ENDS)
async def test_what_ends_the_edge_while_waiting_for_the_gate_sends_nothing_and_writes_nothing(tmp_path: Path, change: Change) -> None:
    async with engine_rig(tmp_path, interval_us=200_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        change(rig)
        await rig.clock.advance(0.5)
        assert len(rig.execution.prepared) == 2, "signed once, before leave was asked for"
        assert rig.execution.sent == []
        assert await rig.journalled() == []
        assert rig.strategy.truth.rejected["view_moved"] == 1


@pytest.mark.parametrize("outcome", list(Outcome))
async def test_a_leg_that_goes_naked_while_a_pair_is_signed_stops_the_pair(tmp_path: Path, outcome: Outcome) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.while_preparing = lambda: rig.hold(outcome, "10", "0.45")
        await rig.show("0.48", "0.45")
        assert {order.order_hash for order in rig.execution.prepared[:2]}.isdisjoint(rig.execution.submits)
        assert rig.strategy.naked or rig.tracker.position.imbalance == 0


async def test_an_edge_that_stands_through_the_gates_wait_is_traded(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=200_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.48", "0.45")
        await rig.clock.advance(0.39)
        assert rig.execution.sent == []
        await rig.clock.advance(0.01)
        assert len(rig.execution.sent) == 2


async def test_a_view_that_grew_too_old_while_waiting_sends_nothing(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=400_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        rig.fill_books("0.48", "0.45")
        await rig.clock.advance(1.3)
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=9)
        rig.strategy.on_view(rig.view)
        await rig.clock.advance(1.0)
        assert rig.execution.sent == []
        assert rig.strategy.truth.seen >= 1
        assert rig.unaccounted() == 0


async def test_an_edge_that_would_have_to_queue_too_long_is_not_queued_but_asked_for_again(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=600_000) as rig:
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.48", "0.45")
        assert rig.strategy.truth.rejected["gate_refused"] == 1
        assert rig.execution.sent == []
        assert await rig.journalled() == []
        await rig.clock.advance(1.5)
        assert len(rig.execution.sent) == 2, "the books still stand, and the gate is free again"


async def test_a_burst_of_frames_is_decided_on_the_last_one_only(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        for ask in ("0.40", "0.42", "0.44", "0.46"):
            rig.show_now(ask, "0.45")
        await rig.settle()
        assert [plan.price for plan in rig.execution.plans()] == [4500, 4600]
        assert rig.strategy.truth.as_mapping() == {"seen": 4, "acted_on": 1, "rejected": {"order_in_flight": 3}}


async def test_an_edge_that_is_gone_before_the_engine_woke_is_counted_under_what_killed_it(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.show_now("0.48", "0.45")
        rig.fill_books("0.56", "0.45")
        await rig.settle()
        assert rig.execution.prepared == []
        assert rig.strategy.truth.rejected == {"pair_cost_too_high": 1}


async def test_a_sum_of_a_dollar_or_more_is_not_even_asked_about(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        for _ in range(100):
            rig.show_now("0.55", "0.45")
        assert (rig.strategy.ticks, rig.strategy.decisions, rig.strategy.truth.seen) == (100, 0, 0)
        assert not rig.strategy.on_tick(5500, 4500)
        assert rig.strategy.on_tick(5499, 4500)


async def test_with_a_naked_leg_every_view_is_looked_at(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.otherwise = Killed()
        rig.hold(Outcome.YES, "10", "0.45")
        assert rig.strategy.on_tick(9900, 9900)
        rig.hold(Outcome.NO, "10", "0.45", name="other")
        assert not rig.strategy.on_tick(9900, 9900)


async def test_a_hedge_is_sized_on_the_book_at_the_moment_of_sending(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=500_000) as rig:
        rig.hold(Outcome.YES, "10", "0.45")
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.45", "0.56")
        rig.fill_books("0.45", "0.58")
        await rig.clock.advance(0.5)
        assert rig.execution.sent == []
        await rig.show("0.45", "0.58")
        await rig.clock.advance(0.5)
        assert [(plan.price, plan.shares) for plan in rig.execution.plans()] == [(5800, parse_micros("10"))]
