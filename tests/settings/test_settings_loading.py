"""What is read from the environment, what is refused, and in which words."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.settings import FIELDS, Settings, SettingsError, load_settings, settings_warnings
from kabobagool.settings_fields import GROUPS

MARKET = {"MARKET_SLUG": "will-it-rain"}
KEY = "0x" + "11" * 32
KEY_ADDRESS = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"
OTHER_ADDRESS = "0x" + "ab" * 20


def problems(**env: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as caught:
        load_settings({**MARKET, **env})
    return caught.value.problems


def the_problem(**env: str) -> str:
    (line,) = problems(**env)
    return line


def test_without_any_variable_but_the_market_nothing_is_sent_and_the_defaults_hold() -> None:
    settings = load_settings(MARKET)
    assert settings.dry_run is True
    assert settings.max_pair_cost_micros == 980_000
    assert settings.edge_buffer_micros == 0
    assert settings.taker_fee_bps == 1
    assert settings.batch_size_micros == 50_000_000
    assert settings.hedge_tolerance_micros == 100_000_000
    assert settings.max_position_micros == 500_000_000
    assert settings.orphan_loss_cap_micros == 5_000_000
    assert (settings.cooldown_base_ms, settings.cooldown_max_ms, settings.cooldown_backoff) == (500, 30_000, 2.0)
    assert (settings.order_interval_us, settings.order_burst, settings.global_order_min_interval_s) == (50_000, 30, None)
    assert (settings.hedge_reserve, settings.max_exposure_micros) == (Decimal("0.2"), None)
    assert (settings.max_leg_age_ms, settings.max_leg_skew_ms, settings.end_margin_ms) == (2000, 250, 60_000)
    assert (settings.orphan_retry_ms, settings.request_timeout_ms) == (20_000, 5000)
    assert settings.health_price_staleness_threshold_ms == 60_000
    assert settings.reconciliation_lookback_ms == 72 * 3_600_000
    assert settings.entry_mode == "paired"
    assert (settings.health_check_host, settings.health_check_port) == ("127.0.0.1", 8080)
    assert settings.host == "https://clob.polymarket.com"


def test_an_error_says_what_where_got_what_and_what_to_do() -> None:
    expected = "MAX_PAIR_COST=1.2: a pair pays 1.00, so the most it may cost is below 1 (default 0.98)"
    assert the_problem(MAX_PAIR_COST="1.2") == expected


def test_all_problems_are_told_at_once_those_between_variables_too() -> None:
    lines = problems(
        MAX_PAIR_COST="1.2", DRY_RUN="flase", ENTRY_MODE="both", BATCH_SIZE="3", CHAIN_ID="polygon", COOLDOWN_MAX_S="0.1", CLOB_API_KEY="k"
    )
    named = {line.split("=")[0].split(" ")[0] for line in lines}
    assert named == {"MAX_PAIR_COST", "DRY_RUN", "ENTRY_MODE", "BATCH_SIZE", "CHAIN_ID", "COOLDOWN_MAX_S", "CLOB_API_SECRET"}
    assert "\n".join(lines) == str(SettingsError(*lines))


def test_a_check_between_variables_is_silent_about_one_that_is_wrong_by_itself() -> None:
    assert the_problem(EDGE_BUFFER="0.5", MAX_PAIR_COST="0.4x").startswith("MAX_PAIR_COST=0.4x: is not a number")


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", " Yes "])
def test_a_switch_understands_yes(word: str) -> None:
    assert load_settings({**MARKET, "DRY_RUN": word}).dry_run is True


@pytest.mark.parametrize("word", ["false", "False", "0", "no"])
def test_a_switch_understands_no(word: str) -> None:
    assert load_settings({**MARKET, "DRY_RUN": word, "PRIVATE_KEY": KEY}).dry_run is False


@given(st.text(alphabet=st.characters(codec="ascii", exclude_characters="\x00"), min_size=1).filter(lambda text: text.strip()))
def test_no_word_but_those_meant_for_it_switches_the_dry_run_off(word: str) -> None:
    try:
        settings = load_settings({**MARKET, "PRIVATE_KEY": KEY, "DRY_RUN": word})
    except SettingsError:
        return
    assert settings.dry_run is (word.strip().lower() in {"true", "1", "yes"})
    assert word.strip().lower() in {"true", "1", "yes", "false", "0", "no"}


@pytest.mark.parametrize("word", ["off", "on", "n", "y", "f", "t", "none", "2", "-1"])
def test_a_word_that_might_mean_no_is_an_error_and_never_live_trading(word: str) -> None:
    assert the_problem(DRY_RUN=word, PRIVATE_KEY=KEY).startswith(f"DRY_RUN={word}: is neither yes nor no")


def test_live_trading_needs_a_key() -> None:
    assert the_problem(DRY_RUN="false") == (
        "PRIVATE_KEY is not set: live trading (DRY_RUN=false) signs orders with it; set it, or keep DRY_RUN=true"
    )


def test_a_key_alone_does_not_trade() -> None:
    assert load_settings({**MARKET, "PRIVATE_KEY": KEY}).dry_run is True


def test_an_empty_variable_counts_as_not_set() -> None:
    settings = load_settings({**MARKET, "DRY_RUN": "", "MAX_PAIR_COST": "  ", "PRIVATE_KEY": "", "TOKEN_YES": ""})
    assert (settings.dry_run, settings.max_pair_cost_micros, settings.private_key, settings.token_yes) == (True, 980_000, None, None)


def test_names_are_understood_in_any_case() -> None:
    assert load_settings({"market_slug": "a", "Max_Pair_Cost": "0.9"}).max_pair_cost_micros == 900_000


def test_a_name_given_twice_with_different_values_is_refused() -> None:
    assert "MAX_PAIR_COST=0.9: is given twice" in problems(MAX_PAIR_COST="0.9", max_pair_cost="0.8")[0]


def test_neither_the_process_environment_nor_a_dotenv_file_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DRY_RUN=false\nMAX_PAIR_COST=0.5\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAX_PAIR_COST", "0.6")
    assert load_settings(MARKET).max_pair_cost == Decimal("0.98")


def test_settings_do_not_change_once_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings(MARKET).dry_run = False


@given(st.integers(min_value=10_000, max_value=999_999))
def test_every_pair_cost_down_to_the_micro_dollar_arrives_exactly(micros: int) -> None:
    settings = load_settings({**MARKET, "MAX_PAIR_COST": f"0.{micros:06d}"})
    assert settings.max_pair_cost_micros == micros


@given(st.integers(min_value=50_000, max_value=10_000_000_000))
def test_every_batch_size_arrives_exactly(ten_thousandths: int) -> None:
    whole, fraction = divmod(ten_thousandths, 10_000)
    assert load_settings({**MARKET, "BATCH_SIZE": f"{whole}.{fraction:04d}"}).batch_size_micros == ten_thousandths * 100


@pytest.mark.parametrize("value", [0.97, 1e-3, True])
def test_an_amount_is_never_taken_from_a_float(value: object) -> None:
    with pytest.raises(ValueError, match="never as a float"):
        Settings.model_validate({"max_pair_cost": value})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MAX_PAIR_COST", "0", "at least 0.01 dollars per pair"),
        ("MAX_PAIR_COST", "1", "a pair pays 1.00"),
        ("MAX_PAIR_COST", "0.9800001", "finer than 6 decimals"),
        ("MAX_PAIR_COST", "NaN", "not a number"),
        ("MAX_PAIR_COST", "ninety", "not a number of dollars per pair, write it like 0.98"),
        ("BATCH_SIZE", "4.99", "at least 5 shares"),
        ("BATCH_SIZE", "1e30", "at most 1000000 shares"),
        ("BATCH_SIZE", "Infinity", "not a number"),
        ("TAKER_FEE_BPS", "1.5", "not a whole number of bps"),
        ("TAKER_FEE_BPS", "-1", "at least 0 bps"),
        ("COOLDOWN_BACKOFF", "0.5", "at least 1"),
        ("COOLDOWN_BACKOFF", "nan", "not a number"),
        ("GLOBAL_ORDER_MIN_INTERVAL_S", "-1", "at least 0 s"),
        ("REQUEST_TIMEOUT_S", "0", "at least 0.1 s"),
        ("ENTRY_MODE", "both", "choose one of 'paired', 'sequential' (default paired)"),
        ("LOG_LEVEL", "LOUD", "choose one of 'DEBUG', 'INFO'"),
        ("LOG_FORMAT", "xml", "choose one of 'json', 'text'"),
        ("HEALTH_CHECK_PORT", "65536", "at most 65535"),
        ("SIGNATURE_TYPE", "4", "at most 3"),
        ("RECONCILIATION_LOOKBACK_HOURS", "0", "at least 1 hours"),
        ("HOST", "clob.polymarket.com", "is not a URL that starts with https:// or http://"),
        ("HOST", "https://", "is not a URL"),
        ("HOST", "https://a:port", "is not a URL"),
        ("MARKET_SOCKET_URL", "https://clob.polymarket.com", "is not a URL that starts with wss:// or ws://"),
        ("PROXY_ADDRESS", "0x1234", "0x and 40 hexadecimal digits"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name: str, value: str, words: str) -> None:
    line = the_problem(**{name: value})
    assert line.startswith(f"{name}={value}: ")
    assert words in line


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"CONDITION_ID": "0x12"}, "0x and 64 hexadecimal digits"),
        ({"TOKEN_YES": "0xabc", "TOKEN_NO": "2"}, "TOKEN_YES=0xabc: is not a token id"),
        ({"TOKEN_YES": str(2**256), "TOKEN_NO": "2"}, "is not a token id"),
        ({"TOKEN_YES": "7", "TOKEN_NO": "7"}, "TOKEN_NO=7: is the same token as TOKEN_YES"),
        ({"TOKEN_YES": "7"}, "TOKEN_NO is not set: TOKEN_YES is; set both or neither"),
        ({"TOKEN_NO": "7"}, "TOKEN_YES is not set: TOKEN_NO is; set both or neither"),
        ({"MARKET_SLUG": "https://polymarket.com/event/rain"}, "is not a slug"),
        ({"MARKET_SLUG": "rain", "CONDITION_ID": "0x" + "1" * 64}, "named by MARKET_SLUG and CONDITION_ID; keep one"),
        ({}, "MARKET_SLUG is not set: no market is named; set it, or CONDITION_ID, or TOKEN_YES and TOKEN_NO"),
    ],
)
def test_the_market_is_named_in_exactly_one_way(env: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(env)
    assert len(caught.value.problems) == 1
    assert words in str(caught.value)


def test_a_supervisor_of_many_markets_names_none() -> None:
    assert load_settings({}, market_required=False).market_slug is None


def test_two_tokens_or_a_condition_id_name_a_market() -> None:
    assert load_settings({"TOKEN_YES": "7", "TOKEN_NO": "8"}).token_no == "8"
    assert load_settings({"CONDITION_ID": "0x" + "AB" * 32}).condition_id == "0x" + "ab" * 32


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"EDGE_BUFFER": "0.98"}, "EDGE_BUFFER=0.98: nothing is left of MAX_PAIR_COST 0.98"),
        ({"COOLDOWN_BASE_S": "31"}, "COOLDOWN_MAX_S is not set: the longest pause is below COOLDOWN_BASE_S 31"),
        ({"RECONCILIATION_REQUIRED": "yes", "ENABLE_RECONCILIATION": "no"}, "it can never succeed"),
        ({"CLOB_API_KEY": "a", "CLOB_API_SECRET": "b"}, "CLOB_API_PASSPHRASE is not set: CLOB_API_KEY and CLOB_API_SECRET is"),
        ({"CLOCK_RATE": "2"}, "CLOCK_RATE=2: only a paper exchange runs faster"),
        ({"CLOCK_RATE": "2", "HOST": "https://CLOB.Polymarket.com."}, "only a paper exchange runs faster"),
        ({"HOST": "http://clob.polymarket.com"}, "HOST=http://clob.polymarket.com: goes to the venue without encryption"),
        (
            {"DRY_RUN": "no", "PRIVATE_KEY": KEY, "MARKET_SOCKET_URL": "ws://127.0.0.1:9/ws"},
            "MARKET_SOCKET_URL=ws://127.0.0.1:9/ws: real orders",
        ),
        ({"SIGNATURE_TYPE": "2"}, "PROXY_ADDRESS is not set: SIGNATURE_TYPE=2 needs it"),
        ({"PRIVATE_KEY": KEY, "PROXY_ADDRESS": OTHER_ADDRESS}, "SIGNATURE_TYPE is not set: PROXY_ADDRESS is not the key's own address"),
        ({"PRIVATE_KEY": KEY, "PROXY_ADDRESS": OTHER_ADDRESS, "SIGNATURE_TYPE": "0"}, "SIGNATURE_TYPE=0: PROXY_ADDRESS is not"),
        ({"PRIVATE_KEY": KEY, "PROXY_ADDRESS": KEY_ADDRESS, "SIGNATURE_TYPE": "1"}, "that is kind 0; remove one of the two"),
        ({"PRIVATE_KEY": "0x" + "f" * 64}, "the number is outside the curve"),
        ({"PRIVATE_KEY": "0" * 64}, "the number is outside the curve"),
    ],
)
def test_variables_that_do_not_fit_together_are_refused(env: dict[str, str], words: str) -> None:
    assert words in the_problem(**env)


def test_a_paper_exchange_may_be_traded_at_faster_and_live() -> None:
    local = {"HOST": "http://127.0.0.1:9", "GAMMA_HOST": "http://127.0.0.1:9/", "MARKET_SOCKET_URL": "ws://127.0.0.1:9/ws/market"}
    settings = load_settings({**MARKET, **local, "CLOCK_RATE": "60", "DRY_RUN": "false", "PRIVATE_KEY": KEY})
    assert (settings.clock_rate, settings.gamma_host) == (60.0, "http://127.0.0.1:9")


def test_a_host_that_merely_looks_like_the_venue_is_not_the_venue() -> None:
    hosts = dict.fromkeys(("HOST", "GAMMA_HOST"), "http://polymarket.com.example") | {"MARKET_SOCKET_URL": "ws://notpolymarket.com"}
    assert load_settings({**MARKET, **hosts, "CLOCK_RATE": "2"}).clock_rate == 2.0


@pytest.mark.parametrize("spelling", [KEY_ADDRESS, KEY_ADDRESS.upper().replace("X", "x")])
def test_the_keys_own_address_as_wallet_needs_no_kind(spelling: str) -> None:
    settings = load_settings({**MARKET, "PRIVATE_KEY": KEY, "PROXY_ADDRESS": spelling})
    assert (settings.wallet_signature_type, settings.signer_address) == (0, KEY_ADDRESS)


def test_another_wallet_of_a_named_kind_is_accepted() -> None:
    settings = load_settings({**MARKET, "PRIVATE_KEY": KEY[2:] + "\n", "PROXY_ADDRESS": OTHER_ADDRESS, "SIGNATURE_TYPE": "3"})
    assert settings.wallet_signature_type == 3
    assert settings.private_key is not None
    assert settings.private_key.get_secret_value() == KEY


def test_the_forced_imbalance_replaces_the_tolerance_only_when_it_is_set() -> None:
    assert load_settings({**MARKET, "FORCE_HEDGE_IMBALANCE": "0"}).hedge_tolerance_micros == 100_000_000
    assert load_settings({**MARKET, "FORCE_HEDGE_IMBALANCE": "7.5"}).hedge_tolerance_micros == 7_500_000


@pytest.mark.parametrize(
    ("env", "path"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/kabobagool/journal.sqlite"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/state"}, "/state/kabobagool/journal.sqlite"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, "/home/ann/.local/state/kabobagool/journal.sqlite"),
        ({"HOME": "/home/ann", "JOURNAL_PATH": "~/j.sqlite"}, "/home/ann/j.sqlite"),
        ({"JOURNAL_PATH": "/data/j.sqlite", "XDG_STATE_HOME": "/state"}, "/data/j.sqlite"),
    ],
)
def test_the_journal_is_kept_where_state_belongs(env: dict[str, str], path: str) -> None:
    assert load_settings({**MARKET, **env}).journal_path == Path(path)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAX_PAIR_COSTS", "MAX_PAIR_COST"),
        ("DRYRUN", "DRY_RUN"),
        ("PRIVATE_KEYS", "PRIVATE_KEY"),
        ("COOLDOWN_BASE", "COOLDOWN_BASE_S"),
        ("max_leg_age", "MAX_LEG_AGE_MS"),
    ],
)
def test_a_misspelt_name_is_warned_of_without_its_value(name: str, meant: str) -> None:
    (warning,) = settings_warnings({name: "s3cret-value"})
    assert warning == f"{name.upper()} is not a variable of kabobagool and has no effect: was {meant} meant?"


def test_what_every_container_sets_is_not_warned_of() -> None:
    usual = [
        "PATH",
        "HOME",
        "HOSTNAME",
        "LANG",
        "LOGNAME",
        "SHELL",
        "TERM",
        "HTTP_PROXY",
        "NO_PROXY",
        "KUBERNETES_SERVICE_HOST",
        "MARKET_PORT",
    ]
    assert settings_warnings(dict.fromkeys([*usual, *(name.upper() for name in FIELDS)], "x")) == []


def test_every_variable_belongs_to_one_group_and_is_explained() -> None:
    names = [name for _, group in GROUPS for name in group.model_fields]
    assert sorted(names) == sorted(Settings.model_fields)
    assert len(names) == len(set(names))
    assert all(field.description and field.description.endswith(".") for field in FIELDS.values())
