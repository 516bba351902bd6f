"""The operator's settings as a command line and as a table: both made from the declarations in `policy.py`, so that none can be wrong.

`cli.py` decorates its commands with `policy_options`; docs/operator.md holds the table. Secrets are no options: a command line is visible
to every process of the machine.
"""

import functools
import json
from collections.abc import Callable
from typing import Any, Final, get_origin

import click
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from kabobagool_operator.policy import Policy

PREFIX: Final = "KABOBAGOOL_"
SECRET: Final = frozenset(name for name, field in Policy.model_fields.items() if "SecretStr" in str(field.annotation))
FIELDS: Final[dict[str, FieldInfo]] = {name: field for name, field in Policy.model_fields.items() if name not in SECRET}


class PolicyProblem(click.ClickException):
    """The settings cannot be used: a line for each problem, and exit status 2."""

    exit_code = 2


def policy_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every setting; it receives `policy`."""

    @functools.wraps(command)
    def with_policy(*args: Any, **kwargs: Any) -> Any:
        given = {name: text for name in FIELDS if (text := kwargs.pop(name)) is not None}
        return command(*args, policy=read_policy(given), **kwargs)

    decorated: Callable[..., Any] = with_policy
    for name, field in reversed(FIELDS.items()):
        decorated = _option(name, field)(decorated)
    return decorated


def read_policy(given: dict[str, Any]) -> Policy:
    """The settings of the environment, with what is given over them. PolicyProblem with all that is wrong."""
    try:
        return Policy(**{name: _read(name, value) for name, value in given.items()})
    except ValidationError as e:
        raise PolicyProblem("\n".join(_problem(error) for error in e.errors())) from None
    except SettingsError as e:
        raise PolicyProblem(f"{e}: lists and maps are written as JSON") from None


def policy_reference() -> str:
    """Render the table of all settings."""
    rows = "\n".join(
        f"| `{PREFIX}{name.upper()}` | {_default(field) or '–'} | {' '.join((field.description or '').split())} |"
        for name, field in Policy.model_fields.items()
    )
    return f"| Variable | Default | Meaning |\n|---|---|---|\n{rows}\n"


def _option(name: str, field: FieldInfo) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    option = "--" + name.replace("_", "-")
    about = f"{' '.join((field.description or '').split())}  [{PREFIX}{name.upper()}{_default_text(field)}]"
    if field.annotation is bool:
        return click.option(f"{option}/--no-{option[2:]}", name, default=None, help=about)
    return click.option(option, name, default=None, metavar=_metavar(field), help=about)


def _metavar(field: FieldInfo) -> str:
    if _is_json(field):
        return "JSON"
    return "NUMBER" if any(kind in str(field.annotation) for kind in ("int", "float", "Decimal")) else "TEXT"


def _is_json(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (dict, tuple)


def _read(name: str, value: Any) -> Any:
    if not _is_json(FIELDS[name]):
        return value
    try:
        return json.loads(value)
    except ValueError as e:
        option = name.replace("_", "-")
        raise PolicyProblem(f'--{option} is no JSON: {e}; a map is written {{"key": "value"}}, a list ["item"]') from None


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, ()):
        return ""
    return f"`{json.dumps(value) if isinstance(value, dict) else value}`"


def _default_text(field: FieldInfo) -> str:
    default = _default(field)
    return f"; default {default.strip('`')}" if default else ""


def _problem(error: Any) -> str:
    if not error["loc"]:
        return str(error["msg"]).removeprefix("Value error, ")
    name = str(error["loc"][0])
    said = str(error["msg"]).removeprefix("Value error, ")
    if said.startswith(PREFIX):
        return said
    value = "***" if name in SECRET or isinstance(error["input"], SecretStr) else error["input"]
    return f"{PREFIX}{name.upper()}={value}: {said}"
