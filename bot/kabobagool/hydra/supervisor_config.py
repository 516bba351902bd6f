"""The supervisor's configuration: profile, local override and environment laid over each other, each value with where it came from.

`kabobagool hydra` starts from it, `kabobagool profile show` prints it. The order is written once, in `file_layers` and
`load_supervisor_config`; later wins: default, base, profile, local override (or `.env` in place of the three), environment, option.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from kabobagool.discovery.criteria import Criteria, criteria_of
from kabobagool.hydra.environment_file import EnvironmentFile, assignment
from kabobagool.hydra.profile_files import (
    BASE_FILE,
    LOADED_PROFILE,
    VARIABLES,
    Folders,
    Profile,
    exposure,
    read_base,
    read_loaded,
    read_local,
    read_profile,
)
from kabobagool.settings import Settings, SettingsError, load_settings


class Layer(StrEnum):
    """What may set a variable, from the weakest to the strongest. `.env` (LOADED) stands for the three before it."""

    DEFAULT = "default"
    BASE = "base"
    PROFILE = "profile"
    LOCAL = "local"
    LOADED = "loaded"
    ENVIRONMENT = "environment"
    OPTION = "option"


class Origin(NamedTuple):
    """Where a value came from; `file` is empty unless it was one."""

    layer: Layer
    file: str = ""

    def __str__(self) -> str:
        return f"{self.layer} {self.file}".rstrip()


class Given(NamedTuple):
    """A variable's text and where it came from."""

    text: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorConfig:
    """Settings in force, with the origin of every variable (upper case). `profile` is None when none was chosen or loaded."""

    profile: str | None
    settings: Settings
    criteria: Criteria
    origins: Mapping[str, Origin]
    warnings: tuple[str, ...] = ()


def load_supervisor_config(
    profile: str | None, *, environ: Mapping[str, str], folders: Folders, options: Collection[str] = frozenset()
) -> SupervisorConfig:
    """Read a profile, or without one the `.env` of the working directory, under `environ`.

    `options` names the variables of `environ` (upper case) that came from the command line. SettingsError with all that is wrong.
    """
    chosen = read_profile(profile, folders) if profile is not None else None
    files = file_layers(chosen, folders)
    given = overlaid(files) | _from_environment(environ, options)
    env = dict(environ) | {name: value.text for name, value in given.items() if value.origin.file}
    settings, criteria = _checked(env, given, chosen, folders)
    return SupervisorConfig(
        profile=profile or _loaded_profile(files),
        settings=settings,
        criteria=criteria,
        origins={name: given[name].origin if name in given else Origin(Layer.DEFAULT) for name in sorted(VARIABLES)},
        warnings=tuple(warning for _, file in files if (warning := exposure(file))),
    )


def laid_under(profile: str | None, *, environ: Mapping[str, str], folders: Folders) -> dict[str, str]:
    """`environ` with the files of a profile (None: the loaded `.env`) under it, unchecked: for commands that look at what a fleet would do.

    SettingsError when a file cannot be read or there is no such profile.
    """
    files = file_layers(read_profile(profile, folders) if profile is not None else None, folders)
    return _over_files(overlaid(files), environ)


def _over_files(given: Mapping[str, Given], environ: Mapping[str, str]) -> dict[str, str]:
    ours = {name.upper() for name, text in environ.items() if text.strip()}
    return {name: value.text for name, value in given.items() if value.origin.file and name not in ours} | dict(environ)


def file_layers(profile: Profile | None, folders: Folders) -> list[tuple[Layer, EnvironmentFile]]:
    """The files that count for a profile (None: whatever was loaded), weakest first. SettingsError when one of them is wrong."""
    if profile is None:
        return _there((Layer.LOADED, read_loaded(folders)))
    return _there((Layer.BASE, read_base(folders)), (Layer.PROFILE, profile.file), (Layer.LOCAL, read_local(profile.name, folders)))


def overlaid(files: list[tuple[Layer, EnvironmentFile]]) -> dict[str, Given]:
    """The variables of the files by upper-case name; of two that set one the later wins. What is not ours is left out."""
    given: dict[str, Given] = {}
    for layer, file in files:
        given |= {name: Given(text, Origin(layer, str(file.path))) for name, text in file.values.items() if name in VARIABLES}
    return given


def loaded_text(profile: str, folders: Folders) -> str:
    """What `.env` says when a profile is loaded: its files merged, grouped by origin. SettingsError for files that are wrong."""
    given = overlaid(file_layers(read_profile(profile, folders), folders))
    lines = [
        f"# Written by `kabobagool profile load {profile}`: what you change here is lost with the next load.",
        f"# Lasting changes go to .env.profiles/{profile}.local.env. This file may hold secrets.",
        assignment(LOADED_PROFILE, profile),
    ]
    for origin in dict.fromkeys(value.origin for value in given.values()):
        lines += ["", f"# {origin}"]
        lines += [assignment(name, value.text) for name, value in given.items() if value.origin == origin]
    return "\n".join(lines) + "\n"


def _there(*layers: tuple[Layer, EnvironmentFile | None]) -> list[tuple[Layer, EnvironmentFile]]:
    return [(layer, file) for layer, file in layers if file is not None]


def _from_environment(environ: Mapping[str, str], options: Collection[str]) -> dict[str, Given]:
    ours = {name.upper(): text for name, text in environ.items() if name.upper() in VARIABLES and text.strip()}
    return {name: Given(text, Origin(Layer.OPTION if name in options else Layer.ENVIRONMENT)) for name, text in ours.items()}


def _loaded_profile(files: list[tuple[Layer, EnvironmentFile]]) -> str | None:
    return next((file.values.get(LOADED_PROFILE) for layer, file in files if layer is Layer.LOADED), None)


def _checked(env: Mapping[str, str], given: Mapping[str, Given], profile: Profile | None, folders: Folders) -> tuple[Settings, Criteria]:
    """Settings and criteria, or every problem with the file it comes from."""
    problems = _missing(given, profile, folders)
    try:
        settings = load_settings(env, market_required=False)
        criteria = criteria_of(settings)
    except SettingsError as e:
        raise SettingsError(*problems, *(_with_origin(problem, given) for problem in e.problems)) from None
    if problems:
        raise SettingsError(*problems)
    return settings, criteria


def _missing(given: Mapping[str, Given], profile: Profile | None, folders: Folders) -> list[str]:
    if profile is None:
        return []
    base = folders.own / BASE_FILE
    fix = f"set it in {base}" if base.exists() else f"cp {folders.template} {base} and set it there"
    return [f"{name} is not set: profile {profile.name} requires it; {fix}" for name in profile.requires if name not in given]


def _with_origin(problem: str, given: Mapping[str, Given]) -> str:
    name = re.match(r"\w*", problem)
    value = given.get(name[0]) if name else None
    return f"{problem} [from {value.origin}]" if value and value.origin.file else problem
