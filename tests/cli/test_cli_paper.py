"""`kabobagool paper-exchange` becomes the paper exchange and adds nothing of its own."""

import importlib.util
import os
import sys
from typing import Any

import pytest
from click.testing import CliRunner

from kabobagool.cli.main import main


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda path, arguments: calls.append((path, arguments)))
    return calls


def test_options_are_passed_on_and_json_is_not(executed: list[Any]) -> None:
    given = ["--port", "0", "--books", "synthetic", "--speed", "4", "--json", "--inject", "6", "--new-one", "x", "rest"]
    ended = CliRunner().invoke(main, ["paper-exchange", *given])
    assert ended.exit_code == 0, ended.output
    ((path, arguments),) = executed
    assert path == sys.executable
    assert arguments[:3] == [sys.executable, "-m", "paper_exchange"]
    assert arguments[3:] == [
        *("--port", "0", "--books", "synthetic", "--speed", "4", "--inject", "6"),
        *("--new-one", "x", "rest"),
    ]


def test_without_options_nothing_is_passed_on(executed: list[Any]) -> None:
    CliRunner().invoke(main, ["paper-exchange"])
    assert executed == [(sys.executable, [sys.executable, "-m", "paper_exchange"])]


def test_unknown_books_are_refused_before_anything_starts(executed: list[Any]) -> None:
    ended = CliRunner().invoke(main, ["paper-exchange", "--books", "imaginary"])
    assert (ended.exit_code, executed) == (2, [])
    assert "'recorded', 'synthetic'" in ended.output


def test_an_installation_without_it_says_how_to_get_it(executed: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    ended = CliRunner().invoke(main, ["paper-exchange"])
    assert (ended.exit_code, executed) == (1, [])
    assert "pip install 'kabobagool[paper]'" in ended.output


def test_the_process_really_is_replaced(tmp_path: Any) -> None:
    import subprocess

    package = tmp_path / "paper_exchange"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "__main__.py").write_text("import os, sys\nprint(os.getpid(), *sys.argv[1:])\nsys.exit(7)\n")
    arguments = [sys.executable, "-m", "kabobagool.cli.main", "paper-exchange", "--port", "0"]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    output, _ = process.communicate(timeout=90)
    assert (process.returncode, output.split()) == (7, [str(process.pid), "--port", "0"])
