"""How `kabobagool gate` shows what it found: facts for machines, and tables for people.

Called by `gate.py`. Dollars are text with all their digits, moments are UTC.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kabobagool.cli.discover import printable
from kabobagool.domain.money import Micros, format_dollars, format_micros
from kabobagool.gate.interface import Halt
from kabobagool.gate.limits import MICROSECONDS, Limits
from kabobagool.gate.redis_intents import RecordedIntent
from kabobagool.gate.redis_status import BotStatus, StatusReport
from kabobagool.trading.gate_report import Budget, HeldLease, MarketStake
from kabobagool.unreadable import UNREADABLE

Halts = tuple[Halt, ...]
Intents = list[RecordedIntent]
Bots = Sequence[StatusReport]
Facts = dict[str, object]
WIDTH_OF_A_FILE: Final = 220
"""Wide enough that nothing is wrapped where no terminal says how wide it is."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What `gate status` read."""

    wallet: str
    halts: Halts
    budget: Budget
    leases: Sequence[HeldLease]
    stakes: Sequence[MarketStake]
    bots: Bots


def overview_facts(found: Overview, limits: Limits) -> Facts:
    """Everything `status` shows."""
    return {
        **budget_facts(found.wallet, found.budget, limits),
        "halts": halt_facts(found.wallet, found.halts)["halts"],
        "leases": lease_facts(found.wallet, found.leases)["leases"],
        "stakes": [stake_facts(stake) for stake in found.stakes],
        "bots": [bot_facts(report) for report in found.bots],
    }


def halt_facts(wallet: str, halts: Halts) -> Facts:
    """Who halted what, why and since when."""
    rows = [{"scope": halt.scope, "who": halt.who, "why": halt.why, "since": _moment(halt.since_ms)} for halt in halts]
    return {"wallet": wallet, "halts": rows}


def budget_facts(wallet: str, budget: Budget, limits: Limits) -> Facts:
    """What may be sent, and within which limits."""
    return {
        "wallet": wallet,
        "used_before": budget.known,
        "orders_left": budget.tokens_left,
        "orders_left_for_new_pairs": budget.pair_tokens_left,
        "burst": limits.burst,
        "orders_per_second": round(MICROSECONDS / limits.interval_us, 3) if limits.interval_us else None,
        "paused_s": round(budget.paused_s, 3),
        "silent_s": round(budget.silent_s, 3),
        "at_stake": format_micros(budget.at_stake),
        "most_at_stake": _cap(limits.exposure_cap_micros),
        "orphans": format_micros(budget.orphans),
        "most_orphans": _cap(limits.orphan_cap_micros),
        "lost_today": format_micros(budget.lost_today),
        "most_lost_today": _cap(limits.daily_loss_cap_micros),
    }


def lease_facts(wallet: str, leases: Iterable[HeldLease]) -> Facts:
    """Who has which market."""
    rows = [{"market": each.market, "number": each.number, "holder": each.holder, "ends_in_s": round(each.ends_in_s, 1)} for each in leases]
    return {"wallet": wallet, "leases": rows}


def stake_facts(stake: MarketStake) -> Facts:
    """What one market has at stake."""
    return {
        "market": stake.market,
        "at_stake": format_micros(stake.at_stake),
        "in_flight": format_micros(stake.in_flight),
        "orphan": format_micros(stake.orphan),
        "result": format_micros(stake.result),
        "lost_today": format_micros(stake.lost_today),
    }


def bot_facts(report: StatusReport) -> Facts:
    """What one bot says of itself, and when it said so; None for what it does not know."""
    said = report.status
    return {
        "market": said.market,
        "holder": said.holder,
        "mode": said.mode,
        "phase": said.phase,
        "shares_yes": format_micros(said.yes_shares),
        "shares_no": format_micros(said.no_shares),
        "pair_cost_after_fees": None if said.pair_cost is None else format_micros(said.pair_cost),
        "locked_profit": format_micros(said.locked_profit),
        "feed_age_s": None if said.feed_age_ms is None else said.feed_age_ms // 1000,
        "last_fill": None if said.last_fill_ms is None else _moment(said.last_fill_ms),
        "reasons": list(said.reasons),
        "reported": _moment(report.reported_ms),
    }


def intent_facts(wallet: str, intents: Intents) -> Facts:
    """What was about to be sent: each order, and what is known of it."""
    rows = [
        {"intent": each.intent_id, "market": each.market, "created": _moment(each.created_ms), "orders": _orders(each)} for each in intents
    ]
    return {"wallet": wallet, "intents": rows}


def show_overview(found: Overview, limits: Limits) -> None:
    """The tables of `status`."""
    show_budget(found.wallet, found.budget, limits)
    _print(_halt_table(found.halts), empty="nothing is halted", rows=len(found.halts))
    _print(_lease_table(found.leases), empty="no bot has a market", rows=len(found.leases))
    _print(_stake_table(found.stakes), empty="no market has anything at stake", rows=len(found.stakes))
    _print(_bot_table(found.bots), empty="no bot reports", rows=len(found.bots))


