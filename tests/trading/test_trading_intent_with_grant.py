"""An engine before the shared gate: the call that grants its slots writes its orders down, and what did not leave is never left open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gate.redis_rig import close_links, gate_on, new_wallet
from tests.gate.redis_servers import Server, shared_server
from tests.support.engine_rig import EngineRig, WatchedJournal, a_market
from tests.support.virtual_clock import VirtualClock
from tests.support.wire import Wire

from kabobagool.clock import SystemClock
from kabobagool.domain.edge import Policy
from kabobagool.domain.money import parse_micros
from kabobagool.execution.journal import Journal, JournalledOrder
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Granted, Lease, Priority
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.trading.shared_journal import SharedJournal

MARKET = a_market().condition_id
BUSY = {"interval_us": 400_000, "burst": 2, "tokens_at_start": 2}
"""A rate at which a pair waits for most of a second once another market took the slots there were."""


class WatchedSharedJournal(WatchedJournal, SharedJournal):
    """The journal that bots of several hosts share, watched so that virtual time waits for its disk."""

    async def open_orders(self, market: str) -> list[JournalledOrder]:
        """The rig names no market when it only waits for the disk: that is no question to the gate."""
        return await (super().open_orders(market) if market else Journal.open_orders(self, market))


@dataclass(frozen=True)
class AtGate:
    """An engine in virtual time, and the server that it asks in real time."""

    rig: EngineRig
    shared: RedisGate
    server: Server

    def open(self) -> list[list[str]]:
        """The hashes of every open intent on the server, oldest first."""
        return [self._hashes(intent_id) for intent_id in self._ids("open")]

    def closed_as_never_sent(self) -> list[list[str]]:
        """The hashes of every intent whose orders all ended without having left."""
        return [self._hashes(intent_id) for intent_id in self._ids("intents") if self._outcomes(intent_id) == {"not sent"}]

    def signed(self, first: int, last: int) -> list[str]:
        """Hashes in the order of signing."""
        return [order.order_hash for order in self.rig.execution.prepared[first:last]]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait in real time, in which the server answers, until it is so."""
        deadline = asyncio.get_running_loop().time() + 60
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, what
            await asyncio.sleep(0.002)
            await self.rig.settle()

    async def somebody_takes_the_slots(self) -> None:
        """A pair of another market leaves now."""
        answer = await self.shared.acquire(market="other", cost=2, notional=0, priority=Priority.NEW_PAIR, max_wait_s=0)
        assert isinstance(answer, Granted)

    async def waiting(self) -> None:
        """Until the engine was granted slots that come later."""
        await self.somebody_takes_the_slots()
        await self.rig.show("0.48", "0.45")
        await self.until(self.open, "granted, and waiting for its slots")
        assert self.open() == [self.signed(0, 2)]
        assert self.rig.execution.sent == []

    def _ids(self, index: str) -> list[str]:
        return list(self.server.admin.zrange(self.shared.link.keys.of(index, MARKET), 0, -1))

    def _fields(self, intent_id: str) -> dict[str, str]:
        return dict(self.server.admin.hgetall(self.shared.link.keys.of("intent", intent_id)))

    def _hashes(self, intent_id: str) -> list[str]:
        return [order["order_hash"] for order in msgspec.json.decode(self._fields(intent_id)["text"])["orders"]]

    def _outcomes(self, intent_id: str) -> set[str]:
        fields = self._fields(intent_id)
        ended = [name.removeprefix("ended:") for name in fields if name.startswith("ended:")]
        if len(ended) < len(self._hashes(intent_id)):
            return set()
        return {msgspec.json.decode(fields[f"outcome:{order_hash}"]).get("text") for order_hash in ended}


@asynccontextmanager
async def engine_at_gate(folder: Path, *, url: str | None = None, **limits: Any) -> AsyncIterator[AtGate]:
    """A running engine whose journal and gate are those of a wallet with several hosts."""
    server = shared_server("valkey")
    timing = {} if url is None else {"url": url, "timeout_s": 1.0}
    shared = gate_on(server, wallet=new_wallet(), holder="bot", **{"interval_us": 0, "burst": 2, "tokens_at_start": 2, **timing, **limits})
    clock, market = VirtualClock(), a_market()
    journal = await WatchedSharedJournal.open_shared(folder / "journal.sqlite", clock=clock, intents=shared.intents)
    await journal.claim(market.condition_id)
    assert isinstance(await shared.take_lease(market.condition_id), Lease)
    gate: Any = FairGate(shared, clock=SystemClock(), ahead_s=1.0)
    rig = EngineRig(clock, journal, gate, Policy(batch_shares=parse_micros("10")), market)
    rig.start()
    try:
        yield AtGate(rig, shared, server)
    finally:
        await rig.stop()
        await close_links()


