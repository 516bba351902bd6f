"""What the demo writes: `report.json` for machines and a summary that a trader understands.

The bot's word (its last `/status`) is held against the exchange's (its ledger): shares, dollars and fees to the micro-dollar.
"""

from typing import Any

from kabobagool.cli.demo_parts import BALANCE_DOLLARS, Exchange, TradingBot
from kabobagool.domain.money import MICRO, Micros, format_dollars, format_micros, parse_micros

ATTRIBUTION = "order books recorded by Resolved Markets (resolvedmarkets.com), CC BY 4.0, from the PyPI package resolvedkit"
REASONS_SHOWN = 6


def make_report(exchange: Exchange, bot: TradingBot, before: dict[str, dict[str, Any]], after: dict[str, Any]) -> dict[str, Any]:
    """The report: `before` is what both said when trading had ended and everything was settled, `after` the wallet after the payout."""
    status, ledger, counters = before["status"], before["ledger"], before["counters"]
    slug = status["market"]
    position = status["position"]
    seen = counters["markets"][slug]
    return {
        "market": {"slug": slug, "question": status["question"], "condition_id": status["condition_id"]},
        "books": {"source": exchange.urls["books"], "attribution": ATTRIBUTION, "synthetic_dislocations": exchange.inject},
        "wallet": bot.address,
        "frames": status["frames"],
        "ticks": status["ticks"],
        "decisions": status["decisions"],
        "edges": {"seen": status["edges_seen"], "acted_on": status["edges_acted_on"], "rejected": status["edges_rejected"]},
        "edges_at_the_exchange": {"naive": seen["naive_edges"], "seen_not_fillable": seen["seen_not_fillable"]},
        "orders": status["orders"],
        "fills": status["fills"],
        "position": position,
        "locked_profit": position["locked_profit"],
        "fees": position["fees"],
        "state": status["state"],
        "payout": format_micros(after["redeemed"]),
        "profit": format_micros(after["dollars"] - BALANCE_DOLLARS * MICRO),
        "differences": differences(status, ledger),
        "ledger_equals_venue": not differences(status, ledger),
    }


def differences(status: dict[str, Any], ledger: dict[str, Any]) -> list[str]:
    """Where bot and exchange disagree, each in a sentence; empty when they agree to the micro-dollar."""
    position, account = status["position"], ledger["markets"].get(status["market"])
    venue_shares = account["shares"] if account else [0, 0]
    pairs: list[tuple[str, Micros, Micros]] = [
        ("YES shares", parse_micros(position["shares_yes"]), venue_shares[0]),
        ("NO shares", parse_micros(position["shares_no"]), venue_shares[1]),
        ("dollars spent", parse_micros(position["spent"]), BALANCE_DOLLARS * MICRO - ledger["dollars"]),
        ("fees", parse_micros(position["fees"]), ledger["fees_paid"]),
    ]
    return [
        f"{name}: the bot says {format_micros(ours)}, the exchange {format_micros(theirs)}"
        for name, ours, theirs in pairs
        if ours != theirs
    ]


def summary_lines(report: dict[str, Any]) -> list[str]:
    """The summary, a line each."""
    edges, position = report["edges"], report["position"]
    naive = report["edges_at_the_exchange"]["naive"]
    made_up = report["books"]["synthetic_dislocations"]
    rejected = sorted(edges["rejected"].items(), key=lambda item: -item[1])[:REASONS_SHOWN]
    orders = ", ".join(f"{count} {name}" for name, count in report["orders"].items()) or "none"
    agree = "agree to the micro-dollar" if report["ledger_equals_venue"] else "DISAGREE: " + "; ".join(report["differences"])
    return [
        f"{report['market']['question']}",
        f"  books      real, recorded; {made_up} dislocations injected (synthetic)"
        if made_up
        else "  books      real, recorded; nothing injected",
        f"  seen       {report['frames']} frames, {report['ticks']} views, {edges['seen']} of them with YES + NO below $1",
        f"  refused    {', '.join(f'{count} {reason}' for reason, count in rejected) or 'none'}",
        f"  acted on   {edges['acted_on']} edges; orders: {orders}",
        f"  bought     {position['pairs']} pairs, {position['imbalance']} shares without a partner, fees {_dollars(position['fees'])}",
        f"  locked in  {_dollars(position['locked_profit'])} whatever the outcome",
        f"  paid out   {_dollars(report['payout'])}; the wallet gained {_dollars(report['profit'])}",
        f"  ledgers    bot and exchange {agree}",
        f"  honestly   {naive['below_one']} sums below $1 at the exchange, {naive['fillable']} of them to be had on both legs",
    ]


def _dollars(text: str) -> str:
    return format_dollars(-parse_micros(text[1:]) if text.startswith("-") else parse_micros(text))
