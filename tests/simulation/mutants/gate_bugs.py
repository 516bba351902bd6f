"""Deliberate bugs at the order gate."""

from typing import Any

from tests.simulation.mutants.bug import Bug, Patch, returns, returns_later

from kabobagool.engine.gate_window import GateWindow
from kabobagool.gate import memory
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import Granted, halting_scopes
from kabobagool.gate.lane import Lane
from kabobagool.gate.memory import MemoryGate
from kabobagool.gate.stakes import Stakes


def _past_the_gate(original: Any) -> Any:
    async def ask(self: GateWindow, intent: Any, note: Any = None) -> Any:
        return Granted(0.0)

    return ask


def _only_the_wallet(original: Any) -> Any:
    return lambda market, priority: [scope for scope in halting_scopes(market, priority) if market not in scope]


BUGS = (
    Bug("orders go past the gate", (Patch(GateWindow, "ask", _past_the_gate),), 21, "has_leave_of_the_gate"),
    Bug("halts are ignored", (Patch(memory, "halting_scopes", returns(())),), 67, "respects_a_halt"),
    Bug("halts of one market are ignored", (Patch(memory, "halting_scopes", _only_the_wallet),), 67, "respects_a_halt"),
    Bug("the rate is not limited", (Patch(Lane, "wait_us", returns(0)),), 56, "no_window_holds_more_than_the_rate"),
    Bug("pauses are ignored", (Patch(MemoryGate, "pause", returns_later(None)),), 73, "is_silent_when_the_venue_asks_for_it"),
    Bug("the wallet's cap is ignored", (Patch(Stakes, "objection", returns(None)),), 21, "keeps_the_wallet_within_its_cap"),
    Bug(
        "the gate is never told what is at stake",
        (Patch(MemoryGate, "set_exposure", returns(None)),),
        38,
        "keeps_the_wallet_within_its_cap",
    ),
    Bug("the queue's timer is never set", (Patch(FairGate, "_set_alarm", returns(None)),), 40, "every_bot_is_back"),
)
