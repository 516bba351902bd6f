"""Makes the happenings of a history happen: each to its host, its market or the wallet, and over when it says so.

What the exchange acts out itself (`VenueFault`) is in its fault plan from the beginning; it is only told here.
"""

import asyncio
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, assert_never

import msgspec
from tests.simulation.history import (
    Anything,
    BadReads,
    ClockStep,
    DiskFull,
    GateAway,
    GateFlushed,
    Halt,
    Kill,
    NetworkDown,
    Silence,
    SlowNetwork,
    Stop,
    StrangeFrame,
    VenueFault,
)

from kabobagool.gate.interface import DRAINING, WALLET, GateUnreachableError, LeasedGate
from paper_exchange.server.broadcast import print_book
from paper_exchange.server.market_messages import book_message
from paper_exchange.types import Snapshot

if TYPE_CHECKING:
    from tests.simulation.process import Host, Life
    from tests.simulation.world import World

PATIENCE = 120
"""Tries of a person whose button does not work, one a second."""
FINGER_S = 10.0
"""No program takes longer to say whether it took what a person pressed."""


class FullDisk:
    """A journal's store on a disk that can be full: what is there can be read."""

    WRITING = frozenset({"insert", "update", "delete_resolved_before", "keep_halts"})

    def __init__(self, store: Any, host: "Host") -> None:
        self._store, self._host = store, host

    def __getattr__(self, name: str) -> Any:
        if self._host.disk_full and name in self.WRITING:
            raise sqlite3.OperationalError("database or disk is full")
        return getattr(self._store, name)


