"""What is wrong with an ArbMarket, one line for each field: where, what was there, and what to write instead.

`arbmarket.py` raises these; the operator puts them into the `Resolved` condition and an Event, where somebody reads them who has nothing
else before them. Whatever stands under `credentials` is not repeated: people paste keys into the wrong field.
"""

from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_snake
from pydantic_core import ErrorDetails

from kabobagool.settings import MASK, shown_value
from kabobagool_operator.arbmarket_fields import FIXES
from kabobagool_operator.arbmarket_spec import Amounts, Bot, Credentials, MarketReference, Resources, Spec, Strategy, Tokens, Toleration

PARTS: Final[tuple[type[BaseModel], ...]] = (Spec, MarketReference, Tokens, Strategy, Credentials, Bot, Resources, Amounts, Toleration)
FIELD_NAMES: Final = frozenset(field.alias or name for part in PARTS for name, field in part.model_fields.items())
YAML_WORDS: Final = {"true": "yes", "false": "no"}
"""What YAML makes of these two words when they stand without quotes."""


class ArbMarketError(ValueError):
    """The ArbMarket cannot be used. One line for each problem: field, value, what is wrong, the fix."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


def problems(found: ValidationError) -> tuple[str, ...]:
    """One line for each thing the validation found."""
    return tuple(_line(error).encode("utf-8", "replace").decode() for error in found.errors())


def _line(error: ErrorDetails) -> str:
    path, value = _path(error["loc"]), error["input"]
    if error["type"] == "missing":
        return f"{path} is not set: add it, there is no default"
    if error["type"] == "extra_forbidden":
        return f"{path} is not a field of an ArbMarket{_meant(str(error['loc'][-1]))}"
    if isinstance(value, dict | list):
        return f"{path}: {_wrong(error)}"
    return f"{path}={_shown(error['loc'], value)}: {_wrong(error)}"


def _path(loc: tuple[int | str, ...]) -> str:
    """`spec.bot.tolerations[0].key`, as the API server writes it; what is wrong with the whole has no place in it."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".") or "ArbMarket"


def _shown(loc: tuple[int | str, ...], value: Any) -> str:
    if "credentials" in loc:
        return MASK
    return shown_value(to_snake(str(loc[-1])) if loc else "", str(value).lower() if isinstance(value, bool) else value)


def _meant(name: str) -> str:
    if name in YAML_WORDS:
        return f': YAML reads a bare {YAML_WORDS[name]} as {name}, so write "{YAML_WORDS[name]}" in quotes'
    alike = get_close_matches(name, sorted(FIELD_NAMES), n=1, cutoff=0.7)
    return f": was {alike[0]} meant?" if alike else ": remove it"


def _wrong(error: ErrorDetails) -> str:
    """Say what one field must be."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(limits["error"])
        case "string_pattern_mismatch":
            return FIXES[limits["pattern"]]
        case "string_too_long":
            return f"is longer than {limits['max_length']} characters; shorten it"
        case "string_type":
            return "is not text: put it in quotes"
        case "bool_type":
            return "is neither true nor false: write one of them, without quotes"
        case "int_type" | "int_from_float":
            return "is not a whole number: write digits, without quotes"
        case "greater_than_equal":
            return f"is too little, it must be at least {limits['ge']}"
        case "less_than_equal":
            return f"is too much, it may be at most {limits['le']}"
        case "enum" | "literal_error":
            return f"is not known, choose one of {str(limits['expected']).replace(' or ', ', ')}"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "is not a map of fields: write one field a line below it, indented"
        case "tuple_type" | "list_type":
            return "is not a list: write one entry a line, each after a hyphen"
        case _:
            return error["msg"]
