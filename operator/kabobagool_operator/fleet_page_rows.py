"""One ArbMarket as a row of the fleet's page: what its status says, and over it what its bot says now.

Pure, called by `fleet_page_desk.py`. A bot that is silent has no prices and no state; what it owned it still owns.
"""

from typing import Final

from kabobagool.domain.money import Micros, format_micros, parse_micros
from kabobagool.gate.interface import DRAINING
from kabobagool.gate.redis_status import BotStatus
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.arbmarket_status import Condition, Phase, Status
from kabobagool_operator.conditions import Type
from kabobagool_operator.events import is_warning
from kabobagool_operator.facts import GateFacts
from kabobagool_operator.fleet_page_facts import ArbFacts, ClusterRow, Holding, SaidCondition, SaidEvent
from kabobagool_operator.labels import origin_of
from kabobagool_operator.plan_beliefs import is_bot_of
from kabobagool_operator.plan_case import SILENT_AFTER_S

MODES: Final = {Mode.DRY_RUN: "dry_run", Mode.PAPER: "paper", Mode.LIVE: "live"}
"""The words of the page and of the bots."""
TYPES: Final = frozenset(Type)
HEARD_STEP_MS: Final = 100
"""Clocks are read twice for one age; a millisecond between them is no news."""


def report_of(status: Status, gate: GateFacts) -> BotStatus | None:
    """What the ArbMarket's own bot says now; None when it is silent, or nobody can hear it."""
    report, age_s = gate.report, gate.report_age_s
    if report is None or age_s is None or age_s > SILENT_AFTER_S or not gate.reachable or status.deployment is None:
        return None
    return report if is_bot_of(report.holder, pods=(), deployments=(status.deployment.name,)) else None


def arb_facts(
    metadata: Metadata,
    status: Status,
    gate: GateFacts,
    report: BotStatus | None,
    *,
    mode: Mode | None,
    wallet: str | None,
    events: tuple[SaidEvent, ...],
) -> ArbFacts:
    """What the operator says of the ArbMarket. The message is that of the reason, for people."""
    return ArbFacts(
        name=metadata.name,
        phase=None if status.phase is None else status.phase.value,
        reason=status.reason,
        message=None if status.phase is Phase.RUNNING else _message(status),
        mode=None if mode is None else mode.value,
        origin=origin_of(metadata.labels),
        wallet=wallet,
        bot=None if report is None else report.holder,
        holder=gate.lease_holder if gate.reachable else None,
        deleting=metadata.deleting,
        conditions=tuple(map(_said, status.conditions)),
        events=events,
    )


def row_of(status: Status, gate: GateFacts, report: BotStatus | None, arb: ArbFacts, *, mode: Mode | None, now_ms: int) -> ClusterRow:
    """The whole row. `report` is `report_of` the same status and gate, for `arb_facts` too."""
    market = status.market
    return ClusterRow(
        market=market.slug if market is not None else "",
        condition_id=market.condition_id if market is not None else None,
        question=market.question if market is not None else arb.name,
        mode=None if mode is None else MODES[mode],
        state=None if report is None else report.phase,
        reasons=() if report is None else report.reasons,
        pair_cost_after_fees=None if report is None or report.pair_cost is None else format_micros(report.pair_cost),
        heard_ms=None if report is None else _heard_ms(report, gate.report_age_s or 0.0, now_ms),
        position=_of_status(status) if report is None else holding(report.yes_shares, report.no_shares, report.locked_profit),
        last_fill_ms=_last_fill_ms(status, report),
        halted=any(not halt.scope.startswith(DRAINING) for halt in gate.halts),
        scope=f"{arb.wallet}/{market.condition_id}" if arb.wallet is not None and market is not None else None,
        arb=arb,
    )


def holding(yes: Micros, no: Micros, locked: Micros | None) -> Holding:
    """A position of shares in millionths."""
    return Holding(
        shares_yes=format_micros(yes),
        shares_no=format_micros(no),
        pairs=format_micros(min(yes, no)),
        imbalance=format_micros(yes - no),
        locked_profit=None if locked is None else format_micros(locked),
    )


def _of_status(status: Status) -> Holding:
    """As it was when the bot was last heard of."""
    if status.position is None:
        return Holding()
    locked = None if status.locked_profit is None else parse_micros(status.locked_profit)
    return holding(parse_micros(status.position.yes_shares), parse_micros(status.position.no_shares), locked)


def _heard_ms(report: BotStatus, age_s: float, now_ms: int) -> int | None:
    """When the bot's prices were last known to be true: a moment, for an age changes every second by itself."""
    if report.feed_age_ms is None:
        return None
    return round((now_ms - age_s * 1000 - report.feed_age_ms) / HEARD_STEP_MS) * HEARD_STEP_MS


def _last_fill_ms(status: Status, report: BotStatus | None) -> int | None:
    if report is not None and report.last_fill_ms is not None:
        return report.last_fill_ms
    return None if status.last_fill_time is None else round(status.last_fill_time.timestamp() * 1000)


def _message(status: Status) -> str | None:
    return next((condition.message for condition in status.conditions if condition.reason == status.reason), None)


def _said(condition: Condition) -> SaidCondition:
    return SaidCondition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=condition.message,
        since_ms=round(condition.last_transition_time.timestamp() * 1000),
        bad=condition.type in TYPES and is_warning(condition),
    )
