"""Every refusal has its consequence: some silence the wallet, some only this market, some stop everything until a person looked."""

from pathlib import Path

import pytest
from tests.support.engine_rig import EngineRig, engine_rig, fill

from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.outcome import Delayed, Killed, OrderOutcome, Rejected, Rejection, Unknown
from kabobagool.engine.bans import TRIED_AGAIN_S
from kabobagool.engine.market_engine import EngineState
from kabobagool.engine.troubles import BY_REJECTION, CLOSED_STAY_AWAY_S, DISABLED_PAUSE_S, LOOK_UP, NO_TROUBLE, trouble_of
from kabobagool.execution.journal import JournalError
from kabobagool.gate.interface import Granted, Priority, Refusal, Refused

FATAL = [reason for reason, trouble in BY_REJECTION.items() if trouble.fatal]
PAUSING = [reason for reason, trouble in BY_REJECTION.items() if trouble.pause_s]


async def another_market_asks(rig: EngineRig) -> Granted | Refused:
    """What the gate says to another market of the wallet."""
    return await rig.gate.acquire(market="0xother", cost=1, notional=1_000_000, priority=Priority.UNWIND, max_wait_s=0)


def test_every_rejection_the_venue_knows_has_one_consequence() -> None:
    assert set(BY_REJECTION) == set(Rejection)
    assert set(FATAL) == {Rejection.AMOUNTS, Rejection.MIN_SIZE, Rejection.CONFIGURATION, Rejection.GEOBLOCKED}
    assert set(PAUSING) == {Rejection.RATE_LIMITED, Rejection.RESTARTING, Rejection.POST_ONLY, Rejection.TRADING_DISABLED}


def test_a_doubt_is_looked_up_and_a_kill_is_no_trouble() -> None:
    assert trouble_of(Unknown()) == trouble_of(Delayed()) == LOOK_UP
    assert trouble_of(Killed()) == NO_TROUBLE


@pytest.mark.parametrize("reason", PAUSING)
def test_a_pause_the_venue_asked_for_is_kept_exactly(reason: Rejection) -> None:
    assert trouble_of(Rejected(reason, "", 7.5)).pause_s == 7.5
    assert trouble_of(Rejected(reason, "")).pause_s == BY_REJECTION[reason].pause_s > 0


@pytest.mark.parametrize("reason", sorted(set(Rejection) - set(PAUSING)))
def test_a_retry_after_on_any_other_refusal_silences_nobody(reason: Rejection) -> None:
    assert trouble_of(Rejected(reason, "", 7.5)).pause_s == 0


@pytest.mark.parametrize("reason", PAUSING)
async def test_a_venue_that_asks_for_silence_gets_it_from_the_whole_wallet(tmp_path: Path, reason: Rejection) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(reason, "later", 3.0))
        await rig.show("0.48", "0.45")
        assert await another_market_asks(rig) == Refused(Refusal.VENUE_PAUSED, 3.0)
        await rig.show_for(2.5, "0.48", "0.45")
        assert len(rig.execution.sent) == 1
        await rig.clock.advance(0.5)
        assert isinstance(await another_market_asks(rig), Granted)


async def test_nobody_of_the_wallet_sends_while_the_wish_for_silence_is_still_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_rig(tmp_path) as rig:
        meanwhile = []

        async def slow_disk(order_hash: str, outcome: OrderOutcome) -> None:
            meanwhile.append(await another_market_asks(rig))

        monkeypatch.setattr(rig.journal, "mark", slow_disk)
        rig.execution.replies.append(Rejected(Rejection.RATE_LIMITED, "later", 3.0))
        await rig.show("0.48", "0.45")
        assert meanwhile[0] == Refused(Refusal.VENUE_PAUSED, 3.0)


async def test_without_a_named_time_our_own_pause_holds(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(Rejection.TRADING_DISABLED, "cancel only"))
        await rig.show("0.48", "0.45")
        assert await another_market_asks(rig) == Refused(Refusal.VENUE_PAUSED, DISABLED_PAUSE_S)


async def test_a_second_leg_that_is_told_to_wait_also_silences_the_wallet(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Rejected(Rejection.RESTARTING, "425", 4.0)])
        await rig.show("0.48", "0.45")
        assert await another_market_asks(rig) == Refused(Refusal.VENUE_PAUSED, 4.0)
        assert rig.engine.state() is EngineState.ORPHAN


@pytest.mark.parametrize("reason", FATAL)
async def test_a_refusal_that_is_our_own_fault_stops_every_order_until_a_person_looked(tmp_path: Path, reason: Rejection) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(reason, "maker address not allowed"))
        await rig.show("0.48", "0.45")
        await rig.show_for(60, "0.48", "0.45", every_s=0.5)
        assert len(rig.execution.sent) == 1
        assert rig.engine.state() is EngineState.DEGRADED
        assert rig.engine.degraded == ["order refused: maker address not allowed"]
        assert rig.strategy.truth.rejected["degraded"] > 100


async def test_a_fatal_refusal_stops_hedges_too(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Rejected(Rejection.CONFIGURATION, "invalid signature")])
        await rig.show("0.48", "0.45")
        await rig.show_for(60, "0.48", "0.45", every_s=0.5)
        assert len(rig.execution.sent) == 2
        assert rig.strategy.naked


