"""No secret is ever shown: not in a repr, a dump, an error, a pickled error or a traceback."""

import pickle
import traceback

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from kabobagool.settings import MASK, SECRETS, Settings, SettingsError, load_settings, shown_value

SECRET_ENV = {
    "MARKET_SLUG": "rain",
    "PRIVATE_KEY": "0x" + "5a" * 32,
    "CLOB_API_KEY": "api-key-7f3",
    "CLOB_API_SECRET": "api+secret/7f3=",
    "CLOB_API_PASSPHRASE": "pass phrase 7f3",
    "CLOB_PROXY_URL": "http://ann:pr0xyw0rd@proxy.example:8080",
}
HIDDEN = ("5a" * 32, "api-key-7f3", "api+secret/7f3=", "pass phrase 7f3", "pr0xyw0rd")


def shows_a_secret(text: str) -> bool:
    return any(secret in text for secret in HIDDEN)


def test_the_secrets_are_those_meant() -> None:
    venue = {"private_key", "clob_api_key", "clob_api_secret", "clob_api_passphrase", "clob_proxy_url"}
    assert venue | {"redis_url", "control_token"} == SECRETS


def test_settings_show_no_secret_however_they_are_printed() -> None:
    settings = load_settings(SECRET_ENV)
    shown = [repr(settings), str(settings), str(settings.model_dump()), settings.model_dump_json(), f"{settings.private_key!r}"]
    assert not any(map(shows_a_secret, shown))
    assert settings.clob_api_secret is not None
    assert settings.clob_api_secret.get_secret_value() == "api+secret/7f3="


def test_an_error_shows_no_secret_even_pickled_or_with_its_traceback() -> None:
    env = {**SECRET_ENV, "PRIVATE_KEY": "5a" * 32 + "zz", "CLOB_PROXY_URL": "gopher://ann:pr0xyw0rd@proxy.example", "CLOB_API_KEY": ""}
    with pytest.raises(SettingsError) as caught:
        load_settings(env)
    error = caught.value
    assert {line.split("=***:")[0] for line in error.problems[:2]} == {"PRIVATE_KEY", "CLOB_PROXY_URL"}
    assert not shows_a_secret(str(error))
    assert not shows_a_secret(repr(error))
    assert not shows_a_secret("".join(traceback.format_exception(error)))
    assert b"pr0xyw0rd" not in pickle.dumps(error)
    assert (error.__cause__, error.__context__) == (None, None)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_settings_built_directly_show_no_secret_in_their_error() -> None:
    with pytest.raises(ValueError, match="private_key") as caught:
        Settings.model_validate({"private_key": "5a" * 31})
    assert "5a5a" not in str(caught.value)


def test_a_key_pasted_into_the_wrong_variable_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"MARKET_SLUG": "rain", "PROXY_ADDRESS": "0x" + "5a" * 32})
    assert str(caught.value).startswith("PROXY_ADDRESS=***: is not an address")


def test_a_secret_that_is_also_the_value_of_another_variable_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {"MARKET_SLUG": "rain", "CLOB_API_KEY": "Abc77", "CLOB_API_SECRET": "b", "CLOB_API_PASSPHRASE": "c", "ENTRY_MODE": "Abc77"}
        )
    assert str(caught.value).startswith("ENTRY_MODE=***: is not known")


def test_credentials_in_a_host_are_refused_and_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({"MARKET_SLUG": "rain", "HOST": "https://ann:pr0xyw0rd@clob.example"})
    assert str(caught.value).startswith("HOST=https://***@clob.example: carries a user name or password")


@given(st.sampled_from(sorted(SECRETS)), st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=80))
@example("clob_proxy_url", "http://ann:p@ss@w0rd@host")
@example("private_key", "0x" + "0" * 64)
def test_no_value_of_a_secret_variable_appears_in_an_error(name: str, value: str) -> None:
    assume(value.strip().upper() not in "PRIVATE_KEY CLOB_API_PASSPHRASE CLOB_PROXY_URL")
    with pytest.raises(SettingsError) as caught:
        load_settings({"MARKET_SLUG": "rain", name.upper(): value, "MAX_PAIR_COST": "2"})
    assert value not in str(caught.value)
    assert "MAX_PAIR_COST=2: " in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy.example:8080", "http://proxy.example:8080"),
        ("http://ann:pw@proxy.example:8080", "http://***@proxy.example:8080"),
        ("http://ann:p@w@proxy.example", "http://***@proxy.example"),
        ("socks5://proxy.example/path", "socks5://proxy.example"),
    ],
)
def test_a_proxy_is_shown_by_its_host_alone(url: str, shown: str) -> None:
    assert shown_value("CLOB_PROXY_URL", url) == shown


def test_other_secrets_are_shown_as_a_mask() -> None:
    assert shown_value("CLOB_API_KEY", "abc") == MASK
    assert shown_value("PRIVATE_KEY", "0x" + "5a" * 32) == MASK
    assert shown_value("TOKEN_YES", "7" * 78) == "7" * 78
