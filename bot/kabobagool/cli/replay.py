"""`kabobagool replay`: the engine over a tape, as fast as the machine can, and a report of what edges there were.

Reads nothing but the tape and the settings that influence decisions: keys and the live switch of the environment are not even looked at.
Progress goes to standard error, so that the result can be piped.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from kabobagool.cli.options import json_option, settings_options
from kabobagool.clock import Clock, SystemClock
from kabobagool.replay.build import EpisodeBook, build_report
from kabobagool.replay.decision_log import DecisionLog
from kabobagool.replay.page import report_page, tape_notes
from kabobagool.replay.replayer import Replay, replay_tape
from kabobagool.replay.report import EdgeReport
from kabobagool.replay.tape import TapeError
from kabobagool.replay.tape_reader import TapeReader
from kabobagool.replay.wording import count_of, dollars, reason_words, span
from kabobagool.settings import SECRETS, Settings, load_settings, shown_value
from kabobagool.settings_fields import FreshnessVariables, OrphanVariables, PacingVariables, StrategyVariables
from kabobagool.telemetry.logs import LogPipeline

GROUPS = (StrategyVariables, PacingVariables, FreshnessVariables, OrphanVariables)
DECIDING = ("dry_run_latency_ms", *(name for group in GROUPS for name in group.model_fields if name not in SECRETS))
"""Variables that influence what is decided; all of them are in the report."""
OPTIONS = (*DECIDING, "log_level", "log_format")
DEFAULTS = {"LOG_LEVEL": "ERROR", "LOG_FORMAT": "text"}
REASONS_SHOWN = 5


@click.command()
@click.argument("tape", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of the report  [default: build/replay/TAPE]")
@click.option("--log", "log_path", type=click.Path(path_type=Path, dir_okay=False), help="Write every decision to this file, JSON a line.")
@json_option
@settings_options(*OPTIONS)
def command(*, environment: dict[str, str], tape: Path, out: Path | None, log_path: Path | None, as_json: bool) -> None:
    """Run the engine over TAPE and report what edges there were.

    Orders are simulated against the recorded books. The same tape with the same settings gives the same decisions, always: their hash is
    in the report. Writes report.html to look at and report.json for machines.
    """
    settings = load_settings(DEFAULTS | relevant(environment), market_required=False)
    folder = out or Path("build") / "replay" / tape.name
    with LogPipeline(level=settings.log_level, style=settings.log_format, secrets=()):
        try:
            report = play(tape, settings, SystemClock(), log_path=log_path)
            machine, page = write_report(report, folder)
        except TapeError as e:
            raise click.ClickException(str(e)) from None
        except OSError as e:
            raise click.ClickException(f"{e.filename or folder}: {e.strerror}; choose another place with --out or --log") from None
    if as_json:
        click.echo(json.dumps(brief(report) | {"report": str(machine), "page": str(page)}, indent=2))
    else:
        click.echo("\n".join([*summary_lines(report), f"  report     {page}", f"             {machine}"]))


def relevant(environment: Mapping[str, str]) -> dict[str, str]:
    """What of the environment a replay looks at."""
    return {name: value for name, value in environment.items() if name.lower() in OPTIONS}


def play(tape: Path, settings: Settings, clock: Clock, *, log_path: Path | None = None) -> EdgeReport:
    """Play the tape and add up. TapeError when it is none, OSError when the log cannot be written. `clock` only measures the speed."""
    reader, book, started_s = TapeReader(tape), EpisodeBook(), clock.monotonic()
    with ExitStack() as stack:
        log = DecisionLog(_opened(stack, log_path))
        on_block = stack.enter_context(_progress(Console(stderr=True), reader))
        replay = replay_tape(
            reader,
            settings,
            log,
            on_episode=lambda run, episode: book.add(run.desk.condition_id, episode),
            on_block=on_block,
        )
    wall_ms = round((clock.monotonic() - started_s) * 1000)
    return build_report(replay, book, reader, log, settings=deciding(settings), wall_ms=wall_ms)


def _opened(stack: ExitStack, path: Path | None) -> BinaryIO | None:
    if path is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    return stack.enter_context(path.open("wb"))


def deciding(settings: Settings) -> dict[str, str]:
    """The settings that influenced the decisions."""
    return {name.upper(): shown_value(name, getattr(settings, name)) for name in DECIDING}


@contextmanager
def _progress(console: Console, reader: TapeReader) -> Iterator[Callable[[Replay], None]]:
    """A bar that fills with the tape on a terminal, nothing anywhere else."""
    if not console.is_terminal:
        yield lambda replay: None
        return
    columns = (
        TextColumn("replay"),
        BarColumn(30),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[line]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("replay", total=reader.total_bytes, line="")
        yield lambda replay: bar.update(task, completed=reader.whole_bytes, line=progress_line(replay))


def progress_line(replay: Replay) -> str:
    """How far the replay is, in one line."""
    edges = sum(run.truth.seen for run in replay.runs.values())
    played = span(replay.facts.ended_ms - replay.facts.started_ms)
    return f"{count_of(replay.counters.frames, 'frame')}, {count_of(len(replay.runs), 'market')}, {played}, {count_of(edges, 'edge')}"


def write_report(report: EdgeReport, folder: Path) -> tuple[Path, Path]:
    """Write report.json and report.html and say where they are. OSError when they cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    machine, page = folder / "report.json", folder / "report.html"
    machine.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    page.write_text(report_page(report), encoding="utf-8")
    return machine, page


def brief(report: EdgeReport) -> dict[str, object]:
    """The report for machines without what fills pages."""
    whole: dict[str, object] = msgspec.to_builtins(report)
    return {name: whole[name] for name in ("tape", "decisions", "decision_lines", "totals", "run")}


def summary_lines(report: EdgeReport) -> list[str]:
    """The report in a few lines."""
    tape, totals, run = report.tape, report.totals, report.run
    funnel, edges = totals.funnel, totals.edges
    refused = ", ".join(f"{count:,} {reason_words(reason)}" for reason, count in list(edges.rejected.items())[:REASONS_SHOWN])
    orders = ", ".join(f"{count:,} {name}" for name, count in totals.orders.items())
    within = f"{funnel.buyable:,} within the limits, {funnel.acted_on:,} acted on"
    return [
        f"{tape.name}: {span(tape.covered_ms)} of {count_of(len(report.markets), 'market')}, {count_of(tape.frames, 'frame')}",
        *(f"  note       {note}" for note in tape_notes(tape)),
        f"  below $1   {count_of(funnel.below_one, 'time')}; {funnel.whole:,} whole, {funnel.pays_fees:,} after fees, {within}",
        f"  edges      {edges.seen:,} seen, {edges.acted_on:,} acted on; refused: {refused or 'none'}",
        f"  orders     {orders or 'none'}; {count_of(totals.orphans, 'naked leg')}",
        f"  locked in  {dollars(totals.locked_profit)} simulated, fees {dollars(totals.fees)}",
        f"  speed      {run.frames_per_s:,} frames a second, {run.times_real_time:,} times real time",
        f"  decisions  {report.decisions}",
    ]
