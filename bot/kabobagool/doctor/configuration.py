"""The settings, as far as they can be used: one wrong variable must not hide what else is wrong with the world.

Called first by `examine.py`. All problems become findings; the variables they name are set aside, and the checks that do not need
those still run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kabobagool.doctor.finding import Finding, Level
from kabobagool.settings import FIELDS, Settings, SettingsError, load_settings, settings_warnings

CHECK = "settings"
_WORD = re.compile(r"[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Usable settings, the findings about them, and the lower-case names of variables that were given but could not be used."""

    settings: Settings
    set_aside: frozenset[str]
    findings: tuple[Finding, ...]


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Read what can be read. Never raises; a market need not be named."""
    warnings = tuple(Finding(Level.WARNING, CHECK, text, "correct the spelling or remove it") for text in settings_warnings(environment))
    try:
        settings = load_settings(environment, market_required=False)
    except SettingsError as e:
        usable, set_aside = _without_problems(environment, e)
        return Configuration(usable, set_aside, tuple(map(_problem, e.problems)) + warnings)
    return Configuration(settings, frozenset(), (Finding(Level.OK, CHECK, _mode(settings)), *warnings))


def _without_problems(environment: Mapping[str, str], error: SettingsError) -> tuple[Settings, frozenset[str]]:
    """Leave out every variable a problem names, again and again, until the rest is fine together."""
    left = dict(environment)
    while True:
        named = {word.lower() for line in error.problems for word in _WORD.findall(line)} & FIELDS.keys()
        kept = {name: value for name, value in left.items() if name.lower() not in named}
        left = kept if len(kept) < len(left) else {name: value for name, value in left.items() if name.lower() not in FIELDS}
        try:
            settings = load_settings(left, market_required=False)
        except SettingsError as e:
            error = e
            continue
        return settings, _given(environment) - _given(left)


def _given(environment: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name.lower() for name, value in environment.items() if value.strip() and name.lower() in FIELDS)


def _problem(line: str) -> Finding:
    words = _WORD.findall(line)
    name = words[0] if words else "the variable"
    return Finding(Level.FAILURE, CHECK, line, f"correct {name}; `kabobagool config reference` explains every variable")


def _mode(settings: Settings) -> str:
    return "usable: dry run, no real order leaves" if settings.dry_run else f"usable: LIVE, real orders go to {settings.host}"
