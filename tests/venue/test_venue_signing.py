import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_clob_client_v2.clob_types import ApiCreds, RequestArgs
from py_clob_client_v2.config import get_contract_config
from py_clob_client_v2.headers.headers import create_level_2_headers
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2
from py_clob_client_v2.signer import Signer

from kabobagool.venue.signing import (
    COLLATERAL,
    CONDITIONAL_TOKENS,
    EXCHANGE,
    NEG_RISK_EXCHANGE,
    POLYGON_CHAIN_ID,
    ApiCredentials,
    OrderFields,
    exchange_of,
    l2_headers,
    order_hash,
)

SIGNER = Signer("0x" + "1f" * 32, POLYGON_CHAIN_ID)
SECRET = base64.urlsafe_b64encode(b"\xfb\xff secret of thirty-two bytes !").decode()
CREDENTIALS = ApiCredentials("key-uuid", SECRET, "pass phrase")
GOLDEN = OrderFields(
    salt=123,
    maker="0x" + "11" * 20,
    signer="0x" + "11" * 20,
    token_id=7132,
    maker_amount=24_500_000,
    taker_amount=50_000_000,
    side=0,
    signature_type=0,
    timestamp_ms=1_795_305_600_123,
)


def test_the_golden_vector_holds() -> None:
    expected = "0xb62274aa14603deca5fe62684581e399b1f053c4bcba3963eabe57d12edfe541"
    assert order_hash(GOLDEN, chain_id=POLYGON_CHAIN_ID, exchange=EXCHANGE) == expected


def test_the_case_of_an_address_changes_nothing_but_the_exchange_does() -> None:
    known = order_hash(GOLDEN, chain_id=137, exchange=EXCHANGE)
    assert order_hash(GOLDEN, chain_id=137, exchange=EXCHANGE.lower()) == known
    assert order_hash(GOLDEN, chain_id=137, exchange=NEG_RISK_EXCHANGE) != known
    assert order_hash(GOLDEN, chain_id=80002, exchange=EXCHANGE) != known


def test_the_contracts_are_those_of_the_official_client() -> None:
    official = get_contract_config(POLYGON_CHAIN_ID)
    assert exchange_of(neg_risk=False) == EXCHANGE == official.exchange_v2
    assert exchange_of(neg_risk=True) == NEG_RISK_EXCHANGE == official.neg_risk_exchange_v2
    assert (official.collateral, official.conditional_tokens) == (COLLATERAL, CONDITIONAL_TOKENS)


uints = st.integers(0, 2**256 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
words = st.binary(min_size=32, max_size=32).map(lambda raw: "0x" + raw.hex())


@settings(max_examples=60, deadline=None)
@given(
    salt=st.integers(0, 2**53 - 1),
    wallet=addresses,
    numbers=st.tuples(uints, uints, uints, st.integers(1, 2**63)),
    side=st.sampled_from([0, 1]),
    signature_type=st.sampled_from([0, 1, 2, 3]),
    neg_risk=st.booleans(),
    labels=st.tuples(words, words),
)
def test_an_order_has_the_hash_the_official_client_gives_it_for_every_wallet_and_exchange(
    salt: int,
    wallet: str,
    numbers: tuple[int, int, int, int],
    side: int,
    signature_type: int,
    neg_risk: bool,
    labels: tuple[str, str],
) -> None:
    exchange = exchange_of(neg_risk=neg_risk)
    token, give, take, timestamp = numbers
    maker = wallet if signature_type else SIGNER.address()
    fields = OrderFields(
        salt=salt,
        maker=maker,
        signer=wallet if signature_type == 3 else SIGNER.address(),
        token_id=token,
        maker_amount=give,
        taker_amount=take,
        side=side,
        signature_type=signature_type,
        timestamp_ms=timestamp,
        metadata=labels[0],
        builder=labels[1],
    )
    builder = ExchangeOrderBuilderV2(exchange, POLYGON_CHAIN_ID, SIGNER, lambda: str(salt))
    order = builder.build_order(
        OrderDataV2(
            maker=fields.maker,
            signer=fields.signer,
            tokenId=str(token),
            makerAmount=str(give),
            takerAmount=str(take),
            side=side,
            signatureType=signature_type,
            timestamp=str(timestamp),
            metadata=labels[0],
            builder=labels[1],
        )
    )
    official = builder.build_order_hash(builder.build_order_typed_data(order))
    assert order_hash(fields, chain_id=POLYGON_CHAIN_ID, exchange=exchange) == official


@pytest.mark.parametrize("field", OrderFields.__struct_fields__)
def test_every_field_is_part_of_the_hash(field: str) -> None:
    value = getattr(GOLDEN, field)
    other: Any = value + 1 if isinstance(value, int) else value[:-1] + "2"
    changed = msgspec.structs.replace(GOLDEN, **{field: other})
    assert order_hash(changed, chain_id=137, exchange=EXCHANGE) != order_hash(GOLDEN, chain_id=137, exchange=EXCHANGE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("salt", -1),
        ("side", 256),
        ("signature_type", -1),
        ("taker_amount", 2**256),
        ("maker", "0x11"),
        ("maker", "0x" + "zz" * 20),
        ("signer", "0x" + "11 " * 20),
        ("builder", "0x00"),
    ],
)
def test_a_field_that_does_not_fit_is_named(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=field):
        order_hash(msgspec.structs.replace(GOLDEN, **{field: value}), chain_id=137, exchange=EXCHANGE)


@settings(max_examples=60, deadline=None)
@given(
    secret=st.binary(min_size=1, max_size=48),
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.sampled_from(["/data/trades", "/order", "/balance-allowance", "/data/order/0xab"]),
    body=st.none() | st.text(st.characters(codec="utf-8", exclude_characters="'"), min_size=1),
    timestamp=st.integers(0, 2**40),
)
def test_the_headers_are_those_of_the_official_client(secret: bytes, method: str, path: str, body: str | None, timestamp: int) -> None:
    text = base64.urlsafe_b64encode(secret).decode()
    credentials = ApiCredentials("key", text, "phrase")
    request = RequestArgs(method=method, request_path=path, body=body, serialized_body=body)
    official = create_level_2_headers(SIGNER, ApiCreds("key", text, "phrase"), request, timestamp)
    sent = body.encode() if body is not None else None
    assert l2_headers(credentials, SIGNER.address(), method, path, sent, timestamp) == official


def test_credentials_never_show_secret_or_passphrase() -> None:
    for text in (repr(CREDENTIALS), str(CREDENTIALS), f"{CREDENTIALS}"):
        assert "key-uuid" in text
        assert SECRET not in text
        assert "pass phrase" not in text


@pytest.mark.parametrize("secret", ["mistyped1", "пароль", "QUJDREVGRw"])
def test_a_mistyped_secret_is_explained_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="not base64") as caught:
        l2_headers(ApiCredentials("key", secret, "p"), "0x", "GET", "/", None, 1)
    assert secret not in str(caught.value)
    assert caught.value.__cause__ is None