def show_halts(wallet: str, halts: Halts) -> None:
    """The halts there are now."""
    _heading(wallet)
    _print(_halt_table(halts), empty="nothing is halted", rows=len(halts))


def show_leases(wallet: str, leases: Sequence[HeldLease]) -> None:
    """One line for each market that has a bot."""
    _heading(wallet)
    _print(_lease_table(leases), empty="no bot has a market", rows=len(leases))


def show_budget(wallet: str, budget: Budget, limits: Limits) -> None:
    """What may be sent now."""
    _heading(wallet)
    rate = f"{MICROSECONDS / limits.interval_us:g} a second" if limits.interval_us else "as many as they like"
    table = _table("budget", "")
    table.add_row("orders left", f"{budget.tokens_left} of {limits.burst}, {rate}" + ("" if budget.known else "; never used yet"))
    table.add_row("for new pairs", f"{budget.pair_tokens_left}")
    table.add_row("at stake", _against(budget.at_stake, limits.exposure_cap_micros))
    table.add_row("in naked legs", _against(budget.orphans, limits.orphan_cap_micros))
    table.add_row("lost today", _against(max(budget.lost_today, 0), limits.daily_loss_cap_micros))
    if budget.lost_today < 0:
        table.add_row("gained today", format_dollars(-budget.lost_today))
    if budget.paused_s:
        table.add_row("paused", f"{budget.paused_s:.1f} s: the venue asked for it")
    if budget.silent_s:
        table.add_row("no leases for", f"{budget.silent_s:.1f} s: the server has just started and may have forgotten some")
    _print(table, empty="", rows=1)


def show_intents(wallet: str, intents: Intents) -> None:
    """One line for each order of an intent that is open."""
    _heading(wallet)
    table = _table("order", "market", "since", "known of it")
    rows = [(intent, order) for intent in intents for order in _orders(intent)]
    for intent, order in rows:
        table.add_row(
            printable(order["order"]), printable(intent.market), _moment(intent.created_ms), printable(order["known"] or "nothing")
        )
    _print(table, empty="no order is open", rows=len(rows))


def _halt_table(halts: Halts) -> Table:
    table = _table("halted", "since", "who", "why")
    for halt in halts:
        table.add_row(printable(halt.scope), _moment(halt.since_ms), printable(halt.who), printable(halt.why))
    return table


def _lease_table(leases: Iterable[HeldLease]) -> Table:
    table = _table("market", "lease", "ends in", "holder")
    for lease in leases:
        table.add_row(printable(lease.market), str(lease.number), f"{lease.ends_in_s:.0f} s", printable(lease.holder))
    return table


def _stake_table(stakes: Sequence[MarketStake]) -> Table:
    table = _table("stake of market", "at stake", "on its way", "naked", "made so far", "lost today")
    for stake in stakes:
        amounts = (stake.at_stake, stake.in_flight, stake.orphan, stake.result, stake.lost_today)
        table.add_row(printable(stake.market), *map(format_dollars, amounts))
    return table


def _bot_table(bots: Bots) -> Table:
    table = _table("bot on market", "mode", "phase", "YES", "NO", "pair cost", "locked", "feed age", "reasons")
    for report in bots:
        table.add_row(*_bot_row(report.status))
    return table


def _bot_row(said: BotStatus) -> tuple[str | Text, ...]:
    told = (printable(text) for text in (said.market, said.mode, said.phase))
    shares = (format_micros(said.yes_shares), format_micros(said.no_shares))
    cost = "unknown" if said.pair_cost is None else format_dollars(said.pair_cost)
    age = "unknown" if said.feed_age_ms is None else f"{said.feed_age_ms // 1000} s"
    return (*told, *shares, cost, format_dollars(said.locked_profit), age, printable(", ".join(said.reasons)))


def _cap(cap: Micros | None) -> str | None:
    return None if cap is None else format_micros(cap)


def _against(amount: Micros, cap: Micros | None) -> str:
    return f"{format_dollars(amount)}, " + ("no cap" if cap is None else f"of {format_dollars(cap)}")


class _Order(msgspec.Struct):
    order_hash: str


class _Orders(msgspec.Struct):
    orders: list[_Order] = []


def _orders(intent: RecordedIntent) -> list[dict[str, str]]:
    """As far as they can be read: whatever wrote them, a person wants to see that there is an intent."""
    try:
        hashes = [order.order_hash for order in msgspec.json.decode(intent.text, type=_Orders).orders]
    except UNREADABLE:
        hashes = []
    return [{"order": order_hash, "known": intent.outcomes.get(order_hash, "")} for order_hash in hashes]


def _table(*headings: str) -> Table:
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        column.overflow = "fold"
    return table


def _heading(wallet: str) -> None:
    _console().print(Text(f"wallet {wallet}"))


def _print(table: Table, *, empty: str, rows: int) -> None:
    _console().print(table if rows else Text(empty))


def _console() -> Console:
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_OF_A_FILE)


def _moment(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
