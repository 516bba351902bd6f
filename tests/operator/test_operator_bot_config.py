"""The environment of a bot: who may say what, what is refused with which words, and that no secret ever gets in."""

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.operator.arbmarket_bodies import STRATEGIES
from tests.operator.bot_objects import (
    AT_PAPER,
    CONDITION_ID,
    FACTS,
    LIVE,
    PLAY_WALLET,
    POLICY,
    WALLET,
    environment_of,
    market,
    profile,
)

from kabobagool.hydra.profile_files import SECRET_VARIABLES, VARIABLES
from kabobagool.settings import SettingsError, load_settings
from kabobagool_operator.bot_config import DECIDED_HERE, FLEET_ONLY, bot_environment, policy_problems
from kabobagool_operator.bot_profiles import BotProfile, Profiles
from kabobagool_operator.policy import Policy

SHIPPED = Profiles().names()
OPEN_VARIABLES = sorted(VARIABLES - SECRET_VARIABLES - DECIDED_HERE - FLEET_ONLY)


def made(*, policy: dict[str, Any] | None = None, of: BotProfile | None = None, **spec: Any) -> dict[str, str]:
    return bot_environment(market(**spec), FACTS, POLICY.model_copy(update=policy or {}), of or profile())


def problems(**given: Any) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        made(**given)
    return refused.value.problems


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_that_comes_with_the_program_makes_a_bot(name: str) -> None:
    environment = environment_of(market(profile=name))
    settings = load_settings(environment)
    assert settings.condition_id == CONDITION_ID
    assert settings.market_slug is None
    assert settings.host == "https://clob.polymarket.com"  # the profiles for a paper exchange name another one
    assert settings.market_socket_url.endswith("polymarket.com/ws/market")
    assert str(settings.journal_path).startswith("/var/lib/kabobagool/")
    assert settings.log_format == "json"


def test_the_market_goes_over_the_operators_variables_and_those_over_the_profile() -> None:
    mine = profile(MAX_PAIR_COST="0.9", BATCH_SIZE="7", EDGE_BUFFER="0.01")
    shared = {"bot_environment": {"MAX_PAIR_COST": "0.91", "batch_size": " 8 ", "END_MARGIN_S": ""}}
    environment = made(of=mine, policy=shared, strategy={"maxPairCost": "0.92"})
    assert (environment["MAX_PAIR_COST"], environment["BATCH_SIZE"], environment["EDGE_BUFFER"]) == ("0.92", "8", "0.01")
    assert "END_MARGIN_S" not in environment


def test_whatever_names_the_market_the_bot_is_told_the_condition_id_that_was_found() -> None:
    named = [{"slug": "rain"}, {"conditionId": CONDITION_ID}, {"tokens": {"yes": "111", "no": "222"}}]
    found = [made(market=reference) for reference in named]
    assert all(environment == found[0] for environment in found)
    assert found[0]["CONDITION_ID"] == CONDITION_ID
    assert not {"MARKET_SLUG", "TOKEN_YES", "TOKEN_NO"} & found[0].keys()


def test_only_the_market_decides_whether_real_orders_leave() -> None:
    assert made(of=profile(DRY_RUN="false"))["DRY_RUN"] == "true"
    assert made(of=profile(DRY_RUN="true"), **LIVE)["DRY_RUN"] == "false"


def test_a_live_bot_trades_with_the_wallet_by_which_it_is_known_at_the_gate() -> None:
    named = LIVE | {"credentials": {"secretName": "x", "walletAddress": WALLET.upper().replace("X", "x")}}
    assert made(**named)["PROXY_ADDRESS"] == WALLET
    assert made(policy={"live_wallet": WALLET}, **LIVE)["PROXY_ADDRESS"] == WALLET
    assert "PROXY_ADDRESS" not in made(**LIVE)
    assert "PROXY_ADDRESS" not in made(policy={"live_wallet": WALLET})
    assert not {"PROXY_ADDRESS", "SIGNATURE_TYPE"} & made(of=profile(PROXY_ADDRESS=WALLET, SIGNATURE_TYPE="2")).keys()


def test_a_paper_bot_sends_its_orders_and_trades_with_the_play_wallet() -> None:
    environment = environment_of(market(mode="Paper"), AT_PAPER)
    assert (environment["DRY_RUN"], environment["PROXY_ADDRESS"]) == ("false", PLAY_WALLET)
    assert environment_of(market(), AT_PAPER) == environment_of(market()), "a dry run is the same everywhere"


