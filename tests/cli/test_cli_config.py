"""`kabobagool config` as people and scripts use it: exit status, standard output, standard error."""

import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kabobagool.cli.main import main
from kabobagool.settings import FIELDS
from kabobagool.settings_reference import reference_table

KEY = "5a" * 32


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)


def config(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["config", *arguments], env=env)


def rows(*arguments: str, **env: str) -> dict[str, Any]:
    shown = config("show", "--json", *arguments, **env)
    assert shown.exit_code == 0, shown.output
    return dict(json.loads(shown.stdout))


def test_reference_prints_the_page_byte_for_byte() -> None:
    assert config("reference").stdout == reference_table()


def test_reference_for_machines_has_every_variable() -> None:
    listed = json.loads(config("reference", "--json").stdout)
    assert sorted(row["name"] for row in listed) == sorted(name.upper() for name in FIELDS)
    pair_cost = next(row for row in listed if row["name"] == "MAX_PAIR_COST")
    assert (pair_cost["default"], pair_cost["unit"], pair_cost["group"]) == ("0.98", "dollars per pair", "Strategy")


def test_show_tells_where_each_value_comes_from() -> None:
    shown = rows("--max-pair-cost", "0.97", "--no-enable-metrics", BATCH_SIZE="20", MAX_PAIR_COST="0.5")
    assert shown["MAX_PAIR_COST"] == {"value": "0.97", "origin": "option"}
    assert shown["ENABLE_METRICS"] == {"value": "false", "origin": "option"}
    assert shown["BATCH_SIZE"] == {"value": "20", "origin": "env"}
    assert shown["DRY_RUN"] == {"value": "true", "origin": "default"}
    assert shown["MARKET_SLUG"] == {"value": None, "origin": "default"}
    assert list(shown) == [name.upper() for name in FIELDS]


def test_show_masks_secrets_in_both_forms() -> None:
    env = {"PRIVATE_KEY": KEY, "CLOB_PROXY_URL": "http://ann:pr0xyw0rd@proxy.example:1"}
    assert rows(**env)["PRIVATE_KEY"] == {"value": "***", "origin": "env"}
    assert rows(**env)["CLOB_PROXY_URL"]["value"] == "http://***@proxy.example:1"
    text = config("show", **env).output
    assert "5a5a" not in text
    assert "pr0xyw0rd" not in text


def test_show_for_people_has_a_line_for_each_variable() -> None:
    lines = config("show", BATCH_SIZE="20").stdout.splitlines()
    assert len(lines) == len(FIELDS)
    assert [line.split() for line in lines if line.startswith("BATCH_SIZE ")] == [["BATCH_SIZE", "env", "20"]]


@pytest.mark.parametrize("subcommand", ["show", "check"])
def test_a_wrong_configuration_ends_with_2_and_all_problems_on_standard_error(subcommand: str) -> None:
    ended = config(subcommand, MARKET_SLUG="rain", MAX_PAIR_COST="1.2", DRY_RUN="nope", PRIVATE_KEY=KEY + "0")
    assert ended.exit_code == 2
    assert ended.stdout == ""
    assert "MAX_PAIR_COST=1.2: a pair pays 1.00, so the most it may cost is below 1 (default 0.98)" in ended.stderr.splitlines()
    assert {line.split("=")[0] for line in ended.stderr.splitlines()} == {"PRIVATE_KEY", "MAX_PAIR_COST", "DRY_RUN"}
    assert "Traceback" not in ended.output
    assert "5a5a" not in ended.output


def test_check_for_machines_lists_the_problems_and_still_ends_with_2() -> None:
    ended = config("check", "--json", MARKET_SLUG="rain", BATCH_SIZE="1")
    answer = json.loads(ended.stdout)
    assert (ended.exit_code, answer["usable"], len(answer["problems"])) == (2, False, 1)


def test_check_needs_a_market() -> None:
    ended = config("check")
    assert ended.exit_code == 2
    assert ended.stderr.startswith("MARKET_SLUG is not set: no market is named")


def test_check_says_in_one_line_whether_money_is_at_stake() -> None:
    assert config("check", "--market-slug", "rain").stdout == "usable: dry run, no real orders\n"
    live = config("check", "--market-slug", "rain", "--no-dry-run", PRIVATE_KEY=KEY)
    assert (live.exit_code, live.stdout) == (0, "usable: LIVE, real orders at https://clob.polymarket.com\n")


def test_a_misspelt_variable_is_warned_of_without_failing() -> None:
    shown = config("check", "--json", MARKET_SLUG="rain", MAX_PAIR_COSTS="0.5")
    assert shown.exit_code == 0
    assert "warning: MAX_PAIR_COSTS is not a variable of kabobagool and has no effect: was MAX_PAIR_COST meant?" in shown.stderr
    assert json.loads(shown.stdout)["warnings"] == [
        "MAX_PAIR_COSTS is not a variable of kabobagool and has no effect: was MAX_PAIR_COST meant?"
    ]
