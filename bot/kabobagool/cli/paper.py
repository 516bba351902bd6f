"""`kabobagool paper-exchange`: become the paper exchange.

The paper exchange is a program of its own that shares no code with the bot, so that each checks the other; this command only
spares people its name. The process is replaced, so signals and exit status are the exchange's own.
"""

import importlib.util
import os
import sys

import click

PROGRAM = "paper_exchange"


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option("--port", metavar="NUMBER", help="Port to listen on; 0 takes any free one.")
@click.option("--books", type=click.Choice(["recorded", "synthetic"]), help="Replay recorded order books, or make some up.")
@click.option("--slug", metavar="TEXT", help="Market to offer.")
@click.option("--speed", metavar="NUMBER", help="How many times faster than recorded; give the bot the same as CLOCK_RATE.")
@click.option("--scenario", metavar="FILE", help="JSON file of faults to act out; `python -m paper_exchange --help` shows one.")
@click.option("--seed", metavar="NUMBER", help="Seed of everything random.")
@click.option("--balance", metavar="DOLLARS", help="Dollars in the wallet at the start.")
@click.option("--inject", metavar="NUMBER", help="True pairs below $1: so many a recorded market, so many an hour of a synthetic one.")
@click.option("--json", "as_json", is_flag=True, help="Accepted for uniformity; the exchange prints the same either way.")
@click.pass_context
def command(context: click.Context, /, *, as_json: bool, **options: str | tuple[str, ...] | None) -> None:
    """Run a local exchange that speaks Polymarket's protocols, for trying things out.

    Options that are not listed here are passed on as they are.
    """
    if importlib.util.find_spec(PROGRAM) is None:
        raise click.ClickException("the paper exchange is not part of this installation; pip install 'kabobagool[paper]'")
    os.execv(sys.executable, [sys.executable, "-m", PROGRAM, *passed_on(options), *context.args])  # noqa: S606 - no shell on purpose


def passed_on(options: dict[str, str | tuple[str, ...] | None]) -> list[str]:
    """Write the given options again as arguments, leaving out those that were not given."""
    arguments: list[str] = []
    for name, value in options.items():
        for text in value if isinstance(value, tuple) else (value,):
            if text is not None:
                arguments += [f"--{name}", text]
    return arguments
