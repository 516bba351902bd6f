"""The wallet's order queue: fifty engines ask at once, and the slots go to who needs them most, then to who had least.

It stands before a gate that only knows the rate, and waiting happens here, before any slot is taken: the gate behind is asked for the
first in line alone, and only for slots that are there now. Where other processes ask the same gate, whoever waits for a free slot
loses it to those who reserve; there one turn is reserved ahead, for the first in line. Unwinds go before hedges before new pairs; among
equals the market that was served least (`standing.py`), then who came first. New pairs do wait for ever under endless hedges, and
should: every hedge stems from a pair that left before, so a wallet that spends its whole rate on hedges must not open anything new.

The application puts one before the wallet's gate and hands it to every engine (`interface.OrderGate`). Nothing polls: waiters are
parked, and one timer is set while there are any.
"""

import asyncio
from typing import NamedTuple

from kabobagool.clock import Clock
from kabobagool.domain.money import Micros
from kabobagool.gate.interface import (
    RECHECK_S,
    Answer,
    Exposure,
    Granted,
    Halt,
    IntentNote,
    Lease,
    LeasedGate,
    Priority,
    Refusal,
    Refused,
    check_cost,
)
from kabobagool.gate.limits import MICROSECONDS
from kabobagool.gate.standing import Standing
from kabobagool.gate.waiting_line import Waiter, WaitingLine

CLOSED = Refused(Refusal.UNAVAILABLE, RECHECK_S)


class Opening(NamedTuple):
    """The gate was asked for this waiter and has slots for it at `at_us`, no earlier."""

    waiter: Waiter
    at_us: int


class Reservation(NamedTuple):
    """The last grant: orders of this priority leave at `leaves_us`."""

    priority: Priority
    leaves_us: int


class Alarm(NamedTuple):
    """The one timer."""

    task: "asyncio.Task[None]"
    at_us: int


