"""What the demo writes: `report.json` for machines and a summary that a trader understands.

The fleet's word (its `/status`) is held against the exchange's (its ledger): shares, dollars and fees of every market, and the payouts, to
the micro-dollar.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from kabobagool.cli.demo_parts import BALANCE_DOLLARS, Exchange, Play, RunningFleet
from kabobagool.domain.money import MICRO, Micros, format_dollars, format_micros, parse_micros

ATTRIBUTION = "order books recorded by Resolved Markets (resolvedmarkets.com), CC BY 4.0, from the PyPI package resolvedkit"
REASONS_SHOWN = 6
MARKETS_SHOWN = 8
NOTHING = {"shares": [0, 0], "net_dollars": 0, "fees": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What the fleet and the exchange said at one moment: a FleetSnapshot, a wallet's ledger, the exchange's counters."""

    status: dict[str, Any]
    ledger: dict[str, Any]
    counters: dict[str, Any]


def make_report(exchange: Exchange, fleet: RunningFleet, play: Play, before: Witness, after: Witness) -> dict[str, Any]:
    """The report: `before` is what both said when trading had ended and everything was settled, `after` once the markets had paid out."""
    bots = [row["bot"] for row in before.status["markets"]]
    seen = before.counters["markets"]
    differences = [line for bot in bots for line in market_differences(bot, before.ledger)] + payout_differences(after)
    totals = before.status["totals"]
    return {
        "books": {
            "source": exchange.urls["books"],
            "attribution": ATTRIBUTION,
            "synthetic_dislocations_a_market": play.inject,
            "synthetic_markets": play.synthetic,
        },
        "wallet": fleet.address,
        "markets": [market_row(bot, seen[bot["market"]], before.ledger) for bot in bots],
        "frames": before.status["feed"]["frames"],
        "ticks": sum(bot["ticks"] for bot in bots),
        "decisions": sum(bot["decisions"] for bot in bots),
        "edges": {"seen": totals["edges_seen"], "acted_on": totals["edges_acted_on"], "rejected": totals["edges_rejected"]},
        "edges_at_the_exchange": _summed(seen[bot["market"]]["naive_edges"] for bot in bots),
        "orders": totals["orders"],
        "fills": totals["fills"],
        "pairs": totals["pairs"],
        "spent": totals["spent"],
        "fees": totals["fees"],
        "locked_profit": totals["locked_profit"],
        "restarts": sum(row["restarts"] for row in before.status["markets"]),
        "retired": after.status["retired"],
        "payout": format_micros(after.ledger["redeemed"]),
        "profit": format_micros(after.ledger["dollars"] - BALANCE_DOLLARS * MICRO),
        "differences": differences,
        "ledger_equals_venue": not differences,
    }


def market_row(bot: dict[str, Any], seen: dict[str, Any], ledger: dict[str, Any]) -> dict[str, Any]:
    """One market of the report."""
    return {
        "slug": bot["market"],
        "question": bot["question"],
        "condition_id": bot["condition_id"],
        "state": bot["state"],
        "ticks": bot["ticks"],
        "edges": {"seen": bot["edges_seen"], "acted_on": bot["edges_acted_on"], "rejected": bot["edges_rejected"]},
        "edges_at_the_exchange": {"naive": seen["naive_edges"], "seen_not_fillable": seen["seen_not_fillable"]},
        "orders": bot["orders"],
        "fills": bot["fills"],
        "position": bot["position"],
        "ledger_equals_venue": not market_differences(bot, ledger),
    }


def market_differences(bot: dict[str, Any], ledger: dict[str, Any]) -> list[str]:
    """Where bot and exchange disagree about a market, each in a sentence; empty when they agree to the micro-dollar."""
    position, account = bot["position"], ledger["markets"].get(bot["market"], NOTHING)
    pairs: list[tuple[str, Micros, Micros]] = [
        ("YES shares", parse_micros(position["shares_yes"]), account["shares"][0]),
        ("NO shares", parse_micros(position["shares_no"]), account["shares"][1]),
        ("dollars spent", parse_micros(position["spent"]), account["net_dollars"] + account["fees"]),
        ("fees", parse_micros(position["fees"]), account["fees"]),
    ]
    return [
        f"{bot['market']}: {name}: the bot says {format_micros(ours)}, the exchange {format_micros(theirs)}"
        for name, ours, theirs in pairs
        if ours != theirs
    ]


def payout_differences(after: Witness) -> list[str]:
    """Whether what the fleet noted as paid out is what the exchange paid, once every market has left."""
    if after.status["markets"]:
        still = ", ".join(row["bot"]["market"] for row in after.status["markets"])
        return [f"not paid out in time: {still}"]
    noted = parse_micros(after.status["totals"]["paid_out"])
    paid = after.ledger["redeemed"]
    return [] if noted == paid else [f"payouts: the fleet noted {format_micros(noted)}, the exchange paid {format_micros(paid)}"]


def summary_lines(report: dict[str, Any]) -> list[str]:
    """The summary, a line each."""
    edges, books, naive = report["edges"], report["books"], report["edges_at_the_exchange"]
    rejected = sorted(edges["rejected"].items(), key=lambda item: -item[1])[:REASONS_SHOWN]
    orders = ", ".join(f"{count} {name}" for name, count in report["orders"].items()) or "none"
    agree = (
        "agree to the micro-dollar in every market" if report["ledger_equals_venue"] else "DISAGREE: " + "; ".join(report["differences"])
    )
    made_up = books["synthetic_dislocations_a_market"]
    markets = f"{len(report['markets'])}, {books['synthetic_markets']} of them synthetic, the others real, recorded"
    return [
        f"  markets    {markets}; {f'{made_up} synthetic dislocations injected into each' if made_up else 'nothing injected'}",
        f"  seen       {report['frames']} frames, {report['ticks']} views, {edges['seen']} of them with YES + NO below $1",
        f"  refused    {', '.join(f'{count} {reason}' for reason, count in rejected) or 'none'}",
        f"  acted on   {edges['acted_on']} edges; orders: {orders}",
        *_market_lines(report["markets"]),
        f"  bought     {report['pairs']} pairs for {_dollars(report['spent'])}, fees of {_dollars(report['fees'])} in it",
        f"  locked in  {_dollars(report['locked_profit'])} whatever the outcomes",
        f"  paid out   {_dollars(report['payout'])}; the wallet gained {_dollars(report['profit'])}",
        f"  ledgers    fleet and exchange {agree}",
        f"  honestly   {naive['below_one']} sums below $1 at the exchange, {naive['fillable']} of them to be had on both legs",
    ]


def _market_lines(markets: list[dict[str, Any]]) -> list[str]:
    """The markets that traded, the most profitable first."""
    traded = [(market["slug"], market["position"]) for market in markets if market["fills"]]
    traded.sort(key=lambda row: -parse_micros_signed(row[1]["locked_profit"]))
    lines = [
        f"             {slug:<28} {position['pairs']:>8} pairs  locked {_dollars(position['locked_profit']):>10}"
        for slug, position in traded[:MARKETS_SHOWN]
    ]
    more = len(traded) - MARKETS_SHOWN
    return [*lines, f"             and {more} more"] if more > 0 else lines


def _summed(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def parse_micros_signed(text: str) -> Micros:
    """Millionths of a decimal text that may begin with a minus."""
    return -parse_micros(text[1:]) if text.startswith("-") else parse_micros(text)


def _dollars(text: str) -> str:
    return format_dollars(parse_micros_signed(text))
