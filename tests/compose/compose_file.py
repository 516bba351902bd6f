"""docker-compose.yml as Docker Compose reads it, as far as this file goes: YAML, merge keys and `${NAME:-default}`."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
OURS = ("supervisor", "supervisor-paper", "paper-exchange")


def compose(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The whole file, with variables of `environ` put in."""
    return dict(_interpolated(yaml.safe_load(FILE.read_text()), environ or {}))


def inline_config(name: str) -> Any:
    """What one of the inline configuration files says."""
    return yaml.safe_load(compose()["configs"][name]["content"])


def _interpolated(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _interpolated(part, environ) for key, part in value.items()}
    if isinstance(value, list):
        return [_interpolated(part, environ) for part in value]
    if not isinstance(value, str):
        return value
    filled = re.sub(r"(?<!\$)\$\{(\w+):-([^}]*)\}", lambda found: environ.get(found[1]) or found[2], value)
    assert not re.search(r"(?<!\$)\$(?!\$)", filled), f"not understood: {value}"
    return filled.replace("$$", "$")
