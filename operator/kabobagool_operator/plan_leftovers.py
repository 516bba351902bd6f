"""What stays behind when a bot has gone: shares it bought, a mark that could not be lifted, a Pod that would not end.

Nobody would learn of it afterwards, least of all from a resource that is deleted. `plan_drain.py` has it said as Events.
"""

from contextlib import suppress
from typing import Final

import msgspec

from kabobagool.domain.money import Micros, format_dollars, format_micros, parse_micros
from kabobagool.engine.market_engine import EngineState
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.arbmarket_status import Phase, PositionFacts
from kabobagool_operator.plan_case import Case
from kabobagool_operator.plan_types import Notice

POSITION_LEFT: Final = "PositionLeft"
MARK_LEFT: Final = "DrainMarkLeft"
BOT_LEFT: Final = "BotLeft"
NOT_REAL: Final = {Mode.DRY_RUN: " in this dry run", Mode.PAPER: " at the paper exchange"}
LEAST_ORDER: Final[Micros] = 5_000_000
"""The venue takes no smaller order: an imbalance below this is dust that nobody can trade away."""


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """What is owned: shares in millionths, dollars spent on them in millionths (None while not known), and whether a leg is naked."""

    yes: Micros
    no: Micros
    spent: Micros | None
    naked: bool


def leftovers(case: Case, *, marked: bool) -> tuple[Notice, ...]:
    """Everything that is left, each as one Event. `marked`: whether the gate was told of the drain."""
    found = (position_left(case), _mark_left(case) if marked else None, _bot_left(case))
    return tuple(notice for notice in found if notice is not None)


def position_left(case: Case) -> Notice | None:
    """The shares that are still owned, a warning when a leg of them has no partner."""
    held = _holding(case)
    if held is None or not (held.yes or held.no):
        return None
    what = f"{format_micros(held.yes)} YES and {format_micros(held.no)} NO are still owned"
    cost = "" if held.spent is None else f", {format_dollars(held.spent)} was spent on them"
    where = NOT_REAL.get(case.spec.mode, "") if case.spec else ""
    return Notice(reason=POSITION_LEFT, message=f"{what}{where}{cost}. {_outlook(held)}", warning=held.naked)


def _outlook(held: Holding) -> str:
    if not held.naked:
        return "A pair of YES and NO pays $1.00 when the market resolves."
    surplus, side = (held.yes - held.no, "YES") if held.yes > held.no else (held.no - held.yes, "NO")
    return f"{format_micros(surplus)} {side} without a partner are a bet: sell them, or buy the other side, at the venue."


def _holding(case: Case) -> Holding | None:
    report = case.last_report
    if report is not None:
        return _held(report.yes_shares, report.no_shares, locked=report.locked_profit, naked=report.phase == EngineState.ORPHAN)
    with suppress(ValueError):
        return _written(case.status.position, case.status.locked_profit)
    return None


def _written(position: PositionFacts | None, locked: str | None) -> Holding | None:
    if position is None:
        return None
    return _held(parse_micros(position.yes_shares), parse_micros(position.no_shares), locked=_signed(locked), naked=False)


def _held(yes: Micros, no: Micros, *, locked: Micros | None, naked: bool) -> Holding:
    spent = None if locked is None else min(yes, no) - locked
    return Holding(yes=yes, no=no, spent=spent, naked=naked or abs(yes - no) >= LEAST_ORDER)


def _signed(text: str | None) -> Micros | None:
    if text is None:
        return None
    return -parse_micros(text[1:]) if text.startswith("-") else parse_micros(text)


def _mark_left(case: Case) -> Notice | None:
    """The next bot of this market in the cluster lifts the mark by itself; a fleet outside it does not."""
    may_lie_there = case.status.drain is not None or case.status.phase is Phase.SUSPENDED
    if not (case.metadata.deleting and case.gate_is_away and case.gate.wallet_known and may_lie_there):
        return None
    market = case.facts.condition_id if case.facts else "CONDITION_ID"
    command = f"`kabobagool gate resume --drain --market {market}`"
    message = f"The order gate was away, so it may still refuse new pairs in this market. {command} lifts that."
    return Notice(reason=MARK_LEFT, message=message, warning=True)


def _bot_left(case: Case) -> Notice | None:
    names = ", ".join(pod.name for pod in case.pods)
    if not names:
        return None
    message = f"{names} did not end in the time a Pod has for it. See whether its node is alive; its bot may still be hedging."
    return Notice(reason=BOT_LEFT, message=message, warning=True)
