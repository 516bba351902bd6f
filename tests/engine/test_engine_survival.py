"""What must not kill the engine, blind it, or let it forget an order: the ways a bot dies silently."""

from pathlib import Path

import pytest
from tests.support.engine_rig import BASE_S, Hang, engine_rig, fill

from kabobagool.domain.edge import Policy
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Killed, Unknown
from kabobagool.engine.market_engine import EngineState
from kabobagool.engine.troubles import BY_REJECTION
from kabobagool.gate.interface import Priority


@pytest.mark.parametrize("number", [0, 1])
async def test_an_order_whose_sending_crashed_counts_as_unknown_and_freezes_the_market(tmp_path: Path, number: int) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([*[fill] * number, ZeroDivisionError("a bug in the client")])
        await rig.show("0.48", "0.45")
        assert rig.alive()
        assert list(rig.unknown.open) == [rig.execution.sent[number].order_hash]
        assert rig.engine.state() is EngineState.FROZEN
        await rig.show_for(5, "0.48", "0.45")
        assert len(rig.execution.sent) == number + 1


async def test_an_order_that_cannot_be_signed_sends_nothing_and_is_accounted_for(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.while_preparing = _cannot_sign
        await rig.show("0.48", "0.45")
        assert rig.alive()
        assert rig.execution.sent == []
        assert rig.unaccounted() == 0
        assert not rig.strategy.pending


def _cannot_sign() -> None:
    raise ValueError("no such key")


async def test_a_hedge_whose_reply_was_lost_and_that_had_filled_leaves_the_engine_alive(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.extend([fill, Killed(), Unknown("no reply")])
        await rig.show("0.48", "0.45")
        await rig.clock.advance(1)
        assert rig.engine.state() is EngineState.FROZEN
        await rig.show("0.60", "0.45")
        rig.execution.otherwise_found = fill
        await rig.clock.advance(10)
        assert rig.tracker.position.imbalance == 0
        assert rig.alive()
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.pairs == 20_000_000


async def test_a_naked_leg_that_settlement_made_whole_again_leaves_the_engine_alive(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, policy=Policy(batch_shares=parse_micros("10"), orphan_loss_cap=0)) as rig:
        rig.hold(Outcome.NO, "10", "0.45")
        await rig.show("0.70", "0.40")
        await rig.clock.advance(0.5)
        rig.tracker.remove("earlier")
        rig.engine.booked()
        await rig.clock.advance(3)
        assert rig.alive()
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.pairs == 10_000_000


async def test_a_look_up_asks_from_the_moment_the_order_was_signed_and_not_from_the_time_out(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.latency_s = 10.0
        rig.execution.replies.append(Unknown("no reply within 10 s"))
        await rig.show("0.48", "0.45")
        await rig.clock.advance(10.5)
        (order_hash, since_ms), *_ = rig.execution.lookups
        assert since_ms <= rig.execution.sent_ms[order_hash]


async def test_a_leg_found_naked_is_hedged_at_once_without_waiting_for_the_next_frame(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        rig.execution.found.append(fill)
        await rig.clock.advance(1.9)
        assert [plan.outcome for plan in rig.execution.plans()] == [Outcome.NO, Outcome.YES]
        assert rig.tracker.position.imbalance == 0


async def test_an_order_that_may_have_traded_is_waited_for_before_stopping(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        rig.execution.found.extend([None, None, fill])
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=20))
        await rig.clock.advance(0.5)
        assert not stopped.done(), "nobody knows yet whether a leg is naked"
        await rig.show_for(5, "0.48", "0.45")
        assert await stopped
        assert rig.tracker.position.pairs == 10_000_000


async def test_stopping_with_an_order_of_unknown_end_does_not_claim_that_nothing_is_naked(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=5))
        await rig.clock.advance(6)
        assert await stopped is False


async def test_stopping_with_an_order_still_on_its_way_does_not_claim_that_nothing_is_naked(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        hang = Hang()
        rig.execution.replies.append(hang)
        await rig.show("0.48", "0.45")
        stopped = rig.watch(rig.engine.hedge_before_stop(timeout_s=5))
        await rig.clock.advance(6)
        assert await stopped is False
        hang.release.set_result(Killed())


async def test_a_hedge_waiting_at_the_gate_is_not_sent_once_a_person_must_look(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, interval_us=500_000) as rig:
        rig.hold(Outcome.NO, "10", "0.45")
        await rig.gate.acquire(market="0xother", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        await rig.show("0.50", "0.45")
        rig.engine.degrade("balances disagree")
        await rig.clock.advance(1)
        assert rig.execution.sent == []


async def test_a_naked_leg_is_hedged_soon_after_the_venue_may_be_asked_again(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.hold(Outcome.NO, "10", "0.45")
        await rig.gate.pause(seconds=20, reason="restart")
        await rig.show_for(22.5, "0.55", "0.45")
        assert [plan.outcome for plan in rig.execution.plans()] == [Outcome.YES]


async def test_refusals_of_the_gate_do_not_lengthen_the_cooldown_of_failed_orders(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        await rig.gate.halt(scope="wallet", who="a person", why="a look")
        await rig.show_for(20, "0.48", "0.45")
        await rig.gate.resume(scope="wallet")
        await rig.clock.advance(60)
        rig.execution.replies.append(Killed())
        await rig.show("0.48", "0.45")
        assert rig.cooldown.remaining(rig.clock.monotonic()) == BASE_S


async def test_orders_that_bought_nothing_do_not_use_up_the_exposure_of_the_wallet(tmp_path: Path) -> None:
    async with engine_rig(tmp_path, exposure_cap_micros=parse_micros("20")) as rig:
        rig.execution.otherwise = Killed()
        for _ in range(4):
            await rig.show("0.48", "0.45")
            await rig.clock.advance(60)
        rig.execution.otherwise = fill
        await rig.show("0.48", "0.45")
        assert rig.tracker.position.pairs == 10_000_000


def test_a_refusal_is_an_end_and_only_doubts_are_looked_up() -> None:
    looked_up = [reason for reason, trouble in BY_REJECTION.items() if trouble.look_up]
    assert looked_up == [], "the journal closes a rejected order, so a crash before the look-up would forget it"


async def test_a_client_that_breaks_its_word_and_answers_nonsense_to_a_look_up_changes_nothing(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.replies.append(Unknown("no reply"))
        await rig.show("0.48", "0.45")
        for _ in range(20):
            rig.execution.found.append(RuntimeError("nonsense"))
        await rig.clock.advance(60)
        assert rig.engine.state() is EngineState.FROZEN
        assert rig.alive()


async def test_one_frame_is_traded_once_because_what_it_showed_may_already_be_ours(tmp_path: Path) -> None:
    async with engine_rig(tmp_path) as rig:
        rig.execution.fills_show_in_the_book = False
        await rig.show("0.48", "0.45", yes_depth="1000", no_depth="1000")
        await rig.clock.advance(1)
        assert len(rig.execution.sent) == 2
        await rig.show("0.48", "0.45", yes_depth="1000", no_depth="1000")
        assert len(rig.execution.sent) == 4