@pytest.mark.parametrize(
    ("policy", "spec", "said"),
    [
        (POLICY, {"mode": "Paper"}, ["spec.mode=Paper", "without a paper exchange", "choose DryRun or Live"]),
        (AT_PAPER, LIVE, ["spec.mode=Live", "sends no real orders", "choose Paper or DryRun"]),
    ],
)
def test_no_configuration_is_made_for_a_mode_that_the_installation_does_not_have(
    policy: Policy, spec: dict[str, Any], said: list[str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        environment_of(market(**spec), policy)
    (line,) = refused.value.problems
    assert all(part in line for part in said), line


def test_the_bot_trades_where_the_operator_looks() -> None:
    elsewhere = {"gamma_url": "http://paper:1/gamma", "clob_url": "http://paper:1", "ws_url": "ws://paper:1/ws/market"}
    environment = made(policy=elsewhere, of=profile(HOST="https://other.example"))
    assert [environment[name] for name in ("GAMMA_HOST", "HOST", "MARKET_SOCKET_URL")] == list(elsewhere.values())


def test_a_stop_waits_for_hedges_as_long_as_the_market_says_and_the_log_is_as_loud() -> None:
    environment = made(drainTimeoutSeconds=77, bot={"logLevel": "DEBUG"}, of=profile(DRAIN_TIMEOUT_S="5", LOG_LEVEL="ERROR"))
    assert (environment["DRAIN_TIMEOUT_S"], environment["LOG_LEVEL"]) == ("77", "DEBUG")


def test_what_concerns_a_fleet_or_one_machine_is_left_out() -> None:
    fleet = dict.fromkeys(FLEET_ONLY, "9") | {"LOG_FORMAT": "text", "HEALTH_CHECK_HOST": "127.0.0.1", "JOURNAL_PATH": "here"}
    assert made(of=profile(**fleet)) == made()
    assert {"MARKET_PATTERNS", "MAX_MARKETS", "HEALTH_PORT_BASE", "TARGETS_PATH"} <= FLEET_ONLY


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strategy": {"edgeBuffer": "0.5"}, "of": profile(MAX_PAIR_COST="0.4")}, ["EDGE_BUFFER=0.5", "MAX_PAIR_COST 0.4", "smaller"]),
        ({"of": profile(BATCH_SIZE="1")}, ["BATCH_SIZE=1", "at least 5"]),
        ({"policy": {"bot_environment": {"MAX_PAIR_COST": "1.2"}}}, ["MAX_PAIR_COST=1.2", "below 1"]),
        ({"policy": {"bot_environment": {"MAX_PAIR_COTS": "0.9"}}}, ["KABOBAGOOL_BOT_ENVIRONMENT", "MAX_PAIR_COTS", "MAX_PAIR_COST meant"]),
        ({"policy": {"bot_environment": {"ZEBRA": "0.9"}}}, ["ZEBRA", "not a variable of a bot", "take it out"]),
        ({"policy": {"bot_environment": {"dry_run": "false"}}}, ["dry_run", "operator decides", "take it out"]),
        ({"policy": {"bot_environment": {"MAX_MARKETS": "9"}}}, ["MAX_MARKETS", "one market", "take it out"]),
        ({"policy": {"clob_url": "polymarket"}}, ["HOST=polymarket", "https://"]),
        ({"of": BotProfile("fast", {}, requires=("ORDER_RATE", "PRIVATE_KEY"))}, ["ORDER_RATE is not set", "profile fast requires it"]),
    ],
)
def test_what_makes_no_bot_is_refused_with_variable_value_and_fix(given: dict[str, Any], said: list[str]) -> None:
    (line,) = problems(**given)
    assert all(part in line for part in said), line


def test_all_that_is_wrong_is_said_at_once() -> None:
    wrong = profile(BATCH_SIZE="1", MAX_LEG_AGE_MS="soon")
    assert [line.partition("=")[0] for line in problems(of=wrong, **LIVE)] == ["MAX_LEG_AGE_MS", "BATCH_SIZE"]


def test_the_operators_own_mistakes_are_known_before_any_market_is() -> None:
    assert policy_problems(POLICY) == ()
    assert len(policy_problems(Policy(bot_environment={"HOST": "x", "ORDER_RATE": "1", "PRIVATE_KEY": "0x12"}))) == 2


@settings(deadline=None)
@given(st.sampled_from(sorted(SECRET_VARIABLES)), st.sampled_from([str.upper, str.lower]), st.text(min_size=1))
def test_a_secret_is_refused_wherever_it_stands_and_is_never_repeated(name: str, case: Any, value: str) -> None:
    (line,) = problems(policy={"bot_environment": {case(name): f"sesame{value}"}})
    assert name in line.upper()
    assert "secret" in line
    assert "sesame" not in line


