"""`kabobagool reconcile`: what a wallet owns of one market, rebuilt from the venue's trades and held against its balances.

Read-only: it sends no order. It uses the journal of a bot only when none is running on it, because open orders are looked up as at a start.
"""

import asyncio
import json

import click

from kabobagool.cli.options import json_option, settings_options
from kabobagool.domain.market import Market
from kabobagool.domain.money import format_dollars, format_micros
from kabobagool.engine.memory import objection_to
from kabobagool.execution.journal import JournalError
from kabobagool.execution.reconcile import Reconciliation
from kabobagool.settings import Settings, SettingsError, load_settings
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool.venue.errors import VenueError


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
            market, history = asyncio.run(_rebuild(settings))
        except (VenueError, JournalError) as e:
            raise click.ClickException(str(e)) from None
    objection = objection_to(history)
    facts = json.dumps(_facts(market, history, objection), indent=2)
    click.echo(facts if as_json else "\n".join(_lines(market, history, objection)))
    raise SystemExit(0 if objection is None else 1)


async def _rebuild(settings: Settings) -> tuple[Market, Reconciliation]:
    from kabobagool.trading.market_bot import rebuild
    from kabobagool.trading.session import find_market, open_account, open_journal, reach_venue

    venue = await reach_venue(settings)
    try:
        market = await find_market(settings, venue)
        account = await open_account(settings, venue)
        journal = await open_journal(settings, venue.clock)
        try:
            await journal.claim(market.condition_id)
            return market, await rebuild(settings, market, account, journal, venue.clock)
        finally:
            await journal.close()
            await account.execution.close()
    finally:
        await venue.transport.close()


def _facts(market: Market, history: Reconciliation, objection: str | None) -> dict[str, object]:
    position = history.position
    return {
        "market": market.slug,
        "condition_id": market.condition_id,
        "shares": {"yes": format_micros(position.yes.shares), "no": format_micros(position.no.shares)},
        "pairs": format_micros(position.pairs),
        "spent": format_micros(position.spent),
        "fees": format_micros(position.fees),
        "locked_profit": format_micros(position.locked_profit),
        "orders": len(history.fills),
        "pending": history.pending,
        "resolved_orders": {order_hash: type(outcome).__name__.lower() for order_hash, outcome in history.resolved_orders.items()},
        "unresolved": history.unresolved,
        "foreign_trades": history.foreign,
        "merged_pairs": format_micros(history.merged_pairs),
        "objection": objection,
    }


def _lines(market: Market, history: Reconciliation, objection: str | None) -> list[str]:
    position = history.position
    return [
        market.question,
        f"  {market.outcomes[0]:<10} {format_micros(position.yes.shares)} shares at {format_micros(position.yes.average_cost_micros)}",
        f"  {market.outcomes[1]:<10} {format_micros(position.no.shares)} shares at {format_micros(position.no.average_cost_micros)}",
        f"  pairs      {format_micros(position.pairs)} for {format_dollars(position.spent)}, fees of {format_dollars(position.fees)} in it",
        f"  locked in  {format_dollars(position.locked_profit)} whatever the outcome",
        f"  orders     {len(history.fills)} traded, {len(history.pending)} not settled yet, {len(history.unresolved)} of unknown end",
        f"  verdict    {objection or 'trades and balances agree'}",
    ]
