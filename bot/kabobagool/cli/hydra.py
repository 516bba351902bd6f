"""`kabobagool hydra`: many markets in one process, found by discovery, until told to stop.

A profile, local overrides, the environment and the options say which markets and how. A SIGTERM or Ctrl-C opens nothing new, lets every
market finish its hedges and ends with status 0, or 1 when a leg had to be left naked; a second one ends at once. With `--json` the first
line on standard output tells machines where the page is.
"""

import asyncio
import json
import logging
import secrets
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from kabobagool.cli.options import PROFILE_HELP, json_option, options_given, settings_options
from kabobagool.cli.plain_errors import told_plainly
from kabobagool.execution.journal import JournalError
from kabobagool.hydra.profile_files import folders_of
from kabobagool.hydra.supervisor_config import SupervisorConfig, load_supervisor_config
from kabobagool.hydra.targets import TargetsError, write_targets
from kabobagool.settings import Settings
from kabobagool.telemetry.health import HealthServerError
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.redaction import Redactor, settings_secrets
from kabobagool.telemetry.stalls import StallMeter
from kabobagool.venue.errors import VenueError

log = logging.getLogger(__name__)

TOKEN_BYTES = 16
Announce = Callable[[dict[str, object]], None]


@click.command()
@click.option("--profile", metavar="NAME", help=PROFILE_HELP)
@json_option
@settings_options()
@click.pass_context
def command(context: click.Context, *, environment: dict[str, str], profile: str | None, as_json: bool) -> None:
    """Trade many markets in one process. No real order leaves unless DRY_RUN=false and PRIVATE_KEY are both set.

    Discovery picks the markets (MARKET_PATTERNS, MIN_VOLUME, MAX_MARKETS ...), one page shows them all and can halt them.
    """
    config = load_supervisor_config(profile, environ=environment, folders=folders_of(Path()), options=options_given(context))
    for warning in config.warnings:
        click.echo(f"warning: {warning}", err=True)
    settings = config.settings
    masks = settings_secrets(settings)
    pipeline = LogPipeline(
        level=settings.log_level, websockets_level=settings.websockets_log_level, style=settings.log_format, secrets=masks
    )
    with pipeline, told_plainly(VenueError, JournalError, HealthServerError, TargetsError):
        level, left = asyncio.run(trade(config, redact=Redactor(masks).mask, announce=announcer(as_json=as_json)))
    for line in left:
        click.echo(f"left: {line}", err=True)
    sys.exit(0 if level else 1)


async def trade(config: SupervisorConfig, *, redact: Callable[[str], str], announce: Announce) -> tuple[bool, Sequence[str]]:
    """Run a fleet until a signal. Whether no leg was left naked, and a sentence for every position that stays."""
    from kabobagool.hydra.fleet_assembly import assemble_fleet
    from kabobagool.hydra.quiet_memory import QuietMemory
    from kabobagool.hydra.task_health import FleetServer
    from kabobagool.trading.session import open_session

    settings, stop = config.settings, stop_on_signals()
    metrics = BotMetrics()
    session = await open_session(settings)
    try:
        supervisor = assemble_fleet(session, metrics, redact=redact, profile=config.profile)
        token = settings.control_token.get_secret_value() if settings.control_token else secrets.token_urlsafe(TOKEN_BYTES)
        server = FleetServer(
            desk=supervisor.fleet,
            host=settings.health_check_host,
            port=settings.health_port_base,
            token=token,
            metrics=metrics if settings.enable_metrics else None,
            clock=session.clock,
        )
        async with StallMeter(on_lateness=metrics.loop_stalled) as meter:
            metrics.watch_loop(meter)
            port = await server.start() if settings.enable_health_server else None
            quiet = asyncio.create_task(QuietMemory(supervisor.fleet.tasks, clock=session.clock).run(), name="quiet memory")
            try:
                tell_prometheus(config, port=port, mode=session.mode)
                announce(_facts(config, port=port, token=None if settings.control_token else token, live=session.live))
                level = await supervisor.run(stop)
            finally:
                quiet.cancel()
                await server.stop()
                tell_prometheus(config, port=None, mode=session.mode)
        return level, supervisor.fleet.positions_left()
    finally:
        await session.close()


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process as if nobody listened."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(name)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, ask)
    return stop


def tell_prometheus(config: SupervisorConfig, *, port: int | None, mode: str) -> None:
    """Write the targets file. Nobody asked for the default one: where it cannot be written, that is said and no reason to stop."""
    settings = config.settings
    target = f"{settings.targets_host}:{port}" if port is not None and settings.enable_metrics else None
    labels = {"job": "kabobagool", "mode": mode, **({"profile": config.profile} if config.profile else {})}
    try:
        write_targets(settings.targets_path, target=target, labels=labels)
    except TargetsError as e:
        if settings.targets_path != Settings.model_fields["targets_path"].default:
            raise
        log.info("Prometheus is not told where this process is", extra={"reason": str(e)})


def announcer(*, as_json: bool) -> Announce:
    """Tells where the page is: one line of JSON for machines, some lines on standard error for people."""

    def announce(facts: dict[str, object]) -> None:
        if as_json:
            click.echo(json.dumps(facts))
            return
        mode = f"LIVE: real orders at {facts['venue']}" if facts["live"] else "dry run: no real orders"
        click.echo(f"hydra, {facts['profile'] or 'no profile'} ({mode})", err=True)
        if facts["url"]:
            click.echo(f"page   {facts['url']}", err=True)
        if facts["token"]:
            click.echo(f"token  {facts['token']}   (the page asks for it before it halts or resumes)", err=True)

    return announce


def _facts(config: SupervisorConfig, *, port: int | None, token: str | None, live: bool) -> dict[str, object]:
    host = config.settings.health_check_host
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # noqa: S104 - compared, not bound
    return {
        "profile": config.profile,
        "live": live,
        "venue": config.settings.host,
        "port": port,
        "url": f"http://{shown}:{port}/" if port is not None else None,
        "token": token if port is not None else None,
    }
