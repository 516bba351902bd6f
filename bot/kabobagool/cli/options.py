"""Options that mirror the environment variables, made from the settings' own declarations so that the two cannot drift apart.

Every command that needs the configuration is decorated with `settings_options`; it receives the environment with its options
merged over it and passes that to `load_settings`. Secrets are no options: a command line is visible to every process of the
machine.
"""

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic.fields import FieldInfo

from kabobagool.hydra.profile_files import folders_of
from kabobagool.hydra.supervisor_config import laid_under
from kabobagool.settings import FIELDS, SECRETS, SettingsError, default_text, field_extra, settings_warnings
from kabobagool.settings_reference import range_text

PROFILE_HELP: Final = "Named set of settings: `kabobagool profile list` shows them. Without it `.env` counts."
Function = TypeVar("Function", bound=Callable[..., Any])


class ConfigurationProblem(click.ClickException):
    """The configuration cannot be used: its problems on standard error, one a line, and exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the problems and nothing else."""
        click.echo(self.message, file=file, err=file is None)


def settings_options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for each named variable (all but the secrets when none is named).

    The command receives `environment`, the process environment with the given options merged over it; a SettingsError it raises ends the
    program with status 2. Raises ValueError for a secret or an unknown name, when the command is defined.
    """
    chosen = [name.lower() for name in names] or [name for name in FIELDS if name not in SECRETS]
    if wrong := [name for name in chosen if name not in FIELDS or name in SECRETS]:
        raise ValueError(f"no option can be made of {', '.join(wrong).upper()}: unknown or secret")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        command = _with_environment(function, chosen)
        for name in reversed(chosen):
            command = _option(name, FIELDS[name])(command)
        return command

    return decorate


def _with_environment(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    def command(*args: Any, **kwargs: Any) -> Any:
        given = {name.upper(): kwargs.pop(name) for name in names}
        try:
            return function(*args, environment=merged_environment(given), **kwargs)
        except SettingsError as e:
            raise ConfigurationProblem(str(e)) from None

    return command


def profile_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--profile` to a command below `settings_options`: its `environment` has the profile's files, or the loaded `.env`, under it."""

    @click.option("--profile", metavar="NAME", help=PROFILE_HELP)
    @functools.wraps(function)
    def command(*args: Any, profile: str | None, environment: dict[str, str], **kwargs: Any) -> Any:
        return function(*args, environment=laid_under(profile, environ=environment, folders=folders_of(Path())), **kwargs)

    return command


def json_option(function: Function) -> Function:
    """Add `--json`; the command receives `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(function)


def merged_environment(given: dict[str, Any]) -> dict[str, str]:
    """The process environment with options merged over it (None: not given). What looks misspelt is warned of on standard error."""
    for warning in settings_warnings(os.environ):
        click.echo(f"warning: {warning}", err=True)
    texts = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items() if value is not None}
    return {name: value for name, value in os.environ.items() if name.upper() not in texts} | texts


def options_given(context: click.Context) -> frozenset[str]:
    """Variables (upper case) that came from the command line of the running command."""
    sources = {name.upper(): context.get_parameter_source(name) for name in context.params if name in FIELDS}
    return frozenset(name for name, source in sources.items() if source is ParameterSource.COMMANDLINE)


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    option = "--" + name.replace("_", "-")
    if field.annotation is bool:
        return click.option(f"{option}/--no-{option[2:]}", name, default=None, help=_help(name, field))
    return click.option(option, name, default=None, metavar=_metavar(field), help=_help(name, field))


def _metavar(field: FieldInfo) -> str:
    if unit := field_extra(field, "unit"):
        return unit.split()[0].upper()
    if get_origin(field.annotation) is Literal:
        return "|".join(get_args(field.annotation))
    return "NUMBER" if field.annotation in (int, float) else "TEXT"


def _help(name: str, field: FieldInfo) -> str:
    allowed = "" if field.annotation is bool else range_text(name, field)
    facts = [name.upper(), "" if allowed == "text" else allowed, f"default {default_text(name)}" if default_text(name) else ""]
    return f"{(field.description or '').replace('`', '')}  [{'; '.join(fact for fact in facts if fact)}]"
