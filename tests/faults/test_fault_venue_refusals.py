"""A venue that says no: limited, restarting, blocked or out of money. The bot waits as long as it must and never hammers."""

import itertools
import json
import sqlite3
from pathlib import Path

import pytest
from tests.faults.fault_books import cheap_after
from tests.support.bot_rig import BotProcess, Rig, process_on, trading, venue_for_a_bot

from kabobagool.engine.market_engine import EngineState
from kabobagool.engine.purse import PurseKeeper
from paper_exchange.faults import Fault, FaultKind


def venue_gaps_s(rig: Rig) -> list[float]:
    """Venue seconds between one order and the next."""
    times = rig.wire.order_times
    return [(later - earlier) * rig.paper.clock.speed for earlier, later in itertools.pairwise(times)]


async def test_a_rate_limit_with_headers_is_no_doubt_the_gate_pauses_as_long_as_asked_and_then_it_trades(tmp_path: Path) -> None:
    limited = Fault(FaultKind.RATE_LIMITED_WITH_HEADERS, retry_after_s=8)
    async with trading(tmp_path, faults=[limited]) as rig:
        await rig.until(lambda: rig.bot.engine.outcomes["rejected"], "refused")
        assert not rig.bot.engine.unknown.open, "this refusal is certain"
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3
        assert venue_gaps_s(rig)[0] >= 7.5
        assert rig.bot.engine.outcomes["unknown"] == 0


