"""Whatever stands in the environment: it is understood, or refused in order, and a range holds at its edges."""

import re
from decimal import Decimal
from typing import Any

import pytest
from annotated_types import Ge, Le, Lt
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kabobagool.settings import FIELDS, SECRETS, SettingsError, default_text, load_settings, shown_value
from kabobagool.settings_checks import at_the_venue

NAMES = sorted(name.upper() for name in FIELDS)
LINE = re.compile(r"^([A-Z_]+)(=.*| is not set): .+", re.DOTALL)
LIKELY = st.sampled_from(
    ["", " ", "0", "1", "-1", "5", "0.5", "1e9", "1e-9", "1_000", "true", "no", "nan", "inf", "0x", "http://", "ws://a", "٣"]
)
ANYTHING = st.one_of(LIKELY, st.text(max_size=30), st.integers().map(str), st.decimals(allow_nan=False).map(str))


@settings(suppress_health_check=[HealthCheck.too_slow])  # a busy machine draws slowly
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=8))
def test_any_environment_is_understood_or_refused_in_lines_that_name_a_variable(env: dict[str, str]) -> None:
    problems = _problems(env)
    for problem in problems:
        match = LINE.match(problem)
        assert match, problem
        assert match[1] in NAMES
    assert len(set(problems)) == len(problems)


CROSSED = ["DRY_RUN", "EDGE_BUFFER", "MAX_PAIR_COST", "COOLDOWN_BASE_S", "COOLDOWN_MAX_S", "BATCH_SIZE", "CLOCK_RATE"]
USUAL = st.sampled_from(["0", "0.1", "0.5", "1", "7", "true", "false"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(st.dictionaries(st.sampled_from(CROSSED), USUAL, max_size=3))
def test_settings_that_are_accepted_keep_every_promise(env: dict[str, str]) -> None:
    assume(not _problems({"MARKET_SLUG": "rain", **env}))
    accepted = load_settings({"MARKET_SLUG": "rain", **env})
    assert accepted.dry_run or accepted.private_key is not None
    assert accepted.edge_buffer_micros < accepted.max_pair_cost_micros < 1_000_000
    assert accepted.cooldown_max_ms >= accepted.cooldown_base_ms
    assert accepted.batch_size_micros >= 5_000_000
    assert accepted.clock_rate <= 1 or not at_the_venue(accepted.host)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(NAMES), ANYTHING, min_size=1, max_size=6))
def test_every_wrong_variable_is_named_whatever_else_is_wrong(env: dict[str, str]) -> None:
    alone = {name for name, value in env.items() if _wrong_alone(name, value)}
    together = _named_problems({"MARKET_SLUG": "rain", **env})
    assert alone <= together


def _problems(env: dict[str, str]) -> tuple[str, ...]:
    try:
        load_settings(env)
    except SettingsError as e:
        return e.problems
    return ()


def _named_problems(env: dict[str, str]) -> set[str]:
    return {match[1] for problem in _problems(env) if (match := LINE.match(problem))}


def _wrong_alone(name: str, value: str) -> bool:
    """Wrong by itself, not for what it lacks or contradicts."""
    return name in SETTLED_ALONE and any(problem.startswith(f"{name}=") for problem in _problems({"MARKET_SLUG": "rain", name: value}))


# Variables no check between variables can complain about.
SETTLED_ALONE = {"MAX_PAIR_COST", "BATCH_SIZE", "TAKER_FEE_BPS", "ENTRY_MODE", "LOG_LEVEL", "CHAIN_ID", "DRY_RUN", "ORPHAN_LOSS_CAP"}


def bounded(kind: type) -> list[tuple[str, Any]]:
    return [(name.upper(), bound) for name, field in FIELDS.items() for bound in field.metadata if isinstance(bound, kind)]


@pytest.mark.parametrize(("name", "bound"), bounded(Ge))
def test_the_least_value_is_allowed_and_what_is_below_is_not(name: str, bound: Ge) -> None:
    least = Decimal(str(bound.ge))
    assert f"{name}={least}:" not in _told(name, least)
    assert f"{name}={least - Decimal('0.01')}:" in _told(name, least - Decimal("0.01"))


@pytest.mark.parametrize(("name", "bound"), bounded(Le))
def test_the_greatest_value_is_allowed_and_what_is_above_is_not(name: str, bound: Le) -> None:
    greatest = Decimal(str(bound.le))
    assert f"{name}={greatest}: is" not in _told(name, greatest)
    assert f"{name}={greatest + 1}:" in _told(name, greatest + 1)


@pytest.mark.parametrize(("name", "bound"), bounded(Lt))
def test_what_must_stay_below_a_bound_may_not_reach_it(name: str, bound: Lt) -> None:
    assert f"{name}={bound.lt}:" in _told(name, Decimal(str(bound.lt)))


def _told(name: str, value: Decimal) -> str:
    others = {"COOLDOWN_MAX_S": "86400"} if name == "COOLDOWN_BASE_S" else {"COOLDOWN_BASE_S": "0"} if name == "COOLDOWN_MAX_S" else {}
    wallet = {"PROXY_ADDRESS": "0x" + "a" * 40} if name == "SIGNATURE_TYPE" else {}
    local = {"HOST": "http://a", "GAMMA_HOST": "http://a", "MARKET_SOCKET_URL": "ws://a"} if name == "CLOCK_RATE" else {}
    try:
        load_settings({**others, **wallet, **local, name: str(value)}, market_required=False)
    except SettingsError as e:
        return str(e)
    return ""


@pytest.mark.parametrize("name", [name for name in FIELDS if default_text(name) and " " not in default_text(name)])
def test_every_default_may_be_written_out_and_changes_nothing(name: str) -> None:
    written = load_settings({name.upper(): default_text(name)}, market_required=False)
    assert getattr(written, name) == getattr(load_settings({}, market_required=False), name)


@given(st.sampled_from(sorted(SECRETS)), st.text(min_size=6, max_size=40).filter(lambda text: len(set(text)) > 3))
def test_a_shown_secret_never_contains_its_value(name: str, value: str) -> None:
    assert value not in shown_value(name, value)


@given(st.text(alphabet="abcdefghij", min_size=4, max_size=12), st.text(alphabet="xyz0189:@%", min_size=4, max_size=12))
def test_a_shown_proxy_contains_neither_user_nor_password(user: str, password: str) -> None:
    shown = shown_value("CLOB_PROXY_URL", f"http://{user}:{password}@PROXY.EXAMPLE:1")
    assert user not in shown
    assert password not in shown
    assert shown.endswith("@PROXY.EXAMPLE:1")


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://clob.polymarket.com", True),
        ("https://polymarket.com", True),
        ("wss://ws-subscriptions-clob.POLYMARKET.com:443/ws/market", True),
        ("https://clob.polymarket.com./x", True),
        ("https://polymarket.com.evil.example", False),
        ("https://evil.example/polymarket.com", False),
        ("http://127.0.0.1:8000", False),
    ],
)
def test_the_venue_is_known_by_its_host(url: str, there: bool) -> None:
    assert at_the_venue(url) is there
