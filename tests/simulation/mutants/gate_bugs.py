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
    Bug("orders go past the gate", (Patch(GateWindow, "ask", _past_the_gate),), 0, "has_leave_of_the_gate", alone=True),
    Bug("halts are ignored", (Patch(memory, "halting_scopes", returns(())),), 44, "respects_a_halt", alone=True),
    Bug("halts of one market are ignored", (Patch(memory, "halting_scopes", _only_the_wallet),), 85, "respects_a_halt", alone=True),
    Bug("a halt is never lifted", (Patch(MemoryGate, "resume", returns_later(None)),), 0, "the_last_edge_is_traded", alone=True),
    Bug("the rate is not limited", (Patch(Lane, "wait_us", returns(0)),), 9, "no_window_holds_more_than_the_rate", alone=True),
    Bug("pauses are ignored", (Patch(MemoryGate, "pause", returns_later(None)),), 73, "is_silent_when_the_venue_asks_for_it", alone=True),
    Bug("the wallet's cap is ignored", (Patch(Stakes, "objection", returns(None)),), 1, "keeps_the_wallet_within_its_cap", alone=True),
    Bug(
        "the gate is never told what is at stake",
        (Patch(MemoryGate, "set_exposure", returns(None)),),
        14,
        "keeps_the_wallet_within_its_cap",
        alone=True,
    ),
    Bug("the queue's timer is never set", (Patch(FairGate, "_set_alarm", returns(None)),), 10, "every_bot_is_back", alone=True),
)
