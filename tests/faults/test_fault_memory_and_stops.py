"""A start on a doubtful memory, and a stop in the middle of something: the first trades nothing, the second finishes what it began."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.support.bot_rig import ENDS_S, BotProcess, Rig, Venue, bot_on, process_on, trading, venue_for_a_bot
from tests.support.paper import RawTrader

from kabobagool.engine.market_engine import EngineState
from kabobagool.execution.official import OrderClient
from kabobagool.venue.transport import AiohttpTransport, HttpReply
from paper_exchange.faults import Fault, FaultKind


async def same_wallet(session: aiohttp.ClientSession, venue: Venue) -> RawTrader:
    """A person at the same wallet as the bot, with the API key that it made."""
    hand = RawTrader(session, venue.paper.urls["clob"], private_key=venue.key)
    async with session.get(f"{hand.clob}/auth/derive-api-key", headers=hand.login_headers()) as reply:
        hand.credentials = await reply.json()
    return hand


async def test_a_required_reconciliation_that_fails_ends_the_start_with_status_1_and_its_reason(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        venue.wire.broken[b"GET /data/trades"] = 500
        bot = BotProcess(venue, RECONCILIATION_REQUIRED="true")
        try:
            await bot.start(announced=False)
            status, said = await bot.ended()
            assert status == 1
            assert "RECONCILIATION_REQUIRED=true" in said
            assert "/data/trades" in said
            assert "Traceback" not in said
            assert venue.posts == 0
            assert venue.wire.requests < 60, "it gave up instead of asking for ever"
        finally:
            await bot.put_away()


async def test_an_optional_reconciliation_that_fails_watches_only_and_trades_once_it_succeeds(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, speed=40) as venue:
        venue.wire.broken[b"GET /data/trades"] = 500
        async with bot_on(venue) as rig:
            assert rig.state is EngineState.DEGRADED
            assert "/data/trades" in " ".join(rig.bot.snapshot().reasons)
            await rig.venue_seconds(20)
            assert rig.posts == 0
            venue.wire.broken.clear()
            await rig.until_pairs(1)
            await rig.agrees_with_the_ledger()


async def test_shares_that_no_trade_explains_degrade_the_bot_instead_of_being_traded_with(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, speed=40) as venue:
        market = venue.paper.market
        ledger = venue.paper.exchange.ledger
        ledger.pool(market).house[market.tokens[0]] -= 25_000_000
        ledger.account(venue.address).shares[market.tokens[0]] = 25_000_000
        async with bot_on(venue) as rig:
            await rig.venue_seconds(40)
            assert rig.state is EngineState.DEGRADED
            assert "25 Yes more than its trades explain" in " ".join(rig.bot.snapshot().reasons)
            assert rig.posts == 0


async def test_purchases_made_by_hand_before_the_start_are_taken_over_and_agree_with_the_ledger(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        async with aiohttp.ClientSession() as session:
            hand = await RawTrader(session, venue.paper.urls["clob"], private_key=venue.key).log_in()
            for token, dollars in zip(venue.paper.market.tokens, ("3.50", "2.94"), strict=True):
                assert (await hand.buy(token, dollars=dollars, shares="7"))[0] == 200
        async with bot_on(venue) as rig:
            await rig.venue_seconds(20)
            await rig.agrees_with_the_ledger()
            assert rig.bot.engine.tracker.position.pairs == 7_000_000


async def test_a_purchase_made_by_hand_while_the_bot_runs_is_noticed(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=40) as rig:
        await rig.until_pairs(1)
        await rig.settled()
        async with aiohttp.ClientSession() as session:
            hand = await same_wallet(session, rig)
            assert (await hand.buy(rig.paper.market.tokens[0], dollars="3.50", shares="7"))[0] == 200
        audit = rig.bot.audit
        assert audit is not None
        await rig.until(lambda: audit.surprises == 1, f"the bot still believes {rig.believed()}")
        await rig.until(lambda: not rig.bot.engine.strategy.naked, "what was bought by hand is hedged like any other naked leg")
        await rig.agrees_with_the_ledger()


async def test_a_stop_in_the_middle_of_a_pair_finishes_the_hedge_and_ends_with_status_0(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:
        venue.wire.replies_may_pass.clear()
        async with process_on(venue) as bot:
            await venue.until(lambda: venue.filled() == 1, "the first leg filled")
            bot.terminate()
            await venue.venue_seconds(2)
            venue.wire.replies_may_pass.set()
            status, said = await bot.ended()
            assert status == 0, said
        assert venue.shares() == (10_000_000, 10_000_000)
        assert venue.posts == 2
        venue.nothing_was_sent_twice()


async def test_a_stop_after_a_killed_second_leg_hedges_before_it_ends(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path) as venue:

        def limit_the_second(number: int) -> None:
            if number == 2:
                venue.paper.add_fault(FaultKind.RATE_LIMITED_WITH_HEADERS, retry_after_s=5)

        venue.wire.on_order = limit_the_second
        async with process_on(venue) as bot:
            await venue.until(lambda: venue.posts == 2, "the second leg is refused")
            bot.terminate()
            status, said = await bot.ended()
            assert status == 0, said
        assert venue.shares() == (10_000_000, 10_000_000)
        venue.nothing_was_sent_twice()


async def test_a_stop_while_an_order_has_no_known_end_does_not_claim_that_all_is_level(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, faults=[Fault(FaultKind.REPLY_DROPPED, filled=True)]) as venue:
        venue.wire.broken[b"GET /data/order"] = 500
        async with process_on(venue) as bot:
            await bot.until_status(lambda status: status["state"] == EngineState.FROZEN, "frozen")
            bot.terminate()
            status, _ = await bot.ended()
            assert venue.shares()[0] != venue.shares()[1]
            assert status == 1, "a leg is naked at the venue, whatever the process knows"


async def test_a_stop_while_an_order_is_being_looked_up_waits_for_its_end_and_hedges(tmp_path: Path) -> None:
    async with venue_for_a_bot(tmp_path, faults=[Fault(FaultKind.REPLY_DROPPED, filled=True)]) as venue:
        venue.wire.broken[b"GET /data/order"] = 500
        async with process_on(venue) as bot:
            await bot.until_status(lambda status: status["state"] == EngineState.FROZEN, "frozen")
            bot.terminate()
            await venue.venue_seconds(1)
            venue.wire.broken.clear()
            await bot.ended()
        assert venue.shares() == (10_000_000, 10_000_000)


async def test_a_bot_that_is_cancelled_at_the_very_moment_a_reply_arrives_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel: list[Callable[[], object]] = []
    request = AiohttpTransport.request

    async def request_and_cancel(self: AiohttpTransport, method: str, url: str, **parts: Any) -> HttpReply:
        reply = await request(self, method, url, **parts)
        if url.endswith("/order"):
            cancel[0]()
        return reply

    monkeypatch.setattr(AiohttpTransport, "request", request_and_cancel)
    async with venue_for_a_bot(tmp_path) as venue, bot_on(venue) as rig:
        await _ends_when_cancelled(rig, cancel)


async def test_so_does_one_whose_orders_the_official_client_sends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = OrderClient.place
    cancel: list[Callable[[], object]] = []
    loop = asyncio.get_running_loop()

    def place_and_cancel(self: OrderClient, signed: Any) -> Any:
        reply = place(self, signed)
        loop.call_soon_threadsafe(cancel[0])
        return reply

    monkeypatch.setattr(OrderClient, "place", place_and_cancel)
    async with venue_for_a_bot(tmp_path) as venue, bot_on(venue, ORDER_CLIENT="official") as rig:
        await _ends_when_cancelled(rig, cancel)


async def _ends_when_cancelled(rig: Rig, cancel: list[Callable[[], object]]) -> None:
    cancel.append(rig.run.cancel)
    await rig.until(lambda: rig.posts, "an order")
    await asyncio.wait({rig.run}, timeout=ENDS_S)
    assert rig.run.done(), "one part ignored its cancellation, so the process would hang half alive"
