"""A market as a supervised task, in virtual time: restarts with growing pauses, forgiveness after proof, and an end whenever it is told."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.execution.bench_account import a_market
from tests.support.virtual_clock import VirtualClock

from kabobagool.domain.market import Market
from kabobagool.engine.bot import Bot
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.hydra.market_task import LONGEST_RESTART_S, STEADY_S, MarketTask, Phase, first_cause

DAY_S = 86_400.0


class Openings:
    """Somebody who is asked for a bot and fails after `lasts_s`; remembers when it was asked."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.asked_s: list[float] = []
        self.lasts_s = 0.0
        self.error: Callable[[], Exception] = lambda: ConnectionError("0xsecret was refused")

    async def open(self, market: Market, tracker: PositionTracker | None) -> Bot:
        self.asked_s.append(self.clock.monotonic())
        await self.clock.sleep(self.lasts_s)
        raise self.error()

    @property
    def pauses_s(self) -> list[float]:
        return [later - earlier - self.lasts_s for earlier, later in zip(self.asked_s, self.asked_s[1:], strict=False)]


@asynccontextmanager
async def failing(mode: str = "dry_run") -> AsyncIterator[tuple[MarketTask, Openings, VirtualClock, "asyncio.Task[None]"]]:
    clock = VirtualClock()
    openings = Openings(clock)
    task = MarketTask(
        a_market(),
        open_bot=openings.open,
        clock=clock,
        rng=random.Random(7),
        redact=lambda text: text.replace("0xsecret", "***"),
        mode=mode,
    )
    run = asyncio.create_task(task.run())
    try:
        yield task, openings, clock, run
    finally:
        run.cancel()
        await asyncio.wait({run})


async def test_a_market_that_always_fails_is_tried_with_pauses_that_grow_to_five_minutes_and_never_given_up() -> None:
    async with failing() as (task, openings, clock, run):
        await clock.advance(DAY_S)
        pauses = openings.pauses_s
        assert all(earlier < later for earlier, later in zip(pauses[:6], pauses[1:7], strict=True))
        assert pauses[0] < 3
        assert max(pauses) <= LONGEST_RESTART_S
        assert min(pauses[10:]) >= LONGEST_RESTART_S / 2, "no crash loop, however long it lasts"
        assert len(pauses) > DAY_S / LONGEST_RESTART_S - 2
        assert task.restarts == len(openings.asked_s)
        assert not run.done()


async def test_a_bot_that_ran_long_enough_is_forgiven_its_earlier_failures() -> None:
    async with failing() as (_, openings, clock, _run):
        await clock.advance(3600)
        assert openings.pauses_s[-1] > 100
        openings.lasts_s = STEADY_S
        await clock.advance(4 * STEADY_S)
        assert max(openings.pauses_s[-2:]) < 3


async def test_the_reason_is_shown_without_secrets_and_with_the_time_until_the_next_try() -> None:
    async with failing() as (task, _, clock, _run):
        await clock.advance(0)
        row = task.row(halted=False)
        assert row.phase == "waiting"
        assert row.trouble == "ConnectionError: *** was refused"
        assert row.restart_in_s is not None
        assert 1.0 <= row.restart_in_s <= 2.0
        assert row.bot.market == a_market().slug, "a market without a bot has a row too"


async def test_told_to_leave_while_it_waits_it_ends_at_once() -> None:
    async with failing() as (task, openings, clock, run):
        await clock.advance(3600)
        asked = len(openings.asked_s)
        task.leave("volume_too_low")
        task.leave("stopped")
        await clock.settle()
        assert run.done()
        assert task.phase is Phase.GONE
        assert task.leaving_because == "volume_too_low", "the first reason counts"
        assert len(openings.asked_s) == asked, "nothing may be naked, so nothing is opened for it"
        assert clock.sleeping == 0, "no sleeper is left behind"


@pytest.mark.parametrize(("mode", "holds"), [("live", True), ("dry_run", False)])
async def test_a_market_nobody_has_looked_at_yet_is_taken_to_own_something_only_where_it_can(mode: str, holds: bool) -> None:
    async with failing(mode) as (task, _, clock, _run):
        await clock.advance(100)
        assert task.holds_something() is holds


async def test_cancellation_is_no_failure() -> None:
    async with failing() as (task, _, clock, run):
        await clock.advance(5)
        restarts = task.restarts
        run.cancel()
        await asyncio.wait({run})
        assert run.cancelled()
        assert task.restarts == restarts
        assert task.phase is Phase.GONE


def test_of_a_group_of_errors_the_first_one_is_named() -> None:
    inner = ExceptionGroup("inner", [KeyError("token"), OSError("later")])
    assert first_cause(ExceptionGroup("outer", [inner, ValueError("last")])) == "KeyError: 'token'"
    assert first_cause(TimeoutError()) == "TimeoutError"
