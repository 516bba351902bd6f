"""What a check has to say: how bad it is, what was seen, and what to do.

Made by every check of this package, printed by `cli/doctor.py`. A finding that is not fine always carries its fix.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """`failure`: the bot would not start or not trade as configured. `warning`: it would, but look at it."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `check` is the subject in a word or two; `fix` is empty only when all is well."""

    level: Level
    check: str
    what: str
    fix: str = ""

    def __post_init__(self) -> None:
        if (self.level is Level.OK) != (not self.fix):
            raise ValueError(f"{self.check}: a finding has a fix exactly when it is not fine")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A finding before it knows which check it belongs to: what checks return."""

    level: Level
    what: str
    fix: str = ""


def fine(what: str) -> Verdict:
    """All is well, or there is nothing to check."""
    return Verdict(Level.OK, what)


def doubtful(what: str, fix: str) -> Verdict:
    """The bot would work, but somebody should look."""
    return Verdict(Level.WARNING, what, fix)


def broken(what: str, fix: str) -> Verdict:
    """The bot would not work."""
    return Verdict(Level.FAILURE, what, fix)
