"""The edge-truth report as one page: a file to open, print, or send to somebody, with nothing beside it and no script in it.

Draws an `EdgeReport` and knows nothing else, so a page can be made again from `report.json`. Called by `cli/replay.py`.
"""

from collections.abc import Sequence
from importlib.resources import files

from kabobagool.domain.money import parse_micros
from kabobagool.replay.charts import funnel_chart, histogram_chart, profit_chart, reasons_chart
from kabobagool.replay.markup import NOTHING, Markup, element, join
from kabobagool.replay.report import EdgeReport, MarketReport, TapeReport
from kabobagool.replay.timeline import spark_line, timeline_chart
from kabobagool.replay.wording import count_of, dollars, micros_of, moment, span

NO_SCRIPT = "default-src 'none'; style-src 'unsafe-inline'"
"""Whatever slipped through: the browser runs and loads nothing."""
LEGEND = (
    ("acted", "acted on"),
    ("real", "real: both books whole, below $1 after fees"),
    ("phantom", "phantom: stale, half known, or eaten by fees"),
    ("gap", "not recorded"),
)


def report_page(report: EdgeReport) -> str:
    """The whole page."""
    style = Markup(files("kabobagool.replay").joinpath("report.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{NO_SCRIPT}">'),
        element("title", f"Edge truth: {report.tape.name}"),
        element("style", style),
    )
    body = element("body", _header(report.tape, report), _notes(report.tape), _tiles(report), *_sections(report))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _header(tape: TapeReport, report: EdgeReport) -> Markup:
    facts = f"{moment(tape.started_ms)}, {span(tape.covered_ms)} recorded, {count_of(tape.frames, 'frame')} of "
    return join(
        element(
            "header",
            element("p", "Edge truth", class_="eyebrow"),
            element("h1", tape.name),
            element("p", facts + count_of(len(report.markets), "market")),
        ),
        element("p", *_verdict(report), class_="verdict"),
    )


def _verdict(report: EdgeReport) -> Sequence[str]:
    """What a trader wants to know, in one or two sentences."""
    totals = report.totals
    funnel = totals.funnel
    if not funnel.below_one:
        return ("In all this time the asks of no market ever summed below $1.",)
    return (
        "The asks summed below $1 ",
        _strong(count_of(funnel.below_one, "time")),
        ". Looked at whole, ",
        _strong(f"{funnel.whole:,}"),
        " were left; after fees ",
        _strong(f"{funnel.pays_fees:,}"),
        "; within your limits ",
        _strong(f"{funnel.buyable:,}"),
        ". The engine acted on ",
        _strong(f"{funnel.acted_on:,}"),
        " and locked in ",
        _strong(dollars(totals.locked_profit)),
        ", simulated.",
    )


def _strong(words: str) -> Markup:
    return element("b", words)


def tape_notes(tape: TapeReport) -> list[str]:
    """What is missing from the tape, each in a sentence."""
    notes = []
    if tape.torn:
        notes.append(f"The tape is {tape.torn}.")
    elif not tape.closed:
        notes.append("The tape was not closed: its recorder died, and up to its last second is missing.")
    if tape.gaps:
        missing = span(sum(gap.until_ms - gap.from_ms for gap in tape.gaps))
        notes.append(
            f"{count_of(len(tape.gaps), 'gap')} between recordings, {missing} in all: nothing is known of them and nothing was traded."
        )
    if tape.lost_connections:
        notes.append(f"{count_of(tape.lost_connections, 'connection was', 'connections were')} lost while recording.")
    if tape.unreadable_frames:
        notes.append(f"{count_of(tape.unreadable_frames, 'frame')} could not be read; the books were read anew after each.")
    return notes


def _notes(tape: TapeReport) -> Markup:
    notes = tape_notes(tape)
    return element("ul", *(element("li", note) for note in notes), class_="notes") if notes else NOTHING


def _tiles(report: EdgeReport) -> Markup:
    totals, markets = report.totals, report.markets
    orders = totals.orders
    pairs = sum(parse_micros(market.position.pairs) for market in markets) // 1_000_000
    sent = sum(orders.values())
    tiles = (
        ("Locked in", dollars(totals.locked_profit), "whatever the outcome"),
        ("Pairs held", f"{pairs:,}", f"for {dollars(totals.spent)}, fees included"),
        ("Fees", dollars(totals.fees), "as the venue charges them"),
        ("Orders", f"{sent:,}", ", ".join(f"{count:,} {name}" for name, count in orders.items()) or "none was sent"),
        ("Naked legs", f"{totals.orphans:,}", "times one half filled alone"),
        ("Real edge", span(totals.real_ms), "added up over all markets"),
    )
    return element("dl", *(_tile(*tile) for tile in tiles), class_="tiles")


def _tile(name: str, number: str, words: str) -> Markup:
    return element("div", element("dt", name), element("dd", number, element("small", words)))


def _section(title: str, words: str, *content: Markup) -> Markup:
    return element("section", element("h2", title), element("p", words), *content)


def _sections(report: EdgeReport) -> list[Markup]:
    totals, edges = report.totals, report.totals.edges
    return [
        _pair(
            _section(
                "How many were true",
                "Spans in which the best asks summed below $1, and how many passed each question.",
                funnel_chart(totals.funnel),
            ),
            _section(
                "What became of every edge",
                f"Each of the {count_of(edges.seen, 'view')} that the strategy counted as an edge has one verdict.",
                reasons_chart(edges.acted_on, edges.rejected, edges.undecided),
            ),
        ),
        _pair(
            _section(
                "How long they lasted",
                "Episodes by duration in venue time; the scale widens to the right.",
                histogram_chart(report.durations, [span(bound) for bound in report.durations.bounds], label="Episodes by duration"),
                _key("real", "phantom"),
            ),
            _section(
                "How much was there",
                "Episodes by the shares on both legs when the pair was cheapest.",
                histogram_chart(report.shares, [f"{bound:,}" for bound in report.shares.bounds], label="Episodes by shares"),
                _key("real", "phantom"),
            ),
        ),
        _section(
            "When they came",
            "The markets with the most episodes; point at a mark to read it. Times are UTC.",
            _wide(timeline_chart(report.tape, report.markets)),
            _key(*(["acted", "real", "phantom"] + (["gap"] if report.tape.gaps else []))),
        ),
        _profits(report),
        _markets(report),
        _settings(report),
    ]


def _pair(left: Markup, right: Markup) -> Markup:
    return element("div", left, right, class_="pair")


def _wide(chart: Markup) -> Markup:
    """A picture that a narrow screen shows in part rather than too small."""
    return element("div", chart, class_="scroll wide")


def _key(*names: str) -> Markup:
    entries = [element("li", element("i", class_=name), words) for name, words in LEGEND if name in names]
    return element("ul", *entries, class_="key")


def _profits(report: EdgeReport) -> Markup:
    traded = [market for market in report.markets if market.orders]
    rows = [(market.slug, micros_of(market.position.locked_profit), market.position.locked_profit) for market in traded]
    words = "What each market's position gains in the worst outcome, all fees paid. A naked leg counts as lost until it is paired."
    content = _wide(profit_chart(rows)) if rows else element("p", "No order was sent in any market.")
    return _section("Profit and loss by market", words, content)


def _markets(report: EdgeReport) -> Markup:
    headings = ("Market", "Pair cost, $1 dotted", "Lowest", "Episodes", "Real", "Edges acted on", "Filled", "Locked in")
    head = element("tr", *(element("th", heading) for heading in headings))
    ranked = sorted(report.markets, key=lambda market: (-micros_of(market.position.locked_profit), -market.funnel.below_one, market.slug))
    rows = [_market_row(report.tape, market) for market in ranked]
    words = "The line is the sum of both best asks over the whole tape; filled where it was below a dollar."
    return _section("Market by market", words, element("div", element("table", head, *rows), class_="scroll"))


def _market_row(tape: TapeReport, market: MarketReport) -> Markup:
    profit = market.position.locked_profit
    lowest = min((low for _, low, _ in market.trace.points), default=None)
    filled = f"{market.orders.get('filled', 0):,} of {sum(market.orders.values()):,}" if market.orders else "-"
    cells = (
        "-" if lowest is None else f"{lowest / 10_000:.4f}".rstrip("0").rstrip("."),
        f"{market.funnel.below_one:,}",
        f"{market.funnel.pays_fees:,}",
        f"{market.edges.acted_on:,} of {market.edges.seen:,}",
        filled,
    )
    return element(
        "tr",
        element("td", market.slug, element("small", market.question)),
        element("td", spark_line(tape, market.trace) if market.trace.points else "never known", class_="spark-cell"),
        *(element("td", cell) for cell in cells),
        element("td", dollars(profit) if market.orders else "-", class_="minus" if profit.startswith("-") else "plus"),
    )


def _settings(report: EdgeReport) -> Markup:
    rows = [*report.settings.items(), ("Recorded from", report.tape.venue.get("clob", "an unnamed venue"))]
    facts = [element("div", element("dt", name), element("dd", value)) for name, value in rows]
    run = report.run
    closing = (
        f"Played by kabobagool {run.bot} in {span(run.wall_ms)}: {run.frames_per_s:,} frames a second, "
        f"{run.times_real_time:,} times as fast as it happened."
    )
    return _section(
        "Made with",
        "Orders were simulated: each met the recorded book one latency later, took what was left there and moved no price.",
        element("dl", *facts, class_="facts"),
        element("p", f"{count_of(report.decision_lines, 'decision')}, hash ", element("code", report.decisions), class_="soft"),
        element("p", closing, class_="soft"),
    )