async def test_what_leaves_is_on_the_server_before_it_leaves_and_that_took_one_call(tmp_path: Path) -> None:
    async with engine_at_gate(tmp_path) as at:
        seen: list[tuple[int, list[list[str]]]] = []
        at.rig.execution.before_sending = lambda plan: seen.append((at.shared.link.calls, at.open()))
        calls = at.shared.link.calls
        await at.rig.show("0.48", "0.45")
        await at.until(lambda: len(at.rig.execution.sent) == 2, "a pair")
        assert seen[0] == (calls + 1, [at.signed(0, 2)])
        await at.until(lambda: not at.open(), "both ends are told")


async def test_what_the_gate_refuses_is_written_nowhere(tmp_path: Path) -> None:
    async with engine_at_gate(tmp_path) as at:
        await at.shared.halt(scope=MARKET, who="somebody", why="news")
        await at.rig.show("0.48", "0.45")
        await at.until(lambda: at.rig.strategy.truth.rejected["gate_refused"] == 1, "refused")
        assert at.signed(0, 2)
        assert (at.open(), at.closed_as_never_sent(), await at.rig.journalled()) == ([], [], [])


async def it_is_halted(at: AtGate) -> None:
    await at.shared.halt(scope=MARKET, who="somebody", why="news")


async def the_edge_ends(at: AtGate) -> None:
    at.rig.fill_books("0.55", "0.45")


async def the_disk_is_full(at: AtGate) -> None:
    at.rig.journal.disk_full = True


async def the_engine_is_stopped(at: AtGate) -> None:
    assert at.rig.task is not None
    at.rig.task.cancel()
    await asyncio.wait({at.rig.task})


@pytest.mark.parametrize("end", [it_is_halted, the_edge_ends, the_disk_is_full, the_engine_is_stopped])
async def test_what_was_granted_and_did_not_leave_is_closed(tmp_path: Path, end: Callable[[AtGate], Awaitable[None]]) -> None:
    async with engine_at_gate(tmp_path, **BUSY) as at:
        await at.waiting()
        await end(at)
        await at.rig.clock.advance(1)
        await at.until(lambda: not at.open(), "closed")
        assert at.closed_as_never_sent() == [at.signed(0, 2)]
        assert at.rig.execution.sent == []
        assert await at.rig.journalled() == []
        at.rig.task = None if end is the_engine_is_stopped else at.rig.task


async def test_what_leaves_in_the_stead_of_what_was_granted_is_written_before_it_leaves_and_the_other_is_closed(tmp_path: Path) -> None:
    async with engine_at_gate(tmp_path, **BUSY) as at:
        seen: list[list[list[str]]] = []
        at.rig.execution.before_sending = lambda plan: seen.append(at.open())
        await at.waiting()
        at.rig.fill_books("0.48", "0.45", yes_depth="7")
        await at.rig.clock.advance(1)
        await at.until(lambda: len(at.rig.execution.sent) == 2 and not at.open(), "sent, and all is closed")
        assert [order.order_hash for order in at.rig.execution.sent] == at.signed(2, 4)
        assert at.signed(2, 4) in seen[0]
        assert at.closed_as_never_sent() == [at.signed(0, 2)]
        assert [order.order_hash for order in await at.rig.journalled()] == at.signed(2, 4)


async def test_what_an_answer_that_was_lost_wrote_is_closed_when_the_server_is_heard_again(tmp_path: Path) -> None:
    wire = Wire(shared_server("valkey").port)
    await wire.start()
    async with engine_at_gate(tmp_path, url=wire.redis_url) as at:
        wire.lose_replies()
        await at.rig.show("0.48", "0.45")
        await at.until(lambda: at.rig.strategy.truth.rejected["gate_refused"] == 1, "refused, for nobody answered")
        assert at.open() == [at.signed(0, 2)], "the server had granted it"
        wire.mend()
        await at.rig.clock.advance(2)
        await at.until(lambda: len(at.rig.execution.sent) == 2 and not at.open(), "asked again, sent, and all is closed")
        assert at.closed_as_never_sent()[0] == at.signed(0, 2)
        assert set(at.signed(0, 2)).isdisjoint(at.rig.execution.submits)
        assert await at.rig.journal.open_orders(MARKET) == []
    await wire.go_down()
