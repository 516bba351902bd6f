"""The six conditions of a market: each is a question, answered by the first rule that has something to say.

`Ready` comes from the step that was decided (`plan_ready.py`); the other five are answered here, from the venue, the bot's report and the
gate. Messages name no ages and no counters: a message that is new at every look would be written at every look.
"""

from typing import Final

from kabobagool.engine.market_engine import EngineState
from kabobagool.gate.interface import DRAINING
from kabobagool.gate.redis_status import BotStatus
from kabobagool.settings import FIELDS
from kabobagool_operator.conditions import Condition, Reason, Truth, Type
from kabobagool_operator.facts import Resolved
from kabobagool_operator.plan_beliefs import UNHEARD, kept
from kabobagool_operator.plan_case import Case, of_wallet
from kabobagool_operator.plan_ready import is_silent, obstacle

STALE_AFTER_MS: Final = int(FIELDS["health_price_staleness_threshold"].default * 1000)
"""The age at which a bot's own health check calls its prices stale; a quiet market's books are younger than that."""
NO_GATE: Final = "No order gate is configured, and bots report through it."
NO_BOOKS: Final = "The bot has no complete book of both outcomes yet."
DRY: Final = "dry_run"
SERIOUS: Final[dict[str, Reason]] = {
    EngineState.DEGRADED: Reason.BOT_DEGRADED,
    EngineState.FROZEN: Reason.UNKNOWN_ORDER,
    EngineState.ORPHAN: Reason.NAKED_LEG,
}
"""What a bot reports that somebody should know of."""
LEAVING: Final[dict[str, Reason]] = {EngineState.RESOLVED: Reason.CLOSED, EngineState.STOPPING: Reason.DRAINING}
TRADES: Final[dict[str, Reason]] = {
    EngineState.ORDERING: Reason.ORDERING,
    EngineState.WATCHING: Reason.WATCHING,
    EngineState.COOLDOWN: Reason.WATCHING,
}


def conditions_of(case: Case, ready: Condition, *, draining: bool) -> tuple[Condition, ...]:
    """All six, in the order of `Type`."""
    return (resolved(case), ready, market_data_fresh(case), trading(case, draining=draining), degraded(case, ready), paused(case))


def resolved(case: Case) -> Condition:
    """Whether the venue lists the market and takes orders for it; what was true before stays true while it cannot be asked."""
    if case.spec is None:
        return _say(Type.RESOLVED, Truth.FALSE, Reason.INVALID, case.problem or "")
    said, before, believed = case.observed.resolution, kept(case.status), case.resolution
    if said is None and before is not None:
        return before
    if isinstance(believed, Resolved):
        away = said is not None and not isinstance(said, Resolved)
        return _say(Type.RESOLVED, Truth.TRUE, Reason.VENUE_UNAVAILABLE if away else Reason.FOUND)
    if believed.ended:
        return _say(Type.RESOLVED, Truth.FALSE, Reason.CLOSED, believed.message)
    return _say(Type.RESOLVED, Truth.UNKNOWN if believed.reason in UNHEARD else Truth.FALSE, believed.reason, believed.message)


def market_data_fresh(case: Case) -> Condition:
    """Whether the bot's books are up to date."""
    report = case.report
    if report is None:
        return _say(Type.MARKET_DATA_FRESH, Truth.UNKNOWN, *_unheard(case))
    if is_stale(report):
        return _say(Type.MARKET_DATA_FRESH, Truth.FALSE, Reason.STALE, NO_BOOKS if report.feed_age_ms is None else "")
    return _say(Type.MARKET_DATA_FRESH, Truth.TRUE, Reason.FRESH)


def trading(case: Case, *, draining: bool) -> Condition:
    """Whether the bot looks for pairs, and sends orders for them."""
    if case.report is not None:
        return _activity(case, case.report, draining=draining)
    if not case.has_bot:
        return _say(Type.TRADING, Truth.FALSE, Reason.NO_BOT)
    return _say(Type.TRADING, Truth.UNKNOWN, *_unheard(case))