class Troubles:
    """The happenings of one world. `halted` maps a scope to since when (virtual us) nothing may leave for it."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.halted: dict[str, int] = {}
        self._halts: list[Halt] = []

    def plan(self, happening: Anything) -> None:
        """Have it happen at its moment."""
        self.world.at(happening.at_ms, lambda: self._begin(happening))

    def scope_of(self, halt: Halt) -> str:
        """What a halt stops, as the gate names it."""
        name = WALLET if halt.market is None else self.world.market(halt.market).condition_id
        return DRAINING + name if halt.draining else name

    def _begin(self, happening: Anything) -> None:
        self.world.note("happens:", _text(happening))
        match happening:
            case VenueFault():
                return
            case Kill():
                self._kill(happening)
            case Stop():
                self._stop(happening)
            case Halt():
                self._halt(happening)
            case ClockStep():
                self.world.hosts[happening.host].skew_ms = happening.by_ms
            case StrangeFrame():
                self._strange_frame(happening)
            case GateFlushed():
                if self.world.gate_server is not None:
                    self.world.gate_server.flush()
            case DiskFull() | NetworkDown() | Silence() | SlowNetwork() | BadReads() | GateAway():
                self._spoil(happening)
            case _:
                assert_never(happening)

    def _spoil(self, trouble: DiskFull | NetworkDown | Silence | SlowNetwork | BadReads | GateAway) -> None:
        """One of the things that last for a while."""
        host = self.world.hosts[trouble.host]
        network = host.network
        match trouble:
            case DiskFull():
                self._for_a_while(host, "disk_full", True, False, trouble.for_ms)
            case GateAway():
                self._for_a_while(host, "gate_away", True, False, trouble.for_ms)
            case NetworkDown():
                self._for_a_while(network, "down", True, False, trouble.for_ms)
                self._break_sockets(host)
            case Silence():
                self._for_a_while(network, "silent", True, False, trouble.for_ms)
            case SlowNetwork():
                self._for_a_while(network, "slower_by_ms", trouble.by_ms, 0, trouble.for_ms)
            case BadReads():
                self._for_a_while(network, "bad_status", trouble.status, None, trouble.for_ms)

    def _for_a_while(self, owner: object, name: str, value: object, afterwards: object, for_ms: int) -> None:
        setattr(owner, name, value)
        self.world.later(for_ms, lambda: setattr(owner, name, afterwards))

    def _break_sockets(self, host: "Host") -> None:
        for wire in host.life.wires if host.life is not None else ():
            wire.subscriber.cut()

    def _kill(self, kill: Kill) -> None:
        host = self.world.hosts[kill.host]
        life = host.life
        if life is None or not life.alive:
            return
        life.power.blow_after(kill.step)
        self.world.later(kill.within_ms, lambda: life.power.cut("the time was over"))
        self.world.later(kill.within_ms + kill.down_ms, lambda: self.world.start(host))

    def _stop(self, stop: Stop) -> None:
        host = self.world.hosts[stop.host]
        life = host.life
        if life is not None and life.alive:
            life.ask_to_stop()
            self.world.later(stop.down_ms, lambda: self._start_after(host, stop))

    def _start_after(self, host: "Host", stop: Stop) -> None:
        """A cluster kills what does not end."""
        if host.life is not None and host.life.alive:
            host.life.power.cut("it did not stop in time")
        self.world.start(host)

    def _halt(self, halt: Halt) -> None:
        self._halts.append(halt)
        _run(self._press_everywhere(self.scope_of(halt)))
        self.world.later(halt.for_ms, lambda: _run(self._resume(halt)))

    async def _press_everywhere(self, scope: str) -> None:
        """On the page of every process; it counts when all that could be reached have taken it."""
        for life in self._up():
            with suppress(GateUnreachableError):
                await _gate_of(life).halt(scope=scope, who="person", why="simulated")
                self.halted[scope] = max(self.world.clock.now_us, self.halted.get(scope, 0))

    async def _resume(self, halt: Halt) -> None:
        """As often as it takes until everybody took it; a shared gate remembers a halt that was pressed in a program that is dead now."""
        self._halts.remove(halt)
        scope = self.scope_of(halt)
        while self.world.gate_server is not None and not self._up():
            await self.world.clock.sleep(1.0)
        if any(self.scope_of(other) == scope for other in self._halts):
            return
        self.world.note("resumed:", scope)
        self.halted.pop(scope, None)
        while True:
            took = [await self._resume_at(life, scope) for life in self._up()]
            if any(took) or self.world.gate_server is None:
                return
            await self.world.clock.sleep(1.0)

    async def _resume_at(self, life: "Life", scope: str) -> bool:
        """Whether it took it: not when it dies under the finger, or cannot reach its gate for long."""
        for _ in range(PATIENCE):
            try:
                async with asyncio.timeout(FINGER_S):
                    await _gate_of(life).resume(scope=scope)
            except (GateUnreachableError, TimeoutError):
                await self.world.clock.sleep(1.0)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            else:
                return True
            if not life.alive:
                return False
        return False

    def _up(self) -> "list[Life]":
        lives = [host.life for host in self.world.hosts if host.life is not None and host.life.alive]
        return [life for life in lives if life.session is not None]

    def _strange_frame(self, strange: StrangeFrame) -> None:
        market = self.world.market(strange.market)
        venue = self.world.venue.venue
        for socket in venue.market_sockets.listening(market.tokens):
            socket.offer(self._frame(strange))

    def _frame(self, strange: StrangeFrame) -> str:
        market = self.world.market(strange.market)
        stamp = str(self.world.clock.now_ms())
        match strange.what:
            case "old book":
                return _json([book_message(print_book(self.world.venue.venue, market, self._old_book(strange.market)))])
            case "unknown event":
                return _json({"event_type": "weather", "market": market.condition_id, "timestamp": stamp})
            case "empty list":
                return "[]"
            case "foreign token":
                change = {"asset_id": "1", "price": "0.01", "size": "1", "side": "SELL", "best_bid": "0", "best_ask": "0.01"}
                return _json({"market": market.condition_id, "price_changes": [change], "timestamp": stamp, "event_type": "price_change"})
            case "no change":
                return _json({"market": market.condition_id, "price_changes": [], "timestamp": stamp, "event_type": "price_change"})
            case "garbage":
                return "{"

    def _old_book(self, number: int) -> Snapshot:
        """The first book of the day."""
        return self.world.books.snapshots(self.world.market(number).condition_id)[0]


def _gate_of(life: "Life") -> LeasedGate:
    assert life.session is not None
    return life.session.gate


def _run(coroutine: Any) -> None:
    asyncio.get_running_loop().create_task(coroutine)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _text(happening: Anything) -> str:
    fields = {name: value for name, value in msgspec.structs.asdict(happening).items() if name != "at_ms" and value is not None}
    return f"{type(happening).__name__} " + " ".join(f"{name}={value}" for name, value in fields.items())
