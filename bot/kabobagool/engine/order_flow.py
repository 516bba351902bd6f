"""Carries an intent out: sign, journal, look once more, then send one order after the other.

The order of these steps is the safety of the bot. Everything is signed before anything is sent, so that the second leg is not late;
everything is journalled before anything is sent, so that a crash can be explained by hash; the view is asked once more after the slow
steps; and a reply that cannot be trusted stops the sequence. The engine calls `send` with its lock held.
"""

import logging
from collections.abc import Callable, Mapping
from typing import assert_never

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.edge import Reason
from kabobagool.domain.intent import Intent, OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Unknown
from kabobagool.execution.client import ExecutionClient, SignedOrder
from kabobagool.execution.journal import JournalError, JournalledIntent, JournalledOrder, OrderJournal

log = logging.getLogger(__name__)

NEVER_SENT = Killed("not sent")
OnOutcome = Callable[[SignedOrder, OrderPlan, OrderOutcome], None]


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
        self.latency_s = 0.0
        """How long the last reply took, in seconds of the clock."""

    async def send(self, intent: Intent, market: Market, *, still_good: Callable[[], bool], leaving: Callable[[], None]) -> Sent | NotSent:
        """Send the intent's orders in their order. `leaving` is called right before the first POST."""
        try:
            signed = [await self._execution.prepare(order, market) for order in intent.orders]
        except Exception as e:
            log.exception("an order could not be signed")
            return NotSent(Reason.SIGNING_FAILED, f"an order could not be signed: {type(e).__name__}: {e}")
        try:
            await self._journal.record(journalled(intent, market, signed, created_ms=self._clock.now_ms()))
        except JournalError as e:
            return NotSent(Reason.JOURNAL_FAILED, str(e))
        if not still_good():
            await self._forget(signed)
            return NotSent(Reason.VIEW_MOVED)
        leaving()
        return await self._send_each(intent.orders, signed)

    async def _send_each(self, plans: tuple[OrderPlan, ...], signed: list[SignedOrder]) -> Sent:
        outcome: OrderOutcome = NEVER_SENT
        for number, (plan, order) in enumerate(zip(plans, signed, strict=True)):
            started = self._clock.monotonic()
            try:
                outcome = await self._submit(order)
            except BaseException:  # cut off: this order's end is to be found out, those after it never leave
                await self._forget(signed[number + 1 :])
                raise
            self.latency_s = self._clock.monotonic() - started
            self._on_outcome(order, plan, outcome)
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

    async def _forget(self, unsent: list[SignedOrder]) -> None:
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


def journalled(intent: Intent, market: Market, signed: list[SignedOrder], *, created_ms: int) -> JournalledIntent:
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
