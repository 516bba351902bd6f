"""`kabobagool discover`: which markets a fleet would be given, and for every other one the reason.

People run it to choose MARKET_PATTERNS and the limits beside it before a supervisor runs on them; it uses the very same round of discovery.
Read-only, needs no key. Progress goes to standard error, so that the result can be piped.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kabobagool.cli.options import json_option, profile_option, settings_options
from kabobagool.clock import SystemClock
from kabobagool.discovery.crawl import Progress as CrawlProgress
from kabobagool.discovery.criteria import Criteria, criteria_of
from kabobagool.discovery.discover import Found, Round, discover
from kabobagool.discovery.reasons import MEANINGS, Reason, Rejection
from kabobagool.domain.money import MICRO, format_micros, format_price
from kabobagool.settings import SECRETS, Settings, load_settings
from kabobagool.settings_fields import DiscoveryVariables, VenueVariables
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.venue.errors import VenueError

OPTIONS = tuple(name for group in (DiscoveryVariables, VenueVariables) for name in group.model_fields if name not in SECRETS)
PIPE_WIDTH = 1_000
TITLE_WIDTH = 60
OLD_CACHE_S = 60
HOUR_MS = 3_600_000
DAY_HOURS = 24
Told = Callable[[CrawlProgress], None]


@click.command()
@click.option("--all", "show_all", is_flag=True, help="List every market that was looked at and does not qualify, with its reason.")
@click.option("--whole", is_flag=True, help="Crawl the catalogue to its end; minutes, and hundreds of requests.")
@json_option
@settings_options(*OPTIONS)
@profile_option
def command(*, environment: dict[str, str], as_json: bool, show_all: bool, whole: bool) -> None:
    """Show which markets qualify, and count why the rest does not.

    The catalogue is read from the most traded market downwards, until enough candidates are found or everything below is traded less than
    MIN_VOLUME. Candidates must then pass a look at their books, and the exchange must confirm them. Nothing is traded and no key is needed.
    """
    settings = load_settings(environment, market_required=False)
    criteria = criteria_of(settings)
    rejections: list[Rejection] = []
    keep: Callable[[Rejection], None] = rejections.append if show_all else lambda rejection: None
    with LogPipeline(level=settings.log_level, style="text", secrets=settings_secrets(settings)):
        try:
            found, now_ms = asyncio.run(_look(settings, criteria, whole=whole, on_reject=keep))
        except VenueError as e:
            raise click.ClickException(str(e)) from None
    shown = rejections if show_all else None
    if as_json:
        click.echo(json.dumps(facts(found, criteria, shown), indent=2))
    else:
        show(Console(highlight=False), found, criteria, shown, now_ms=now_ms)


async def _look(settings: Settings, criteria: Criteria, *, whole: bool, on_reject: Callable[[Rejection], None]) -> tuple[Round, int]:
    from kabobagool.trading.session import reach_venue

    venue = await reach_venue(settings)
    now_ms = venue.clock.now_ms()
    try:
        with _progress(Console(stderr=True)) as on_page:
            result = await discover(
                venue.reader,
                venue.clob,
                settings.gamma_host,
                criteria=criteria,
                now_ms=now_ms,
                wall_ms=SystemClock().now_ms,
                whole=whole,
                on_page=on_page,
                on_reject=on_reject,
            )
    finally:
        await venue.transport.close()
    return result, now_ms


@contextmanager
def _progress(console: Console) -> Iterator[Told]:
    """A bar that fills with the shortlist on a terminal, nothing anywhere else."""
    if not console.is_terminal:
        yield lambda progress: None
        return
    columns = (TextColumn("discovering"), BarColumn(30), TextColumn("{task.fields[line]}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("discovering", total=None, line="")
        yield lambda progress: bar.update(task, line=progress_line(progress))


def progress_line(progress: CrawlProgress) -> str:
    """How far the crawl is, in one line."""
    return f"{progress.pages} pages, {progress.seen:,} markets, {progress.candidates} candidates"


def facts(result: Round, criteria: Criteria, rejections: Sequence[Rejection] | None) -> dict[str, object]:
    """The round for machines. Dollars are text, times epoch milliseconds."""
    listed = {} if rejections is None else {"rejected_markets": [_rejection_facts(rejection) for rejection in rejections]}
    return {
        "qualifying": [_found_facts(found) for found in result.found],
        "rejected": {reason.value: result.rejected[reason] for reason in Reason if result.rejected.get(reason)},
        "seen": result.progress.seen,
        "pages": result.progress.pages,
        "stopped": result.stopped.value,
        "sorted": result.progress.sorted,
        "cache_age_s": result.cache_age_s,
        "book_screen": criteria.spawn_pair_cost is not None,
    } | listed


def _found_facts(found: Found) -> dict[str, object]:
    return {
        "slug": found.market.slug,
        "condition_id": found.market.condition_id,
        "question": found.market.question,
        "outcomes": found.market.outcomes,
        "tokens": found.market.tokens,
        "volume_24h": format_micros(found.listed.volume_24h),
        "end_ms": found.market.end_ms,
        "pair_cost": None if found.pair_cost is None else format_price(found.pair_cost),
        "tick_size": format_price(found.market.tick_size),
        "fee_rate": None if found.market.fee is None else format_micros(found.market.fee.rate_micros),
    }


def _rejection_facts(rejection: Rejection) -> dict[str, str]:
    return {"slug": rejection.slug, "condition_id": rejection.condition_id, "reason": rejection.reason.value}


def show(console: Console, result: Round, criteria: Criteria, rejections: Sequence[Rejection] | None, *, now_ms: int) -> None:
    """Print the round for people; without a terminal nothing is cut to a width."""
    if not console.is_terminal:
        console = Console(file=console.file, width=PIPE_WIDTH, highlight=False)
    console.print(_qualifying_table(result.found, now_ms=now_ms) if result.found else Text("no market qualifies"))
    if rejections:
        console.print(_rejection_table(rejections))
    if result.rejected:
        console.print(_reason_table(result.rejected))
    for line in closing_lines(result, criteria):
        console.print(Text(line))


def _qualifying_table(found: Sequence[Found], *, now_ms: int) -> Table:
    table = _table("market", "question")
    for heading in ("volume 24 h", "ends in", "pair", "fee rate"):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in found:
        market = each.market
        table.add_row(
            printable(market.slug),
            printable(market.question, longest=TITLE_WIDTH),
            f"${each.listed.volume_24h // MICRO:,}",
            time_left(market.end_ms, now_ms),
            "-" if each.pair_cost is None else format_price(each.pair_cost),
            "-" if market.fee is None else format_micros(market.fee.rate_micros),
        )
    return table


def _rejection_table(rejections: Sequence[Rejection]) -> Table:
    table = _table("does not qualify", "reason")
    for rejection in rejections:
        table.add_row(printable(rejection.slug or rejection.condition_id or "(no name)"), rejection.reason.value)
    return table


def _reason_table(counts: Mapping[Reason, int]) -> Table:
    table = _table()
    table.add_column("markets", justify="right")
    table.add_column("reason", no_wrap=True)
    table.add_column("meaning")
    for reason in sorted(counts, key=lambda reason: -counts[reason]):
        table.add_row(f"{counts[reason]:,}", reason.value, MEANINGS[reason])
    return table


def _table(*headings: str) -> Table:
    """A table whose first column is never cut: it holds what people copy."""
    table = Table(*headings, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[:1]:
        column.no_wrap = True
    return table


def closing_lines(result: Round, criteria: Criteria) -> list[str]:
    """What was looked at, why no further, and how old it was."""
    progress = result.progress
    age = "of unknown age" if result.cache_age_s is None else f"{result.cache_age_s} s old"
    lines = [
        f"{len(result.found)} of {progress.seen:,} markets qualify; {progress.pages} pages read, stopped at {result.stopped.value}",
        f"catalogue {age}" + (": volumes and flags may have changed since" if (result.cache_age_s or 0) > OLD_CACHE_S else ""),
    ]
    if not result.found and result.rejected:
        reason = max(result.rejected, key=lambda reason: result.rejected[reason])
        lines.append(f"most were left out because: {MEANINGS[reason]}")
    if criteria.spawn_pair_cost is None:
        lines.append("books were not looked at (ENABLE_BOOK_SCREEN=false)")
    if not progress.sorted:
        lines.append("the venue did not sort by volume, so the catalogue was read to its end")
    return lines


def time_left(end_ms: int | None, now_ms: int) -> str:
    """Time to the scheduled end in its two largest units: `3 d 4 h`, `2 h 5 min`, `7 min`."""
    if end_ms is None:
        return "-"
    minutes = max(end_ms - now_ms, 0) // (HOUR_MS // 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, DAY_HOURS)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def printable(words: str, *, longest: int = 200) -> Text:
    """A stranger's text, safe on a terminal: no control characters, no markup, no end of line, not too long."""
    clean = "".join(character if character.isprintable() else " " for character in words)
    return Text(clean if len(clean) <= longest else clean[: longest - 1] + "…")
