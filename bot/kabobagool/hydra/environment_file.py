"""A `.env` file: read so that a mistake is told with its line, written so that nobody else can read it and nothing is lost.

`profile_files.py` reads profiles with it, `kabobagool profile load` writes `.env` with it. What the names mean is decided there. Files are
written so that this program, Docker Compose and a shell read the same values out of them.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Final

from dotenv.parser import Original, parse_stream

from kabobagool.settings import SettingsError

PLAIN: Final = re.compile(r"[A-Za-z0-9_@%+=:,./*?\[\]-]*")
"""Values that need no quotes anywhere."""
UNWRITABLE: Final = re.compile(r"['\\\x00-\x1f\x7f]")
"""What the readers of such a file do not agree about, even between single quotes."""


@dataclass(frozen=True, slots=True)
class EnvironmentFile:
    """One file: `names` are all variables in it (upper case), `values` those that are not empty, `text` is the file itself."""

    path: Path
    text: str
    names: frozenset[str]
    values: Mapping[str, str]


def read_environment_file(path: Path) -> EnvironmentFile:
    """Read a file of `NAME=value` lines; nothing is interpolated. SettingsError with file and line for what is none, or given twice."""
    text = _text(path)
    lines: dict[str, int] = {}
    values: dict[str, str] = {}
    problems = []
    for binding in parse_stream(StringIO(text)):
        number = _line(binding.original)
        if binding.error or (binding.key is not None and binding.value is None):
            problems.append(f"{path}, line {number}: is not NAME=value; write it like MAX_MARKETS=20, and put # before a comment")
        elif binding.key is not None:
            name = binding.key.upper()
            if name in lines:
                problems.append(f"{path}, line {number}: {name} is given a second time (first in line {lines[name]}); keep one")
            lines.setdefault(name, number)
            values[name] = (binding.value or "").strip()
    if problems:
        raise SettingsError(*problems)
    return EnvironmentFile(path, text, frozenset(lines), {name: value for name, value in values.items() if value})


def assignment(name: str, value: str) -> str:
    """Write one line. SettingsError for a value with a quote, a backslash or a control character in it; the value is not repeated."""
    if UNWRITABLE.search(value):
        raise SettingsError(f"{name}: holds a quote, backslash or control character, which a .env file cannot carry; choose another value")
    return f"{name}={value}" if PLAIN.fullmatch(value) else f"{name}='{value}'"


def replace_environment_file(path: Path, text: str, *, now_ms: int) -> Path | None:
    """Put `text` there at once, readable by its owner only, and return where the previous file was kept (None: there was none).

    A file that already says the same is left alone. SettingsError when the folder cannot be written.
    """
    try:
        previous = path.read_bytes() if path.exists() else None
        if previous == text.encode():
            path.chmod(0o600)
            return None
        backup = None if previous is None else _keep(path, previous, now_ms)
        _swap(path, text)
    except OSError as e:
        raise SettingsError(f"{path}: cannot be written ({e.strerror or e}); choose another file with --to") from None
    return backup


def _line(original: Original) -> int:
    blank = len(original.string) - len(original.string.lstrip())
    return original.line + original.string[:blank].count("\n")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "it is not UTF-8 text"
        raise SettingsError(f"{path}: cannot be read ({reason}); make it a text file that this user may read") from None


def _keep(path: Path, content: bytes, now_ms: int) -> Path:
    moment = datetime.fromtimestamp(now_ms // 1000, UTC)
    backup = path.with_name(f"{path.name}.bak.{moment:%Y%m%dT%H%M%S}{now_ms % 1000:03}Z")
    # Born private: a copy that is closed to others only afterwards was readable for a moment.
    descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return backup


def _swap(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}.new.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
