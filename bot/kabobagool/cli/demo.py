"""`kabobagool demo`: the whole fleet, against a local paper exchange on real recorded order books, in about a minute.

No key, no money, no internet. Two processes are started: the paper exchange, and `kabobagool hydra` as it would run on a server, with a
throw-away key. At the end the bots' word is held against the exchange's ledger, market by market, and written to `build/demo/report.json`.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kabobagool.cli.demo_parts import DemoError, Exchange, Play, RunningFleet, start_exchange, start_fleet
from kabobagool.cli.demo_report import Witness, make_report, summary_lines
from kabobagool.cli.demo_screen import Screen
from kabobagool.cli.signals import pause, stop_on_signals

PAYOUT_PATIENCE_S = 25.0
SETTLING_PATIENCE_S = 8.0
LOOK_EVERY_S = 0.25


@click.command()
@click.option("--minutes", type=click.IntRange(2, 15), default=8, show_default=True, help="The last so many minutes of each quarter hour.")
@click.option("--speed", type=click.FloatRange(1, 60), default=10.0, show_default=True, help="How many times faster than it happened.")
@click.option("--inject", type=click.IntRange(0, 50), default=2, show_default=True, help="True dislocations put into each market's books.")
@click.option("--synthetic", type=click.IntRange(0, 20), default=4, show_default=True, help="Made-up markets beside the recorded ones.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of what is made up.")
@click.option("--serve", is_flag=True, help="Keep the page up after the report, until Ctrl-C.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/report.json"), show_default=True, help="The report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report instead of the summary.")
def command(*, minutes: int, speed: float, inject: int, synthetic: int, seed: int, serve: bool, out: Path, as_json: bool) -> None:
    """See a fleet trade against a local paper exchange, on order books that were really there: no key, no money, no internet.

    Recorded edges are rare, so a few dislocations are injected; the report says which is which. With --inject 0 nothing is made up, and
    you will most likely see it not trade at all: that is the honest picture. To look around at leisure: --speed 1 --minutes 15 --serve.
    """
    screen = Screen(quiet=as_json)
    play = Play(minutes=minutes, speed=speed, inject=inject, synthetic=synthetic, seed=seed)

    def tell(report: dict[str, Any]) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(report, indent=2) + "\n")
        if as_json:
            click.echo(json.dumps(report, indent=2))
        screen.say("", *summary_lines(report), "", f"report: {out}")

    try:
        report = asyncio.run(_show(screen, play, serve=serve, tell=tell))
    except DemoError as e:
        raise click.ClickException(str(e)) from None
    sys.exit(0 if report["ledger_equals_venue"] else 1)


async def _show(screen: Screen, play: Play, *, serve: bool, tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    stop = stop_on_signals()
    with tempfile.TemporaryDirectory(prefix="kabobagool-demo-") as folder:
        screen.say("starting the paper exchange on all recorded books ...")
        async with start_exchange(play) as exchange, start_fleet(exchange, play, folder=Path(folder)) as fleet:
            screen.say(f"page: {fleet.url}   token to halt and resume: {fleet.token}")
            before = await _watch(screen, exchange, fleet, play, stop)
            report = make_report(exchange, fleet, play, before, await _after_payout(exchange, fleet, stop))
            tell(report)
            if serve and not stop.is_set():
                screen.say(f"the page stays up at {fleet.url} until Ctrl-C")
                await stop.wait()
            return report


async def _watch(screen: Screen, exchange: Exchange, fleet: RunningFleet, play: Play, stop: asyncio.Event) -> Witness:
    """Follow the fleet to the end of trading. What fleet and exchange say once everything is settled, before the markets pay out."""
    loop = asyncio.get_running_loop()
    with screen.progress(play.seconds) as show:
        while (elapsed := loop.time() - exchange.started) < play.seconds and not stop.is_set():
            show(elapsed, await fleet.status())
            await pause(stop, LOOK_EVERY_S)
        deadline = loop.time() + SETTLING_PATIENCE_S
        while _unsettled(status := await fleet.status()) and loop.time() < deadline:
            await pause(stop, LOOK_EVERY_S / 4)
        show(play.seconds, status)
    return Witness(status=status, ledger=await exchange.ledger(fleet.address), counters=await exchange.counters())


def _unsettled(status: dict[str, Any]) -> bool:
    return any(row["bot"]["unsettled_orders"] or row["bot"]["frozen_orders"] for row in status["markets"])


async def _after_payout(exchange: Exchange, fleet: RunningFleet, stop: asyncio.Event) -> Witness:
    """What both say after the markets resolved, or as it is when that takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PAYOUT_PATIENCE_S
    while True:
        status, ledger = await fleet.status(), await exchange.ledger(fleet.address)
        paid = not any(ledger["shares"].values()) and not any(ledger["pending_shares"].values())
        if (paid and not status["markets"]) or loop.time() > deadline or stop.is_set():
            return Witness(status=status, ledger=ledger, counters=await exchange.counters())
        await pause(stop, LOOK_EVERY_S)
