"""`kabobagool record`: write what the venue says of some markets to a tape that `kabobagool replay` can play.

Read-only and needs no key. Ctrl-C, SIGTERM or the end of `--for` close the tape; recording to it again continues it. The live line goes to
standard error, so that the result can be piped.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from kabobagool.cli.options import json_option, profile_option, settings_options
from kabobagool.cli.plain_errors import told_plainly
from kabobagool.cli.signals import stop_on_signals
from kabobagool.clock import SystemClock
from kabobagool.replay.recording import Recording
from kabobagool.replay.tape import TapeError
from kabobagool.replay.tape_writer import TapeWriter
from kabobagool.replay.wording import count_of
from kabobagool.settings import SECRETS, Settings, load_settings
from kabobagool.settings_fields import DiscoveryVariables, LogVariables, MarketVariables, VenueVariables
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.venue.errors import VenueError

GROUPS = (MarketVariables, DiscoveryVariables, VenueVariables, LogVariables)
OPTIONS = ("discovery_interval_s", *(name for group in GROUPS for name in group.model_fields if name not in SECRETS))
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LIVE_EVERY_S = 0.25
PLAIN_EVERY_S = 10.0
MEGABYTE = 1_000_000


def span_s(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Read a length of time such as `90s`, `10m`, `2h` or `1d`: seconds."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([smhd])", value)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{value!r} is no length of time; write a number above 0 and its unit: 90s, 10m, 2h, 1d", context, option)
    return float(match[1]) * UNITS_S[match[2]]


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="The tape; one that exists is continued.")
@click.option(
    "--for", "seconds", metavar="TIME", callback=span_s, help="How long by the wall clock: 90s, 10m, 2h, 1d. Without it, until Ctrl-C."
)
@json_option
@settings_options(*OPTIONS)
@profile_option
def command(*, environment: dict[str, str], out: Path, seconds: float | None, as_json: bool) -> None:
    """Write the live prices of markets to a tape.

    One market is named by MARKET_SLUG (or CONDITION_ID, or both tokens); without a name those are recorded that `kabobagool discover`
    would choose, and new ones as they appear. The tape holds public data only. `kabobagool replay TAPE` plays it.
    """
    settings = load_settings(environment, market_required=False)
    pipeline = LogPipeline(level=settings.log_level, style=settings.log_format, secrets=settings_secrets(settings))
    with pipeline, told_plainly(VenueError, TapeError):
        result = asyncio.run(_record(settings, out, seconds))
    click.echo(json.dumps(result, indent=2) if as_json else closing_line(result))


async def _record(settings: Settings, out: Path, seconds: float | None) -> dict[str, Any]:
    from kabobagool.trading.session import reach_venue

    console = Console(stderr=True, highlight=False)
    venue = await reach_venue(settings)
    try:
        writer = await asyncio.to_thread(TapeWriter.open, out)
        try:
            recording = Recording(settings, venue, writer, wall_ms=SystemClock().now_ms)
            with console.status("looking for markets"):
                found = await recording.find()
            if not found:
                raise VenueError("no market qualifies: `kabobagool discover` says why; name one with MARKET_SLUG, or widen MARKET_PATTERNS")
            with _live(recording, console):
                await recording.run(_told_to_stop(seconds))
        finally:
            writer.close()
    finally:
        await venue.transport.close()
    return facts(recording, writer)


def _told_to_stop(seconds: float | None) -> asyncio.Event:
    """Set by SIGTERM, Ctrl-C, or after so many seconds."""
    stop = stop_on_signals()
    if seconds is not None:
        asyncio.get_running_loop().call_later(seconds, stop.set)
    return stop


@contextmanager
def _live(recording: Recording, console: Console) -> Iterator[None]:
    """A line that changes in place on a terminal, a plain one now and then anywhere else."""
    task = asyncio.create_task(_show_plainly(recording, console) if not console.is_terminal else _show_live(recording, console))
    try:
        yield
    finally:
        task.cancel()


async def _show_live(recording: Recording, console: Console) -> None:
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(Text(live_line(recording)), refresh=True)
            await asyncio.sleep(LIVE_EVERY_S)


async def _show_plainly(recording: Recording, console: Console) -> None:
    while True:
        await asyncio.sleep(PLAIN_EVERY_S)
        with suppress(OSError):
            console.print(Text(live_line(recording)), soft_wrap=True)


def live_line(recording: Recording) -> str:
    """What is on the tape so far, in one line."""
    recorder = recording.recorder
    return (
        f"recording  {count_of(len(recorder.feeding), 'market')}  {count_of(recorder.frames, 'frame')}  {size(recorder.written_bytes)}  "
        f"{count_of(recorder.lost_connections, 'lost connection')}   Ctrl-C ends and closes the tape"
    )


def size(written_bytes: int) -> str:
    """A length of a file."""
    return f"{written_bytes / MEGABYTE:.1f} MB" if written_bytes >= MEGABYTE else f"{written_bytes // 1_000} kB"


def facts(recording: Recording, writer: TapeWriter) -> dict[str, Any]:
    """The recording for machines."""
    recorder = recording.recorder
    return {
        "tape": str(writer.path),
        "bytes": writer.end,
        "continued": writer.continued,
        "dropped_bytes": writer.dropped_bytes,
        "frames": recorder.frames,
        "markets": [market.slug for market in recorder.markets.values()],
        "lost_connections": recorder.lost_connections,
        "unreadable_frames": recording.counters.decode_errors,
    }


def closing_line(result: dict[str, Any]) -> str:
    """The recording for people."""
    dropped = f" ({result['dropped_bytes']:,} bytes of an unfinished block were dropped)" if result["dropped_bytes"] else ""
    continued = f", continued{dropped}" if result["continued"] else dropped
    heard = f"{count_of(result['frames'], 'frame')} of {count_of(len(result['markets']), 'market')}"
    return f"{result['tape']}: {heard}, {size(result['bytes'])}{continued}; play it with: kabobagool replay {result['tape']}"
