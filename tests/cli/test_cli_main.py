"""The front door: quick, helpful, and honest about what is missing."""

import resource
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kabobagool import __version__
from kabobagool.cli import main as main_module
from kabobagool.cli.main import COMMANDS, Entry, main


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "kabobagool.cli.main", *arguments], capture_output=True, text=True, timeout=90, check=False
    )


def test_help_lists_every_command_and_how_to_begin() -> None:
    shown = run("--help")
    assert shown.returncode == 0
    for name in COMMANDS:
        assert f"\n  {name}" in shown.stdout
    assert "kabobagool demo" in shown.stdout
    assert "DRY_RUN=false" in shown.stdout


def test_help_takes_less_than_four_tenths_of_a_second_of_work() -> None:
    def took_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("--help")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert any(took_s() < 0.4 for _ in range(8)), "a busy neighbour makes some of them slower, but not each"


def test_help_imports_nothing_heavy() -> None:
    program = """
import sys
from click.testing import CliRunner
from kabobagool.cli.main import main
assert CliRunner().invoke(main, ["--help"]).exit_code == 0
print(sorted({"pydantic", "aiohttp", "msgspec", "prometheus_client", "coincurve", "websockets", "httpx", "rich"} & set(sys.modules)))
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=90, check=True)
    assert shown.stdout.strip() == "[]"


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout.strip() == f"kabobagool, version {__version__}"


def test_an_unknown_command_is_a_mistake_of_usage() -> None:
    ended = run("trade")
    assert ended.returncode == 2
    assert "No such command 'trade'" in ended.stderr


def test_a_command_that_is_not_installed_says_so_only_when_it_is_invoked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(main_module.COMMANDS, "later", Entry("kabobagool.cli.later", "Comes later."))
    listed = CliRunner().invoke(main, ["--help"])
    assert "later" in listed.output
    for arguments in (["later"], ["later", "--help"], ["later", "--any", "thing"]):
        ended = CliRunner().invoke(main, arguments)
        assert ended.exit_code == 1
        assert "`kabobagool later` is not part of this installation (kabobagool.cli.later is missing)" in ended.output


def test_a_missing_library_is_named_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "needs_a_library.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(main_module.COMMANDS, "needy", Entry("needs_a_library", "Needs a library."))
    ended = CliRunner().invoke(main, ["needy"])
    assert ended.exit_code == 1
    assert "package of `no_such_library` is missing; install everything with: pip install 'kabobagool[" in ended.output


def test_a_library_missing_while_a_command_runs_is_named_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "needs_it_later.py").write_text("import click\n@click.command()\ndef command():\n    import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(main_module.COMMANDS, "needy", Entry("needs_it_later", "Needs a library."))
    ended = CliRunner().invoke(main, ["needy"])
    assert (ended.exit_code, "`no_such_library` is missing" in ended.output) == (1, True)


@pytest.mark.parametrize("name", ["config", "paper-exchange"])
def test_every_command_of_this_folder_can_be_loaded(name: str) -> None:
    context = click.Context(main)
    assert isinstance(main, click.Group)
    command = main.get_command(context, name)
    assert command is not None
    assert command.help
