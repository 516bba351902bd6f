"""An order whose reply is lost: its end is found by its hash, nothing is bought twice, and the bot goes on when it knows."""

from pathlib import Path

import pytest
from tests.faults.fault_books import cheap_until
from tests.support.bot_rig import Rig, trading

from kabobagool.engine.market_engine import EngineState
from paper_exchange.faults import Fault, FaultKind

LOST = [FaultKind.REPLY_DROPPED, FaultKind.COULD_NOT_RUN_500, FaultKind.RATE_LIMITED_BARE_429]


def strike_order(rig: Rig, number: int, kind: FaultKind, *, filled: bool) -> None:
    """Let the fault hit the order of this number."""

    def arm(current: int) -> None:
        if current == number:
            rig.paper.add_fault(kind, filled=filled)

    rig.wire.on_order = arm


async def test_without_a_fault_one_pair_is_bought_and_agrees_with_the_ledger(tmp_path: Path) -> None:
    async with trading(tmp_path) as rig:
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2
        await rig.venue_seconds(5)
        assert rig.posts == 2, "the cap of the position leaves no room for a second pair"


@pytest.mark.parametrize("kind", LOST)
async def test_a_first_leg_that_filled_without_a_reply_is_found_by_its_hash_and_hedged_and_never_bought_again(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with trading(tmp_path, faults=[Fault(kind, filled=True)]) as rig:
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen until the order's end is known")
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2, "the lost order and its hedge"
        assert rig.bot.engine.outcomes["unknown_filled"] == 1
        assert rig.shares() == (10_000_000, 10_000_000)


@pytest.mark.parametrize("kind", LOST)
async def test_an_order_that_never_arrived_freezes_the_market_until_that_is_known_and_then_it_trades_on(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with trading(tmp_path, faults=[Fault(kind, filled=False)], speed=80) as rig:
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen")
        await rig.venue_seconds(40)
        assert (rig.posts, rig.state) == (1, EngineState.FROZEN), "not found for a while proves nothing"
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3
        assert rig.bot.engine.outcomes["unknown_killed"] == 1


@pytest.mark.parametrize("kind", LOST)
async def test_a_second_leg_that_filled_without_a_reply_completes_the_pair_and_no_hedge_is_bought_on_top(
    tmp_path: Path, kind: FaultKind
) -> None:
    async with trading(tmp_path) as rig:
        strike_order(rig, 2, kind, filled=True)
        await rig.until_pairs(1)
        await rig.until(lambda: rig.bot.engine.outcomes["unknown_filled"], "found by its hash")
        await rig.venue_seconds(10)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2
        assert rig.state in (EngineState.WATCHING, EngineState.COOLDOWN)


async def test_a_second_leg_that_never_arrived_leaves_an_orphan_that_is_hedged_once_that_is_known(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=80) as rig:
        strike_order(rig, 2, FaultKind.REPLY_DROPPED, filled=False)
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen")
        await rig.until(lambda: rig.bot.engine.outcomes["unknown_killed"], "known not to have arrived")
        await rig.until(lambda: rig.shares()[0] == rig.shares()[1], "level again")
        await rig.agrees_with_the_ledger()
        assert rig.posts == 3


async def test_while_the_venue_does_not_say_what_became_of_an_order_nothing_is_sent(tmp_path: Path) -> None:
    async with trading(tmp_path, faults=[Fault(FaultKind.REPLY_DROPPED, filled=True)]) as rig:
        rig.wire.broken[b"GET /data/order"] = 500
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen")
        await rig.venue_seconds(30)
        assert (rig.posts, rig.state) == (1, EngineState.FROZEN)
        rig.wire.broken.clear()
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2


async def test_an_order_that_outlives_the_request_timeout_is_looked_up_and_counts_once(tmp_path: Path) -> None:
    slow = Fault(FaultKind.ORDER_LATENCY, count=1, delay_ms=48_000)
    async with trading(tmp_path, faults=[slow], speed=20, REQUEST_TIMEOUT_S="1") as rig:
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen after the timeout")
        assert rig.filled() == 0, "the order is still on its way"
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2


async def test_a_delayed_order_that_is_matched_later_counts_and_is_hedged(tmp_path: Path) -> None:
    async with trading(tmp_path, faults=[Fault(FaultKind.DELAYED_REPLY, delay_ms=8_000)]) as rig:
        await rig.until(lambda: rig.bot.engine.outcomes["delayed"], "said to be delayed")
        assert rig.state is EngineState.FROZEN
        await rig.until_pairs(1)
        await rig.agrees_with_the_ledger()
        assert rig.posts == 2


async def test_a_delayed_order_that_is_killed_later_leaves_nothing_behind(tmp_path: Path) -> None:
    delayed = Fault(FaultKind.DELAYED_REPLY, delay_ms=90_000)
    async with trading(tmp_path, cheap_until(90), faults=[delayed], speed=20) as rig:
        await rig.until(lambda: rig.bot.engine.outcomes["delayed"], "said to be delayed")
        await rig.until(lambda: rig.bot.engine.outcomes["unknown_killed"], "known to be killed")
        await rig.agrees_with_the_ledger()
        assert (rig.posts, rig.shares()) == (1, (0, 0))
        assert rig.state is not EngineState.FROZEN


async def test_an_order_that_arrives_after_it_was_given_up_is_noticed(tmp_path: Path) -> None:
    async with trading(tmp_path, speed=80, REQUEST_TIMEOUT_S="1") as rig:
        rig.wire.orders_may_pass.clear()
        await rig.until(lambda: rig.state is EngineState.FROZEN, "frozen after the timeout")
        await rig.until(lambda: rig.bot.engine.outcomes["unknown_killed"], "given up after a minute of looking")
        rig.wire.orders_may_pass.set()
        await rig.until_pairs(1)
        await rig.settled()
        noticed = lambda: rig.state is EngineState.DEGRADED or rig.believed() == rig.true()  # noqa: E731
        await rig.until(noticed, f"the bot believes {rig.believed()} and owns {rig.true()}")
