"""The texts that troubleshooting quotes are those that the program writes, so that a reader who searches for one finds it."""

import errno
import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.docs.pages import DOCS

from kabobagool.cli.main import main
from kabobagool.clock import SystemClock
from kabobagool.execution.journal import Journal, JournalError
from kabobagool.hydra.page_assets import read_assets
from kabobagool.settings import FIELDS
from kabobagool.telemetry.health import listening_problem

PAGE = (DOCS / "troubleshooting.md").read_text()


def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str, **env: str) -> list[str]:
    """What a command writes on standard error, in a folder with nothing in it and with these variables alone."""
    monkeypatch.chdir(tmp_path)
    ours = {field.upper() for field in FIELDS}
    nothing: dict[str, str | None] = {name: None for name in os.environ if name.upper() in ours}
    result = CliRunner().invoke(main, list(words), env=nothing | env)
    return result.stderr.splitlines()


def test_missing_variables_are_told_in_the_words_that_the_page_quotes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = said(monkeypatch, tmp_path, "run", DRY_RUN="false")
    assert len(lines) == 2
    assert "\n".join(lines) in PAGE


@pytest.mark.parametrize("env", [{"DRY_RNU": "false"}, {"CLOB_API_KEY": "a"}], ids=lambda env: next(iter(env)))
def test_a_wrong_environment_is_told_in_the_words_that_the_page_quotes(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (line,) = said(monkeypatch, tmp_path, "config", "check", MARKET_SLUG="x", **env)
    assert f"`{line}`" in PAGE


def test_an_unknown_profile_is_told_in_the_words_that_the_page_quotes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (line,) = said(monkeypatch, tmp_path, "hydra", "--profile", "nope")
    beginning = line.partition("one of ")[0] + "one of"
    assert beginning in PAGE


def test_a_taken_port_is_told_in_the_words_that_the_page_quotes() -> None:
    told = listening_problem(OSError(errno.EADDRINUSE, "in use"), "127.0.0.1", 8080, variable="HEALTH_CHECK_PORT")
    assert told in PAGE


async def test_a_second_process_is_told_in_the_words_that_the_page_quotes(tmp_path: Path) -> None:
    path, clock = tmp_path / "journal.sqlite", SystemClock()
    first, second = await Journal.open(path, clock=clock), await Journal.open(path, clock=clock)
    try:
        await first.claim("0x1")
        with pytest.raises(JournalError) as refused:
            await second.claim("0x1")
    finally:
        await first.close()
        await second.close()
    told = str(refused.value).partition(".lock: ")[2]
    assert told.replace("0x1", "0x...") in PAGE


def test_the_page_of_the_fleet_says_what_the_documentation_says_it_says() -> None:
    script = read_assets()["app.js"].body.decode()
    assert "Connection lost, trying again" in script
    assert "Connection lost, trying again" in PAGE
