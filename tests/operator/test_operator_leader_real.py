"""The election around a Lease on a real API server: kill, hand over, cut the line. The electors' seconds pass twice as fast."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.operator.api_server_rig import RequestTally
from tests.support.wire import Wire

from kabobagool.clock import SystemClock
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.cluster_errors import Conflict, NotLeading
from kabobagool_operator.leader import Elector
from kabobagool_operator.lease import ClusterLease
from kabobagool_operator.rest import Rest

NAME = "kabobagool-operator"
LEASE_S = 15
PATIENCE_S = 60.0


class Process:
    """An operator, as far as the election goes, with connections of its own."""

    def __init__(self, name: str, rest: Rest, namespace: str, clock: SystemClock) -> None:
        self.name = name
        self.rest = rest
        self.store = ClusterLease(Cluster(rest), namespace=namespace, name=NAME)
        self.elector = Elector(self.store, identity=name, clock=clock, rng=random.Random(name))
        self.task = asyncio.create_task(self._live())

    @property
    def may_write(self) -> bool:
        try:
            self.elector.fence()
        except NotLeading:
            return False
        return True

    async def kill(self) -> None:
        """Gone without a word."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task

    async def _live(self) -> None:
        await self.elector.acquire()
        await self.elector.keep()


class Stage:
    """Processes around one Lease."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.clock = SystemClock(rate=2.0)
        self.processes: list[Process] = []

    async def start(self, name: str, kubeconfig: Path) -> Process:
        rest = Rest(await load_configuration(kubeconfig=kubeconfig), rate=None, observer=RequestTally(), timeout_s=2.0)
        self.processes.append(Process(name, rest, self.namespace, self.clock))
        return self.processes[-1]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait, and see all the while that at most one may write."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                assert sum(process.may_write for process in self.processes) <= 1
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        for process in self.processes:
            await process.kill()
            await process.rest.close()


@pytest.fixture
async def stage(namespace: str) -> AsyncIterator[Stage]:
    stage = Stage(namespace)
    yield stage
    await stage.close()


@pytest.fixture
def start(stage: Stage, control_plane: Any) -> Callable[[str], Awaitable[Process]]:
    return lambda name: stage.start(name, control_plane.kubeconfig)


async def test_of_two_one_leads_and_the_other_takes_over_when_it_is_killed(
    stage: Stage, start: Callable[[str], Awaitable[Process]], kubectl: Any
) -> None:
    first = await start("first")
    await stage.until(lambda: first.may_write)
    second = await start("second")
    await stage.clock.sleep(2 * LEASE_S)
    assert (first.may_write, second.may_write) == (True, False)
    renewed_s = stage.clock.monotonic() - (first.elector.lease_age_s or 0.0)
    await first.kill()
    stage.processes.remove(first)
    await stage.until(lambda: second.may_write)
    assert stage.clock.monotonic() - renewed_s >= LEASE_S
    assert second.elector.fence() == 1
    assert "second" in await asyncio.to_thread(kubectl, "get", "lease", NAME)
    await first.rest.close()


async def test_a_leader_that_stops_in_order_is_followed_at_once(stage: Stage, start: Callable[[str], Awaitable[Process]]) -> None:
    first = await start("first")
    await stage.until(lambda: first.may_write)
    second = await start("second")
    await stage.clock.sleep(3)
    await first.kill()
    await first.elector.release()
    record = await first.store.read()
    assert record is not None
    assert record.holder in ("", "second")
    await stage.until(lambda: second.may_write)
    assert second.elector.fence() == 1


async def test_a_leader_that_is_cut_off_gives_up_before_another_leads(
    stage: Stage, start: Callable[[str], Awaitable[Process]], control_plane: Any
) -> None:
    wire = Wire(control_plane.port)
    await wire.start()
    first = await stage.start("first", control_plane.kubeconfig_for("admin", port=wire.port))
    await stage.until(lambda: first.may_write)
    second = await start("second")
    await stage.clock.sleep(5)
    wire.half_open()
    await stage.until(lambda: second.may_write)
    assert first.elector.lost.is_set()
    assert not first.may_write
    await wire.go_down()


async def test_a_lease_that_is_deleted_is_made_again_by_its_leader(
    stage: Stage, start: Callable[[str], Awaitable[Process]], kubectl: Any
) -> None:
    first = await start("first")
    await stage.until(lambda: first.may_write)
    await start("second")
    await stage.clock.sleep(3)
    await asyncio.to_thread(kubectl, "delete", "lease", NAME)
    await stage.clock.sleep(2 * LEASE_S)
    assert first.may_write
    record = await first.store.read()
    assert record is not None
    assert record.holder == "first"


async def test_a_lease_keeps_what_others_wrote_on_it_and_of_two_writers_one_is_told(
    stage: Stage, start: Callable[[str], Awaitable[Process]], kubectl: Any
) -> None:
    first = await start("first")
    await stage.until(lambda: first.may_write)
    await asyncio.to_thread(kubectl, "label", "lease", NAME, "team=weather")
    await stage.clock.sleep(10)
    assert first.may_write
    assert "team=weather" in await asyncio.to_thread(kubectl, "get", "lease", NAME, "--show-labels")
    await first.kill()
    record = await first.store.read()
    assert record is not None
    await first.store.write(msgspec.structs.replace(record, holder="quicker"))
    with pytest.raises(Conflict):
        await first.store.write(msgspec.structs.replace(record, holder="slower"))
