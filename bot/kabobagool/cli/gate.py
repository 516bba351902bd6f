"""`kabobagool gate`: what all bots of a wallet share at the order gate in REDIS_URL, to look at and to stop.

People call it when something is odd, scripts for its `--json`. It needs no key: the wallet's address says whose gate it is. What it shows
is laid out by `gate_tables.py`.
"""

import asyncio
import json
import random
import re
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, TypeVar

import click

from kabobagool.cli import gate_tables as tables
from kabobagool.cli.options import json_option, profile_option, settings_options
from kabobagool.clock import SystemClock
from kabobagool.gate.interface import DRAINING, WALLET, Exposure, GateUnreachableError
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_status import StatusBoard
from kabobagool.settings import Settings, SettingsError, load_settings
from kabobagool.settings_wallet import wallet_address
from kabobagool.trading.gate_choice import PERSON_PATIENCE_S, StartError, limits_of, open_shared, person
from kabobagool.trading.gate_report import Budget, markets_with_open_intents, read_budget, read_leases, read_stakes

Result = TypeVar("Result")
Work = Callable[[RedisGate], Awaitable[Result]]
Ask = Callable[[Work[Any]], Any]

WITHOUT_REDIS = (
    "REDIS_URL is not set: without it a fleet keeps its order gate to itself, and its page halts and resumes "
    "(`kabobagool hydra` prints the address)"
)
WITHOUT_WALLET = "--wallet is not set: give the address of the wallet (`--wallet dry-run` for dry runs), or PROXY_ADDRESS or PRIVATE_KEY"
CAPS = ("max_exposure_usd", "max_orphan_usd", "max_daily_loss_usd")
market_option = click.option("--market", metavar="CONDITION_ID", help="Only this market; without it the whole wallet.")
drain_option = click.option("--drain", is_flag=True, help="Stop new pairs alone: hedges and unwinds go on.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 130})
def command() -> None:
    """Look at what all bots of a wallet share at the order gate in REDIS_URL, halt it, resume it.

    A halt stops the next order of every bot, wherever it runs, and survives restarts of everything until it is lifted.
    """


def _at_the_gate(function: Callable[..., None]) -> Callable[..., None]:
    """Hand in `wallet`, `settings` and `ask`, which opens the gate, does what it is given there, and tells what went wrong."""

    @json_option
    @settings_options("proxy_address", "order_rate", "order_burst", "global_order_min_interval_s", "hedge_reserve", *CAPS)
    @profile_option
    @click.option("--wallet", metavar="ADDRESS", help="Whose gate: the address that holds the money, or dry-run. [default: the settings']")
    @wraps(function)
    def called(*, environment: dict[str, str], wallet: str | None, **given: Any) -> None:
        settings = load_settings({**environment, "DRY_RUN": "true"}, market_required=False)  # nothing is signed here: no key is missed
        whose = _wallet(settings, wallet)

        def ask(work: Work[Result]) -> Result:
            try:
                return asyncio.run(_done_at(settings, whose, work))
            except (StartError, GateUnreachableError) as e:
                raise click.ClickException(str(e)) from None

        function(settings=settings, wallet=whose, ask=ask, **given)

    return called


async def _done_at(settings: Settings, wallet: str, work: Work[Result]) -> Result:
    gate = await open_shared(settings, wallet, clock=SystemClock(), rng=random.SystemRandom(), timeout_s=PERSON_PATIENCE_S)
    try:
        return await work(gate)
    finally:
        await gate.close()


def _wallet(settings: Settings, given: str | None) -> str:
    if settings.redis_url is None:
        raise SettingsError(WITHOUT_REDIS)
    whose = given.lower() if given else wallet_address(settings)
    if whose is None:
        raise SettingsError(WITHOUT_WALLET)
    if not re.fullmatch(r"0x[0-9a-f]{40}|dry-run", whose):
        raise SettingsError(f"--wallet {given}: is neither an address (0x and 40 hexadecimal digits) nor dry-run")
    return whose


def _scope(market: str | None, *, drain: bool) -> str:
    if market is not None and not re.fullmatch(r"0x[0-9a-fA-F]{64}", market):
        raise SettingsError(f"--market {market}: is not a condition id (0x and 64 hexadecimal digits); `gate leases` shows those in use")
    scope = market.lower() if market else WALLET
    return DRAINING + scope if drain else scope


def _show(facts: object, *, as_json: bool, table: Callable[[], None]) -> None:
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        table()


@command.command()
@_at_the_gate
def status(*, settings: Settings, wallet: str, ask: Ask, as_json: bool) -> None:
    """Show halts, budget, leases, stakes and what each bot reports, together. Status 1 while anything is halted."""

    async def read(gate: RedisGate) -> tables.Overview:
        return tables.Overview(
            wallet=wallet,
            halts=await gate.halts(),
            budget=await read_budget(gate.link, gate.limits),
            leases=await read_leases(gate.link),
            stakes=[stake for stake in await read_stakes(gate.link) if stake.counts],
            bots=await StatusBoard(gate.link, clock=SystemClock()).read(),
        )

    found = ask(read)
    _show(
        tables.overview_facts(found, limits_of(settings)), as_json=as_json, table=lambda: tables.show_overview(found, limits_of(settings))
    )
    raise SystemExit(1 if found.halts else 0)


@command.command()
@market_option
@drain_option
@click.option("--why", required=True, help="What everybody reads who wonders why nothing trades.")
@click.option("--who", help="Who halts it.  [default: user@host]")
@_at_the_gate
def halt(*, settings: Settings, wallet: str, ask: Ask, as_json: bool, market: str | None, drain: bool, why: str, who: str | None) -> None:
    """Stop the next order of every bot of the wallet, or of one market, until it is resumed."""
    scope = _scope(market, drain=drain)

    async def stop(gate: RedisGate) -> tables.Halts:
        await gate.halt(scope=scope, who=who or person(), why=why)
        return await gate.halts()

    found = ask(stop)
    _show(tables.halt_facts(wallet, found), as_json=as_json, table=lambda: tables.show_halts(wallet, found))


@command.command()
@market_option
@drain_option
@_at_the_gate
def resume(*, settings: Settings, wallet: str, ask: Ask, as_json: bool, market: str | None, drain: bool) -> None:
    """Lift a halt: the one of the wallet, of a market, or (with --drain) one that stops new pairs alone."""
    scope = _scope(market, drain=drain)

    async def lift(gate: RedisGate) -> tuple[bool, tables.Halts]:
        was_there = any(halted.scope == scope for halted in await gate.halts())
        await gate.resume(scope=scope)
        return was_there, await gate.halts()

    was_there, found = ask(lift)
    if not was_there:
        click.echo(f"{scope} was not halted", err=True)
    _show(tables.halt_facts(wallet, found), as_json=as_json, table=lambda: tables.show_halts(wallet, found))


@command.command()
@_at_the_gate
def budget(*, settings: Settings, wallet: str, ask: Ask, as_json: bool) -> None:
    """Show what the wallet may send now: orders left, pauses, and how near its caps it is."""
    limits = limits_of(settings)
    found = ask(lambda gate: read_budget(gate.link, gate.limits))
    _show(tables.budget_facts(wallet, found, limits), as_json=as_json, table=lambda: tables.show_budget(wallet, found, limits))


@command.command()
@click.option("--market", metavar="CONDITION_ID", required=True, help="The market that has ended.")
@_at_the_gate
def settle(*, settings: Settings, wallet: str, ask: Ask, as_json: bool, market: str) -> None:
    """Count nothing of a market as at stake any more. What it made so far stays counted.

    For a market that ended while no bot watched it, and for what a dry run that was killed had bought. Refused while a bot has the market:
    what that bot holds is at stake.
    """
    scope, limits = _scope(market, drain=False), limits_of(settings)

    async def forget(gate: RedisGate) -> Budget:
        if held := next((lease for lease in await read_leases(gate.link) if lease.market == scope), None):
            raise click.ClickException(f"{held.holder} has this market now; stop that bot first, then settle what is left")
        result = next((stake.result for stake in await read_stakes(gate.link) if stake.market == scope), 0)
        gate.set_exposure(scope, Exposure(result=result))
        await gate.beat()
        return await read_budget(gate.link, gate.limits)

    found = ask(forget)
    _show(tables.budget_facts(wallet, found, limits), as_json=as_json, table=lambda: tables.show_budget(wallet, found, limits))


@command.command()
@_at_the_gate
def leases(*, settings: Settings, wallet: str, ask: Ask, as_json: bool) -> None:
    """Show which bot has which market."""
    found = ask(lambda gate: read_leases(gate.link))
    _show(tables.lease_facts(wallet, found), as_json=as_json, table=lambda: tables.show_leases(wallet, found))


@command.command()
@market_option
@_at_the_gate
def intents(*, settings: Settings, wallet: str, ask: Ask, as_json: bool, market: str | None) -> None:
    """Show orders that were about to be sent and whose end nobody has written down yet."""
    only = None if market is None else _scope(market, drain=False)

    async def read(gate: RedisGate) -> tables.Intents:
        markets = [only] if only else await markets_with_open_intents(gate.link)
        return [intent for each in markets for intent in await gate.intents.open_intents(each)]

    found = ask(read)
    _show(tables.intent_facts(wallet, found), as_json=as_json, table=lambda: tables.show_intents(wallet, found))