def degraded(case: Case, ready: Condition) -> Condition:
    """Whether something is wrong that somebody should look at."""
    if not case.has_bot and case.report is None:
        return _say(Type.DEGRADED, Truth.FALSE, Reason.NO_BOT)
    if (found := obstacle(case)) is not None:
        return _say(Type.DEGRADED, Truth.TRUE, found.reason, found.message)
    report = case.report
    if report is not None and report.phase in SERIOUS:
        return _say(Type.DEGRADED, Truth.TRUE, SERIOUS[report.phase], _words(report))
    if ready.reason in (Reason.REFUSED, Reason.QUOTA, Reason.INVALID):
        return _say(Type.DEGRADED, Truth.TRUE, ready.reason, ready.message)
    if case.gate_is_away:
        return _say(Type.DEGRADED, Truth.TRUE, case.unasked)
    return _say(Type.DEGRADED, Truth.TRUE, Reason.BOT_SILENT) if is_silent(case) else _say(Type.DEGRADED, Truth.FALSE, Reason.HEALTHY)


def paused(case: Case) -> Condition:
    """Whether somebody stopped the market: at the gate, with `spec.suspend` or with the annotation."""
    if case.halts:
        halt = case.halts[0]
        what = "New pairs are stopped" if halt.scope.startswith(DRAINING) else "Everything is stopped"
        reason = Reason.WALLET_HALTED if of_wallet(halt) else Reason.MARKET_HALTED
        return _say(Type.PAUSED, Truth.TRUE, reason, f"{what} by {halt.who}: {halt.why}")
    if case.spec is not None and case.spec.suspend:
        return _say(Type.PAUSED, Truth.TRUE, Reason.SUSPENDED)
    if case.paused:
        return _say(Type.PAUSED, Truth.TRUE, Reason.RECONCILIATION_PAUSED)
    if case.gate_is_away and case.has_bot:
        return _say(Type.PAUSED, Truth.UNKNOWN, case.unasked)
    return _say(Type.PAUSED, Truth.FALSE, Reason.NOT_PAUSED)


def _unheard(case: Case) -> tuple[Reason, str]:
    """Why nothing is known that only the bot can know."""
    if not case.has_bot:
        return Reason.NO_BOT, ""
    if case.gate_is_away:
        return case.unasked, ""
    if (found := obstacle(case)) is not None:
        return found.reason, found.message
    if not case.ready:
        return Reason.STARTING, ""
    return Reason.BOT_SILENT, "" if case.gate.reachable else NO_GATE


def _activity(case: Case, report: BotStatus, *, draining: bool) -> Condition:
    if (reason := SERIOUS.get(report.phase) or LEAVING.get(report.phase)) is not None:
        return _say(Type.TRADING, Truth.FALSE, reason, _words(report))
    if case.halts:
        return _say(Type.TRADING, Truth.FALSE, paused(case).reason, paused(case).message)
    if draining:
        return _say(Type.TRADING, Truth.FALSE, Reason.DRAINING)
    if report.reasons or report.phase not in TRADES:
        return _say(Type.TRADING, Truth.FALSE, Reason.NOT_TRADING, _words(report) or f"The bot says it is {report.phase}.")
    if is_stale(report):
        return _say(Type.TRADING, Truth.FALSE, Reason.STALE)
    if report.mode == DRY:
        return _say(Type.TRADING, Truth.FALSE, Reason.DRY_RUN)
    return _say(Type.TRADING, Truth.TRUE, TRADES[report.phase])


def is_stale(report: BotStatus) -> bool:
    """Whether a bot has no books, or none that are young enough to be called up to date."""
    return report.feed_age_ms is None or report.feed_age_ms > STALE_AFTER_MS


def _words(report: BotStatus) -> str:
    return "; ".join(report.reasons)


def _say(about: Type, status: Truth, reason: Reason, message: str = "") -> Condition:
    return Condition(type=about, status=status, reason=reason, message=message)
