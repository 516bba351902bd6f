"""The Dockerfiles and .dockerignore as far as tests look into them: stages, instructions, and which files a build gets to see."""

import re
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKERFILES = ("Dockerfile.bot", "Dockerfile.operator")


def instructions(name: str) -> list[str]:
    """Every instruction of a Dockerfile in one line, comments left out."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()


def stages(name: str) -> list[list[str]]:
    """The instructions of each stage, with its FROM."""
    found: list[list[str]] = []
    for instruction in instructions(name):
        if instruction.startswith("FROM "):
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def reaches_a_build(path: str) -> bool:
    """Whether .dockerignore lets a file through: the last pattern that fits the file or a folder above it decides."""
    through = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        above = [path] + [path[: at.start()] for at in re.finditer("/", path)]
        if line and not line.startswith("#") and any(fnmatch(part, pattern) for part in above):
            through = line.startswith("!")
    return through
