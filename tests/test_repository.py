"""Rules of the house that no linter knows: what may not exist, how long a file may be, and where time, chance and floats may not enter."""

import ast
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BOT, OPERATOR, TESTS = ROOT / "bot", ROOT / "operator", ROOT / "tests"
MOST_LINES = 400
CORE = ("domain", "feed", "gate", "execution", "engine", "replay")
CHANCE_AND_TIME = ("time", "random")
ALLOWED_SLEEPS = {("virtual_time.py", "asyncio.sleep")}
"""It turns the event loop and waits for nothing."""
ALLOWED_FLOATS = {("outcome.py", "retry_after_s")}
"""The venue's Retry-After is seconds to wait, not money."""


def _python_files(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*.py") if "__pycache__" not in file.parts)


def _tree(file: Path) -> ast.Module:
    with tokenize.open(file) as source:
        return ast.parse(source.read(), str(file))


def _name(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_the_search_finds_the_code_it_is_about() -> None:
    assert len(_python_files(BOT, OPERATOR, TESTS)) > 10
    assert all((BOT / "kabobagool" / layer).is_dir() for layer in CORE)


def test_the_operator_folder_is_no_package_or_it_would_shadow_the_standard_library() -> None:
    assert OPERATOR.is_dir()
    assert not (OPERATOR / "__init__.py").exists()
    assert not (ROOT / "operator.py").exists()


def test_no_python_file_is_over_400_lines() -> None:
    lengths = {_name(file): len(file.read_text(encoding="utf-8").splitlines()) for file in _python_files(BOT, OPERATOR, TESTS)}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_every_module_opens_with_why_it_exists() -> None:
    silent = [_name(file) for file in _python_files(BOT, OPERATOR) if not (ast.get_docstring(_tree(file)) or "").strip()]
    assert silent == []


def _floats(file: Path) -> Iterator[str]:
    tree = _tree(file)
    excused = {id(node) for statement in ast.walk(tree) if _is_allowed(file, statement) for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in excused:
            continue
        if isinstance(node, ast.Name) and node.id == "float":
            yield f"{_name(file)}:{node.lineno} float"
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{_name(file)}:{node.lineno} {node.value!r}"
        if isinstance(node, (ast.BinOp, ast.AugAssign)) and isinstance(node.op, ast.Div):
            yield f"{_name(file)}:{node.lineno} true division"


def _is_allowed(file: Path, statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and (file.name, statement.target.id) in ALLOWED_FLOATS
    )


def test_no_float_enters_the_domain() -> None:
    assert [found for file in _python_files(BOT / "kabobagool" / "domain") for found in _floats(file)] == []


def _bound_names(tree: ast.Module) -> dict[str, str]:
    """Names in a module that mean something of time, random or asyncio: {name: dotted origin}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in (*CHANCE_AND_TIME, "asyncio"):
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _origin(node: ast.expr, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        before = _origin(node.value, names)
        return f"{before}.{node.attr}" if before else None
    return None


def _is_chance_or_time(origin: str) -> bool:
    module, _, function = origin.partition(".")
    return origin == "asyncio.sleep" or (module in CHANCE_AND_TIME and function not in ("", "Random"))


def _uses_of_chance_and_time(tree: ast.Module) -> Iterator[str]:
    names = _bound_names(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            origin = _origin(node, names)
            if origin and _is_chance_or_time(origin):
                yield f"{node.lineno} {origin}"


@pytest.mark.parametrize("layer", CORE)
def test_time_chance_and_sleep_come_in_as_parameters(layer: str) -> None:
    files = _python_files(BOT / "kabobagool" / layer)
    uses = [(file, use) for file in files for use in _uses_of_chance_and_time(_tree(file))]
    assert [f"{_name(file)}:{use}" for file, use in uses if (file.name, use.split()[1]) not in ALLOWED_SLEEPS] == []


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("import time\ntime.time()", True),
        ("import time as t\nt.monotonic_ns()", True),
        ("from time import monotonic\nclock = monotonic", True),
        ("import random\nrandom.uniform(0, 1)", True),
        ("from asyncio import sleep as nap\nasync def f(): await nap(1)", True),
        ("import asyncio\nasync def f(): await asyncio.sleep(1)", True),
        ("import random\ndef f(rng: random.Random) -> float: return rng.random()", False),
        ("import asyncio\nlock = asyncio.Lock()", False),
        ("def f(clock): return clock.time()", False),
    ],
)
def test_the_search_for_time_and_chance_catches_what_it_should(source: str, caught: bool) -> None:
    assert bool(list(_uses_of_chance_and_time(ast.parse(source)))) is caught
