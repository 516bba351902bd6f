"""Options are the environment variables, under another spelling."""

from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from kabobagool.cli.options import json_option, options_given, settings_options
from kabobagool.settings import FIELDS, SECRETS, SettingsError, load_settings

CHOSEN = ("MAX_PAIR_COST", "DRY_RUN", "ENTRY_MODE", "MARKET_SLUG")


def invoke(arguments: list[str], seen: dict[str, Any], **env: str) -> Result:
    @click.command()
    @json_option
    @settings_options(*CHOSEN)
    @click.pass_context
    def command(context: click.Context, environment: dict[str, str], as_json: bool) -> None:
        seen.update(environment=environment, given=options_given(context), as_json=as_json)
        seen["settings"] = load_settings(environment)

    return CliRunner().invoke(command, arguments, env={**dict.fromkeys(map(str.upper, FIELDS)), **env})


def test_an_option_wins_over_the_variable_and_the_variable_over_the_default() -> None:
    seen: dict[str, Any] = {}
    assert (
        invoke(["--max-pair-cost", "0.9", "--json"], seen, MAX_PAIR_COST="0.8", ENTRY_MODE="sequential", MARKET_SLUG="rain").exit_code == 0
    )
    settings = seen["settings"]
    assert (settings.max_pair_cost_micros, settings.entry_mode, settings.taker_fee_bps) == (900_000, "sequential", 1)
    assert seen["given"] == {"MAX_PAIR_COST"}
    assert seen["as_json"] is True


def test_an_option_wins_over_the_variable_however_that_is_spelt() -> None:
    seen: dict[str, Any] = {}
    assert invoke(["--market-slug", "rain"], seen, market_slug="snow").exit_code == 0
    assert seen["settings"].market_slug == "rain"


def test_a_switch_has_two_options_and_neither_changes_nothing() -> None:
    seen: dict[str, Any] = {}
    key = {"PRIVATE_KEY": "5a" * 32}
    dry_runs = []
    for option, env in ([], {}), (["--no-dry-run"], key), (["--dry-run"], {**key, "DRY_RUN": "false"}):
        assert invoke(["--market-slug", "rain", *option], seen, **env).exit_code == 0
        dry_runs.append(seen["settings"].dry_run)
    assert dry_runs == [True, False, True]


def test_a_wrong_option_is_told_like_a_wrong_variable() -> None:
    ended = invoke(["--market-slug", "rain", "--max-pair-cost", "1.2", "--entry-mode", "both"], {})
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "MAX_PAIR_COST=1.2: a pair pays 1.00, so the most it may cost is below 1 (default 0.98)\n"
        "ENTRY_MODE=both: is not known, choose one of 'paired', 'sequential' (default paired)\n"
    )


def test_help_tells_variable_range_unit_and_default() -> None:
    text = " ".join(invoke(["--help"], {}).output.split())
    assert "--max-pair-cost DOLLARS" in text
    assert "[MAX_PAIR_COST; 0.01 to below 1 dollars per pair; default 0.98]" in text
    assert "--dry-run / --no-dry-run" in text
    assert "--entry-mode paired|sequential" in text


@pytest.mark.parametrize("name", [*sorted(SECRETS), "no_such_variable"])
def test_no_option_is_made_of_a_secret_or_of_nothing(name: str) -> None:
    with pytest.raises(ValueError, match=f"no option can be made of {name.upper()}"):
        settings_options(name)


def test_without_names_every_variable_but_the_secrets_is_an_option() -> None:
    @click.command()
    @settings_options()
    def command(environment: dict[str, str]) -> None:
        raise SettingsError("never reached")

    assert {parameter.name for parameter in command.params} == FIELDS.keys() - SECRETS
