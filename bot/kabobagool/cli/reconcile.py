"""`kabobagool reconcile`: what a wallet owns of one market, rebuilt from the venue's trades and held against its balances.

Read-only: it sends no order, and the shared gate of REDIS_URL is only asked which orders are open. It uses the journal of a bot only when
none is running on it, because open orders are looked up as at a start.
"""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from kabobagool.cli.options import json_option, settings_options
from kabobagool.cli.reconcile_report import AtGate, Found, facts, lines
from kabobagool.domain.market import Market
from kabobagool.execution.journal import JournalError
from kabobagool.execution.reconcile import Reconciliation
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.settings import Settings, SettingsError, load_settings
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.venue.errors import VenueError

if TYPE_CHECKING:  # the venue's client takes a while to import
    from kabobagool.trading.session import Account, Venue


@click.command()
@json_option
@settings_options()
def command(*, environment: dict[str, str], as_json: bool) -> None:
    """Rebuild the position of a market from the venue's trades and print it. Needs PRIVATE_KEY to read them; no order is sent."""
    settings = load_settings(environment)
    if settings.private_key is None:
        raise SettingsError("PRIVATE_KEY is not set: the venue shows trades and balances only to the key that made them")
    with LogPipeline(level=settings.log_level, style="text", secrets=settings_secrets(settings)):
        try:
            found = asyncio.run(_find_out(settings))
        except (VenueError, JournalError) as e:
            raise click.ClickException(str(e)) from None
    click.echo(json.dumps(facts(found), indent=2) if as_json else "\n".join(lines(found)))
    raise SystemExit(0 if found.objection is None else 1)


async def _find_out(settings: Settings) -> Found:
    from kabobagool.trading.market_bot import rebuild
    from kabobagool.trading.session import find_market, open_account, open_journal, reach_venue

    venue = await reach_venue(settings)
    try:
        market = await find_market(settings, venue)
        account = await open_account(settings, venue)
        journal = await open_journal(settings, venue.clock)
        try:
            await journal.claim(market.condition_id)
            history = await rebuild(settings, market, account, journal, venue.clock)
            at_gate = None if settings.redis_url is None else await _ask_gate(settings, market, history, venue, account)
            return Found(market=market, history=history, at_gate=at_gate)
        finally:
            await journal.close()
            await account.execution.close()
    finally:
        await venue.transport.close()


async def _ask_gate(settings: Settings, market: Market, history: Reconciliation, venue: "Venue", account: "Account") -> AtGate:
    from kabobagool.trading.gate_choice import StartError
    from kabobagool.trading.open_at_gate import look_up, read_open_orders

    try:
        orders = await read_open_orders(settings, market, clock=venue.clock, rng=venue.rng)
    except (StartError, GateUnreachableError) as e:
        return AtGate(trouble=f"which orders are open at the shared gate is not known: {e}")
    return AtGate(orders=await look_up(orders, market, history, client=account.execution, clock=venue.clock))
