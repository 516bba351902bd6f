"""`kabobagool config`: what is in force and where it comes from, whether it is usable, and what everything means.

People run it before they dare to start the bot, so it takes the same options and environment as `kabobagool run` and prints no
secret.
"""

import json

import click

from kabobagool.cli.options import ConfigurationProblem, json_option, options_given, settings_options
from kabobagool.settings import FIELDS, Settings, SettingsError, default_text, field_extra, load_settings, settings_warnings, shown_value
from kabobagool.settings_fields import GROUPS
from kabobagool.settings_reference import range_text, reference_table


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 130})
def command() -> None:
    """Show, check or explain the configuration. Nothing is contacted and nothing is traded."""


@command.command()
@json_option
@settings_options()
@click.pass_context
def show(context: click.Context, *, environment: dict[str, str], as_json: bool) -> None:
    """Print every variable, its value and where it comes from; secrets are masked. A market need not be named."""
    settings = load_settings(environment, market_required=False)
    origins = _origins(environment, options_given(context))
    rows = {name.upper(): {"value": _value(settings, name), "origin": origins[name]} for name in FIELDS}
    click.echo(json.dumps(rows, indent=2) if as_json else _as_text(rows))


@command.command()
@json_option
@settings_options()
def check(*, environment: dict[str, str], as_json: bool) -> None:
    """Tell whether the bot could start with this configuration: status 0, or 2 and all problems."""
    warnings = settings_warnings(environment)
    try:
        settings = load_settings(environment)
    except SettingsError as e:
        if as_json:
            click.echo(json.dumps({"usable": False, "problems": list(e.problems), "warnings": warnings}, indent=2))
        raise ConfigurationProblem(str(e)) from None
    mode = "dry run, no real orders" if settings.dry_run else f"LIVE, real orders at {settings.host}"
    answer = {"usable": True, "live": not settings.dry_run, "problems": [], "warnings": warnings}
    click.echo(json.dumps(answer, indent=2) if as_json else f"usable: {mode}")


@command.command()
@json_option
def reference(*, as_json: bool) -> None:
    """Print all variables with default, range, unit and meaning (docs/configuration.md)."""
    click.echo(json.dumps(_reference_rows(), indent=2) if as_json else reference_table(), nl=as_json)


def _reference_rows() -> list[dict[str, str]]:
    return [
        {
            "name": name.upper(),
            "group": heading,
            "default": default_text(name),
            "range": range_text(name, field),
            "unit": field_extra(field, "unit"),
            "description": field.description or "",
        }
        for heading, group in GROUPS
        for name, field in group.model_fields.items()
    ]


def _origins(environment: dict[str, str], options: frozenset[str]) -> dict[str, str]:
    given = {name.upper() for name, value in environment.items() if value.strip()}
    return {name: "option" if name.upper() in options else "env" if name.upper() in given else "default" for name in FIELDS}


def _value(settings: Settings, name: str) -> str | None:
    value = getattr(settings, name)
    if value is None:
        return None
    return str(value).lower() if isinstance(value, bool) else shown_value(name, value)


def _as_text(rows: dict[str, dict[str, str | None]]) -> str:
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {row['origin']:<7}  {'' if row['value'] is None else row['value']}" for name, row in rows.items())
