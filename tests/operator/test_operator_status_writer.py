"""When a status is written: a fleet that starts costs one write for each bot, a single bot is told about soon, trouble at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.operator.api_server_rig import Answer, Asked, BadDayServer, Client
from tests.operator.bot_objects import market
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import SystemClock
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_status import Phase, Status
from kabobagool_operator.caches import Caches
from kabobagool_operator.events import Events
from kabobagool_operator.policy import Policy
from kabobagool_operator.status_writer import BUSY_S, FIRST_WORDS_S, MANY_STARTING, STARTING_S, StatusWriter
from kabobagool_operator.write_rate import WriteRate

RAIN = market().metadata
NOTHING = Status()
VERSIONS = iter(range(2, 1000))

MANY = MANY_STARTING + 1


class Desk:
    """A writer, and what it wrote."""

    def __init__(self, server: BadDayServer, client: Client) -> None:
        self.clock = VirtualClock()
        self.starting = 0
        self._server = server
        self._writer = StatusWriter(
            client.cluster,
            Caches(lambda name, *, by_us: None),
            Events(client.cluster, clock=self.clock, identity="operator-0"),
            Policy(),
            clock=self.clock,
            starting=lambda: self.starting,
        )

    async def write(self, before: Status, after: Status, about: Metadata = RAIN) -> float | None:
        """Write, or put it off."""
        return await self._writer.write(about, before, after)

    def forget(self) -> None:
        """The market is gone."""
        self._writer.forget(RAIN.name)

    @property
    def phases(self) -> list[str]:
        """The phases that were written."""
        return [asked.body["status"]["phase"] for asked in self._server.asked if asked.path.endswith("/status")]


def written(asked: Asked) -> Answer:
    """The object as the API server stores it."""
    stored: dict[str, Any] = {"name": RAIN.name, "namespace": RAIN.namespace, "uid": RAIN.uid, "resourceVersion": str(next(VERSIONS))}
    return Answer(content={**asked.body, "metadata": stored, "spec": {"market": {"slug": "rain"}}})


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    server = BadDayServer()
    server.answers = [written]
    await server.start()
    client = Client(server.url, rate=WriteRate(clock=SystemClock(), per_second=10_000, burst=10_000))
    yield Desk(server, client)
    await client.rest.close()
    await server.stop()


@pytest.mark.parametrize(
    ("starting", "phase", "patience_s"),
    [
        (1, Phase.STARTING, STARTING_S),
        (MANY, Phase.STARTING, BUSY_S),
        (5_000, Phase.STARTING, 300.0),
        (1, Phase.PENDING, FIRST_WORDS_S),
        (MANY, Phase.PENDING, BUSY_S),
        (5_000, Phase.PENDING, 300.0),
    ],
)
async def test_what_is_soon_no_longer_true_is_said_only_when_it_lasts(desk: Desk, starting: int, phase: Phase, patience_s: float) -> None:
    desk.starting = starting
    assert await desk.write(NOTHING, Status(phase=phase)) == pytest.approx(patience_s)
    await desk.clock.advance(patience_s - 0.5)
    assert await desk.write(NOTHING, Status(phase=phase)) == pytest.approx(0.5)
    assert desk.phases == []
    await desk.clock.advance(0.5)
    assert await desk.write(NOTHING, Status(phase=phase)) is None
    assert desk.phases == [phase]


async def test_the_first_words_of_thousands_that_were_applied_at_once_wait_until_most_of_them_run(desk: Desk) -> None:
    names = [f"rain-{number}" for number in range(1_000)]
    for name in names:
        await desk.write(NOTHING, Status(phase=Phase.PENDING), RAIN.model_copy(update={"name": name}))
    await desk.clock.advance(FIRST_WORDS_S)
    last = RAIN.model_copy(update={"name": names[-1]})
    assert await desk.write(NOTHING, Status(phase=Phase.PENDING), last) == pytest.approx(60.0 - FIRST_WORDS_S)
    assert desk.phases == []


async def test_a_bot_of_a_busy_fleet_that_becomes_ready_meanwhile_costs_one_write(desk: Desk) -> None:
    desk.starting = MANY
    await desk.write(NOTHING, Status(phase=Phase.PENDING))
    await desk.write(NOTHING, Status(phase=Phase.STARTING))
    assert await desk.write(NOTHING, Status(phase=Phase.RUNNING)) is None
    assert desk.phases == [Phase.RUNNING]


async def test_a_bot_that_waited_for_its_turn_has_all_the_time_to_start(desk: Desk) -> None:
    desk.starting = MANY
    await desk.write(NOTHING, Status(phase=Phase.PENDING))
    await desk.clock.advance(FIRST_WORDS_S - 1)
    assert await desk.write(NOTHING, Status(phase=Phase.STARTING)) == pytest.approx(BUSY_S)
    assert desk.phases == []


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.PENDING, Phase.STARTING}))
async def test_everything_else_is_said_at_once_however_busy_the_fleet_is(desk: Desk, phase: Phase) -> None:
    desk.starting = MANY
    assert await desk.write(NOTHING, Status(phase=phase)) is None
    assert desk.phases == [phase]


async def test_who_waited_for_its_turn_for_long_is_not_told_about_twice_either(desk: Desk) -> None:
    desk.starting = MANY
    assert await desk.write(Status(phase=Phase.PENDING), Status(phase=Phase.STARTING)) == pytest.approx(BUSY_S)
    assert desk.phases == []


async def test_a_beginning_that_follows_other_words_does_not_wait(desk: Desk) -> None:
    desk.starting = MANY
    assert await desk.write(Status(phase=Phase.SUSPENDED), Status(phase=Phase.STARTING)) is None
    assert desk.phases == [Phase.STARTING]


async def test_patience_begins_anew_with_a_market_that_comes_again(desk: Desk) -> None:
    await desk.write(NOTHING, Status(phase=Phase.PENDING))
    await desk.clock.advance(FIRST_WORDS_S)
    desk.forget()
    assert await desk.write(NOTHING, Status(phase=Phase.PENDING)) == pytest.approx(FIRST_WORDS_S)
