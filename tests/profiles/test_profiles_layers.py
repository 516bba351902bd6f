"""Which of two values wins, where it is said to come from, and what is refused before anything starts."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.hydra.profile_files import Folders
from kabobagool.hydra.supervisor_config import Layer, Origin, SupervisorConfig, load_supervisor_config, loaded_text
from kabobagool.settings import FIELDS, SettingsError

KEY = "5a" * 32
SHIPPED = Path(__file__).parents[2] / ".env.profiles"
LAYERED = (Layer.BASE, Layer.PROFILE, Layer.LOCAL, Layer.ENVIRONMENT, Layer.OPTION)


def folders(working: Path, **files: str) -> Folders:
    """A working directory with these files in `.env.profiles` (`base`, `mine`, `mine_local`), and `.env` for `loaded`."""
    found = Folders(working, SHIPPED)
    found.own.mkdir(exist_ok=True)
    for name, text in files.items():
        path = working / ".env" if name == "loaded" else found.own / f"{name.replace('_', '.')}.env"
        path.write_text(text)
        path.chmod(0o600)
    return found


def config(found: Folders, name: str | None = "mine", options: tuple[str, ...] = (), **environ: str) -> SupervisorConfig:
    return load_supervisor_config(name, environ=environ, folders=found, options=options)


def problems(found: Folders, name: str | None = "mine", **environ: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as told:
        config(found, name, **environ)
    return told.value.problems


def test_later_wins_base_profile_local_environment_option(tmp_path: Path) -> None:
    found = folders(
        tmp_path,
        base="LOG_LEVEL=DEBUG\nLOG_FORMAT=json\n",
        mine="LOG_FORMAT=text\nBATCH_SIZE=10\nMAX_MARKETS=3\nEDGE_BUFFER=0.001\n",
        mine_local="MAX_MARKETS=4\nMAX_POSITION_USD=50\n",
    )
    got = config(found, options=("EDGE_BUFFER",), MAX_POSITION_USD="60", EDGE_BUFFER="0.002")
    settings = got.settings
    assert (settings.log_level, settings.log_format, settings.batch_size, settings.max_markets) == ("DEBUG", "text", 10, 4)
    assert (settings.max_position_micros, settings.edge_buffer_micros) == (60_000_000, 2_000)
    origins = {name: str(got.origins[name]) for name in ("LOG_LEVEL", "LOG_FORMAT", "MAX_MARKETS", "MAX_POSITION_USD", "EDGE_BUFFER")}
    assert origins == {
        "LOG_LEVEL": f"base {found.own}/base.env",
        "LOG_FORMAT": f"profile {found.own}/mine.env",
        "MAX_MARKETS": f"local {found.own}/mine.local.env",
        "MAX_POSITION_USD": "environment",
        "EDGE_BUFFER": "option",
    }
    assert got.origins["ENTRY_MODE"] == Origin(Layer.DEFAULT)
    assert got.origins.keys() == {name.upper() for name in FIELDS}


@given(st.dictionaries(st.sampled_from(LAYERED), st.sampled_from(["DEBUG", "INFO", "WARNING", "ERROR", ""])))
def test_the_strongest_layer_that_says_anything_decides(said: Mapping[Layer, str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as working:
        line = {layer: f"LOG_LEVEL={level}\n" for layer, level in said.items()}
        found = folders(
            Path(working), base=line.get(Layer.BASE, ""), mine=line.get(Layer.PROFILE, ""), mine_local=line.get(Layer.LOCAL, "")
        )
        # The command line's options are merged over the environment before this is called.
        spoken = said.get(Layer.OPTION) or said.get(Layer.ENVIRONMENT)
        options = ("LOG_LEVEL",) if said.get(Layer.OPTION) else ()
        got = config(found, options=options, **({"LOG_LEVEL": spoken} if spoken else {}))
    strongest = next((layer for layer in reversed(LAYERED) if said.get(layer)), Layer.DEFAULT)
    assert got.origins["LOG_LEVEL"].layer is strongest
    assert got.settings.log_level == said.get(strongest, "INFO")


def test_an_empty_environment_variable_hides_nothing(tmp_path: Path) -> None:
    assert config(folders(tmp_path, mine="BATCH_SIZE=10\n"), BATCH_SIZE=" ").settings.batch_size == 10


def test_an_environment_variable_wins_in_any_case(tmp_path: Path) -> None:
    got = config(folders(tmp_path, mine="BATCH_SIZE=10\n"), batch_size="20")
    assert (got.settings.batch_size, got.origins["BATCH_SIZE"].layer) == (20, Layer.ENVIRONMENT)


def test_a_profile_of_ones_own_hides_the_shipped_one_of_the_same_name(tmp_path: Path) -> None:
    got = config(folders(tmp_path, crypto="MAX_MARKETS=2\n"), "crypto")
    assert (got.settings.max_markets, got.settings.market_patterns) == (2, "*")


def test_a_shipped_profile_takes_base_and_override_from_the_working_directory(tmp_path: Path) -> None:
    found = folders(tmp_path, base=f"PRIVATE_KEY={KEY}\n", crypto_local="DRY_RUN=false\n")
    got = config(found, "crypto")
    assert (got.settings.dry_run, got.settings.max_markets) == (False, 16)
    assert config(found, "sports").settings.dry_run


def test_without_a_profile_it_is_the_loaded_file_and_what_it_was_loaded_from(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="MAX_MARKETS=4\n", base=f"PRIVATE_KEY={KEY}\n")
    folders(tmp_path, loaded=loaded_text("mine", found))
    got = config(found, None)
    assert (got.profile, got.settings.max_markets, got.origins["MAX_MARKETS"]) == ("mine", 4, Origin(Layer.LOADED, f"{tmp_path}/.env"))
    assert got.settings == config(found, "mine").settings


def test_a_named_profile_does_not_mix_with_what_was_loaded(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="MAX_MARKETS=4\n", loaded="MAX_POSITION_USD=9999\n")
    assert config(found).settings.max_position_usd == 500


def test_without_a_profile_and_without_a_file_it_is_the_environment_alone(tmp_path: Path) -> None:
    got = config(Folders(tmp_path, SHIPPED), None, MAX_MARKETS="7")
    assert (got.profile, got.settings.max_markets, got.settings.dry_run) == (None, 7, True)


def test_a_foreign_env_file_does_no_harm_but_a_misspelling_in_it_is_an_error(tmp_path: Path) -> None:
    assert config(folders(tmp_path, loaded="DATABASE_URL=x\n"), None).settings.batch_size == 50
    (problem,) = problems(folders(tmp_path, loaded="MAX_PAIR_COSTS=0.5\n"), None)
    assert problem.endswith(".env: MAX_PAIR_COSTS is not a variable of kabobagool and has no effect: was MAX_PAIR_COST meant?")


def test_an_unknown_profile_lists_those_there_are(tmp_path: Path) -> None:
    (problem,) = problems(folders(tmp_path, mine=""), "cripto")
    assert "profile cripto: there is no such profile; choose one of 15min, conservative, crypto, hydra-test, mine, sports, test" in problem


@pytest.mark.parametrize("name", ["base", "mine.local", "../mine", "", "/etc/passwd"])
def test_nothing_else_passes_for_a_profile(name: str, tmp_path: Path) -> None:
    found = folders(tmp_path, base="", mine="", mine_local="")
    assert "there is no such profile" in problems(found, name)[0]


def test_unknown_variables_are_errors_with_the_closest_name(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="MAX_PAIRCOST=0.9\nWHO_KNOWS=1\n")
    assert problems(found) == (
        f"{found.own}/mine.env: MAX_PAIRCOST is not a variable of kabobagool: was MAX_PAIR_COST meant?",
        f"{found.own}/mine.env: WHO_KNOWS is not a variable of kabobagool: remove it; `kabobagool config reference` lists all",
    )
    for where in ("base", "mine_local"):
        (tmp_path / where).mkdir()
        assert "MAX_PAIRCOST" in problems(folders(tmp_path / where, mine="", **{where: "MAX_PAIRCOST=0.9\n"}))[0]


def test_a_secret_in_a_profile_is_refused_and_not_repeated(tmp_path: Path) -> None:
    (problem,) = problems(folders(tmp_path, mine=f"PRIVATE_KEY={KEY}\n"))
    assert "PRIVATE_KEY is set: a profile is no place for secrets; move it to" in problem
    assert "5a5a" not in problem


def test_base_holds_what_the_template_lists_and_no_trading_rule(tmp_path: Path) -> None:
    (problem,) = problems(folders(tmp_path, mine="", base="DRY_RUN=false\n"))
    assert "base.env: DRY_RUN is not for all profiles" in problem
    assert "PROFILE.local.env" in problem


def test_a_required_key_that_is_missing_is_named_with_the_fix(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="# Mine.\n# requires: PRIVATE_KEY, PROXY_ADDRESS\n")
    lines = problems(found)
    assert [line.split(" is not set")[0] for line in lines] == ["PRIVATE_KEY", "PROXY_ADDRESS"]
    assert f"profile mine requires it; cp {SHIPPED}/base.env.template {found.own}/base.env and set it there" in lines[0]
    folders(tmp_path, base="PRIVATE_KEY=\n")
    assert problems(found)[0] == f"PRIVATE_KEY is not set: profile mine requires it; set it in {found.own}/base.env"
    folders(tmp_path, base=f"PRIVATE_KEY={KEY}\nPROXY_ADDRESS=0x{'1' * 40}\nSIGNATURE_TYPE=3\n")
    assert config(found).settings.dry_run


def test_the_environment_may_bring_a_required_key(tmp_path: Path) -> None:
    assert config(folders(tmp_path, mine="# requires: PRIVATE_KEY\n"), PRIVATE_KEY=KEY).settings.private_key is not None


def test_a_requirement_that_is_no_variable_is_an_error(tmp_path: Path) -> None:
    (problem,) = problems(folders(tmp_path, mine="# requires: PRIVATEKEY\n"))
    assert problem.endswith("mine.env: requires PRIVATEKEY is not a variable of kabobagool: was PRIVATE_KEY meant?")


def test_a_wrong_value_is_told_with_the_file_it_is_in_and_all_at_once(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="MAX_PAIR_COST=1.2\nBATCH_SIZE=1\n", mine_local="BATCH_SIZE=2\n")
    told = {line.split("=")[0]: line for line in problems(found, LOG_LEVEL="loud")}
    assert told.keys() == {"MAX_PAIR_COST", "BATCH_SIZE", "LOG_LEVEL"}
    assert told["MAX_PAIR_COST"].startswith("MAX_PAIR_COST=1.2: a pair pays 1.00")
    assert told["MAX_PAIR_COST"].endswith(f"[from profile {found.own}/mine.env]")
    assert told["BATCH_SIZE"].startswith("BATCH_SIZE=2: is too little")
    assert told["BATCH_SIZE"].endswith(f"[from local {found.own}/mine.local.env]")
    assert "[from" not in told["LOG_LEVEL"]


def test_limits_that_no_market_can_meet_are_told_with_their_file(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="MIN_DURATION_HOURS=9\nMAX_DURATION_HOURS=1\n")
    (problem,) = problems(found)
    assert problem.startswith("MIN_DURATION_HOURS=9: is above MAX_DURATION_HOURS 1")
    assert problem.endswith(f"[from profile {found.own}/mine.env]")


def test_live_trading_without_a_key_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(folders(tmp_path, mine="", mine_local="DRY_RUN=false\n"))
    assert problem.startswith("PRIVATE_KEY is not set: live trading")


def test_secrets_that_others_may_read_are_warned_of_by_name(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="", base=f"PRIVATE_KEY={KEY}\n")
    assert config(found).warnings == ()
    (found.own / "base.env").chmod(0o640)
    path = found.own / "base.env"
    assert config(found).warnings == (f"{path} holds PRIVATE_KEY and other users may read it: chmod 600 {path}",)


def test_what_is_loaded_groups_values_by_origin_and_leaves_no_doubt(tmp_path: Path) -> None:
    found = folders(tmp_path, mine="# Mine.\nMAX_MARKETS=4\nBATCH_SIZE=10\n", mine_local="BATCH_SIZE=12\n", base="LOG_LEVEL=DEBUG\n")
    assert loaded_text("mine", found).splitlines()[2:] == [
        *("KABOBAGOOL_PROFILE=mine", "", f"# base {found.own}/base.env", "LOG_LEVEL=DEBUG", ""),
        *(f"# profile {found.own}/mine.env", "MAX_MARKETS=4", "", f"# local {found.own}/mine.local.env", "BATCH_SIZE=12"),
    ]
