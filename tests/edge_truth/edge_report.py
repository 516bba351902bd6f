"""What the recorded markets said about edges, written down: `build/edge-truth.json` for machines, `build/edge-truth.txt` for people.

Called once by the edge-truth tests with the runs of all markets. The table is the product's claim in numbers: how many edges a naive look
counts, how many are left of them and why not more, and what the bot made of true ones.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from tests.edge_truth.market_runs import MarketRun, Mode, NaiveTrader

from kabobagool.domain.money import MICRO, format_dollars
from paper_exchange.recorded import ATTRIBUTION

COLUMNS = ("naive", "whole_updates", "fillable", "seen", "acted_on", "orders", "fills", "pairs", "locked_profit")
HEADINGS = ("naive", "whole", "fillable", "seen", "acted on", "orders", "fills", "pairs", "locked")
LEGEND = """\
naive     snapshots after which the last known YES ask + NO ask summed below $1, counted after every single snapshot
whole     instants that still summed below $1 once everything stamped with them had been applied
fillable  those of them in which both legs could really have been bought (shown before and after, confirmed by the mirrored book)
seen      views of the bot whose asks summed below $1; every one of them was either acted on or rejected for one reason
acted on  edges for which an order left; fills, pairs and locked profit are what came of it\
"""

NAIVELY = """\
Somebody who had bought every pair below $1 in the recordings the instant it showed, without any latency, would have tried {attempts:,}
times and got {pairs:,} pairs and {naked_legs:,} naked legs.\
"""


def write_report(
    runs: Mapping[str, Sequence[MarketRun]], modes: Sequence[Mode], naive: Sequence[NaiveTrader], folder: Path
) -> tuple[Path, Path]:
    """Write both files into `folder` and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    machine, human = folder / "edge-truth.json", folder / "edge-truth.txt"
    naively = {name: sum(getattr(trader, name) for trader in naive) for name in NaiveTrader.__struct_fields__}
    report = {"attribution": ATTRIBUTION, "naive_trader": naively, "modes": [_mode_report(mode, runs[mode.name]) for mode in modes]}
    machine.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    tables = [_mode_text(mode, runs[mode.name]) for mode in modes]
    human.write_text("\n\n".join([NAIVELY.format(**naively), *tables, LEGEND, ATTRIBUTION]) + "\n", encoding="utf-8")
    return machine, human


def rejections(runs: Iterable[MarketRun]) -> Counter[str]:
    """Rejected edges of these runs by reason."""
    total: Counter[str] = Counter()
    for run in runs:
        total.update(run.rejected)
    return total


def row_of(run: MarketRun) -> dict[str, int]:
    """The numbers of one market, dollars and shares in millionths."""
    fills = run.outcomes.get("filled", 0) + run.outcomes.get("unknown_filled", 0)
    return {**{column: getattr(run, column) for column in COLUMNS if column != "fills"}, "fills": fills}


def total_of(runs: Sequence[MarketRun]) -> dict[str, int]:
    """The same numbers summed over markets."""
    rows = [row_of(run) for run in runs]
    return {column: sum(row[column] for row in rows) for column in COLUMNS}


def _mode_report(mode: Mode, runs: Sequence[MarketRun]) -> dict[str, Any]:
    return {
        "mode": mode.name,
        "dislocations_per_market": mode.dislocations,
        "order_latency_ms": mode.order_latency_ms,
        "total": {**total_of(runs), "rejected": dict(rejections(runs).most_common())},
        "markets": [{"slug": run.slug, **row_of(run), "rejected": run.rejected, "fingerprint": run.fingerprint} for run in runs],
    }


def _mode_text(mode: Mode, runs: Sequence[MarketRun]) -> str:
    width = max(len(run.slug) for run in runs)
    made = f", {mode.dislocations} true dislocations laid over each market" if mode.dislocations else ""
    title = f"{mode.name}: {len(runs)} markets, orders arrive after {mode.order_latency_ms} ms{made}"
    lines = [
        title,
        "=" * len(title),
        f"{'market':<{width}}" + _cells(HEADINGS),
        *(f"{run.slug:<{width}}" + _cells(_shown(row_of(run))) + f"   {_reasons(run.rejected)}" for run in runs),
        f"{'total':<{width}}" + _cells(_shown(total_of(runs))),
        "rejected  " + (_reasons(dict(rejections(runs).most_common())) or "nothing"),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _shown(row: Mapping[str, int]) -> list[str]:
    texts = {"pairs": f"{row['pairs'] // MICRO:,}", "locked_profit": format_dollars(row["locked_profit"] // 10_000 * 10_000)}
    return [texts.get(column, f"{row[column]:,}") for column in COLUMNS]


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"{text:>11}" for text in texts)


def _reasons(rejected: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in rejected.items())
