"""The pages that people read, taken apart for the tests: links, headings, code fences, and what stands in backticks."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def name(page: Path) -> str:
    """A page as people call it."""
    return str(page.relative_to(ROOT))


def fences(page: Path, language: str) -> Iterator[str]:
    """What stands between code fences of a language; the empty one is what a terminal shows."""
    for found in _FENCE.finditer(page.read_text()):
        if found[2] == language:
            yield found[3]


def prose(page: Path) -> str:
    """The page without its code fences."""
    return _FENCE.sub("", page.read_text())


def in_backticks(page: Path) -> set[str]:
    """What the prose marks as something of the program, or of a shell."""
    return set(_CODE.findall(prose(page)))


def links(page: Path) -> list[str]:
    """Where the prose leads to."""
    return _LINK.findall(prose(page))


def anchors(page: Path) -> set[str]:
    """The names under which the headings of a page can be reached: those that GitHub makes of them."""
    return {_anchor(heading) for heading in _HEADING.findall(prose(page))}


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def command_lines(page: Path) -> Iterator[str]:
    """Every command of ours that a reader may copy, one a line: without prompts, variables before it, comments, pipes and redirections."""
    shown = [line for fence in fences(page, "") for line in re.sub(r"\\\n\s*", " ", fence).splitlines()]
    for line in [*shown, *in_backticks(page)]:
        for part in re.split(r"&&|[|;>]| #|&$", line):
            found = re.search(r"^\s*(?:[A-Z_]+=\S*\s+)*((?:kabobagool|python -m paper_exchange)(?: .*)?)$", part)
            if found:
                yield found[1].strip()
