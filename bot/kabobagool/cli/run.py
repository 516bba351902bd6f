"""`kabobagool run`: one market, traded until told to stop.

The environment says which market and how; a SIGTERM or Ctrl-C hedges what is open and ends with status 0, or 1 when a leg had to be left
naked. With `--json` the first line on standard output tells machines where the health server listens.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import click

from kabobagool.cli.options import json_option, settings_options
from kabobagool.cli.patient_start import Doorway, started
from kabobagool.cli.plain_errors import told_plainly
from kabobagool.cli.signals import stop_on_signals
from kabobagool.engine.bot import Bot
from kabobagool.engine.market_engine import EngineState
from kabobagool.execution.journal import JournalError
from kabobagool.settings import Settings, load_settings
from kabobagool.telemetry.health import HealthServer, HealthServerError
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.metrics import BotMetrics
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.telemetry.stalls import StallMeter
from kabobagool.venue.errors import VenueError

STATE_LOOK_S = 0.5


@click.command()
@json_option
@settings_options()
def command(*, environment: dict[str, str], as_json: bool) -> None:
    """Trade one market named by the environment. No real order leaves unless DRY_RUN=false and PRIVATE_KEY are both set."""
    settings = load_settings(environment)
    pipeline = LogPipeline(
        level=settings.log_level,
        websockets_level=settings.websockets_log_level,
        style=settings.log_format,
        secrets=settings_secrets(settings),
    )
    with pipeline, told_plainly(VenueError, JournalError, HealthServerError):
        level = asyncio.run(trade(settings, announce=_announcer(as_json=as_json)))
    sys.exit(0 if level else 1)


async def trade(settings: Settings, *, announce: Callable[[dict[str, object]], None]) -> bool:
    """Run a bot of these settings until a signal. Whether no leg was left naked. Raises why it could not start or go on."""
    from kabobagool.cli.compose import compose

    stop, metrics, doorway = stop_on_signals(), BotMetrics(), Doorway()
    async with StallMeter(on_lateness=metrics.loop_stalled) as meter, _served(settings, doorway, metrics) as port:
        metrics.watch_loop(meter)
        patience_s = float(settings.start_patience_s)
        bot = await started(lambda: compose(settings, metrics), doorway, stop, patience_s=patience_s)
        if bot is None:
            return True
        _tell_metrics(bot, metrics)
        announce(
            {"market": bot.market.slug, "condition_id": bot.market.condition_id, "live": bot.live, "venue": settings.host, "port": port}
        )
        states = asyncio.create_task(_follow_state(bot, metrics))
        try:
            return await bot.run(stop)
        finally:
            states.cancel()
            with suppress(asyncio.CancelledError):
                await states


def _announcer(*, as_json: bool) -> Callable[[dict[str, object]], None]:
    def announce(facts: dict[str, object]) -> None:
        if as_json:
            click.echo(json.dumps(facts))
            return
        mode = f"LIVE: real orders at {facts['venue']}" if facts["live"] else "dry run: no real orders"
        where = f", http://127.0.0.1:{facts['port']}/status" if facts["port"] else ""
        click.echo(f"{facts['market']} ({mode}){where}", err=True)

    return announce


def _tell_metrics(bot: Bot, metrics: BotMetrics) -> None:
    view, truth = bot.engine.view, bot.engine.strategy.truth
    metrics.market_known(condition_id=bot.market.condition_id, slug=bot.market.slug, live=bot.live)
    metrics.states_are(state.value for state in EngineState)
    metrics.watch_edges(truth)
    metrics.watch_market(bot)
    bot.engine.strategy.decided = lambda seconds, age_s: metrics.decided(seconds=seconds, feed_age_s=age_s)
    metrics.watch_best_asks(
        lambda: (view.yes.best_ask if view.yes.has_snapshot else None, view.no.best_ask if view.no.has_snapshot else None)
    )


@asynccontextmanager
async def _served(settings: Settings, doorway: Doorway, metrics: BotMetrics) -> AsyncIterator[int | None]:
    """The health server, if there is to be one, from before the bot until after it; its port. HealthServerError."""
    if not settings.enable_health_server:
        yield None
        return
    server = HealthServer(
        host=settings.health_check_host,
        port=settings.health_check_port,
        health=doorway.health,
        status=doorway.status,
        registry=metrics.registry if settings.enable_metrics else None,
    )
    try:
        yield await server.start()
    finally:
        await server.stop()


async def _follow_state(bot: Bot, metrics: BotMetrics) -> None:
    """States change for many reasons; a look twice a second is what a scrape can see anyway."""
    while True:
        metrics.state_changed(bot.engine.state().value)
        metrics.cooldown_changed(bot.engine.cooldown.remaining(bot.clock.monotonic()))
        metrics.unknown_orders_changed(len(bot.engine.unknown.open))
        await asyncio.sleep(STATE_LOOK_S)