@settings(deadline=None)
@given(st.sampled_from(OPEN_VARIABLES), st.sampled_from(["{}", "0x{}", "http://h/{}"]), st.binary(min_size=32, max_size=32))
@example("HEALTH_CHECK_HOST", "0x{}", b"\xab" * 32)
def test_a_key_that_was_pasted_into_another_variable_gets_nowhere(name: str, around: str, key: bytes) -> None:
    said = " ".join(problems(policy={"bot_environment": {name: around.format(key.hex())}}))
    assert f"{name}=***: this may be a private key; take it out" in said
    assert key.hex() not in said


@settings(deadline=None)
@given(STRATEGIES, st.sampled_from(SHIPPED))
def test_an_environment_is_refused_or_starts_a_bot(strategy: dict[str, Any], name: str) -> None:
    asked = market(strategy=strategy, profile=name)
    environment = {**Profiles().profile(name).variables, **asked.spec.strategy.environment}
    if Decimal(environment.get("EDGE_BUFFER", "0")) >= Decimal(environment.get("MAX_PAIR_COST", "0.98")):
        with pytest.raises(SettingsError, match=r"EDGE_BUFFER=.*make it smaller"):
            environment_of(asked)
        return
    environment = environment_of(asked)
    assert list(environment) == sorted(environment)
    assert load_settings(environment).dry_run
    assert not SECRET_VARIABLES & environment.keys()


def write(folder: Path, name: str, *lines: str) -> Path:
    path = folder / f"{name}.env"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_profile_of_ones_own_hides_the_shipped_one_and_is_read_again_when_it_changed(tmp_path: Path) -> None:
    profiles = Profiles(tmp_path)
    assert profiles.profile("conservative").variables["BATCH_SIZE"] == "10"
    path = write(tmp_path, "conservative", "BATCH_SIZE=6")
    assert profiles.profile("conservative").variables == {"BATCH_SIZE": "6"}
    write(tmp_path, "conservative", "BATCH_SIZE=66", "# requires: ORDER_RATE")
    assert profiles.profile("conservative") == BotProfile("conservative", {"BATCH_SIZE": "66"}, ("ORDER_RATE",))
    path.unlink()
    assert profiles.profile("conservative").variables["BATCH_SIZE"] == "10"


def test_a_profile_that_kubernetes_replaced_under_the_same_name_is_read_again(tmp_path: Path) -> None:
    """A mounted ConfigMap is a link to a folder, and a change is another folder."""
    for version, size in (("one", "6"), ("two", "7")):
        (tmp_path / version).mkdir()
        os.utime(write(tmp_path / version, "fast", f"BATCH_SIZE={size}"), (0, 0))
    data, mounted = tmp_path / "..data", tmp_path / "mounted"
    mounted.mkdir()
    data.symlink_to("one")
    (mounted / "fast.env").symlink_to(Path("..") / "..data" / "fast.env")
    profiles = Profiles(mounted)
    assert profiles.profile("fast").variables["BATCH_SIZE"] == "6"
    data.unlink()
    data.symlink_to("two")
    assert profiles.profile("fast").variables["BATCH_SIZE"] == "7"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["BATCHSIZE=6"], ["profile fast: BATCHSIZE is not a variable", "was BATCH_SIZE meant"]),
        (["PRIVATE_KEY=0x12"], ["profile fast: PRIVATE_KEY is set", "no place for secrets", "spec.credentials.secretName"]),
        (["# requires: ZEBRA"], ["profile fast: ZEBRA is not a variable", "remove it"]),
        (["just words"], ["line 1", "NAME=value"]),
    ],
)
def test_a_wrong_profile_is_refused_with_what_to_do(tmp_path: Path, lines: list[str], said: list[str]) -> None:
    write(tmp_path, "fast", *lines)
    with pytest.raises(SettingsError) as refused:
        Profiles(tmp_path).profile("fast")
    assert all(part in str(refused.value) for part in said), str(refused.value)
    assert "0x12" not in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere", "base", "../conservative", ""])
def test_an_unknown_profile_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    write(tmp_path, "mine")
    write(tmp_path, "base")
    with pytest.raises(SettingsError, match=r"no such profile; choose one of 15min, conservative, .*mine") as refused:
        Profiles(tmp_path).profile(name)
    assert "base" not in str(refused.value).partition("choose")[2]
