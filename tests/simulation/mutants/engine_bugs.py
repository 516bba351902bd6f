"""Deliberate bugs between a decision and what its orders brought."""

import asyncio
import os
from contextlib import suppress
from typing import Any

from tests.simulation.mutants.bug import Bug, Patch, returns, returns_later

from kabobagool.domain import position
from kabobagool.domain.outcome import Filled, Killed, Unknown
from kabobagool.engine import market_engine, order_flow, troubles
from kabobagool.engine.cooldown import Cooldown
from kabobagool.engine.market_engine import MarketEngine
from kabobagool.engine.memory import Memory
from kabobagool.engine.order_flow import OrderFlow, Sent
from kabobagool.engine.position_tracker import PositionTracker
from kabobagool.engine.strategy import KabobagoolStrategy
from kabobagool.engine.unknown_orders import UnknownOrders
from kabobagool.execution import journal as journal_module
from kabobagool.execution.journal import Journal, JournalError
from kabobagool.execution.journal_store import JournalStore


def _retry_signed(original: Any) -> Any:
    async def submit(self: OrderFlow, order: Any) -> Any:
        outcome = await original(self, order)
        return await original(self, order) if isinstance(outcome, Unknown) else outcome

    return submit


def _retry_anew(original: Any) -> Any:
    async def submit(self: OrderFlow, order: Any) -> Any:
        outcome = await original(self, order)
        if not isinstance(outcome, Unknown):
            return outcome
        again = await self._execution.prepare(order.plan, order.market)
        return await original(self, again)

    return submit


def _intent_again(original: Any) -> Any:
    """After a kill the order is signed anew and journalled under the old intent."""

    async def send_each(self: OrderFlow, plans: Any, signed: Any) -> Sent:
        sent = await original(self, plans, signed)
        return sent if not isinstance(sent.last, Killed) else await original(self, plans[-1:], signed[-1:])

    return send_each


def _unknown_is_killed(original: Any) -> Any:
    return lambda outcome: troubles.NO_TROUBLE if isinstance(outcome, Unknown) else original(outcome)


def _goes_on_after_a_kill(original: Any) -> Any:
    async def send_each(self: OrderFlow, plans: Any, signed: Any) -> Sent:
        outcome: Any = order_flow.NEVER_SENT
        for plan, order in zip(plans, signed, strict=True):
            outcome = await self._submit(order)
            await self._on_outcome(order, plan, outcome)
            await self._note(order.order_hash, outcome)
        return Sent(outcome, complete=isinstance(outcome, Filled))

    return send_each


def _not_recorded(original: Any) -> Any:
    async def record(self: Journal, intent: Any) -> None:
        return None

    return record


def _recorded_meanwhile(original: Any) -> Any:
    async def record(self: Journal, intent: Any) -> None:
        asyncio.get_running_loop().create_task(original(self, intent))

    return record


def _known_already(original: Any) -> Any:
    async def record(self: Journal, intent: Any) -> None:
        with suppress(JournalError):
            await original(self, intent)

    return record


def _signed_once(original: Any) -> Any:
    async def prepare(self: OrderFlow, intent: Any, market: Any) -> Any:
        kept = self.__dict__.setdefault("kept", {})
        if intent.orders not in kept:
            kept[intent.orders] = await original(self, intent, market)
        return kept[intent.orders]

    return prepare


def _no_lock(original: Any) -> Any:
    return lambda path, market: os.open(os.devnull, os.O_RDONLY)


def _never_fails(original: Any) -> Any:
    return lambda self, now, at_least_s=0.0: self.__setattr__("_until", now)


def _never_grows(original: Any) -> Any:
    def fail(self: Cooldown, now: float, *, at_least_s: float = 0.0) -> float:
        wait = original(self, now, at_least_s=at_least_s)
        self._next_s = self._base_s
        return wait

    return fail


def _failed_is_ignored(original: Any) -> Any:
    return lambda self, change, now_ms: None if change.status.value == "failed" else original(self, change, now_ms=now_ms)


def _booked_twice(original: Any) -> Any:
    def book(self: PositionTracker, order_hash: str, fill: Any, *, now_ms: int, settled: bool = False) -> None:
        original(self, order_hash, fill, now_ms=now_ms, settled=settled)
        if settled:
            original(self, order_hash + "again", fill, now_ms=now_ms, settled=settled)

    return book


def _adopts_nothing(original: Any) -> Any:
    def init(self: Memory, **parts: Any) -> None:
        original(self, **{**parts, "adopt": lambda history: None})

    return init


def _heavy_is_light(original: Any) -> Any:
    return property(lambda self: original.fget(self).other if self.imbalance else original.fget(self))


def _resolved_is_not_booked(original: Any) -> Any:
    def on_resolved(self: MarketEngine, order: Any, plan: Any, outcome: Any) -> None:
        self._let_go_of_money()

    return on_resolved


def _crashes_on_failure(original: Any) -> Any:
    def take_over(self: PositionTracker, change: Any, *, now_ms: int) -> None:
        if change.status.value == "failed":
            raise KeyError(change.order_hash)
        original(self, change, now_ms=now_ms)

    return take_over


