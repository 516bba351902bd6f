"""What is written into an ArbMarket's status, and whether it is worth a write now.

`reconcile.py` asks after every plan. Conditions, phase and everything else that says how things stand are written at once; figures that
change all day are written every few seconds at most, and rounded so that they stand still while nothing happens. What only the bot knows
is kept as it was while the bot is silent: the position does not vanish with the process that bought it. Only the feed's age is not: that of
a silent bot would be a lie.
"""

from datetime import datetime
from typing import Final

from kabobagool.domain.money import MICRO, Micros, format_micros
from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_fields import moment
from kabobagool_operator.arbmarket_status import DeploymentFacts, LeaseFacts, PositionFacts, Status
from kabobagool_operator.conditions import written
from kabobagool_operator.facts import Observed
from kabobagool_operator.plan_case import Case
from kabobagool_operator.plan_types import Plan
from kabobagool_operator.policy import Policy

FIGURES: Final = frozenset({"position", "last_pair_cost", "locked_profit", "feed_age", "last_fill_time"})
"""Parts of the status that change while nothing happens to the market's bot."""
AGES_S: Final = (2, 5, 10, 30, 60, 120, 300, 600, 1800)
"""A feed's age is written as the next of these: the exact one would be new at every look."""
PAIR_COST_STEP: Final[Micros] = MICRO // 1000
"""A tenth of a cent: what a pair costs moves by less all the time."""


def status_of(market: ArbMarket, observed: Observed, plan: Plan, now: datetime) -> Status:
    """The status that belongs to a plan."""
    return _status(Case(metadata=market.metadata, status=market.status, spec=market.spec, observed=observed, now=now), plan)


def status_of_unreadable(metadata: Metadata, before: Status, observed: Observed, plan: Plan, now: datetime) -> Status:
    """The same for an ArbMarket whose spec cannot be read."""
    return _status(Case(metadata=metadata, status=before, spec=None, observed=observed, now=now), plan)


def _status(case: Case, plan: Plan) -> Status:
    generation, now = case.metadata.generation, case.now.replace(microsecond=0)
    said = Status(
        observed_generation=generation,
        phase=plan.phase,
        reason=plan.summary,
        conditions=written(plan.conditions, case.status.conditions, generation=generation, now=now),
        market=case.facts,
        deployment=_deployment(case),
        lease=_lease(case),
        drain=plan.drain,
    )
    return _with_figures(said, case)


def seconds_until_worth_writing(before: Status, after: Status, last_written_s: float | None, now_s: float, policy: Policy) -> float | None:
    """How long a status has to wait for its write: 0 when it is worth one now, None when it says nothing new.

    `last_written_s` is when this process last wrote the status, on the clock of `now_s`.
    """
    if before == after:
        return None
    if last_written_s is None or _standing(before) != _standing(after):
        return 0.0
    return max(last_written_s + policy.status_interval_s - now_s, 0.0)


def age_text(age_ms: int) -> str:
    """The age of a feed, as the next larger of a few steps: `5s`, `2m`."""
    step_s = next((step for step in AGES_S if age_ms <= step * 1000), None)
    if step_s is None:
        return f">{_span(AGES_S[-1])}"
    return _span(step_s)


def _span(seconds: int) -> str:
    return f"{seconds}s" if seconds < 60 else f"{seconds // 60}m"


def _standing(status: Status) -> tuple[object, ...]:
    """What is written at once: all but the figures, and of conditions all but the words for people."""
    conditions = tuple((said.type, said.status, said.reason, said.observed_generation) for said in status.conditions)
    rest = tuple(value for name, value in status if name not in FIGURES and name != "conditions")
    return (*conditions, *rest)


def _with_figures(said: Status, case: Case) -> Status:
    before, report = case.status, case.report
    if report is None:
        kept = {name: getattr(before, name) for name in FIGURES if name != "feed_age"}
        return said.model_copy(update=kept)
    figures = {
        "position": PositionFacts.of(yes=report.yes_shares, no=report.no_shares),
        "last_pair_cost": before.last_pair_cost if report.pair_cost is None else _pair_cost(report.pair_cost),
        "locked_profit": format_micros(report.locked_profit),
        "feed_age": None if report.feed_age_ms is None else age_text(report.feed_age_ms),
        "last_fill_time": before.last_fill_time if report.last_fill_ms is None else moment(report.last_fill_ms),
    }
    return said.model_copy(update=figures)


def _pair_cost(cost: Micros) -> str:
    """Rounded up: a pair is never shown cheaper than it is."""
    return format_micros(-(-cost // PAIR_COST_STEP) * PAIR_COST_STEP)


def _deployment(case: Case) -> DeploymentFacts | None:
    """Kept while Pods of one that is gone are still there: their names begin with its own."""
    found, before = case.deployment, case.status.deployment
    if found is None:
        return before if case.pods else None
    image = found.image or (before.image if before else "")
    return DeploymentFacts(name=found.name, config_hash=found.config_hash, image=image)


def _lease(case: Case) -> LeaseFacts | None:
    gate = case.gate
    if not gate.reachable:
        return case.status.lease if case.has_bot else None
    if gate.lease_holder is None or gate.lease_number is None:
        return None
    return LeaseFacts(holder=gate.lease_holder, number=gate.lease_number)
