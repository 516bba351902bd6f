"""The numbers of every market as samples for Prometheus: labels and a value, by metric.

Pure, called by `fleet_metrics.py` outside the event loop. The text of a snapshot becomes a float here, on its way out of the program; no
float comes back.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from kabobagool.engine.market_engine import EngineState
from kabobagool.hydra.fleet_snapshot import FleetSnapshot, MarketRow
from kabobagool.telemetry.metrics import ORDER_OUTCOMES, OUTCOME_LABELS, Samples

STATES: Final = tuple(EngineState)

Numbers = Iterator[tuple[tuple[str, ...], float]]


def market_numbers(snapshot: FleetSnapshot) -> dict[str, Samples]:
    """Samples of all markets by the name of their metric; the first label is the market."""
    named = [(name, row) for name, row in zip(market_labels(snapshot.markets), snapshot.markets, strict=True)]
    return {metric: [((name, *labels), value) for name, row in named for labels, value in read(row)] for metric, read in READ.items()}


def market_labels(rows: Sequence[MarketRow]) -> list[str]:
    """The slug of each market; with its condition id where two share one, because Prometheus refuses a whole scrape for one twin."""
    times = Counter(row.bot.market for row in rows)
    return [row.bot.market if times[row.bot.market] == 1 else f"{row.bot.market} {row.bot.condition_id}" for row in rows]


def _info(row: MarketRow) -> Numbers:
    yield (row.bot.condition_id, row.bot.market, row.bot.mode), 1


def _state(row: MarketRow) -> Numbers:
    return (((state.value,), float(state == row.bot.state)) for state in STATES)


def _best_asks(row: MarketRow) -> Numbers:
    asks = zip(OUTCOME_LABELS, (row.bot.ask_yes, row.bot.ask_no), strict=True)
    return (((label,), float(ask)) for label, ask in asks if ask is not None)


def _rejected(row: MarketRow) -> Numbers:
    return (((reason,), float(count)) for reason, count in row.bot.edges_rejected.items())


def _orders(row: MarketRow) -> Numbers:
    return (((outcome,), float(row.bot.orders.get(outcome, 0))) for outcome in ORDER_OUTCOMES)


def _position(row: MarketRow) -> Numbers:
    held = row.bot.position
    return (((label,), float(shares)) for label, shares in zip(OUTCOME_LABELS, (held.shares_yes, held.shares_no), strict=True))


def _orphans(row: MarketRow) -> Numbers:
    surplus = float(row.bot.position.imbalance) if row.bot.naked else 0.0
    return (((label,), max(shares, 0.0)) for label, shares in zip(OUTCOME_LABELS, (surplus, -surplus), strict=True))


def _held_pair_cost(row: MarketRow) -> float:
    averages = float(row.bot.position.average_yes), float(row.bot.position.average_no)
    return sum(averages) if all(averages) else 0.0


def _one(value: Callable[[MarketRow], float | str | None]) -> Callable[[MarketRow], Numbers]:
    """One sample without further labels, none while the value is not known."""

    def read(row: MarketRow) -> Numbers:
        found = value(row)
        if found is not None:
            yield (), float(found)

    return read


READ: Final[dict[str, Callable[[MarketRow], Numbers]]] = {
    "market_info": _info,
    "state": _state,
    "best_ask_dollars": _best_asks,
    "edges_seen_total": _one(lambda row: row.bot.edges_seen),
    "edges_rejected_total": _rejected,
    "edges_acted_on_total": _one(lambda row: row.bot.edges_acted_on),
    "orders_total": _orders,
    "position_shares": _position,
    "imbalance_shares": _one(lambda row: row.bot.position.imbalance),
    "locked_profit_dollars": _one(lambda row: row.bot.position.locked_profit),
    "pair_cost_dollars": _one(_held_pair_cost),
    "orphan_shares": _orphans,
    "unknown_orders_open": _one(lambda row: len(row.bot.frozen_orders)),
    "cooldown_seconds": _one(lambda row: row.bot.cooldown_s),
    "market_feed_age_seconds": _one(lambda row: row.bot.feed_age_s),
    "market_pair_cost_dollars": _one(lambda row: row.bot.pair_cost_after_fees),
    "market_unsettled_orders": _one(lambda row: row.bot.unsettled_orders),
    "market_restarts_total": _one(lambda row: row.restarts),
    "market_halted": _one(lambda row: row.halted),
}
