"""An image holds every package that its programs import: what a developer's environment has by chance is not there."""

import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib import import_module, metadata

import pytest
from packaging.requirements import Requirement
from scripts.build_images import IMAGES, ROOT, extras_of
from scripts.image_environment import requirements

PROGRAMS = {"bot": ["kabobagool"], "paper": ["paper_exchange", "kabobagool.cli.paper"], "operator": ["kabobagool_operator"]}
"""The modules that run in each image, with all below them."""
ELSEWHERE = ("kabobagool.cli.demo", "kabobagool.cli.paper")
"""In the bot's package and not in its image: the exchange has its own, and `kabobagool demo` is both."""
WITHOUT = """
import importlib, json, sys
missing, modules = json.load(sys.stdin)
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in missing:
            raise ModuleNotFoundError(f"No module named {name!r} in the image", name=name)
sys.meta_path.insert(0, Missing())
for module in modules:
    importlib.import_module(module)
"""


def normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def installed(lines: Iterable[str], extras: set[str], seen: set[tuple[str, str]]) -> Iterator[str]:
    """The distributions that pip would install for requirements that stand under these extras."""
    for wanted in map(Requirement, lines):
        if wanted.marker and not any(wanted.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            continue
        step = (normal(wanted.name), ",".join(sorted(wanted.extras)))
        if step not in seen:
            seen.add(step)
            yield normal(wanted.name)
            yield from installed(metadata.requires(wanted.name) or (), wanted.extras, seen)


def missing_modules(name: str) -> list[str]:
    """Top names that can be imported here and not in the image."""
    wanted = requirements((ROOT / "pyproject.toml").read_text(), extras_of(name))
    held = {"kabobagool", *installed(wanted, set(), set())}
    return sorted(top for top, owners in metadata.packages_distributions().items() if held.isdisjoint(map(normal, owners)))


def modules(name: str) -> list[str]:
    found = []
    for program in PROGRAMS[name]:
        top = import_module(program)
        below = pkgutil.walk_packages(top.__path__, f"{program}.") if hasattr(top, "__path__") else ()
        found += [program, *(module.name for module in below)]
    return [module for module in found if not module.endswith("__main__") and (name != "bot" or module not in ELSEWHERE)]


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_holds_every_package_that_its_programs_import(name: str) -> None:
    missing, wanted = missing_modules(name), modules(name)
    assert "pytest_timeout" in missing
    assert len(wanted) > 10
    said = subprocess.run([sys.executable, "-c", WITHOUT], input=json.dumps([missing, wanted]), capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
