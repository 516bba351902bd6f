"""Secrets are masked wherever they stand and however they are usually written."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.settings import load_settings
from kabobagool.telemetry.redaction import MASK, Redactor, settings_secrets

# No secret of these letters can be formed by the mask or by the words around it.
SECRET = st.text(alphabet="abcXYZ789+/=\"'\\ é§", min_size=4, max_size=40).filter(lambda text: text.strip() and len(set(text)) > 1)
AROUND = st.text(alphabet="-,;:()", max_size=12)


def texts_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *texts_in(item))
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)
    else:
        yield str(value)


def holding(secret: str) -> st.SearchStrategy[Any]:
    leaves = st.one_of(AROUND.map(lambda text: text + secret), st.just(secret), st.integers(), st.none(), st.booleans(), AROUND)
    return st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(AROUND, inner, max_size=4), max_leaves=8)


@given(st.lists(SECRET, min_size=1, max_size=4), st.data())
def test_no_secret_survives_in_a_text(secrets: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.one_of(AROUND, st.sampled_from(secrets)), max_size=8))
    separated = "|".join(parts)
    masked = Redactor(secrets).mask(separated)
    assert not any(secret in masked for secret in secrets)


@given(SECRET, st.data())
def test_no_secret_survives_in_nested_data(secret: str, data: st.DataObject) -> None:
    masked = Redactor([secret]).mask_value(data.draw(holding(secret)))
    assert not any(secret in text for text in texts_in(masked))


@given(SECRET)
def test_a_secret_is_known_in_a_repr_in_json_and_in_a_url(secret: str) -> None:
    mask = Redactor([secret]).mask
    for written in (repr(secret), json.dumps(secret), json.dumps(secret, ensure_ascii=False), quote(secret), quote(secret, safe="")):
        assert MASK in mask(written)


@given(AROUND)
def test_a_text_without_secrets_stays_as_it_is(text: str) -> None:
    assert Redactor(["s3cret-s3cret"]).mask(text) == text
    assert Redactor([]).mask(text) == text


@pytest.mark.parametrize("written", ["0x" + "ab" * 32, "AB" * 32, "0X" + "Ab" * 32, "00" + "aB" * 32 + "ff", str(int("ab" * 32, 16))])
def test_a_key_is_known_in_any_case_without_prefix_and_as_a_number(written: str) -> None:
    masked = Redactor(["0x" + "ab" * 32]).mask(f"key={written}.")
    assert "abab" not in masked.lower()
    assert str(int("ab" * 32, 16)) not in masked
    assert MASK in masked


def test_another_long_number_is_not_taken_for_the_key() -> None:
    condition_id = "0x" + "cd" * 32
    assert Redactor(["0x" + "ab" * 32]).mask(f"market {condition_id}") == f"market {condition_id}"


def test_a_percent_escape_is_known_in_lower_case_too() -> None:
    assert Redactor(["p/w+rd=é"]).mask("p%2fw%2brd%3d%c3%a9 p%2Fw%2Brd%3D%C3%A9") == f"{MASK} {MASK}"


def test_a_key_handed_over_as_a_number_is_masked() -> None:
    assert Redactor(["0x" + "ab" * 32]).mask_value({"key": int("ab" * 32, 16), "count": 3}) == {"key": MASK, "count": 3}


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    assert Redactor(["pass", "password"]).mask("password") == MASK


def test_a_value_too_short_to_be_a_secret_does_not_blot_out_words() -> None:
    assert Redactor(["a", "", "xyz"]).mask("a maxyz") == "a maxyz"


def test_numbers_switches_and_nothing_keep_their_type() -> None:
    assert Redactor(["secret"]).mask_value([1, 2.5, True, None, {"a": (1,)}]) == [1, 2.5, True, None, {"a": [1]}]


def test_the_secrets_of_the_settings_are_all_of_them_and_no_host() -> None:
    env = {
        "MARKET_SLUG": "rain",
        "PRIVATE_KEY": "5a" * 32,
        "CLOB_API_KEY": "key7",
        "CLOB_API_SECRET": "secret7",
        "CLOB_API_PASSPHRASE": "phrase7",
        "CLOB_PROXY_URL": "http://ann%40home:p%2Fword@proxy.example:8080",
    }
    secrets = settings_secrets(load_settings(env))
    basic = base64.b64encode(b"ann@home:p/word").decode()
    assert {"0x" + "5a" * 32, "key7", "secret7", "phrase7", "p%2Fword", "p/word", "ann@home", basic} <= set(secrets)
    assert not any("proxy.example" in secret for secret in secrets)
    line = Redactor(secrets).mask(f"cannot reach {env['CLOB_PROXY_URL']} with Basic {basic}")
    assert line == f"cannot reach http://{MASK}:{MASK}@proxy.example:8080 with Basic {MASK}"


def test_settings_without_secrets_have_none() -> None:
    assert settings_secrets(load_settings({"MARKET_SLUG": "rain", "CLOB_PROXY_URL": "http://proxy.example"})) == ()
