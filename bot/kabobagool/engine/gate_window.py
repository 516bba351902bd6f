"""One market's window at the order gate: asks leave for an intent, waits for it, and gives back what was not used.

Used by `market_engine.py`, which decides; what is asked for and how long is worth waiting follows from the intent's purpose.
"""

from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.intent import Intent, Purpose
from kabobagool.domain.money import Micros
from kabobagool.engine.observer import EngineObserver
from kabobagool.gate.interface import Answer, Exposure, Granted, IntentNote, OrderGate, Priority, Refused

PRIORITIES: Final = {
    Purpose.PAIR: Priority.NEW_PAIR,
    Purpose.LEG: Priority.NEW_PAIR,
    Purpose.HEDGE: Priority.HEDGE,
    Purpose.UNWIND: Priority.UNWIND,
}
MAX_WAIT_S: Final = {Priority.NEW_PAIR: 1.0, Priority.HEDGE: 10.0, Priority.UNWIND: 10.0}
"""A new pair that has to queue longer than this is stale by then; a naked leg waits its turn."""


class GateWindow:
    """The gate for one market, by condition id."""

    def __init__(self, gate: OrderGate, *, market: str, clock: Clock, observer: EngineObserver) -> None:
        self._gate = gate
        self._market = market
        self._clock = clock
        self._observer = observer

    async def ask(self, intent: Intent, note: IntentNote | None = None) -> Answer:
        """Leave for the intent's orders, waited for: once granted they may go at once. `note` is what the gate is to write down of them."""
        asked_s, priority = self._clock.monotonic(), PRIORITIES[intent.purpose]
        answer = await self._gate.acquire(
            market=self._market,
            cost=len(intent.orders),
            notional=notional(intent),
            priority=priority,
            max_wait_s=MAX_WAIT_S[priority],
            intent=note,
        )
        if not isinstance(answer, Granted):
            self._observer.gate(answer)
            return answer
        try:
            refused = await self._halted_meanwhile(intent, answer.wait_s)
        except BaseException:
            self.give_back(answer, intent)
            raise
        if refused is not None:
            self.give_back(answer, intent)
            self._observer.gate(refused)
            return refused
        self._observer.gate(Granted(self._clock.monotonic() - asked_s))
        return answer

    async def _halted_meanwhile(self, intent: Intent, wait_s: float) -> Refused | None:
        """Wait for the slots; whoever halts or pauses the wallet meanwhile stops these orders too. The dollars were counted already."""
        if not wait_s:
            return None
        await self._clock.sleep(wait_s)
        return await self._gate.objection(market=self._market, notional=0, priority=PRIORITIES[intent.purpose])

    def give_back(self, granted: Granted, intent: Intent) -> None:
        """The orders of this intent did not leave: that costs no other market its turn."""
        self._gate.give_back(
            granted, market=self._market, cost=len(intent.orders), notional=notional(intent), priority=PRIORITIES[intent.purpose]
        )

    def set_exposure(self, exposure: Exposure) -> None:
        """What this market has at stake now, and what it made."""
        self._gate.set_exposure(self._market, exposure)

    async def pause(self, *, seconds: float, reason: str) -> None:
        """The venue asked for silence, from the whole wallet."""
        await self._gate.pause(seconds=seconds, reason=reason)


def notional(intent: Intent) -> Micros:
    """Dollars of all its orders together, without fees."""
    return sum(order.dollars for order in intent.orders)


def may_stand_in(now: Intent, granted: Intent) -> bool:
    """Whether leave for one intent covers what the rule says after the wait: as many orders, for the same end, for no more money."""
    return now.purpose is granted.purpose and len(now.orders) == len(granted.orders) and notional(now) <= notional(granted)
