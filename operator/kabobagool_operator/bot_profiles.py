"""The profiles that a market may name: those that came with the program, and the operator's own from a mounted folder.

`observe.py` asks for the profile of a market and hands it to `bot_config.py`. A file is read again when it changed, so a profile that
somebody edits in the cluster reaches its bots without a restart of the operator.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import msgspec

from kabobagool.hydra.environment_file import EnvironmentFile, read_environment_file
from kabobagool.hydra.profile_files import BASE_FILE, NAME, SECRET_VARIABLES, VARIABLES, folders_of
from kabobagool.settings import SettingsError

BASE: Final = Path(BASE_FILE).stem
"""What the profiles of one machine share; no profile itself."""
SIMILAR: Final = 0.6
Version = tuple[int, int, int]


class BotProfile(msgspec.Struct, frozen=True):
    """A profile: its variables by upper-case name, and those that must be set, there or over it, before it makes sense."""

    name: str
    variables: Mapping[str, str]
    requires: tuple[str, ...] = ()


class Profiles:
    """`own` is the folder of the operator's own profiles, None when there is none; one there hides a shipped one of the same name."""

    def __init__(self, own: Path | None = None) -> None:
        shipped = folders_of(Path()).shipped
        self._folders = (shipped,) if own is None else (own, shipped)
        self._read: dict[Path, tuple[Version, BotProfile]] = {}

    def profile(self, name: str) -> BotProfile:
        """One profile. SettingsError when there is none of that name, and for what a profile may not hold."""
        path = self._path(name)
        version = _version(path)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = (version, _checked(name, read_environment_file(path)))
            self._read[path] = known
        return known[1]

    def names(self) -> list[str]:
        """All profiles there are, sorted."""
        found = {path.stem for folder in self._folders for path in folder.glob("*.env")}
        return sorted(name for name in found if _is_name(name))

    def _path(self, name: str) -> Path:
        candidates = [folder / f"{name}.env" for folder in self._folders] if _is_name(name) else []
        found = next((path for path in candidates if path.is_file()), None)
        if found is None:
            raise SettingsError(f"spec.profile={name}: there is no such profile; choose one of {', '.join(self.names())}")
        return found


def _is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None and text != BASE


def _version(path: Path) -> Version:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)  # it vanished a moment ago: whoever reads it next says so
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _checked(name: str, file: EnvironmentFile) -> BotProfile:
    required = " ".join(re.findall(r"^#[ \t]*requires:(.*)$", file.text, re.MULTILINE))
    requires = tuple(re.findall(r"\w+", required.upper()))
    problems = [f"profile {name}: {_unknown(variable)}" for variable in sorted({*file.names, *requires} - VARIABLES)]
    problems += [f"profile {name}: {_secret(variable)}" for variable in sorted(file.values.keys() & SECRET_VARIABLES)]
    if problems:
        raise SettingsError(*problems)
    return BotProfile(name, file.values, requires)


def _unknown(variable: str) -> str:
    alike = get_close_matches(variable, sorted(VARIABLES), n=1, cutoff=SIMILAR)
    return f"{variable} is not a variable of a bot: {f'was {alike[0]} meant?' if alike else 'remove it'}"


def _secret(variable: str) -> str:
    return f"{variable} is set, and a profile is no place for secrets: put it into the Secret that spec.credentials.secretName names"
