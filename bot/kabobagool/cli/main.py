"""`kabobagool`: the front door, quick to open because a command's modules are loaded only when it runs.

Installed as the console script `kabobagool` (pyproject.toml) and run as `python -m kabobagool.cli.main`. A command is a module
below this package that exports a click command named `command`; adding one is adding a line to `COMMANDS`.
"""

import importlib
from typing import Final, NamedTuple

import click

from kabobagool import __version__


class Entry(NamedTuple):
    """Where a command lives and the line about it in `--help`."""

    module: str
    summary: str


COMMANDS: Final = {
    "run": Entry("kabobagool.cli.run", "Trade one market named by the environment; without real orders unless DRY_RUN=false."),
    "hydra": Entry("kabobagool.cli.hydra", "Trade many markets in one process, found by discovery, with one page that shows them all."),
    "discover": Entry("kabobagool.cli.discover", "Show which markets qualify, and count why the rest does not."),
    "demo": Entry("kabobagool.cli.demo", "See it trade against a local paper exchange: no key, no money, no internet."),
    "doctor": Entry("kabobagool.cli.doctor", "Check keys, wallet, money, clock, region and venue, and name each fix."),
    "gate": Entry("kabobagool.cli.gate", "Show, halt and resume what all bots of a wallet share through REDIS_URL."),
    "reconcile": Entry("kabobagool.cli.reconcile", "Rebuild the position of a market from the venue's trades and print it."),
    "record": Entry("kabobagool.cli.record", "Write the live prices of markets to a tape."),
    "replay": Entry("kabobagool.cli.replay", "Run the engine over a tape, as fast as the machine can, and report what edges there were."),
    "simulate": Entry("kabobagool.cli.simulate", "Play thousands of histories in which everything goes wrong (source checkouts only)."),
    "paper-exchange": Entry("kabobagool.cli.paper", "Run a local exchange that speaks Polymarket's protocols."),
    "profile": Entry("kabobagool.cli.profile", "Show, load or switch the profile: a named set of settings."),
    "config": Entry("kabobagool.cli.config", "Show, check or explain the configuration."),
}

HELP = """Buys YES and NO of the same Polymarket market when the pair costs less than $1 after fees.

Nothing is risked by trying: orders are only simulated until DRY_RUN=false and PRIVATE_KEY are both set. Everything is configured by
environment variables or by the options of the same name (MAX_PAIR_COST is --max-pair-cost), and all mistakes are reported at once
before anything starts.

\b
  kabobagool demo                                    about a minute, no account needed
  kabobagool hydra --profile conservative            watch real markets, simulate orders, see all of it on one page
  MARKET_SLUG=... kabobagool run                     the same for one market alone
  MARKET_SLUG=... kabobagool config check            is my configuration usable?
  kabobagool config reference                        every variable, default, range and unit

Every command has --json for machines. Exit status: 0 done, 1 failed while running, 2 wrong configuration or usage.
"""


class CommandLoader(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; one that cannot be imported is replaced by one that says why when it is invoked."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        try:
            command = importlib.import_module(entry.module).command
        except ModuleNotFoundError as e:
            return _missing(cmd_name, entry, e.name or "")
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run a command; a library that turns out to be missing is named together with the way to get it."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as e:
            raise click.ClickException(_how_to_install(e.name or "")) from e


def _missing(name: str, entry: Entry, module: str) -> click.Command:
    ours = module == entry.module or module.startswith("kabobagool.")
    text = f"`kabobagool {name}` is not part of this installation ({module} is missing)" if ours else _how_to_install(module)

    def refuse() -> None:
        raise click.ClickException(text)

    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    return click.Command(name, callback=refuse, short_help=entry.summary, context_settings=settings, add_help_option=False)


def _how_to_install(module: str) -> str:
    return f"the Python package of `{module}` is missing; install everything with: pip install 'kabobagool[bot,paper,cli]'"


@click.command(cls=CommandLoader, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 130})
@click.version_option(__version__, "-V", "--version", prog_name="kabobagool")
def main() -> None:
    """The console script; everything is in the commands."""


if __name__ == "__main__":
    main()
