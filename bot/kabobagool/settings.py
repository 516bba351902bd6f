"""The bot's configuration: read once from the environment, checked as a whole, never changed.

`load_settings` is the only door. The command line calls it with the environment it was given; everything below receives the
frozen `Settings`. The variables themselves are in `settings_fields.py`, what they must be together in `settings_checks.py`.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from kabobagool.settings_checks import Checked, CrossCheckError, Problem, cross_problems, key_address, market_problem
from kabobagool.settings_fields import (
    GROUPS,
    DiscoveryVariables,
    FleetVariables,
    FreshnessVariables,
    HealthVariables,
    LogVariables,
    OrphanVariables,
)

MASK: Final = "***"
SHOWN_LENGTH: Final = 90
SIMILAR: Final = 0.78
"""How alike (difflib ratio) an unknown variable must be to one of ours to be taken for a misspelling of it."""


class SettingsError(ValueError):
    """The configuration cannot be used. One line for each problem: variable, value (secrets masked), what is wrong, the fix."""

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class Settings(
    Checked, FreshnessVariables, OrphanVariables, LogVariables, HealthVariables, DiscoveryVariables, FleetVariables, BaseSettings
):
    """All variables. Nothing is read implicitly: no process environment, no `.env` file; see `load_settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in counts."""
        return (init_settings,)

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        if problems := cross_problems(self):
            raise CrossCheckError(problems)
        return self

    @property
    def wallet_signature_type(self) -> int:
        """Kind of the funding wallet, 0 when SIGNATURE_TYPE is not given (it must be wherever 0 would be wrong)."""
        return self.signature_type or 0

    @property
    def signer_address(self) -> str | None:
        """The key's own address in lower case, None without PRIVATE_KEY."""
        return None if self.private_key is None else key_address(self.private_key)


FIELDS: Final[Mapping[str, FieldInfo]] = {name: Settings.model_fields[name] for _, group in GROUPS for name in group.model_fields}
"""Variables by lower-case name, in the order of the reference."""
SECRETS: Final = frozenset(name for name, field in FIELDS.items() if "SecretStr" in str(field.annotation))
"""Lower-case names of the variables that are never shown."""


def load_settings(env: Mapping[str, str], *, market_required: bool = True) -> Settings:
    """Read and check the variables of `env`; names in any case, empty means not set, others are ignored.

    With `market_required` a market must be named (a supervisor of many markets needs none). Raises SettingsError with all problems at once.
    """
    given, problems = _ours(env)
    settings, found = _validated(given, home=env)
    problems += found
    if market_required and (missing := market_problem(settings, taken=given)):
        problems.append(missing)
    if problems:
        raise SettingsError(*(_line(problem, given) for problem in problems))
    return settings


def settings_warnings(env: Mapping[str, str]) -> list[str]:
    """One line for each variable of `env` that is not ours but looks like a misspelling of one that is. Values are never shown."""
    ours = {name.upper() for name in FIELDS}
    given = {name.upper() for name, value in env.items() if value.strip()}
    pairs = [(name, _meant(name, ours - given)) for name in sorted(given - ours)]
    return [f"{name} is not a variable of kabobagool and has no effect: was {meant} meant?" for name, meant in pairs if meant]


def shown_value(name: str, value: object) -> str:
    """Write a variable's value for people; a secret becomes `***`, a proxy keeps its host."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    if name.lower() == "clob_proxy_url" and (match := re.fullmatch(r"(?:(\w+)://)(?:.*@)?([^@/?#\s]+)[^@]*", text)):
        return f"{match[1]}://{match[2]}" if "@" not in text else f"{match[1]}://{MASK}@{match[2]}"
    if name.lower() in SECRETS:
        return MASK
    text = re.sub(r"//[^/\s]*@", f"//{MASK}@", text)
    if name.lower() != "condition_id":
        text = re.sub(r"(0x)?[0-9a-fA-F]{64}", lambda match: match[0] if match[0].isdigit() else MASK, text)
    text = text.encode(errors="backslashreplace").decode()  # an environment may hold bytes that are no text
    return text if len(text) <= SHOWN_LENGTH else text[:SHOWN_LENGTH] + "..."


def default_text(name: str) -> str:
    """Write the default of a variable (lower-case name) for people; empty when it has none."""
    field = FIELDS[name]
    default = field_extra(field, "shown") or field.default
    if default is None:
        return ""
    return str(default).lower() if isinstance(default, bool) else str(default)


def field_extra(field: FieldInfo, key: str) -> str:
    """What the declaration of a variable says beyond its type: `unit`, `above` or `shown`."""
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""


def _ours(env: Mapping[str, str]) -> tuple[dict[str, str], list[Problem]]:
    given: dict[str, str] = {}
    problems = []
    for name, value in env.items():
        key, text = name.lower(), value.strip()
        if key not in FIELDS or not text:
            continue
        if given.setdefault(key, text) != text:
            problems.append(Problem(key.upper(), "is given twice, in different case and with different values; keep one", (key,)))
    return given, problems


def _validated(given: Mapping[str, str], *, home: Mapping[str, str]) -> tuple[Settings, list[Problem]]:
    """Settings and what is wrong with them. Defaults stand in for wrong variables, so that the rest is still checked together."""
    settings, problems = _attempt(given, home=home)
    wrong = {name for problem in problems for name in problem.involved}
    if settings is None:
        settings, more = _attempt({name: value for name, value in given.items() if name not in wrong}, home=home)
        problems += [problem for problem in more if wrong.isdisjoint(problem.involved)]
    return settings or Settings(), problems


def _attempt(given: Mapping[str, str], *, home: Mapping[str, str]) -> tuple[Settings | None, list[Problem]]:
    values: dict[str, Any] = {name: SecretStr(text) if name in SECRETS else text for name, text in given.items()}
    values["journal_path"] = _journal_path(given.get("journal_path"), home)
    try:
        return Settings(**values), []
    except ValidationError as e:
        return None, [problem for error in e.errors() for problem in _problems(error)]


def _journal_path(text: str | None, env: Mapping[str, str]) -> Path:
    home = Path(env.get("HOME") or Path.home())
    if text is not None:
        return home / text[2:] if text.startswith("~/") else Path(text)
    state = Path(env.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else home / ".local" / "state") / "kabobagool" / "journal.sqlite"


def _problems(error: ErrorDetails) -> tuple[Problem, ...]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, CrossCheckError):
        return cause.problems
    name = str(error["loc"][0])
    default = f" (default {default_text(name)})" if default_text(name) else ""
    return (Problem(name.upper(), _wrong(error, FIELDS[name]) + default, (name,)),)


def _wrong(error: ErrorDetails, field: FieldInfo) -> str:
    """Say what one variable must be, from what the validation found."""
    limits = error.get("ctx", {})
    unit = f" {field_extra(field, 'unit')}".rstrip()
    match error["type"]:
        case "value_error":
            return str(limits["error"])
        case "less_than" | "less_than_equal":
            bound = f"below {limits['lt']}" if "lt" in limits else f"at most {limits['le']}"
            return field_extra(field, "above") or f"is too much, it may be {bound}{unit}"
        case "greater_than_equal":
            return f"is too little, it must be at least {limits['ge']}{unit}"
        case "literal_error":
            return f"is not known, choose one of {str(limits['expected']).replace(' or ', ', ')}"
        case "decimal_max_places":
            return f"is finer than {limits['decimal_places']} decimals; round it"
        case "int_parsing" | "int_from_float" | "int_type":
            return f"is not a whole number{f' of{unit}' if unit else ''}"
        case "decimal_parsing" | "decimal_type" | "float_parsing" | "float_type" | "finite_number":
            return f"is not a number{f' of{unit}' if unit else ''}, write it like {1 if field.default is None else field.default}"
        case _:
            return error["msg"]


def _line(problem: Problem, given: Mapping[str, str]) -> str:
    value = given.get(problem.variable.lower())
    if value is None:
        return f"{problem.variable} is not set: {problem.text}"
    repeats_a_secret = any(len(given[name]) >= 4 and given[name] in value for name in SECRETS & given.keys())
    shown = MASK if repeats_a_secret or problem.variable.lower() in SECRETS else shown_value(problem.variable, value)
    return f"{problem.variable}={shown}: {problem.text}"


def _meant(name: str, ours: set[str]) -> str | None:
    alike = [candidate for candidate in ours if candidate[:3] == name[:3]]
    return next(iter(get_close_matches(name, sorted(alike), n=1, cutoff=SIMILAR)), None)
