"""The configuration reference, written by the program itself so that it cannot be wrong.

`kabobagool config reference` prints it and a test compares it with docs/configuration.md.
"""

from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from kabobagool.settings import SECRETS, default_text, field_extra
from kabobagool.settings_fields import GROUPS

INTRODUCTION = """# Configuration

Everything is set by environment variables; the command line offers the same as options, which win (`MAX_PAIR_COST` is
`--max-pair-cost`). Names are understood in any case and an empty variable counts as not set. A fleet reads a profile or `.env` under the
environment ([PROFILES.md](PROFILES.md)); `kabobagool run` does not. All problems are reported at once, before anything starts.
`kabobagool config check` tells whether the environment at hand is usable,
`kabobagool config show` what is in force and where it comes from.

This page is printed by `kabobagool config reference`.
"""


def reference_table() -> str:
    """Render docs/configuration.md."""
    parts = [INTRODUCTION]
    for heading, group in GROUPS:
        rows = [_row(name, field) for name, field in group.model_fields.items()]
        parts.append(
            f"## {heading}\n\n{group.__doc__}\n\n| Variable | Default | Range | What it does |\n|---|---|---|---|\n" + "\n".join(rows)
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def range_text(name: str, field: FieldInfo) -> str:
    """Write what a variable may be: words, bounds and unit."""
    if name in SECRETS:
        return "secret"
    if choices := _choices(field):
        return ", ".join(choices)
    if field.annotation is bool:
        return "true, false"
    return " ".join(part for part in (_bounds(field), field_extra(field, "unit")) if part) or "text"


def _row(name: str, field: FieldInfo) -> str:
    default = default_text(name)
    shown = "" if not default else default if " " in default else f"`{default}`"
    return f"| `{name.upper()}` | {shown} | {range_text(name, field)} | {field.description} |"


def _choices(field: FieldInfo) -> tuple[str, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _bounds(field: FieldInfo) -> str:
    low = next((str(bound.ge) for bound in field.metadata if isinstance(bound, Ge)), "")
    low = next((f"above {bound.gt}" for bound in field.metadata if isinstance(bound, Gt)), low)
    high = next((str(bound.le) for bound in field.metadata if isinstance(bound, Le)), "")
    high = next((f"below {bound.lt}" for bound in field.metadata if isinstance(bound, Lt)), high)
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if low else high
