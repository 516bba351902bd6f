"""Every command in the documentation is one that the program takes, as it is written there."""

import argparse
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from tests.docs.pages import PAGES, ROOT, command_lines, fences, in_backticks, name

from kabobagool.cli.main import main
from paper_exchange.server.command import build_parser

COMMANDS = sorted({(name(page), line) for page in PAGES for line in command_lines(page)})
PAPER = "python -m paper_exchange"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def check(line: str) -> None:
    """Raise click's or argparse's error for a command that does not exist or does not take these options."""
    if line.startswith(PAPER):
        build_parser().parse_args(shlex.split(line.removeprefix(PAPER)))
        return
    command: click.Command = main
    words, context = shlex.split(line)[1:], click.Context(main, info_name="kabobagool")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found, word = command.get_command(context, words[0]), words.pop(0)
        assert found is not None, f"no command {word}"
        command, context = found, click.Context(found, parent=context, info_name=word)
    if isinstance(command, click.Group):
        assert set(words) <= {"--help", "-h", "--version", "-V"}, words
        return
    try:
        left = command.make_context(context.info_name, words, parent=context.parent).args
    except click.MissingParameter:  # mentioned by its name alone, as in "`kabobagool replay` does it"
        assert words == []
        return
    if left:  # passed on to the paper exchange
        assert context.info_name == "paper-exchange", left
        build_parser().parse_args(left)


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_the_program_takes_every_command_as_it_is_written(page: str, line: str) -> None:
    check(line)


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) > 40
    assert ("docs/DEPLOYMENT.md", "kabobagool hydra --profile conservative") in COMMANDS


@pytest.mark.parametrize("line", ["kabobagool hydra --profil test", "kabobagool trade", "kabobagool run now", "kabobagool profile drop"])
def test_a_command_that_does_not_exist_is_caught(line: str) -> None:
    with pytest.raises((click.UsageError, AssertionError)):
        check(line)


def test_an_option_that_the_paper_exchange_does_not_have_is_caught() -> None:
    with pytest.raises((SystemExit, argparse.ArgumentError, ValueError)):
        check("python -m paper_exchange --bokos synthetic")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_docker_compose_command_names_services_and_profiles_that_exist(page: Path) -> None:
    services = COMPOSE["services"]
    profiles = {profile for service in services.values() for profile in service.get("profiles", ())}
    shown = "\n".join([*fences(page, ""), *in_backticks(page)])
    for line in re.findall(r"docker compose ([^#`&\n]*)", shown):
        words = shlex.split(line)
        assert {words[place + 1] for place, word in enumerate(words) if word == "--profile"} <= profiles, line
        named = [word for word in words if not word.startswith("-") and word not in profiles]
        assert set(named[1:]) <= services.keys(), line
