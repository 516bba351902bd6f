"""`kabobagool demo`: watch one market being traded, without keys, money or internet.

It starts the paper exchange on recorded books and, beside it, the very bot that would trade live (`kabobagool run`), with a key made on
the spot. Both are processes of their own and meet only over HTTP and WebSocket. At the end the bot's position is held against the
exchange's ledger.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

import click

from kabobagool.cli.demo_parts import DemoError, Exchange, TradingBot, start_bot, start_exchange
from kabobagool.cli.demo_report import make_report, summary_lines
from kabobagool.cli.demo_screen import Screen

TRADING_WINDOW_S = 900
"""The recorded markets trade for a quarter of an hour."""
RESOLUTION_PATIENCE_S = 12.0
SETTLING_PATIENCE_S = 8.0
LOOK_EVERY_S = 0.2


@click.command()
@click.option("--slug", default="btc-updown-15m-1790593200", show_default=True, help="Recorded market to trade.")
@click.option("--minutes", type=click.IntRange(1, 15), default=10, show_default=True, help="The last so many minutes of its quarter hour.")
@click.option("--speed", type=click.FloatRange(1, 60), default=15.0, show_default=True, help="How many times faster than it happened.")
@click.option("--inject", type=click.IntRange(0, 50), default=6, show_default=True, help="True dislocations put into the recorded books.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the dislocations.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("build/demo/report.json"), show_default=True, help="The report.")
@click.option("--json", "as_json", is_flag=True, help="Print the report instead of the summary.")
def command(*, slug: str, minutes: int, speed: float, inject: int, seed: int, out: Path, as_json: bool) -> None:
    """See it trade against a local paper exchange, on order books that were really there: no key, no money, no internet.

    Recorded edges are rare, so a few dislocations are injected; the report says which is which. With --inject 0 nothing is made up, and
    you will most likely see it not trade at all: that is the honest picture.
    """
    screen = Screen(quiet=as_json)
    try:
        report = asyncio.run(_show(screen, slug=slug, minutes=minutes, speed=speed, inject=inject, seed=seed))
    except DemoError as e:
        raise click.ClickException(str(e)) from None
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(report, indent=2) + "\n")
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        screen.say("", *summary_lines(report), "", f"report: {out}")
    sys.exit(0 if report["ledger_equals_venue"] else 1)


async def _show(screen: Screen, *, slug: str, minutes: int, speed: float, inject: int, seed: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="kabobagool-demo-") as folder:
        offset_s = TRADING_WINDOW_S - minutes * 60
        screen.say("starting the paper exchange on recorded books ...")
        async with start_exchange(slug=slug, speed=speed, inject=inject, seed=seed, offset_s=offset_s) as exchange:
            screen.say(f"starting the bot on {slug}, {speed:g} times faster than it happened ...")
            async with start_bot(exchange, slug=slug, speed=speed, folder=Path(folder)) as bot:
                before = await _watch(screen, exchange, bot, seconds=minutes * 60 / speed)
                after = await _payout(exchange, bot)
                return make_report(exchange, bot, before, after)


async def _watch(screen: Screen, exchange: Exchange, bot: TradingBot, *, seconds: float) -> dict[str, dict[str, object]]:
    """Follow the bot to the end of trading. What bot and exchange say once everything is settled, before the market pays out."""
    loop = asyncio.get_running_loop()
    with screen.progress(seconds) as show:
        while (elapsed := loop.time() - exchange.started) < seconds:
            show(elapsed, await bot.status())
            await asyncio.sleep(LOOK_EVERY_S)
        deadline = loop.time() + SETTLING_PATIENCE_S
        while (status := await bot.status())["unsettled_orders"] or status["frozen_orders"]:
            if loop.time() > deadline:
                break
            await asyncio.sleep(LOOK_EVERY_S / 4)
        show(seconds, status)
    return {"status": status, "ledger": await exchange.ledger(bot.address), "counters": await exchange.counters()}


async def _payout(exchange: Exchange, bot: TradingBot) -> dict[str, object]:
    """The wallet after the market resolved, or as it is when it takes too long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + RESOLUTION_PATIENCE_S
    while True:
        ledger = await exchange.ledger(bot.address)
        if not any(dict(ledger["shares"]).values()) or loop.time() > deadline:
            return ledger
        await asyncio.sleep(LOOK_EVERY_S)
