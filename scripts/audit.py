"""Asks of everything in the images whether a weakness of it is known, and whether we may hand it on under its licence.

`make audit` runs it after `make sbom`. A check that could not be made is not a check that passed: where the database of known weaknesses is
out of reach the command says so and fails with status 3. Status 1: something was found.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scripts.build_images import IMAGES
from scripts.sbom import bill_file, components, environment

FOUND, NOT_CHECKED = 1, 3
ALLOWED: Final = frozenset(
    {
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0"),
        *("MPL-2.0", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib"),
    }
)
"""Licences under which we may hand on an unchanged package. MPL-2.0 asks for its own files' source, which every wheel is."""
CLASSIFIERS: Final = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "License :: OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "License :: Public Domain": "Unlicense",
}
"""What older packages say, in the words of SPDX."""


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression lets us: of alternatives one suffices, of conditions all must hold."""
    while inner := re.search(r"\(([^()]*)\)", expression):
        expression = expression.replace(inner[0], "MIT" if is_allowed(inner[1]) else "refused")
    alternatives = re.split(r"\s+OR\s+", expression.strip())
    return any(all(word in ALLOWED for word in re.split(r"\s+AND\s+", alternative)) for alternative in alternatives)


def licences(component: Mapping[str, Any]) -> list[str]:
    """What a component of a bill of materials says about its licences, each an SPDX expression where that can be known."""
    said = (entry.get("expression") or entry["license"].get("id") or entry["license"]["name"] for entry in component.get("licenses", []))
    return [CLASSIFIERS.get(text, text) for text in said]


def refused(parts: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each component that we may not hand on, or of which nobody says that we may."""
    for part in parts:
        said = licences(part)
        if not said or not all(map(is_allowed, said)):
            yield f"{part['name']} {part['version']}: {' and '.join(said) or 'says nothing about its licence'}"


def weaknesses(report: Mapping[str, Any]) -> list[str]:
    """A line for each known weakness in pip-audit's report."""
    return [
        f"{package['name']} {package['version']}: {weakness['id']}, mended in {' or '.join(weakness['fix_versions']) or 'no version yet'}"
        for package in report["dependencies"]
        for weakness in package.get("vulns", [])
    ]


def unchecked(report: Mapping[str, Any], own: str = "kabobagool") -> list[str]:
    """Packages that pip-audit could not ask after; our own is in no database."""
    return [package["name"] for package in report["dependencies"] if "skip_reason" in package and package["name"] != own]


def ask(prefix: Path) -> dict[str, Any] | None:
    """What the database of known weaknesses says about an environment. None: it did not answer."""
    tool, packages = Path(sys.executable).parent / "pip-audit", next((prefix / "lib").glob("python3*")) / "site-packages"
    command = [str(tool), "--path", str(packages), "--format", "json", "--progress-spinner", "off"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    try:
        return dict(json.loads(said.stdout))
    except ValueError:
        sys.stderr.write(said.stderr[-2000:])
        return None


def audit(name: str) -> int:
    """Look at one image and say what was found. 0, FOUND or NOT_CHECKED."""
    parts = components(bill_file(name))
    bad = list(refused(parts))
    report = ask(environment(name))
    blind = [part["name"] for part in parts] if report is None else unchecked(report)
    bad += weaknesses(report) if report else []
    for line in bad:
        sys.stdout.write(f"{name}: {line}\n")
    if blind:
        some = ", ".join(blind[:5]) + (" ..." if len(blind) > len(blind[:5]) else "")
        sys.stdout.write(
            f"{name}: {len(blind)} of {len(parts)} packages could NOT be checked for known weaknesses, "
            f"because the advisory database did not answer for them: {some}\n"
        )
    if not bad and not blind:
        sys.stdout.write(f"{name}: {len(parts)} packages, all under licences we may hand on, none with a known weakness\n")
    return FOUND if bad else NOT_CHECKED if blind else 0


def main(names: Sequence[str]) -> None:
    """Look at the images that are named, or at all."""
    results = [audit(name) for name in names or IMAGES]
    sys.exit(FOUND if FOUND in results else max(results))


if __name__ == "__main__":
    main(sys.argv[1:])
