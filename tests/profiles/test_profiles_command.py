"""`kabobagool profile` as people and scripts use it: exit status, standard output, standard error, and the files it leaves."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kabobagool.cli.main import main
from kabobagool.settings import FIELDS

KEY = "5a" * 32
SHIPPED = ["15min", "conservative", "crypto", "hydra-test", "sports", "test"]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)


def profile(*arguments: str, **env: str) -> Result:
    return CliRunner().invoke(main, ["profile", *arguments], env=env)


def own(**files: str) -> None:
    folder = Path(".env.profiles")
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name.replace('_', '.')}.env").write_text(text)
        (folder / f"{name.replace('_', '.')}.env").chmod(0o600)


def test_list_names_every_profile_with_what_it_is_for() -> None:
    own(mine="# My own, for elections.\nMAX_MARKETS=3\n")
    lines = profile("list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == sorted([*SHIPPED, "mine"])
    assert "mine          My own, for elections." in lines
    (row,) = [row for row in json.loads(profile("list", "--json").stdout) if row["name"] == "mine"]
    assert row == {"name": "mine", "summary": "My own, for elections.", "file": ".env.profiles/mine.env"}


def test_show_tells_the_origin_of_each_value_and_leaves_defaults_out() -> None:
    own(mine="MAX_MARKETS=3\n", mine_local="BATCH_SIZE=10\n")
    shown = profile("show", "mine", LOG_LEVEL="DEBUG")
    assert shown.stdout.splitlines() == [
        "mine: dry run, no real orders",
        "",
        "BATCH_SIZE   local .env.profiles/mine.local.env  10",
        "LOG_LEVEL    environment                         DEBUG",
        "MAX_MARKETS  profile .env.profiles/mine.env      3",
    ]


def test_show_all_has_every_variable_also_for_machines() -> None:
    own(mine="MAX_MARKETS=3\n")
    assert len(profile("show", "mine", "--all").stdout.splitlines()) == len(FIELDS) + 2
    told = json.loads(profile("show", "mine", "--all", "--json").stdout)
    assert list(told["values"]) == [name.upper() for name in FIELDS]
    assert (told["profile"], told["live"]) == ("mine", False)
    assert told["values"]["MAX_MARKETS"] == {"value": "3", "origin": "profile", "file": ".env.profiles/mine.env"}
    assert told["values"]["DRY_RUN"] == {"value": "true", "origin": "default", "file": ""}


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_secrets_are_masked_wherever_they_come_from(form: list[str]) -> None:
    own(mine="", base=f"PRIVATE_KEY={KEY}\nCLOB_PROXY_URL=http://ann:pr0xyw0rd@proxy.example:1\n")
    shown = profile("show", "mine", *form, CONTROL_TOKEN="s3cret-t0ken")
    assert shown.exit_code == 0
    assert "***" in shown.stdout
    for secret in ("5a5a", "pr0xyw0rd", "s3cret-t0ken"):
        assert secret not in shown.output


def test_show_says_when_money_is_at_stake() -> None:
    own(mine="", mine_local="DRY_RUN=false\n", base=f"PRIVATE_KEY={KEY}\n")
    assert profile("show", "mine").stdout.splitlines()[0] == "mine: LIVE, real orders at https://clob.polymarket.com"


def test_show_without_a_name_is_what_was_loaded() -> None:
    profile("load", "crypto")
    assert profile("show").stdout.startswith("crypto: dry run")
    assert json.loads(profile("show", "--json").stdout)["values"]["MAX_MARKETS"]["origin"] == "loaded"


@pytest.mark.parametrize("subcommand", ["load", "switch"])
def test_loading_warns_of_secrets_that_others_may_read(subcommand: str) -> None:
    own(mine="", base=f"PRIVATE_KEY={KEY}\n")
    Path(".env.profiles/base.env").chmod(0o640)
    assert profile(subcommand, "mine").stderr.startswith("warning: .env.profiles/base.env holds PRIVATE_KEY and other users may read it")


def test_show_warns_of_misspellings_and_of_secrets_that_others_may_read() -> None:
    own(mine="", base=f"PRIVATE_KEY={KEY}\n")
    Path(".env.profiles/base.env").chmod(0o644)
    warnings = profile("show", "mine", MAX_PAIR_COSTS="0.5").stderr.splitlines()
    assert warnings == [
        "warning: MAX_PAIR_COSTS is not a variable of kabobagool and has no effect: was MAX_PAIR_COST meant?",
        "warning: .env.profiles/base.env holds PRIVATE_KEY and other users may read it: chmod 600 .env.profiles/base.env",
    ]


def test_load_merges_privately_and_keeps_what_was_there() -> None:
    own(base=f"PRIVATE_KEY={KEY}\n", crypto_local="MAX_MARKETS=2\n")
    Path(".env").write_text("MINE=1\n")
    told = json.loads(profile("load", "crypto", "--json").stdout)
    written = Path(".env").read_text()
    assert told["profile"] == "crypto"
    assert Path(told["backup"]).read_text() == "MINE=1\n"
    assert f"PRIVATE_KEY={KEY}\n" in written
    assert "\nMAX_MARKETS=2\n" in written
    assert "KABOBAGOOL_PROFILE=crypto\n" in written
    assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600


def test_load_does_not_write_the_environment_into_the_file() -> None:
    profile("load", "crypto", MAX_MARKETS="1", CONTROL_TOKEN="t0ken")
    assert "MAX_MARKETS=16\n" in Path(".env").read_text()
    assert "t0ken" not in Path(".env").read_text()


def test_loading_twice_keeps_one_backup_and_to_names_another_file() -> None:
    Path(".env").write_text("MINE=1\n")
    profile("load", "crypto")
    assert profile("load", "crypto").stdout == ".env holds profile crypto (dry run, no real orders)\n"
    assert len(list(Path().glob(".env.bak.*"))) == 1
    assert profile("load", "sports", "--to", "other.env").exit_code == 0
    assert "KABOBAGOOL_PROFILE=sports" in Path("other.env").read_text()
    assert "KABOBAGOOL_PROFILE=crypto" in Path(".env").read_text()


@pytest.mark.parametrize("subcommand", ["show", "load", "switch"])
def test_a_missing_key_ends_with_2_names_the_fix_and_writes_nothing(subcommand: str) -> None:
    own(mine="# Mine.\n# requires: PRIVATE_KEY\n")
    Path(".env").write_text("MINE=1\n")
    ended = profile(subcommand, "mine")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("PRIVATE_KEY is not set: profile mine requires it; cp ")
    assert "base.env.template .env.profiles/base.env and set it there" in ended.stderr
    assert Path(".env").read_text() == "MINE=1\n"
    assert list(Path().glob(".env.bak.*")) == []


def test_switch_tells_what_changes_and_no_secret() -> None:
    own(
        one="MAX_MARKETS=3\nBATCH_SIZE=10\n",
        one_local=f"PRIVATE_KEY={KEY}\n",
        two="MAX_MARKETS=4\nEDGE_BUFFER=0.01\n",
        two_local=f"PRIVATE_KEY={'6b' * 32}\nCONTROL_TOKEN=s3cret-t0ken\n",
    )
    profile("load", "one")
    switched = profile("switch", "two")
    first, *changes = switched.stdout.splitlines()
    assert first.startswith(".env holds profile two (dry run, no real orders); the previous one is .env.bak.")
    assert sorted(changes) == [
        "  BATCH_SIZE: 10 -> not set",
        "  CONTROL_TOKEN: not set -> set now",
        "  EDGE_BUFFER: not set -> 0.01",
        "  KABOBAGOOL_PROFILE: one -> two",
        "  MAX_MARKETS: 3 -> 4",
        "  PRIVATE_KEY: set before -> set now",
    ]
    for secret in ("5a5a", "6b6b", "s3cret"):
        assert secret not in switched.output


def test_switch_for_machines_masks_secrets_too() -> None:
    own(one="", two="", two_local=f"PRIVATE_KEY={KEY}\n")
    profile("load", "one")
    told = json.loads(profile("switch", "two", "--json").stdout)
    assert told["changes"] == {"KABOBAGOOL_PROFILE": ["one", "two"], "PRIVATE_KEY": ["not set", "set now"]}


def test_the_first_switch_starts_from_nothing() -> None:
    own(one="MAX_MARKETS=3\n")
    assert profile("switch", "one").stdout.splitlines()[1:] == ["  KABOBAGOOL_PROFILE: not set -> one", "  MAX_MARKETS: not set -> 3"]


def test_a_folder_that_cannot_be_written_is_told_without_a_traceback() -> None:
    ended = profile("load", "crypto", "--to", "none/.env")
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr == "none/.env: cannot be written (No such file or directory); choose another file with --to\n"
