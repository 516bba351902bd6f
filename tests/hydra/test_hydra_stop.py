"""A stop in the middle of everything: nothing new is opened, hedges finish, the time limit holds, and what stays is said."""

import asyncio
from pathlib import Path

import pytest
from tests.support.fleet_rig import PAIR, FleetRig, cheap_markets, fleet

from kabobagool.execution.journal import JournalledIntent
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.faults import Fault, FaultKind

SLOW = ExchangeSettings(order_latency_ms=1_500, mine_ms=300, confirm_ms=800)
ROOM = {"MAX_POSITION_USD": "200"}
"""For twenty pairs: without a stop the fleet would go on."""


async def intents(rig: FleetRig) -> dict[str, JournalledIntent]:
    """Everything the fleet wrote down that it would send, by its id."""
    journal = rig.session.journal
    return {intent.intent_id: intent for market in await journal.markets() for intent in await journal.intents(market, 0)}


async def test_a_stop_while_orders_are_in_flight_sends_every_second_leg_and_no_new_pair(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(4), settings=SLOW, variables=ROOM) as rig:
        await rig.until(lambda: rig.posts > 3 and rig.posts % 2, "legs are on their way")
        rig.stop.set()
        before = await intents(rig)
        assert await rig.stopped()
        later = [intent for intent_id, intent in (await intents(rig)).items() if intent_id not in before]
        assert {order.text for intent in later for order in intent.orders} <= {"not sent"}
        held = [rig.held(market.slug) for market in rig.paper.exchange.markets]
        assert all(yes == no for yes, no in held)
        assert sum(yes for yes, _ in held) >= PAIR
        rig.nothing_was_sent_twice()


async def test_after_a_stop_every_position_that_stays_is_said_in_a_sentence(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(2)) as rig:
        await rig.until_pair("one-0", "one-1")
        assert await rig.stopped()
        assert not rig.tasks
        said = sorted(rig.supervisor.fleet.positions_left())
        assert [line.partition(":")[0] for line in said] == ["one-0", "one-1"]
        assert all("10 pairs" in line and "without a partner" not in line for line in said)


async def test_a_reply_that_is_lost_at_the_moment_of_the_stop_is_looked_up_and_its_leg_hedged(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(2), faults=[Fault(FaultKind.REPLY_DROPPED, filled=True)]) as rig:
        rig.wire.on_order = lambda number: rig.stop.set()
        await rig.until(rig.stop.is_set, "an order")
        assert await rig.stopped()
        assert sum(rig.paper.exchange.faults.struck.values()) == 1
        for slug in ("one-0", "one-1"):
            yes, no = rig.held(slug)
            assert yes == no
        assert rig.filled() >= 2
        rig.nothing_was_sent_twice()


async def test_a_venue_that_never_answers_does_not_keep_the_fleet_from_ending_and_nobody_says_that_all_is_level(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(2), variables={"REQUEST_TIMEOUT_S": "100", "DRAIN_TIMEOUT_S": "8"}) as rig:
        rig.wire.replies_may_pass.clear()
        await rig.until(lambda: rig.filled() >= 1, "a first leg filled, and nobody hears of it")
        assert not await rig.stopped(), "a leg is naked at the venue"
        assert not rig.tasks
        rig.wire.replies_may_pass.set()


async def test_a_market_that_is_being_opened_for_ever_is_cut_off_and_nobody_says_that_all_is_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_opens(*arguments: object, **named: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("kabobagool.hydra.fleet_assembly.open_bot", never_opens)
    async with fleet(tmp_path, cheap_markets(2), variables={"DRAIN_TIMEOUT_S": "4"}) as rig:
        await rig.until(lambda: rig.phase("one-0") == rig.phase("one-1") == "starting", "both are being opened")
        assert not await rig.stopped(), "what an earlier process left there was never looked at"
        assert not rig.tasks


async def test_a_naked_leg_that_cannot_be_hedged_is_said_with_its_size(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(1), variables={"DRAIN_TIMEOUT_S": "4", "ORPHAN_RETRY_S": "3600"}) as rig:

        def close_before_the_second(number: int) -> None:
            if number == 2:
                rig.paper.venue.close(rig.listed("one-0"))

        rig.wire.on_order = close_before_the_second
        await rig.until(lambda: rig.tasks["one-0"].bot and rig.tasks["one-0"].bot.engine.strategy.naked if rig.tasks else False, "naked")
        assert not await rig.stopped()
        assert "without a partner" in rig.supervisor.fleet.positions_left()[0]


async def test_a_market_that_is_told_to_leave_begins_nothing_even_before_its_bot_woke_up(tmp_path: Path) -> None:
    async with fleet(tmp_path, cheap_markets(1), variables=ROOM) as rig:
        await rig.until(lambda: rig.held("one-0") == (PAIR, PAIR), "it trades")
        task = rig.tasks["one-0"]
        assert task.bot is not None
        task.leave("volume_too_low")
        assert task.bot.engine.stopping
        await rig.until(lambda: task.phase == "gone", "it left")
        yes, no = rig.held("one-0")
        assert yes == no
        assert rig.left()["one-0"].reason == "volume_too_low"