class FairGate:
    """An `OrderGate` that lets one waiter after the other ask the gate behind it. Used from one event loop.

    Every waiter asks in its own task and returns with the answer without a pause in between, so a task that is cancelled while it waits,
    even in the moment its turn comes, has taken nothing and the turn is the next one's. Shares are equal in slots: a market that
    asks for pairs is granted half as often as one that asks for single orders. `ahead_s` is how far ahead a slot is reserved at most:
    nothing where nobody else asks the gate behind.
    """

    def __init__(self, gate: LeasedGate, *, clock: Clock, ahead_s: float = 0.0) -> None:
        self._gate = gate
        self._clock = clock
        self._line = WaitingLine()
        self._standings = {priority: Standing() for priority in Priority}
        self._ahead_us = round(ahead_s * MICROSECONDS)
        self._opening: Opening | None = None
        self._reservation: Reservation | None = None
        self._alarm: Alarm | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many requests are in the queue."""
        return len(self._line)

    async def acquire(
        self, *, market: str, cost: int, notional: Micros, priority: Priority, max_wait_s: float, intent: IntentNote | None = None
    ) -> Answer:
        """Wait up to `max_wait_s` for the turn of these `cost` orders of `notional` dollars: all of them or none.

        Granted orders may leave at once. Refused as soon as it is certain: what is halted, paused or cannot be served in time does
        not wait. ValueError for a cost below 1.
        """
        check_cost(cost)
        refused = CLOSED if self._closed else self._gate.known_objection(market=market, priority=priority)
        if refused is not None:
            return refused
        waiter = self._enter(market, cost, notional, priority, round(max_wait_s * MICROSECONDS), intent)
        try:
            return await self._answer(waiter)
        finally:
            self._leave(waiter)

    async def objection(self, *, market: str, notional: Micros, priority: Priority) -> Refused | None:
        """What forbids these orders now whatever the rate and the queue. Takes nothing."""
        return await self._gate.objection(market=market, notional=notional, priority=priority)

    def known_objection(self, *, market: str, priority: Priority) -> Refused | None:
        """What is known to forbid such orders, without asking anybody."""
        return self._gate.known_objection(market=market, priority=priority)

    def give_back(self, granted: Granted, *, market: str, cost: int, notional: Micros, priority: Priority) -> None:
        """The orders of this very answer did not leave: the next in line may have their slots."""
        self._gate.give_back(granted, market=market, cost=cost, notional=notional, priority=priority)
        self._standings[priority].give_back(market, cost, self._now_us())
        self._opening = self._reservation = None
        self._arrange()

    def set_exposure(self, market: str, exposure: Exposure) -> None:
        """What the market has at stake now, and what it made."""
        self._gate.set_exposure(market, exposure)

    async def pause(self, *, seconds: float, reason: str) -> None:
        """The venue asked for silence: nobody is granted anything before it is over, and who waits is told now."""
        await self._gate.pause(seconds=seconds, reason=reason)
        await self._ask_for_objections()

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a market or of all, until `resume`; who waits is told now."""
        await self._gate.halt(scope=scope, who=who, why=why)
        await self._ask_for_objections()

    async def resume(self, *, scope: str) -> None:
        """Lift a halt."""
        await self._gate.resume(scope=scope)

    async def halts(self) -> tuple[Halt, ...]:
        """What is halted now, oldest first."""
        return await self._gate.halts()

    async def take_lease(self, market: str) -> Lease | Refused:
        """Become the holder of a market, or stay it."""
        return await self._gate.take_lease(market)

    async def drop_lease(self, market: str) -> None:
        """Let another holder have the market at once."""
        await self._gate.drop_lease(market)

    async def close(self) -> None:
        """Refuse whoever waits and whoever still asks, stop the timer and close the gate behind."""
        self._closed = True
        for waiter in self._line:
            self._refuse(waiter, CLOSED)
        self._stop_alarm()
        await self._gate.close()

    def _enter(self, market: str, cost: int, notional: Micros, priority: Priority, patience_us: int, intent: IntentNote | None) -> Waiter:
        now_us = self._now_us()
        waiter = Waiter(
            market=market,
            cost=cost,
            notional=notional,
            priority=priority,
            place=self._standings[priority].place(market, now_us),
            since_us=now_us,
            patience_us=patience_us,
            intent=intent,
        )
        self._line.enter(waiter)
        return waiter

    def _leave(self, waiter: Waiter) -> None:
        """Out of the line, however it ended; what it was not served, it keeps its place for."""
        if waiter.inside:
            self._line.remove(waiter)
            self._standings[waiter.priority].not_served(waiter.market, waiter.place, self._now_us())
            self._arrange()

    async def _answer(self, waiter: Waiter) -> Answer:
        while not self._closed:
            if self._line.first() is waiter and self._may_ask(waiter, self._now_us()) and (answer := await self._ask(waiter)):
                return answer
            if refused := await self._turn(waiter):
                return refused
        return CLOSED

    async def _ask(self, waiter: Waiter) -> Answer | None:
        """The answer of the gate behind; None when its slots come within the waiter's patience."""
        self._opening = None
        ahead_us = min(self._ahead_us, max(waiter.deadline_us - self._now_us(), 0))
        answer = await self._gate.acquire(
            market=waiter.market,
            cost=waiter.cost,
            notional=waiter.notional,
            priority=waiter.priority,
            max_wait_s=ahead_us / MICROSECONDS,
            intent=waiter.intent,
        )
        if isinstance(answer, Granted):
            self._reservation = Reservation(waiter.priority, self._now_us() + round(answer.wait_s * MICROSECONDS))
            self._served(waiter)
            return answer
        if answer.reason is not Refusal.WAIT_TOO_LONG:
            return answer
        ask_again_us = self._now_us() + round(answer.retry_after_s * MICROSECONDS)
        if ask_again_us + ahead_us > waiter.deadline_us:
            return self._too_long(waiter, ask_again_us + ahead_us)
        self._opening = Opening(waiter, ask_again_us)
        return None

    def _served(self, waiter: Waiter) -> None:
        self._line.remove(waiter)
        self._standings[waiter.priority].served(waiter.market, waiter.place, waiter.cost, self._now_us())
        self._arrange()

    async def _turn(self, waiter: Waiter) -> Refused | None:
        """Park until it is the waiter's turn (None) or its waiting is over."""
        now_us = self._now_us()
        if waiter.deadline_us < now_us:
            return self._too_long(waiter, now_us)
        waiter.turn = asyncio.get_running_loop().create_future()
        self._arrange()
        refused = await waiter.turn
        waiter.turn = None
        return refused

    def _arrange(self) -> None:
        """Refuse those whose time is over, call the first if there is something to ask for, set the timer for what comes next.

        Called whenever any of this may have changed.
        """
        now_us = self._now_us()
        for waiter in self._line.out_of_patience(now_us):
            self._refuse(waiter, self._too_long(waiter, self._opening.at_us if self._opening else now_us))
        first = self._line.first()
        if first is not None and first.parked and self._may_ask(first, now_us):
            first.end_turn(None)
        self._set_alarm(now_us)

    def _may_ask(self, first: Waiter, now_us: int) -> bool:
        return self._asks_at_us(first) <= now_us

    def _asks_at_us(self, first: Waiter) -> int:
        """When asking helps: not before what the gate behind said, nor while an equal one waits for what was reserved for it."""
        said_us = self._opening.at_us if self._opening is not None and self._opening.waiter is first else 0
        reserved = self._reservation
        return max(said_us, reserved.leaves_us) if reserved is not None and reserved.priority <= first.priority else said_us

    def _refuse(self, waiter: Waiter, refused: Refused) -> None:
        """Tell a parked waiter; one whose task runs will be told by the gate behind when it asks."""
        if waiter.parked:
            self._line.remove(waiter)
            self._standings[waiter.priority].not_served(waiter.market, waiter.place, self._now_us())
            waiter.end_turn(refused)

    def _too_long(self, waiter: Waiter, opens_us: int) -> Refused:
        """Asking again helps from the moment on at which the same patience reaches the opening."""
        return Refused(Refusal.WAIT_TOO_LONG, max(opens_us - waiter.patience_us - self._now_us(), 0) / MICROSECONDS)

    async def _ask_for_objections(self) -> None:
        for waiter in self._line:
            refused = await self._gate.objection(market=waiter.market, notional=waiter.notional, priority=waiter.priority)
            if refused is not None:
                self._refuse(waiter, refused)
        self._arrange()

    def _set_alarm(self, now_us: int) -> None:
        """One timer, for the next moment at which something happens by itself; none while nobody waits."""
        at_us = self._next_event_us(now_us)
        if at_us is None:
            self._stop_alarm()
        elif self._alarm is None or self._alarm.at_us > at_us:
            self._stop_alarm()
            ringing = asyncio.get_running_loop().create_task(self._ring(at_us - now_us))
            self._alarm = Alarm(ringing, at_us)

    def _next_event_us(self, now_us: int) -> int | None:
        deadline_us = self._line.next_deadline_us()
        if deadline_us is None:
            return None
        first = self._line.first()
        asks_us = self._asks_at_us(first) if first is not None else now_us
        return min(deadline_us + 1, asks_us) if asks_us > now_us else deadline_us + 1

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.task.cancel()
            self._alarm = None

    async def _ring(self, after_us: int) -> None:
        await self._clock.sleep(after_us / MICROSECONDS)
        self._alarm = None
        self._arrange()

    def _now_us(self) -> int:
        return round(self._clock.monotonic() * MICROSECONDS)
