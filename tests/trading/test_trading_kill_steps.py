"""A bot that is killed at any step of sending a pair: the next one, on another host with an empty disk, buys nothing twice.

A table of every step between signing and the reply. The bots share one Valkey and one paper exchange, and nothing else.
"""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.gate.redis_rig import gate_on
from tests.gate.redis_servers import Server
from tests.support.bot_rig import Rig, Venue, bot_on, venue_for_a_bot
from tests.trading.gate_rig import end_lease, lease_of, long_awake, on_host, valkey
from tests.trading.killed_bot import Step

from kabobagool.gate.redis_intents import RecordedIntent

SPEED = 20
PATIENCE_S = 60
KILLED_AT_THE_VENUE = (400, '{"error": "order couldn\'t be fully filled. FOK orders are fully filled or killed."}')


@dataclass(frozen=True, kw_only=True)
class Case:
    """A step, and what the dead bot leaves: whether its intent is open at the gate, POSTs that left, and orders that filled."""

    step: Step
    is_written: bool = True
    posts: int = 0
    filled: int = 0

    @property
    def rest(self) -> int:
        """POSTs that the next bot needs for one pair: two, or the hedge of what is held, or none."""
        return 2 - self.filled

    def __str__(self) -> str:
        return self.step.name.lower() + ("" if self.filled == self.posts else "_and_not_filled")


TABLE = [
    Case(step=Step.SIGNED, is_written=False),
    Case(step=Step.ANSWER_LOST),
    Case(step=Step.GRANTED),
    Case(step=Step.JOURNALLED),
    Case(step=Step.BEFORE_POST),
    Case(step=Step.FIRST_REPLY_LOST, posts=1, filled=1),
    Case(step=Step.FIRST_REPLY_LOST, posts=1, filled=0),
    Case(step=Step.BEFORE_MARK, posts=1, filled=1),
    Case(step=Step.BETWEEN_ORDERS, posts=1, filled=1),
    Case(step=Step.SECOND_REPLY_LOST, posts=2, filled=2),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """One for the whole table: every case has a wallet of its own."""
    with valkey() as running:
        yield running


@pytest.mark.parametrize("case", TABLE, ids=str)
async def test_a_bot_killed_at_any_step_is_followed_by_one_that_buys_exactly_what_is_missing(
    tmp_path: Path, server: Server, case: Case
) -> None:
    async with killed(tmp_path, server, case) as venue:
        dead_lease = await lease_of(server, venue)
        assert dead_lease is not None
        left = await intents(server, venue)
        assert len(left) == case.is_written
        assert (venue.posts, venue.filled()) == (case.posts, case.filled)
        end_lease(server, venue)
        async with bot_on(venue, **on_host(venue, server, "new")) as rig:
            await one_pair(rig)
            assert rig.posts == case.posts + case.rest
            assert rig.filled() == 2
            await nothing_open(server, rig)
            lease = await lease_of(server, venue)
            assert lease is not None
            assert lease.number > dead_lease.number
            assert lease.holder != dead_lease.holder
        if left:
            assert await ends(server, venue, left[0]) == +Counter(filled=case.filled, killed=2 - case.filled)


@asynccontextmanager
async def killed(folder: Path, server: Server, case: Case) -> AsyncIterator[Venue]:
    """A venue whose bot died at the step, on a host that is gone."""
    async with venue_for_a_bot(folder, speed=SPEED) as venue:
        await long_awake(server, venue.address)
        venue.wire.forged = KILLED_AT_THE_VENUE if case.filled < case.posts else None
        assert await run_until_it_dies(venue, case.step, on_host(venue, server, "gone")) == -signal.SIGKILL
        venue.wire.forged = None
        yield venue


async def run_until_it_dies(venue: Venue, step: Step, env: dict[str, str]) -> int | None:
    """Start a bot that dies at this step, and wait for its status. TimeoutError for one that lives on; it is killed then."""
    command = (sys.executable, "-m", "tests.trading.killed_bot", step)
    nothing = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, env=venue.environment(**env), stdin=nothing, stdout=nothing)
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def one_pair(rig: Rig) -> None:
    """The bot ends with one pair, as the exchange's ledger says, and no order was sent twice."""
    await rig.until_pairs(1)
    await rig.agrees_with_the_ledger()
    assert rig.shares() == (10_000_000, 10_000_000)


async def intents(server: Server, venue: Venue) -> list[RecordedIntent]:
    """What the gate holds open."""
    gate = gate_on(server, wallet=venue.address, holder="somebody who looks")
    try:
        return await gate.intents.open_intents(venue.paper.market.condition_id)
    finally:
        await gate.close()


async def nothing_open(server: Server, rig: Rig) -> None:
    """Wait until the gate was told every end: that happens beside the trading."""
    async with asyncio.timeout(PATIENCE_S):
        while await intents(server, rig):
            await asyncio.sleep(0.02)


async def ends(server: Server, venue: Venue, left: RecordedIntent) -> Counter[str]:
    """What the gate says became of the orders of one intent."""
    gate = gate_on(server, wallet=venue.address, holder="somebody who looks")
    try:
        found = await gate.intents.intents(venue.paper.market.condition_id)
    finally:
        await gate.close()
    outcomes = next(intent.outcomes for intent in found if intent.intent_id == left.intent_id)
    return Counter("filled" if '"filled"' in text else "killed" for text in outcomes.values())
