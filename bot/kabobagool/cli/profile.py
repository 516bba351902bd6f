"""`kabobagool profile`: named sets of settings, shown with where each value comes from, and written to `.env` for those who read that.

People look at a profile here before they give its name to `kabobagool hydra --profile`; the scripts and Docker Compose use `.env`.
Secrets are never shown; the only file they are written to is `.env`, which its owner alone can read.
"""

import json
import os
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click

from kabobagool.cli.options import ConfigurationProblem, json_option
from kabobagool.clock import SystemClock
from kabobagool.hydra.environment_file import read_environment_file, replace_environment_file
from kabobagool.hydra.profile_files import LOADED_FILE, Folders, folders_of, profile_paths, read_profile
from kabobagool.hydra.supervisor_config import Layer, SupervisorConfig, load_supervisor_config, loaded_text
from kabobagool.settings import FIELDS, SECRETS, SettingsError, settings_warnings, shown_value


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 130})
def command() -> None:
    """Show, load or switch the profile: a named set of settings.

    A profile is a file `.env.profiles/NAME.env`. What is private to this machine goes to `.env.profiles/base.env` (for all profiles) and
    `.env.profiles/NAME.local.env` (for one); both are read from the working directory.
    """


def _with_folders(function: Callable[..., None]) -> Callable[..., None]:
    """Hand in the folders of the working directory and end with status 2 when what is in them cannot be used."""

    @wraps(function)
    def called(**given: Any) -> None:
        try:
            function(folders=folders_of(Path()), **given)
        except SettingsError as e:
            raise ConfigurationProblem(str(e)) from None

    return called


@command.command("list")
@json_option
@_with_folders
def list_profiles(*, folders: Folders, as_json: bool) -> None:
    """List the profiles there are, with what each is for."""
    profiles = [read_profile(name, folders) for name in profile_paths(folders)]
    rows = [{"name": profile.name, "summary": profile.summary, "file": str(profile.file.path)} for profile in profiles]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['summary']}")


@command.command()
@click.argument("name", required=False)
@click.option("--all", "show_all", is_flag=True, help="Also the variables that have their default.")
@json_option
@_with_folders
def show(*, folders: Folders, name: str | None, show_all: bool, as_json: bool) -> None:
    """Print what would be in force with profile NAME, and where each value comes from.

    Without NAME it is what `.env` and the environment say. Secrets are masked.
    """
    config = load_supervisor_config(name, environ=os.environ, folders=folders)
    _warn(*settings_warnings(os.environ), *config.warnings)
    shown = [row for row in FIELDS if show_all or config.origins[row.upper()].layer is not Layer.DEFAULT]
    if as_json:
        click.echo(json.dumps(_facts(config, shown), indent=2))
    else:
        click.echo(f"{config.profile or 'no profile'}: {_mode(config)}\n\n{_table(config, shown)}".rstrip())


@command.command()
@click.argument("name")
@click.option("--to", "target", type=click.Path(path_type=Path), default=LOADED_FILE, show_default=True, help="File to write.")
@json_option
@_with_folders
def load(*, folders: Folders, name: str, target: Path, as_json: bool) -> None:
    """Merge base, profile NAME and its local override into `.env`; the previous one is kept beside it."""
    config, backup = _write(name, folders, target)
    if as_json:
        click.echo(json.dumps({"profile": name, "file": str(target), "backup": backup and str(backup)}))
    else:
        click.echo(_written(config, target, backup))


@command.command()
@click.argument("name")
@click.option("--to", "target", type=click.Path(path_type=Path), default=LOADED_FILE, show_default=True, help="File to write.")
@json_option
@_with_folders
def switch(*, folders: Folders, name: str, target: Path, as_json: bool) -> None:
    """Load profile NAME and tell what that changes. Secrets are only said to have changed."""
    before = read_environment_file(target).values if target.exists() else {}
    config, backup = _write(name, folders, target)
    changes = _changes(before, read_environment_file(target).values)
    if as_json:
        told = {"profile": name, "file": str(target), "backup": backup and str(backup), "changes": changes}
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(_written(config, target, backup))
    for variable, (old, new) in changes.items():
        click.echo(f"  {variable}: {old} -> {new}")


def _write(name: str, folders: Folders, target: Path) -> tuple[SupervisorConfig, Path | None]:
    config = load_supervisor_config(name, environ={}, folders=folders)
    _warn(*config.warnings)
    return config, replace_environment_file(target, loaded_text(name, folders), now_ms=SystemClock().now_ms())


def _warn(*warnings: str) -> None:
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)


def _written(config: SupervisorConfig, target: Path, backup: Path | None) -> str:
    kept = f"; the previous one is {backup}" if backup else ""
    return f"{target} holds profile {config.profile} ({_mode(config)}){kept}"


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    names = [name for name in (*after, *(before.keys() - after.keys())) if before.get(name) != after.get(name)]
    return {name: (_told(name, before, "set before"), _told(name, after, "set now")) for name in names}


def _told(name: str, values: Mapping[str, str], secret: str) -> str:
    if name not in values:
        return "not set"
    return secret if name.lower() in SECRETS else shown_value(name, values[name])


def _mode(config: SupervisorConfig) -> str:
    return "dry run, no real orders" if config.settings.dry_run else f"LIVE, real orders at {config.settings.host}"


def _facts(config: SupervisorConfig, names: list[str]) -> dict[str, Any]:
    values = {}
    for name in names:
        layer, file = config.origins[name.upper()]
        values[name.upper()] = {"value": _value(config, name), "origin": layer, "file": file}
    return {"profile": config.profile, "live": not config.settings.dry_run, "values": values}


def _table(config: SupervisorConfig, names: list[str]) -> str:
    rows = [(name.upper(), str(config.origins[name.upper()]), _value(config, name) or "") for name in names]
    first, second = (max((len(row[column]) for row in rows), default=0) for column in (0, 1))
    return "\n".join(f"{variable:<{first}}  {origin:<{second}}  {value}".rstrip() for variable, origin, value in rows)


def _value(config: SupervisorConfig, name: str) -> str | None:
    value = getattr(config.settings, name)
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else shown_value(name, value)
