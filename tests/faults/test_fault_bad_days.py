"""Everything at once, from a seed: whatever the venue does, at the end the bot owns what the ledger says and no leg is naked."""

import random
from pathlib import Path

import pytest
from tests.faults.fault_books import calm, cheap
from tests.support.bot_rig import bot_on, trading, venue_for_a_bot
from tests.support.paper import ScriptedBooks

from paper_exchange.faults import Fault, FaultKind

BAD_MS = 150_000
ON_ORDERS = (FaultKind.REPLY_DROPPED, FaultKind.COULD_NOT_RUN_500, FaultKind.RATE_LIMITED_BARE_429, FaultKind.RATE_LIMITED_WITH_HEADERS)
LATER = (FaultKind.SETTLEMENT_FAILED, FaultKind.DELAYED_REPLY, FaultKind.ORDER_LATENCY)
ON_SOCKETS = (FaultKind.DUPLICATED_FRAMES, FaultKind.REORDERED_FRAMES, FaultKind.MISSING_FIRST_SNAPSHOT)
ROOM = {"MAX_POSITION_USD": "300", "COOLDOWN_MAX_S": "4"}


def a_bad_day() -> list[Fault]:
    """Every order has trouble with even odds, every frame now and then, every connection a short life."""
    orders = [Fault(kind, for_ms=BAD_MS, probability=0.15) for kind in ON_ORDERS]
    later = [Fault(kind, for_ms=BAD_MS, probability=0.15, delay_ms=3_000) for kind in LATER]
    sockets = [Fault(kind, for_ms=BAD_MS, probability=0.05) for kind in ON_SOCKETS]
    return [*orders, *later, *sockets, Fault(FaultKind.DISCONNECT, for_ms=BAD_MS, probability=0.02)]


def flickering() -> ScriptedBooks:
    """Edges of twelve seconds with as long a calm between them, so that second legs also come too late."""
    made = []
    for start in range(0, 1200, 24):
        made += [*cheap(from_s=start, until_s=start + 12), *calm(from_s=start + 12, until_s=start + 24)]
    return ScriptedBooks(made)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_after_a_bad_day_the_bot_owns_what_the_ledger_says_and_no_leg_is_naked(tmp_path: Path, seed: int) -> None:
    async with trading(tmp_path, flickering(), faults=a_bad_day(), seed=seed, speed=15, variables=ROOM) as rig:
        await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.clock.start_ms + BAD_MS, "the bad day is over")
        await rig.at_rest()
        await rig.agrees_with_the_ledger()
        assert not rig.bot.engine.strategy.naked
        assert not rig.bot.engine.degraded
        assert sum(rig.paper.exchange.faults.struck.values()) >= 5
        assert rig.filled() >= 2, "a bad day is no reason not to trade at all"


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_bot_that_is_replaced_in_the_middle_of_a_bad_day_loses_nothing(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    async with venue_for_a_bot(tmp_path, flickering(), faults=a_bad_day(), seed=seed, speed=15) as venue:
        for _ in range(3):
            async with bot_on(venue, **ROOM) as rig:
                await rig.venue_seconds(rng.uniform(5, 40))
                await rig.cancelled()
        async with bot_on(venue, **ROOM) as rig:
            await rig.until(lambda: rig.paper.clock.now_ms() > rig.paper.clock.start_ms + BAD_MS, "the bad day is over")
            await rig.until(lambda: not rig.bot.engine.degraded, f"reconciled; {rig.bot.snapshot().reasons}")
            await rig.at_rest()
            await rig.agrees_with_the_ledger()
            assert not rig.bot.engine.strategy.naked
