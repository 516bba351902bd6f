"""Writes what of the chart is made from something else: its CRD from crds/, and the table of values in its README from values.yaml.

`python scripts/chart_files.py` after either was changed; a test says when it was forgotten. The text of a value is the comment above it
that begins with `# -- `. Values below one that has a text need none of their own.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "charts" / "kabobagool"
CRD: Final = ROOT / "crds" / "arbmarkets.kabobagool.io.yaml"
KEY: Final = re.compile(r"^( *)([A-Za-z]\w*):")
MARKS: Final = ("<!-- values: written by scripts/chart_files.py -->\n", "<!-- end of values -->\n")
LONGEST: Final = 120
NAME_LINE: Final = "  name: arbmarkets.kabobagool.io\n"
KEEP: Final = "  {{- if .Values.crds.keep }}\n  annotations: {helm.sh/resource-policy: keep}\n  {{- end }}\n"


def crd_template() -> str:
    """The CRD as the chart installs it."""
    text = CRD.read_text(encoding="utf-8")
    if "{{" in text or text.count(NAME_LINE) != 1:
        raise ValueError(f"{CRD.name}: holds what a template would take for its own, or no line {NAME_LINE!r}")
    body = text.replace(NAME_LINE, NAME_LINE + KEEP)
    return "{{- if .Values.crds.enabled }}\n" + body.rstrip("\n") + "\n{{- end }}\n"


def documented(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Path and text of every value that has one, in the order of the file."""
    stack: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("# ") and comment:
            comment.append(stripped.removeprefix("# "))
        elif found := KEY.match(line):
            indent, key = len(found[1]), found[2]
            stack = [(depth, name) for depth, name in stack if depth < indent] + [(indent, key)]
            if comment:
                yield tuple(name for _, name in stack), " ".join(comment)
            comment = []


def values_table() -> str:
    """The table of all values."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    rows = [f"| `{'.'.join(path)}` | {_default(values, path)} | {about} |" for path, about in documented(text)]
    return "| Value | Default | Meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def readme() -> str:
    """The chart's README with the table as it should be."""
    before, _, rest = (CHART / "README.md").read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    return before + MARKS[0] + "\n" + values_table() + "\n" + MARKS[1] + after


def _default(values: dict[str, Any], path: tuple[str, ...]) -> str:
    value: Any = values
    for name in path:
        value = value[name]
    if value in ("", None, [], {}):
        return ""
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"`{shown}`" if len(shown) <= LONGEST and "\n" not in shown else "see values.yaml"


def write() -> None:
    """Write both files."""
    (CHART / "templates" / "crds").mkdir(exist_ok=True)
    (CHART / "templates" / "crds" / "arbmarkets.yaml").write_text(crd_template(), encoding="utf-8")
    (CHART / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    write()
