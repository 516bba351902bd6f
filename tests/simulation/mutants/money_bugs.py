"""Deliberate bugs in sums and caps."""

from typing import Any

from msgspec.structs import replace
from tests.simulation.mutants.bug import Bug, Patch, returns

from kabobagool.domain import decision, sizing
from kabobagool.engine import assembly
from kabobagool.engine.purse import Purse
from kabobagool.execution import fills, orphan

FAR_TOO_MUCH = 10**15


def _one_more(original: Any) -> Any:
    return lambda *args: (fee := original(*args)) + bool(fee)


def _nothing(original: Any) -> Any:
    return lambda *args: 0


def _no_cap(original: Any) -> Any:
    return lambda settings: replace(original(settings), max_position=FAR_TOO_MUCH)


def _dear_pairs(original: Any) -> Any:
    return lambda settings: replace(original(settings), pair_limit_micros=1_020_000)


BUGS = (
    Bug("a fee is a millionth too high", (Patch(fills, "taker_fee", _one_more),), 9, "the_bot_owns_what_the_ledger_says", alone=True),
    Bug(
        "the fee is forgotten when a pair is judged",
        (Patch(decision, "taker_fee", _nothing),),
        45,
        "no_order_lacks_the_money_for_it",
        alone=True,
    ),
    Bug(
        "a pair may cost more than a dollar", (Patch(assembly, "policy_of", _dear_pairs),), 10, "a_pair_costs_less_than_it_may", alone=True
    ),
    Bug("the market's cap is ignored", (Patch(assembly, "policy_of", _no_cap),), 9, "keeps_the_market_within_its_cap", alone=True),
    Bug("a hedge may lose anything", (Patch(decision, "hedge_loss", returns(0)),), 38, "an_orphan_loses_no_more_than_its_cap", alone=True),
    Bug("a sale may lose anything", (Patch(orphan, "unwind_loss", returns(0)),), 38, "an_orphan_loses_no_more_than_its_cap", alone=True),
    Bug("the purse is never empty", (Patch(Purse, "has", returns(True)),), 45, "no_order_lacks_the_money_for_it", alone=True),
    Bug(
        "sizes forget the grid of the price", (Patch(sizing, "share_step", returns(1)),), 1, "no_amount_is_refused_by_the_venue", alone=True
    ),
)
