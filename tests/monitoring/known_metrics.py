"""What bots, fleets and the operator really expose: every series with its labels, and the words its labels may say.

Rules and dashboards are held against it. Everything comes from the tables in the code: a metric that is renamed there breaks a test here.
"""

from typing import Final

from kabobagool.domain.market import Outcome
from kabobagool.domain.outcome import Rejection
from kabobagool.engine.market_engine import EngineState
from kabobagool.gate.interface import Refusal
from kabobagool.hydra.market_task import Phase as TaskPhase
from kabobagool.telemetry.metric_table import FLEET_METRICS, METRICS, PREFIX
from kabobagool.telemetry.metrics import ORDER_OUTCOMES
from kabobagool_operator.arbmarket_status import Phase
from kabobagool_operator.conditions import Reason, Truth, Type
from kabobagool_operator.main import LEASE
from kabobagool_operator.operator_metrics import CONTROLLER, RESULTS, RETIREMENTS, ROUNDS
from kabobagool_operator.operator_metrics import METRICS as OPERATOR_METRICS

TARGET: Final = frozenset({"job", "namespace", "pod", "instance", "market", "mode"})
"""Labels that a target has before anything is read from it."""
ENDS: Final = {"histogram": ("_bucket", "_sum", "_count")}
JOBS: Final = frozenset({"kabobagool-bots", "kabobagool-operator"})
WORDS: Final[dict[tuple[str, str], frozenset[str]]] = {
    (f"{PREFIX}state", "state"): frozenset(EngineState),
    (f"{PREFIX}rejections_total", "reason"): frozenset(Rejection),
    (f"{PREFIX}gate_refusals_total", "reason"): frozenset(Refusal),
    (f"{PREFIX}gate_cap_dollars", "reason"): frozenset({Refusal.EXPOSURE, Refusal.ORPHANS, Refusal.DAILY_LOSS}),
    (f"{PREFIX}orders_total", "outcome"): frozenset(ORDER_OUTCOMES),
    (f"{PREFIX}best_ask_dollars", "outcome"): frozenset(outcome.name.lower() for outcome in Outcome),
    (f"{PREFIX}fleet_markets", "phase"): frozenset(TaskPhase),
    (f"{PREFIX}operator_markets", "phase"): frozenset(Phase),
    (f"{PREFIX}operator_conditions", "type"): frozenset(Type),
    (f"{PREFIX}operator_conditions", "status"): frozenset(Truth),
    (f"{PREFIX}operator_conditions", "reason"): frozenset(Reason),
    (f"{PREFIX}operator_discovery_rounds_total", "result"): frozenset(ROUNDS),
    (f"{PREFIX}operator_discovery_retirements_total", "reason"): frozenset(RETIREMENTS),
    ("controller_runtime_reconcile_total", "result"): frozenset(RESULTS),
    ("leader_election_master_status", "name"): frozenset({LEASE}),
}
"""What a label of a metric may be asked for."""
OF_CONTROLLERS: Final = {"name": frozenset({CONTROLLER}), "controller": frozenset({CONTROLLER})}


def bot_series() -> dict[str, frozenset[str]]:
    """What the bot of one market exposes: full names with their labels."""
    return _series([(PREFIX + metric.name, metric.type, metric.labels) for metric in METRICS])


def fleet_series() -> dict[str, frozenset[str]]:
    """What a fleet in one process exposes."""
    shared = [(PREFIX + m.name, m.type, m.labels if m.fleet_labels is None else m.fleet_labels) for m in METRICS]
    return _series([*shared, *((PREFIX + metric.name, metric.type, metric.labels) for metric in FLEET_METRICS)])


def operator_series() -> dict[str, frozenset[str]]:
    """What the operator exposes."""
    return _series([(metric.name, metric.type, metric.labels) for metric in OPERATOR_METRICS])


def words(metric: str, label: str) -> frozenset[str] | None:
    """What the label may say; None when that is not a closed list."""
    if label == "job":
        return JOBS
    return WORDS.get((metric, label)) or (OF_CONTROLLERS.get(label) if metric in operator_series() else None)


def _series(metrics: list[tuple[str, str, tuple[str, ...]]]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for name, kind, labels in metrics:
        ends = ENDS.get(kind, ("",))
        found |= {name + end: frozenset(labels) | ({"le"} if end == "_bucket" else frozenset()) for end in ends}
    return found