async def test_an_engine_that_recovered_trades_again(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.engine.degrade("not reconciled")
        rig.engine.degrade("not reconciled")
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        rig.engine.recover("not reconciled")
        rig.engine.recover("something else")
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 2


@pytest.mark.parametrize("reason", [Rejection.MARKET_CLOSED])
async def test_a_market_that_cannot_be_traded_now_is_left_alone_for_a_minute(tmp_path: Path, reason: Rejection) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(reason, "no"))
        await rig.show("0.48", "0.45")
        assert rig.cooldown.remaining(rig.clock.monotonic()) == pytest.approx(CLOSED_STAY_AWAY_S)
        assert isinstance(await another_market_asks(rig), Granted)
        await rig.clock.advance(CLOSED_STAY_AWAY_S)
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 3


@pytest.mark.parametrize("reason", [Rejection.TICK_SIZE, Rejection.OTHER])
async def test_any_other_refusal_costs_a_cooldown(tmp_path: Path, reason: Rejection) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Rejected(reason, "no"))
        await rig.show("0.48", "0.45")
        assert rig.engine.state() is EngineState.COOLDOWN
        assert rig.engine.outcomes == {"rejected": 1}


async def test_a_journal_that_cannot_be_written_sends_nothing_and_degrades(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.journal.disk_full = True
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        assert rig.engine.state() is EngineState.DEGRADED
        assert "disk is full" in rig.engine.degraded[0]
        assert rig.strategy.truth.rejected[Reason.JOURNAL_FAILED] == 1
        rig.journal.disk_full = False
        await rig.show_for(5, "0.48", "0.45")
        assert rig.execution.sent == []


async def test_a_market_whose_journal_failed_does_not_say_so_for_ever_when_nothing_is_to_be_bought(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.journal.disk_full = True
        await rig.show_for(1, "0.48", "0.45", every_s=0.5)
        assert (rig.engine.state(), len(rig.engine.degraded)) == (EngineState.DEGRADED, 1)
        await rig.show_for(TRIED_AGAIN_S, "0.60", "0.55", every_s=0.5)
        assert (rig.engine.state(), rig.engine.degraded) == (EngineState.WATCHING, [])


async def test_a_journal_that_can_be_written_again_is_tried_after_half_a_minute_and_again_while_it_cannot(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.journal.disk_full = True
        await rig.show_for(2 * TRIED_AGAIN_S + 5, "0.48", "0.45", every_s=0.5)
        assert rig.execution.sent == []
        assert rig.strategy.truth.rejected[Reason.JOURNAL_FAILED] == 3
        rig.journal.disk_full = False
        await rig.show_for(TRIED_AGAIN_S, "0.48", "0.45", every_s=0.5)
        assert rig.tracker.position.pairs > 0
        assert rig.engine.degraded == []


async def test_a_leg_that_is_naked_while_the_journal_cannot_be_written_is_hedged_once_it_can(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:

        def kill_as_the_disk_fills_up(plan: OrderPlan) -> OrderOutcome:
            rig.journal.disk_full = True
            return Killed("nobody sells")

        rig.execution.replies.extend([fill, kill_as_the_disk_fills_up])
        await rig.show("0.48", "0.45")
        await rig.show_for(10, "0.48", "0.45", every_s=0.5)
        assert (rig.strategy.naked, rig.engine.state(), len(rig.execution.sent)) == (True, EngineState.DEGRADED, 2)
        rig.journal.disk_full = False
        await rig.clock.advance(TRIED_AGAIN_S)
        await rig.show_for(5, "0.48", "0.45", every_s=0.5)
        assert not rig.strategy.naked


async def test_a_market_that_is_not_claimed_in_the_journal_sends_nothing(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.journal.release(rig.view.market.condition_id)
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        assert "is not claimed" in rig.engine.degraded[0]


async def test_a_journal_closed_under_the_engine_sends_nothing(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        closed = rig.journal
        await closed.close()
        await rig.show("0.48", "0.45")
        assert rig.execution.sent == []
        assert rig.engine.state() is EngineState.DEGRADED
        with pytest.raises(JournalError):
            await closed.open_orders("")
        rig.journal.close = _nothing  # type: ignore[method-assign]


async def _nothing() -> None:
    return


async def test_a_journal_that_fails_after_the_first_leg_does_not_hold_back_the_second(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:

        def fill_as_the_disk_fills_up(plan: OrderPlan) -> OrderOutcome:
            rig.journal.disk_full = True
            return fill(plan)

        rig.execution.otherwise = fill_as_the_disk_fills_up
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.pairs == 10_000_000
        await rig.show("0.48", "0.45")
        assert len(rig.execution.sent) == 2
        assert rig.engine.state() is EngineState.DEGRADED


async def test_a_halted_wallet_sends_nothing_and_counts_the_edges(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.gate.halt(scope="wallet", who="a person", why="holiday")
        await rig.show_for(10, "0.48", "0.45")
        assert rig.execution.sent == []
        assert rig.strategy.truth.rejected["gate_refused"] >= 3
        await rig.gate.resume(scope="wallet")
        await rig.show_for(30, "0.48", "0.45")
        assert len(rig.execution.sent) >= 2
