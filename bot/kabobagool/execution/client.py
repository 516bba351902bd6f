"""What the engine asks of whoever carries orders out: sign, send once, look up. The live venue and the dry run both answer.

The hash of an order is known before it is sent, because a lost reply must be looked up and never answered by sending again.
"""

from dataclasses import dataclass, field
from typing import Protocol

from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.outcome import OrderOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOrder:
    """An order that could be sent now: its hash is its id at the venue. `payload` belongs to the client that made it."""

    order_hash: str
    plan: OrderPlan
    market: Market
    signed_ms: int
    payload: object = field(repr=False)


class AlreadySentError(Exception):
    """A signed order was submitted a second time: a bug of the caller, noticed before anything left."""


class ExecutionClient(Protocol):
    """Carries out fill-or-kill orders of one wallet."""

    async def prepare(self, plan: OrderPlan, market: Market) -> SignedOrder:
        """Sign an order; nothing is sent."""
        ...

    async def submit(self, signed: SignedOrder) -> OrderOutcome:
        """Send a signed order, once. Doubt is an outcome (`Unknown`), not an exception. AlreadySentError for the second time."""
        ...

    async def lookup(self, order_hash: str, market: Market, since_ms: int) -> OrderOutcome | None:
        """What became of an order that was sent at `since_ms` at the earliest; None while that cannot be said yet."""
        ...

    async def close(self) -> None:
        """Let go of threads and connections."""
        ...
