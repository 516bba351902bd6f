"""What every client that sends real orders keeps to, whatever it sends them with.

An order is sent once, by whoever claims its hash first; an order that waited too long to be sent never is; what comes back becomes an
outcome in one way. Used by `live.py` and `fast.py`.
"""

from collections.abc import Mapping
from typing import Final

from kabobagool.domain.outcome import OrderOutcome, Rejected, Rejection
from kabobagool.execution.client import AlreadySentError, SignedOrder
from kabobagool.execution.fills import average_fee
from kabobagool.venue.errors import classify

REQUEST_TIMEOUT_S: Final = 5.0
QUEUE_SHARE: Final = 0.5
"""Part of the timeout an order may wait for its turn before it is not sent at all."""
REMEMBERED_ORDERS: Final = 10_000
NOT_SENT: Final = Rejected(Rejection.OTHER, "not sent: too many orders were on their way for too long")


class SentOrders:
    """The hashes of the orders that were sent last."""

    def __init__(self) -> None:
        self._sent: dict[str, None] = {}

    def claim(self, order_hash: str) -> None:
        """Take an order as sent from now on. AlreadySentError for the second time."""
        if order_hash in self._sent:
            raise AlreadySentError(f"order {order_hash} was sent before; it is looked up, never sent again")
        self._sent[order_hash] = None
        if len(self._sent) > REMEMBERED_ORDERS:
            del self._sent[next(iter(self._sent))]


def outcome_of_reply(status: int | None, headers: Mapping[str, str], body: object, signed: SignedOrder) -> OrderOutcome:
    """What became of an order, from the reply to it; `status` is None when there was none."""
    fee = signed.market.fee
    return classify(status, headers, body, fee_of=lambda shares, dollars: average_fee(fee, shares, dollars), side=signed.plan.side)
