"""The journal of a wallet that several hosts trade: every intent on this disk and at the shared gate, before the first byte of it leaves.

A bot that died may come back on another host, where its disk is not. So `session.py` opens this journal where REDIS_URL is set: a bot that
starts finds the open orders of whoever traded its market before, and has them looked up by their hash before it opens anything.

The gate writes an intent down in the call that grants its slots (`note` says what). Only one that was granted without it, by this process
alone or in the stead of another, is written in a call of its own.
"""

import asyncio
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.intent import Purpose
from kabobagool.domain.outcome import Delayed, OrderOutcome, Unknown
from kabobagool.engine.order_flow import NEVER_SENT, OUTCOME_NAMES, outcome_name
from kabobagool.execution.journal import Journal, JournalError, JournalledIntent, JournalledOrder
from kabobagool.gate.interface import GateUnreachableError, IntentNote
from kabobagool.gate.redis_intents import RecordedIntent, RedisIntents, UnknownOrderError
from kabobagool.unreadable import UNREADABLE

LESS_RISK: Final = frozenset({Purpose.HEDGE, Purpose.UNWIND})
SHOWN: Final = 200
_KINDS: Final = {name: kind for kind, name in OUTCOME_NAMES.items()}


class SharedJournal(Journal):
    """A `Journal` that needs both places for a new pair. A hedge needs this disk alone: the gate is told as soon as it answers."""

    _intents: RedisIntents
    _unwritten: dict[str, JournalledIntent]
    _unmarked: dict[str, OrderOutcome]
    _one_at_a_time: asyncio.Lock
    _telling: "asyncio.Task[None] | None"

    @classmethod
    async def open_shared(cls, path: Path, *, clock: Clock, intents: RedisIntents) -> Self:
        """Open the file as `Journal.open` does. JournalError for one that cannot be used."""
        journal = await cls.open(path, clock=clock)
        journal._intents, journal._unwritten, journal._unmarked = intents, {}, {}
        journal._one_at_a_time, journal._telling = asyncio.Lock(), None
        return journal

    def note(self, intent: JournalledIntent) -> IntentNote:
        """The intent as the gate keeps it."""
        return IntentNote(
            intent_id=intent.intent_id,
            created_ms=intent.created_ms,
            order_hashes=tuple(order.order_hash for order in intent.orders),
            text=msgspec.json.encode(intent).decode(),
        )

    def withdraw(self, intent: JournalledIntent) -> None:
        """No order of this intent left: the gate is told beside it, if it may know of one.

        One whose answer was lost is written first, for the question may still be on its way and would open it later.
        """
        if not self._intents.may_know(intent.intent_id):
            return
        if not self._intents.has_written(intent.intent_id):
            self._unwritten[intent.intent_id] = intent
        self._unmarked.update((order.order_hash, NEVER_SENT) for order in intent.orders)
        self._tell_soon()

    async def record(self, intent: JournalledIntent) -> None:
        """Write an intent to both places. JournalError when one of them did not take it, or another bot has the market."""
        await super().record(intent)
        if self._intents.has_written(intent.intent_id):
            return
        try:
            await self._catch_up()
            await self._write(intent)
        except GateUnreachableError as e:
            self._unwritten[intent.intent_id] = intent
            if intent.purpose not in LESS_RISK:
                await self._never_sent(intent)
                raise JournalError(f"the intent could not be written to the shared gate: {e}; no new pair is opened until it can be") from e

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Write what became of an order on this disk, or JournalError. The gate is told beside it: the next leg must not wait."""
        await super().mark(order_hash, outcome)
        self._unmarked[order_hash] = outcome
        self._tell_soon()

    async def open_orders(self, market: str) -> list[JournalledOrder]:
        """Orders without a known end that this disk or the gate knows of, oldest first. JournalError when either cannot be asked."""
        try:
            await self._catch_up()
            shared = await self._intents.open_intents(market)
        except GateUnreachableError as e:
            raise JournalError(f"the shared gate cannot say which orders are open: {e}; nothing is opened until it can") from e
        known = {intent.intent_id for intent in await self.intents(market, 0)} if shared else set()
        for recorded in shared:
            await self._take_over(recorded, is_known=recorded.intent_id in known)
        found = {order.order_hash: order for order in await super().open_orders(market)}
        for recorded in shared:
            for order in journalled(recorded).orders:
                if order.order_hash not in recorded.ended:
                    found.setdefault(order.order_hash, order)
        return sorted(found.values(), key=lambda order: order.created_ms)

    async def close(self) -> None:
        """Tell the gate what it was not told yet, if it answers, and let go of the file."""
        await self._try_to_catch_up()
        if self._telling is not None:
            await asyncio.wait({self._telling})
        await super().close()

    async def _write(self, intent: JournalledIntent) -> None:
        refused = await self._intents.record(intent.market, self.note(intent))
        if refused is not None:
            await self._never_sent(intent)
            raise JournalError(f"another bot trades market {intent.market} now: nothing of this one is sent; stop one of the two")

    async def _never_sent(self, intent: JournalledIntent) -> None:
        for order in intent.orders:
            await super().mark(order.order_hash, NEVER_SENT)
            self._unmarked[order.order_hash] = NEVER_SENT

    async def _take_over(self, recorded: RecordedIntent, *, is_known: bool) -> None:
        """Write to this disk what only the gate knew: an order that is looked up here is also marked here."""
        if not is_known:
            await super().record(journalled(recorded))
        for order_hash, outcome in ends_of(recorded).items():
            await super().mark(order_hash, outcome)

    def _tell_soon(self) -> None:
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._try_to_catch_up())

    async def _try_to_catch_up(self) -> None:
        try:
            await self._catch_up()
        except GateUnreachableError:
            return  # told with the next intent or outcome; the next start would look these orders up once more

    async def _catch_up(self) -> None:
        """Tell the gate what it could not be told before, intents first. GateUnreachableError when it still does not answer."""
        async with self._one_at_a_time:
            while self._unwritten or self._unmarked:
                await self._tell_all()

    async def _tell_all(self) -> None:
        for intent_id, intent in list(self._unwritten.items()):
            await self._intents.record(intent.market, self.note(intent))
            self._unwritten.pop(intent_id, None)
        for order_hash, outcome in list(self._unmarked.items()):
            await self._resolve(order_hash, outcome)
            if self._unmarked.get(order_hash) is outcome:
                del self._unmarked[order_hash]

    async def _resolve(self, order_hash: str, outcome: OrderOutcome) -> None:
        try:
            await self._intents.resolve(order_hash, _text(outcome), ended=not isinstance(outcome, Delayed | Unknown))
        except UnknownOrderError:
            return  # written down on this disk before the wallet shared its gate


def journalled(recorded: RecordedIntent) -> JournalledIntent:
    """The intent as its bot wrote it down. JournalError when that cannot be read."""
    try:
        return msgspec.json.decode(recorded.text, type=JournalledIntent)
    except UNREADABLE as e:
        raise _unreadable(recorded, e) from None


def ends_of(recorded: RecordedIntent) -> dict[str, OrderOutcome]:
    """What became of its orders that have ended, by hash. JournalError when that cannot be read."""
    try:
        return {order_hash: _outcome(recorded.outcomes[order_hash]) for order_hash in recorded.ended}
    except (*UNREADABLE, LookupError, TypeError) as e:
        raise _unreadable(recorded, e) from None


def _unreadable(recorded: RecordedIntent, error: Exception) -> JournalError:
    what = f"intent {recorded.intent_id[:SHOWN]} at the shared gate cannot be read"
    return JournalError(f"{what}: {str(error)[:SHOWN]}; use the version of kabobagool that wrote it")


def _text(outcome: OrderOutcome) -> str:
    return msgspec.json.encode({"outcome": outcome_name(outcome), **msgspec.structs.asdict(outcome)}).decode()


def _outcome(text: str) -> OrderOutcome:
    fields = msgspec.json.decode(text, type=dict[str, Any])
    return msgspec.convert(fields, _KINDS[fields.pop("outcome")])
