"""`kabobagool simulate`: bots through histories in which everything goes wrong, in virtual time, from seeds.

The simulation judges the bot by the exchange's own books, so it lies with the tests and is not installed with the package; this command
finds it in a source checkout and says so when there is none.
"""

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import click
import msgspec

from kabobagool.cli.options import json_option

ROOT = Path(__file__).resolve().parents[3]


@click.command()
@json_option
@click.option("--seeds", default=100, show_default=True, help="How many histories to play, from the first seed on.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--seed", type=int, help="Play this one history alone.")
@click.option("--explain", is_flag=True, help="With --seed: tell it as a timeline. A history that fails is told at its shortest.")
@click.option("--workers", type=int, help="How many processes play; all cores without it.")
def command(*, seeds: int, first: int, seed: int | None, explain: bool, workers: int | None, as_json: bool) -> None:
    """Play histories with faults, kills and halts, and judge them by the exchange's own books. Source checkouts only."""
    if seed is not None:
        sys.exit(_one(seed, explain=explain, as_json=as_json))
    simulate = _part("simulate")
    report = simulate.run(range(first, first + seeds), workers=workers or simulate.cores())
    click.echo(json.dumps(msgspec.to_builtins(report)) if as_json else simulate.summary(report))
    sys.exit(1 if report.failed_seeds else 0)


def _one(seed: int, *, explain: bool, as_json: bool) -> int:
    history = _part("generate").random_history(seed)
    world, explaining = _part("world"), _part("explain")
    result = world.play(history)
    if explain and result.violations:
        history = _part("shrink").shrunk(history, result.violations[0].invariant)
        result = world.play(history)
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(result)))
    elif explain:
        click.echo(explaining.explained(history, result))
    else:
        click.echo("\n".join(f"{broken.invariant}: {broken.text}" for broken in result.violations) or "every promise was kept")
    return 1 if result.violations else 0


def _part(name: str) -> ModuleType:
    """A module of the simulation. ClickException where it is not."""
    if not (ROOT / "tests" / "simulation").is_dir():
        raise click.ClickException("the simulation is part of the source, not of the package: run this in a checkout of the repository")
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"tests.simulation.{name}")
