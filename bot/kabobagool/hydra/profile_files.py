"""Which profile files there are, and what each of them may hold.

A profile is a file of variables that belong together: which markets, how much, how careful. `supervisor_config.py` lays the files over
each other; `kabobagool profile` lists them. Profiles are looked for in `.env.profiles` of the working directory and then among those that
came with the program. What is private (`base.env`, `<profile>.local.env`, `.env`) is read from the working directory and nowhere else.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from kabobagool.hydra.environment_file import EnvironmentFile, read_environment_file
from kabobagool.settings import FIELDS, SECRETS, SettingsError, settings_warnings

FOLDER: Final = ".env.profiles"
BASE_FILE: Final = "base.env"
TEMPLATE_FILE: Final = "base.env.template"
LOADED_FILE: Final = ".env"
LOADED_PROFILE: Final = "KABOBAGOOL_PROFILE"
"""Variable in `.env` that remembers which profile was loaded; Docker Compose starts the supervisor with it."""
NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*")
SIMILAR: Final = 0.6
VARIABLES: Final = frozenset(name.upper() for name in FIELDS)
SECRET_VARIABLES: Final = frozenset(name.upper() for name in SECRETS)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files are looked for: `working` holds what is the user's own, `shipped` the profiles that came with the program."""

    working: Path
    shipped: Path

    @property
    def own(self) -> Path:
        """The user's folder of profiles."""
        return self.working / FOLDER

    @property
    def template(self) -> Path:
        """The template of `base.env`."""
        own = self.own / TEMPLATE_FILE
        return own if own.is_file() else self.shipped / TEMPLATE_FILE


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile: its file, its first comment line, and the variables that must be set before it makes sense (`# requires: NAME, NAME`)."""

    name: str
    file: EnvironmentFile
    summary: str
    requires: tuple[str, ...]


def folders_of(working: Path) -> Folders:
    """The folders for a working directory; a checkout that was installed in place finds its own profiles."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "profiles"
    return Folders(working, installed if installed.is_dir() else package.parents[1] / FOLDER)


def profile_paths(folders: Folders) -> dict[str, Path]:
    """All profiles by name, sorted; one of the user's own hides a shipped one of the same name."""
    found: dict[str, Path] = {}
    for folder in (folders.shipped, folders.own):
        found |= {path.stem: path for path in folder.glob("*.env") if NAME.fullmatch(path.stem) and path.name != BASE_FILE}
    return dict(sorted(found.items()))


def read_profile(name: str, folders: Folders) -> Profile:
    """One profile. SettingsError when there is no such profile, or for names it may not hold: unknown ones and secrets."""
    paths = profile_paths(folders)
    if name not in paths:
        raise SettingsError(f"profile {name}: there is no such profile; choose one of {', '.join(paths)}, or write {folders.own}/NAME.env")
    file = read_environment_file(paths[name])
    required = " ".join(re.findall(r"^#[ \t]*requires:(.*)$", file.text, re.MULTILINE))
    requires = tuple(re.findall(r"\w+", required.upper()))
    problems = [f"{file.path}: requires {_unknown(wanted)}" for wanted in requires if wanted not in VARIABLES]
    problems += _unknown_names(file) + _secrets_in_the_open(file, folders)
    if problems:
        raise SettingsError(*problems)
    comments = re.findall(r"^#[ \t]*(.+)$", file.text, re.MULTILINE)
    return Profile(name, file, comments[0] if comments else "", requires)


def read_base(folders: Folders) -> EnvironmentFile | None:
    """What all profiles share, if there is such a file. SettingsError for a variable that the template does not list."""
    file = _read_if_there(folders.own / BASE_FILE)
    if file is None:
        return None
    shared = read_environment_file(folders.template).names
    strangers = sorted(file.names & VARIABLES - shared)
    problems = [
        f"{file.path}: {name} is not for all profiles (see {folders.template}); move it to {folders.own}/PROFILE.local.env"
        for name in strangers
    ]
    if problems := _unknown_names(file) + problems:
        raise SettingsError(*problems)
    return file


def read_local(name: str, folders: Folders) -> EnvironmentFile | None:
    """What this machine changes about a profile, if anything. SettingsError for unknown variables."""
    file = _read_if_there(folders.own / f"{name}.local.env")
    if file is not None and (problems := _unknown_names(file)):
        raise SettingsError(*problems)
    return file


def read_loaded(folders: Folders) -> EnvironmentFile | None:
    """The `.env` of the working directory, if there is one. SettingsError for misspelt variables; those of others may be in it, too."""
    file = _read_if_there(folders.working / LOADED_FILE)
    if file is not None and (problems := settings_warnings(file.values)):
        raise SettingsError(*(f"{file.path}: {problem}" for problem in problems))
    return file


def exposure(file: EnvironmentFile) -> str | None:
    """The warning that other users of the machine may read the secrets of a file, if they may."""
    secrets = sorted(file.values.keys() & SECRET_VARIABLES)
    if not secrets or not file.path.stat().st_mode & 0o077:
        return None
    return f"{file.path} holds {', '.join(secrets)} and other users may read it: chmod 600 {file.path}"


def _read_if_there(path: Path) -> EnvironmentFile | None:
    return read_environment_file(path) if path.exists() else None


def _unknown_names(file: EnvironmentFile) -> list[str]:
    return [f"{file.path}: {_unknown(name)}" for name in sorted(file.names - VARIABLES)]


def _unknown(name: str) -> str:
    alike = get_close_matches(name, sorted(VARIABLES), n=1, cutoff=SIMILAR)
    advice = f"was {alike[0]} meant?" if alike else "remove it; `kabobagool config reference` lists all"
    return f"{name} is not a variable of kabobagool: {advice}"


def _secrets_in_the_open(file: EnvironmentFile, folders: Folders) -> list[str]:
    advice = f"a profile is no place for secrets; move it to {folders.own / BASE_FILE}, which git does not see"
    return [f"{file.path}: {name} is set: {advice}" for name in sorted(file.values.keys() & SECRET_VARIABLES)]
