"""Orders of a market whose end nobody has written down at the shared gate yet, and what the venue says of them now.

Any bot of the wallet may have written them, on any host. `cli/reconcile.py` shows them beside what the journal of this disk knows. The gate
is only read: whoever trades the market next writes down what became of them.
"""

import random
from collections.abc import Iterable

import msgspec

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.journal import JournalledOrder
from kabobagool.execution.reconcile import Reconciliation, resolve_open_orders
from kabobagool.gate.redis_intents import RecordedIntent
from kabobagool.settings import Settings
from kabobagool.settings_wallet import wallet_name
from kabobagool.trading.gate_choice import PERSON_PATIENCE_S, open_shared
from kabobagool.trading.shared_journal import journalled


class OpenAtGate(msgspec.Struct, frozen=True, kw_only=True):
    """One order without an end at the gate. `end` is what became of it by the venue's word, None when that is not known either."""

    intent_id: str
    purpose: str
    created_ms: int
    order: JournalledOrder
    end: OrderOutcome | None = None


class _ReadOnly:
    """The orders as the journal that a look-up asks, in which nothing is marked."""

    def __init__(self, orders: Iterable[OpenAtGate]) -> None:
        self._orders = [msgspec.structs.replace(found.order, created_ms=found.created_ms) for found in orders]

    async def open_orders(self, market: str) -> list[JournalledOrder]:
        """All of them."""
        return self._orders

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Nothing: the gate stays as it is."""


async def read_open_orders(settings: Settings, market: Market, *, clock: Clock, rng: random.Random) -> list[OpenAtGate]:
    """What the live wallet's gate says, oldest first.

    StartError or GateUnreachableError when it cannot be asked, JournalError when what it says cannot be read.
    """
    real = clock if settings.clock_rate == 1 else SystemClock()
    gate = await open_shared(
        settings, wallet_name(settings.model_copy(update={"dry_run": False})), clock=real, rng=rng, timeout_s=PERSON_PATIENCE_S
    )
    try:
        intents = await gate.intents.open_intents(market.condition_id)
    finally:
        await gate.close()
    return [order for recorded in intents for order in _orders(recorded)]


async def look_up(
    orders: Iterable[OpenAtGate], market: Market, history: Reconciliation, *, client: ExecutionClient, clock: Clock
) -> list[OpenAtGate]:
    """The orders with what the venue says became of them, as patiently as those of a journal; what `history` says is not asked again."""
    orders = list(orders)
    doubtful = set(history.unresolved)
    unasked = [
        found for found in orders if found.order.order_hash not in history.resolved_orders and found.order.order_hash not in doubtful
    ]
    resolved, _ = await resolve_open_orders(market, client=client, journal=_ReadOnly(unasked), clock=clock)
    ends = {**history.resolved_orders, **resolved}
    return [msgspec.structs.replace(found, end=ends.get(found.order.order_hash)) for found in orders]


def _orders(recorded: RecordedIntent) -> list[OpenAtGate]:
    intent = journalled(recorded)
    return [
        OpenAtGate(intent_id=intent.intent_id, purpose=intent.purpose, created_ms=intent.created_ms, order=order)
        for order in intent.orders
        if order.order_hash not in recorded.ended
    ]