def _no_start_with_open_orders(original: Any) -> Any:
    """As long as they are news; then it starts, and finds out what became of them."""

    async def claim(self: Journal, market: str) -> None:
        await original(self, market)
        news_ms = self._clock.now_ms() - 25 * 60_000
        if any(order.created_ms > news_ms for order in await self.open_orders(market)):
            await self.release(market)
            raise JournalError("orders are open")

    return claim


def _uncounted(original: Any) -> Any:
    def gave_up(self: KabobagoolStrategy, reason: str) -> None:
        self.pending = False

    return gave_up


BUGS = (
    Bug("an order without a reply is sent again", (Patch(OrderFlow, "_submit", _retry_signed),), 10, "leaves_only_once"),
    Bug("an order without a reply is signed and sent anew", (Patch(OrderFlow, "_submit", _retry_anew),), 10, "is_on_disk_before_it_leaves"),
    Bug("a killed order is sent once more", (Patch(OrderFlow, "_send_each", _intent_again),), 0, "leaves_only_once"),
    Bug(
        "an order without a reply counts as killed",
        (Patch(market_engine, "trouble_of", _unknown_is_killed),),
        10,
        "follows_the_end_of_every_earlier_one",
        alone=True,
    ),
    Bug(
        "the second leg goes although the first was killed",
        (Patch(OrderFlow, "_send_each", _goes_on_after_a_kill),),
        0,
        "a_second_leg_follows_a_filled_first",
        alone=True,
    ),
    Bug(
        "orders of unknown end are never looked up",
        (Patch(UnknownOrders, "_look", returns_later(None)),),
        8,
        "every_bot_is_back",
    ),
    Bug(
        "what was found out about an order is not booked",
        (Patch(MarketEngine, "_on_resolved", _resolved_is_not_booked),),
        14,
        "waits_out_a_failure",
        alone=True,
    ),
    Bug(
        "nothing is journalled before it is sent", (Patch(Journal, "record", _not_recorded),), 45, "is_on_disk_before_it_leaves", alone=True
    ),
    Bug(
        "an order leaves while the disk still writes",
        (Patch(Journal, "record", _recorded_meanwhile),),
        45,
        "is_on_disk_before_it_leaves",
        alone=True,
    ),
    Bug(
        "a signed order is sent again where the same is wanted",
        (Patch(OrderFlow, "prepare", _signed_once), Patch(Journal, "record", _known_already)),
        1,
        "leaves_only_once",
        alone=True,
    ),
    Bug(
        "a restart forgets the open orders",
        (Patch(JournalStore, "open_orders", returns([])),),
        10,
        "follows_the_end_of_every_earlier_one",
        alone=True,
    ),
    Bug(
        "a restart forgets the position", (Patch(Memory, "__init__", _adopts_nothing),), 1, "the_bot_owns_what_the_ledger_says", alone=True
    ),
    Bug(
        "two programs may have one market",
        (Patch(journal_module, "_lock", _no_lock),),
        10,
        "comes_from_the_only_bot_of_its_market",
        alone=True,
    ),
    Bug("there is no cooldown", (Patch(Cooldown, "fail", _never_fails),), 0, "waits_out_a_failure", alone=True),
    Bug("the cooldown never grows", (Patch(Cooldown, "fail", _never_grows),), 9, "waits_out_a_failure", alone=True),
    Bug(
        "a failed settlement is ignored",
        (Patch(PositionTracker, "take_over", _failed_is_ignored),),
        134,
        "the_bot_owns_what_the_ledger_says",
        alone=True,
    ),
    Bug(
        "a failed settlement crashes the bot",
        (Patch(PositionTracker, "take_over", _crashes_on_failure),),
        134,
        "a_program_ends_for_a_reason",
        alone=True,
    ),
    Bug(
        "a program does not start while orders are open",
        (Patch(Journal, "claim", _no_start_with_open_orders),),
        7,
        "no_program_crashes_in_a_loop",
        alone=True,
    ),
    Bug("a settled fill is booked twice", (Patch(PositionTracker, "book", _booked_twice),), 0, "a_hedge_makes_the_market_more_level"),
    Bug(
        "the heavy side is hedged",
        (Patch(position.Position, "heavy", _heavy_is_light),),
        0,
        "a_hedge_makes_the_market_more_level",
        alone=True,
    ),
    Bug("a naked leg is not noticed", (Patch(market_engine, "is_orphan", returns(False)),), 0, "no_leg_is_left_naked", alone=True),
    Bug(
        "what was given up is not counted",
        (Patch(KabobagoolStrategy, "gave_up", _uncounted),),
        1,
        "every_edge_is_accounted_for",
        alone=True,
    ),
    Bug(
        "money held for orders is never let go",
        (Patch(MarketEngine, "_let_go_of_money", returns(None)),),
        0,
        "no_money_is_held_for_nothing",
        alone=True,
    ),
)