async def test_a_limit_on_the_hedge_delays_it_and_the_pair_is_completed(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:

        def limit_the_second(number: int) -> None:
            if number == 2:
                rig.paper.add_fault(FaultKind.RATE_LIMITED_WITH_HEADERS, retry_after_s=4)

        rig.wire.on_order = limit_the_second
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3
        assert venue_gaps_s(rig)[1] >= 3.5


async def test_a_restart_and_two_minutes_of_post_only_bring_no_storm_of_orders_and_trading_resumes(tmp_path: Path) -> None:
    async with trading(tmp_path, faults=[Fault(FaultKind.RESTART_425, at_ms=0, for_ms=60_000)], speed=100) as rig:
        over_ms = rig.paper.clock.start_ms + 180_000
        await rig.until(lambda: rig.paper.clock.now_ms() > over_ms, "the restart is over")
        assert all(trade.match_ms >= over_ms for trade in rig.trades())
        assert 2 <= rig.posts <= 20, "three minutes of refusals"
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()


async def test_a_blocked_address_costs_one_order_and_the_bot_stays_up_and_says_why(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, faults=[Fault(FaultKind.CLOUDFLARE_403, for_ms=3_600_000)]) as venue, process_on(venue) as bot:
        status = await bot.until_status(lambda status: status["state"] == EngineState.DEGRADED, "degraded")
        assert "this address may not trade" in " ".join(status["reasons"])
        await venue.venue_seconds(60)
        assert venue.posts == 1
        assert (await bot.status())["state"] == EngineState.DEGRADED
        await _stops_cleanly(bot)


async def _stops_cleanly(bot: BotProcess) -> None:
    bot.terminate()
    status, _ = await bot.ended()
    assert status == 0


@pytest.fixture
def balance_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The balance cannot be read, or somebody spends it at this moment: only the venue knows what the wallet can pay."""

    async def nobody_says(self: PurseKeeper) -> bool:
        return False

    monkeypatch.setattr(PurseKeeper, "count", nobody_says)


async def test_a_pair_of_which_the_wallet_can_pay_one_leg_only_is_not_begun(tmp_path: Path) -> None:
    async with trading(tmp_path, balance_micros=4_500_000, speed=80) as rig:
        await rig.until(lambda: rig.rejected.get("not_enough_balance"), "an edge that cannot be paid")
        assert rig.posts == 0
        rig.paper.exchange.deposit(rig.address, 100_000_000)
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()


async def test_a_wallet_without_money_sends_nothing_until_it_has_some(tmp_path: Path) -> None:
    async with trading(tmp_path, balance_micros=2_000_000) as rig:
        await rig.until(lambda: rig.rejected.get("not_enough_balance"), "an edge that cannot be paid")
        assert rig.posts == 0
        rig.paper.exchange.deposit(rig.address, 100_000_000)
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2


async def test_money_for_one_leg_only_ends_in_a_sale_of_that_leg_and_not_in_a_naked_one(tmp_path: Path, balance_unknown: None) -> None:
    async with trading(tmp_path, balance_micros=4_500_000, speed=80) as rig:
        await rig.until(lambda: rig.filled() == 1, "the first leg")
        await rig.until(lambda: rig.shares() == (0, 0), f"the leg nobody can pair is sold; {rig.rejected}")
        await rig.agrees_with_the_ledger()
        assert rig.posts <= 6


async def test_money_for_one_leg_only_brings_no_storm_of_hedges(tmp_path: Path, balance_unknown: None) -> None:
    async with trading(tmp_path, balance_micros=4_500_000, speed=80) as rig:
        await rig.until(lambda: rig.filled() == 1, "the first leg")
        await rig.venue_seconds(110)
        assert rig.posts <= 5
        assert not rig.bot.engine.degraded


FATAL = [
    (403, '{"error": "Trading restricted in your region, please refer to available regions"}'),
    (401, '{"error": "Unauthorized/Invalid api key"}'),
    (400, '{"error": "invalid signature"}'),
    (400, '{"error": "maker address not allowed, please use the deposit wallet flow"}'),
    (400, '{"error": "order_version_mismatch"}'),
]


@pytest.mark.parametrize(("status", "body"), FATAL)
async def test_a_refusal_that_only_a_person_can_mend_costs_one_order(tmp_path: Path, status: int, body: str) -> None:
    async with trading(tmp_path, speed=80) as rig:
        rig.wire.forged = (status, body)
        await rig.until(lambda: rig.state is EngineState.DEGRADED, "degraded")
        await rig.venue_seconds(30)
        assert rig.posts == 1
        assert json.loads(body)["error"] in " ".join(rig.bot.snapshot().reasons)
        assert not rig.run.done()


RUBBISH = [(200, "{}"), (200, '{"success": true, "status": "matched"}'), (200, "not json"), (418, "{}"), (502, "<html>bad gateway</html>")]


@pytest.mark.parametrize(("status", "body"), RUBBISH)
async def test_an_answer_that_makes_no_sense_is_a_doubt_and_not_a_refusal(tmp_path: Path, status: int, body: str) -> None:
    async with trading(tmp_path, speed=80) as rig:
        rig.wire.forged = (status, body)
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen")
        rig.wire.forged = None
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3


async def test_a_refusal_nobody_has_heard_of_is_answered_with_patience(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=80) as rig:
        rig.wire.forged = (400, '{"error": "the moon is in the wrong house"}')
        await rig.until(lambda: rig.posts, "a first order")
        await rig.venue_seconds(90)
        assert rig.posts <= 10
        rig.wire.forged = None
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()


async def test_however_many_edges_there_are_the_pace_of_orders_is_kept_and_the_venue_never_says_too_many(tmp_path: Path) -> None:
    room = {"MAX_POSITION_USD": "1000", "GLOBAL_ORDER_MIN_INTERVAL_S": "1"}
    async with trading(tmp_path, variables=room, speed=5) as rig:
        await rig.until(lambda: rig.posts >= 10, "a few pairs")
        first, last = rig.wire.order_times[0], rig.wire.order_times[9]
        assert (last - first) * rig.paper.clock.speed >= 8 - 1, "pairs leave together, one order a second in the long run"
        assert rig.bot.engine.outcomes["rejected"] == 0
        await rig.at_rest()
        await rig.agrees_with_the_ledger()


async def test_a_journal_that_cannot_be_written_means_no_order_and_says_so(tmp_path: Path) -> None:
    async with trading(tmp_path, cheap_after(30), speed=20) as rig:
        blocker = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
        try:
            blocker.execute("BEGIN IMMEDIATE")
            await rig.until(lambda: rig.bot.engine.degraded, "degraded")
            assert "journal" in " ".join(rig.bot.snapshot().reasons)
            assert rig.posts == 0
        finally:
            blocker.close()
