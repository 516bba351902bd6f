"""Speaks `EngineObserver` into Prometheus metrics; made by the composition of a bot."""

from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.market import Outcome
from kabobagool.domain.money import Micros
from kabobagool.domain.outcome import Filled, OrderOutcome
from kabobagool.domain.position import Position
from kabobagool.gate.interface import Answer, Granted
from kabobagool.telemetry.metrics import BotMetrics


class MetricsObserver:
    """One market's events as metrics."""

    def __init__(self, metrics: BotMetrics) -> None:
        self._metrics = metrics

    def order_ended(self, plan: OrderPlan, purpose: Purpose, outcome: OrderOutcome, latency_s: float) -> None:
        """Count the reply and its latency."""
        self._metrics.order_ended(leg=plan.outcome, side=plan.side, purpose=purpose, outcome=outcome, latency_s=latency_s)

    def order_found(self, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """Count a fill that was found later."""
        if isinstance(outcome, Filled):
            self._metrics.filled(leg=plan.outcome, side=plan.side, fill=outcome)

    def position(self, position: Position, *, naked: bool) -> None:
        """Show the position and what of it is naked."""
        self._metrics.position_changed(
            shares=(position.yes.shares, position.no.shares),
            locked_profit=position.locked_profit,
            pair_cost=position.pair_cost_micros,
        )
        self._metrics.orphan_changed(shares=_surplus(position) if naked else (0, 0))

    def gate(self, answer: Answer) -> None:
        """Show waits and refusals."""
        if isinstance(answer, Granted):
            self._metrics.gate_granted(wait_s=answer.wait_s)
        else:
            self._metrics.gate_refused(answer.reason.value)


def _surplus(position: Position) -> tuple[Micros, Micros]:
    shares = abs(position.imbalance)
    return (shares, 0) if position.heavy is Outcome.YES else (0, shares)
