"""Carries an intent out: sign, get leave, journal, look once more, then send one order after the other.

The order of these steps is the safety of the bot. Everything is signed before anything is asked for: so the hashes are known that the
gate writes down in the very call that grants the slots, and the second leg is not late. Everything is on this disk before anything is sent;
the view is asked once more after the slow steps; and a reply that cannot be trusted stops the sequence. The engine calls with its lock
held: `prepare`, then the gate, then `send`, and `let_go` however it ended.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import assert_never

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import Intent, OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Unknown
from kabobagool.execution.client import ExecutionClient, SignedOrder
from kabobagool.execution.journal import JournalError, JournalledIntent, JournalledOrder, OrderJournal
from kabobagool.gate.interface import IntentNote

log = logging.getLogger(__name__)

NEVER_SENT = Killed("not sent")
OnOutcome = Callable[[SignedOrder, OrderPlan, OrderOutcome], Awaitable[None]]
"""Told of an outcome before it is written down: others of the wallet must not wait for a disk to hear what the venue asked for."""


class Prepared(msgspec.Struct, frozen=True):
    """An intent that could be sent now: its signed orders, and what is written of them on this disk and at the gate (None: nothing)."""

    intent: Intent
    signed: tuple[SignedOrder, ...]
    journalled: JournalledIntent
    note: IntentNote | None


class Sent(msgspec.Struct, frozen=True):
    """What became of the orders that left.

    The last one's outcome decides what is next. `complete` when every order of the intent filled.
    """

    last: OrderOutcome
    complete: bool


class NotSent(msgspec.Struct, frozen=True):
    """Nothing left, and why."""

    reason: Reason
    text: str = ""


class OrderFlow:
    """One market's way from an intent to outcomes."""

    def __init__(self, *, execution: ExecutionClient, journal: OrderJournal, clock: Clock, on_outcome: OnOutcome) -> None:
        self._execution = execution
        self._journal = journal
        self._clock = clock
        self._on_outcome = on_outcome
        self._left: Prepared | None = None
        self.latency_s = 0.0
        """How long the last reply took, in seconds of the clock."""

    async def prepare(self, intent: Intent, market: Market) -> Prepared | NotSent:
        """Sign all of the intent's orders. Nothing is sent, nothing written down."""
        try:
            signed = tuple([await self._execution.prepare(order, market) for order in intent.orders])
        except Exception as e:
            log.exception("an order could not be signed")
            return NotSent(Reason.SIGNING_FAILED, f"an order could not be signed: {type(e).__name__}: {e}")
        written = journalled(intent, market, signed, created_ms=self._clock.now_ms())
        return Prepared(intent, signed, written, self._journal.note(written))

    async def send(self, prepared: Prepared, *, still_good: Callable[[], bool], leaving: Callable[[], None]) -> Sent | NotSent:
        """Send the orders one after the other. `leaving` is called right before the first POST."""
        try:
            await self._journal.record(prepared.journalled)
        except JournalError as e:
            return NotSent(Reason.JOURNAL_FAILED, str(e))
        if not still_good():
            await self._forget(prepared.signed)
            return NotSent(Reason.VIEW_MOVED)
        self._left = prepared
        leaving()
        return await self._send_each(prepared.intent.orders, prepared.signed)

    def let_go(self, prepared: Prepared) -> None:
        """Unless its first order left, none ever will: what the gate may have written of it is closed."""
        if prepared is not self._left:
            self._journal.withdraw(prepared.journalled)

    async def _send_each(self, plans: tuple[OrderPlan, ...], signed: tuple[SignedOrder, ...]) -> Sent:
        outcome: OrderOutcome = NEVER_SENT
        for number, (plan, order) in enumerate(zip(plans, signed, strict=True)):
            started = self._clock.monotonic()
            try:
                outcome = await self._submit(order)
            except BaseException:  # cut off: this order's end is to be found out, those after it never leave
                await self._forget(signed[number + 1 :])
                raise
            self.latency_s = self._clock.monotonic() - started
            await self._on_outcome(order, plan, outcome)
            await self._note(order.order_hash, outcome)
            if not isinstance(outcome, Filled):
                await self._forget(signed[number + 1 :])
                return Sent(outcome, complete=False)
        return Sent(outcome, complete=True)

    async def _submit(self, order: SignedOrder) -> OrderOutcome:
        """Send. A client that breaks its word and raises has sent the order, or not: nobody knows, so it is looked up."""
        try:
            return await self._execution.submit(order)
        except Exception as e:
            log.exception("sending an order crashed", extra={"order": order.order_hash})
            return Unknown(f"{type(e).__name__} while sending")

    async def _forget(self, unsent: tuple[SignedOrder, ...]) -> None:
        for order in unsent:
            await self._note(order.order_hash, NEVER_SENT)

    async def _note(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write an outcome back.

        A journal that fails here only makes the next start look the order up again; the next intent will be refused.
        """
        try:
            await self._journal.mark(order_hash, outcome)
        except JournalError:
            return


def journalled(intent: Intent, market: Market, signed: tuple[SignedOrder, ...], *, created_ms: int) -> JournalledIntent:
    """The intent as it is written down: every order by the hash it will have at the venue."""
    return JournalledIntent(
        intent_id=signed[0].order_hash,
        market=market.condition_id,
        purpose=intent.purpose,
        pair_cost=intent.pair_cost,
        created_ms=created_ms,
        orders=tuple(
            JournalledOrder(
                order_hash=order.order_hash,
                token=market.token(plan.outcome),
                outcome=plan.outcome,
                side=plan.side,
                price=plan.price,
                shares=plan.shares,
                dollars=plan.dollars,
                created_ms=created_ms,
            )
            for plan, order in zip(intent.orders, signed, strict=True)
        ),
    )


OUTCOME_NAMES: Mapping[type[OrderOutcome], str] = {
    Filled: "filled",
    Killed: "killed",
    Delayed: "delayed",
    Rejected: "rejected",
    Unknown: "unknown",
}


def outcome_name(outcome: OrderOutcome) -> str:
    """The outcome's word in metrics, journal and reports."""
    return OUTCOME_NAMES[type(outcome)]


def is_resolved(outcome: OrderOutcome) -> bool:
    """Whether it is certain what the order did."""
    match outcome:
        case Filled() | Killed() | Rejected():
            return True
        case Delayed() | Unknown():
            return False
        case _:
            assert_never(outcome)
