"""What the engine tells whoever listens: metrics in production, a record in a test.

A protocol here, so that the engine does not know Prometheus; `metrics_observer.py` speaks it.
"""

from typing import Protocol

from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.outcome import OrderOutcome
from kabobagool.domain.position import Position
from kabobagool.gate.interface import Answer


class EngineObserver(Protocol):
    """Called on the event loop; must not block and must not raise."""

    def order_ended(self, plan: OrderPlan, purpose: Purpose, outcome: OrderOutcome, latency_s: float) -> None:
        """An order got its reply after so many seconds."""

    def order_found(self, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """The end of an order whose reply was lost became known."""

    def position(self, position: Position, *, naked: bool) -> None:
        """The position changed."""

    def gate(self, answer: Answer) -> None:
        """The gate answered."""
