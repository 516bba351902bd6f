"""What `kabobagool reconcile` found out, as facts for machines and as lines for people.

Called by `reconcile.py`. Dollars and shares are text with all their digits, moments are UTC.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from kabobagool.domain.market import Market
from kabobagool.domain.money import format_dollars, format_micros, format_price
from kabobagool.engine.memory import objection_to
from kabobagool.engine.order_flow import outcome_name
from kabobagool.execution.reconcile import Reconciliation

if TYPE_CHECKING:  # the Redis client takes a while to import, and without REDIS_URL nobody has use for it
    from kabobagool.trading.open_at_gate import OpenAtGate


class AtGate(msgspec.Struct, frozen=True, kw_only=True):
    """Orders of the market that are open at the shared gate; `trouble` says why it could not be asked, None when it could."""

    orders: "Sequence[OpenAtGate]" = ()
    trouble: str | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the command found out; `at_gate` is None without REDIS_URL."""

    market: Market
    history: Reconciliation
    at_gate: AtGate | None

    @property
    def objection(self) -> str | None:
        """Why this is no ground to trade on, or None."""
        if self.at_gate is None:
            return objection_to(self.history)
        in_doubt = [found.order.order_hash for found in self.at_gate.orders if found.end is None]
        history = msgspec.structs.replace(self.history, unresolved=list(dict.fromkeys([*self.history.unresolved, *in_doubt])))
        return objection_to(history) or self.at_gate.trouble


def facts(found: Found) -> dict[str, object]:
    """Everything there is to say."""
    history = found.history
    position = history.position
    return {
        "market": found.market.slug,
        "condition_id": found.market.condition_id,
        "shares": {"yes": format_micros(position.yes.shares), "no": format_micros(position.no.shares)},
        "pairs": format_micros(position.pairs),
        "spent": format_micros(position.spent),
        "fees": format_micros(position.fees),
        "locked_profit": format_micros(position.locked_profit),
        "orders": len(history.fills),
        "pending": history.pending,
        "resolved_orders": {order_hash: outcome_name(outcome) for order_hash, outcome in history.resolved_orders.items()},
        "unresolved": history.unresolved,
        "foreign_trades": history.foreign,
        "merged_pairs": format_micros(history.merged_pairs),
        "gate": None if found.at_gate is None else _gate_facts(found.at_gate),
        "objection": found.objection,
    }


def _gate_facts(at_gate: AtGate) -> dict[str, object]:
    return {"trouble": at_gate.trouble, "open_orders": [_order_facts(found) for found in at_gate.orders]}


def _order_facts(found: "OpenAtGate") -> dict[str, object]:
    order = found.order
    return {
        "order": order.order_hash,
        "intent": found.intent_id,
        "purpose": found.purpose,
        "created": _moment(found.created_ms),
        "outcome": order.outcome.name,
        "side": order.side.name,
        "shares": format_micros(order.shares),
        "price": format_price(order.price),
        "end": None if found.end is None else outcome_name(found.end),
    }


def lines(found: Found) -> list[str]:
    """The same for people; the verdict comes last."""
    market, history = found.market, found.history
    position = history.position
    return [
        market.question,
        f"  {market.outcomes[0]:<10} {format_micros(position.yes.shares)} shares at {format_micros(position.yes.average_cost_micros)}",
        f"  {market.outcomes[1]:<10} {format_micros(position.no.shares)} shares at {format_micros(position.no.average_cost_micros)}",
        f"  pairs      {format_micros(position.pairs)} for {format_dollars(position.spent)}, fees of {format_dollars(position.fees)} in it",
        f"  locked in  {format_dollars(position.locked_profit)} whatever the outcome",
        f"  orders     {len(history.fills)} traded, {len(history.pending)} not settled yet, {len(history.unresolved)} of unknown end",
        *([] if found.at_gate is None else _gate_lines(found.at_gate)),
        f"  verdict    {found.objection or 'trades and balances agree'}",
    ]


def _gate_lines(at_gate: AtGate) -> list[str]:
    if at_gate.trouble is not None:
        return [f"  gate       {at_gate.trouble}"]
    if not at_gate.orders:
        return ["  gate       no order is open there"]
    return [f"  gate       {len(at_gate.orders)} orders whose end nobody has written down there", *map(_order_line, at_gate.orders)]


def _order_line(found: "OpenAtGate") -> str:
    order = found.order
    asks = f"{order.side.name} {format_micros(order.shares)} {order.outcome.name} at {format_price(order.price)}"
    end = "the venue does not say what became of it" if found.end is None else f"the venue says: {outcome_name(found.end)}"
    return f"    {order.order_hash}  {found.purpose}: {asks}, {_moment(found.created_ms)}; {end}"


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
