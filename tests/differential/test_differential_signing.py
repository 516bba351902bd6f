"""Our signer against both official clients: the same hash, the same typed data, the same signature, to the byte."""

import random

import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.differential.official_orders import CURVE_ORDER, ClobClientV2, UnifiedClient, addresses, keys, orders

from kabobagool.clock import SystemClock
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import POLYGON_CHAIN_ID, OrderFields, address_of, exchange_of, order_hash, signable
from paper_exchange.server.eip712 import SignedFields, order_digest, recover, wrapped_order_digest, wrapped_trailer

KEY = "0x" + "1f" * 32
LOW_S = CURVE_ORDER // 2


def signer_of(private_key: str) -> FastSigner:
    return FastSigner(wallet=Wallet(private_key=private_key), clock=SystemClock(), rng=random.Random(1))


def an_order(kind: int, **changes: int) -> OrderFields:
    numbers = {
        "salt": 1,
        "token_id": 7132,
        "maker_amount": 24_500_000,
        "taker_amount": 50_000_000,
        "side": 0,
        "timestamp_ms": 1_795_305_600_123,
    }
    wallet = "0x" + "11" * 20
    return OrderFields(maker=wallet, signer=wallet, signature_type=kind, **(numbers | changes))


@settings(max_examples=200, deadline=None)
@given(key=keys, fields=orders(), neg_risk=st.booleans())
@example(key=KEY, fields=an_order(0), neg_risk=False)
@example(key=KEY, fields=an_order(3), neg_risk=True)
def test_hash_and_signature_are_those_of_both_official_clients(key: str, fields: OrderFields, neg_risk: bool) -> None:
    ours = signer_of(key).sign_fields(fields, neg_risk=neg_risk)
    v2, unified = ClobClientV2(key, neg_risk=neg_risk), UnifiedClient(key, neg_risk=neg_risk)
    assert ours == (v2.order_hash(fields), v2.signature(fields))
    assert ours[1] == unified.signature(fields)
    assert ours[0] == order_hash(fields, chain_id=POLYGON_CHAIN_ID, exchange=exchange_of(neg_risk=neg_risk))


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
@pytest.mark.parametrize("neg_risk", [False, True])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_each_kind_of_wallet_at_each_exchange_signs_what_the_official_clients_sign(kind: int, neg_risk: bool, data: st.DataObject) -> None:
    fields = data.draw(orders().filter(lambda order: order.signature_type == kind))
    ours = signer_of(KEY).sign_fields(fields, neg_risk=neg_risk)[1]
    assert ours == ClobClientV2(KEY, neg_risk=neg_risk).signature(fields) == UnifiedClient(KEY, neg_risk=neg_risk).signature(fields)
    assert (len(ours) > 2 + 2 * 65) is (kind == 3)


@settings(max_examples=100, deadline=None)
@given(fields=orders(), neg_risk=st.booleans())
def test_what_is_signed_is_the_digest_of_the_typed_data_of_both_clients(fields: OrderFields, neg_risk: bool) -> None:
    task = signable(fields, chain_id=POLYGON_CHAIN_ID, exchange=exchange_of(neg_risk=neg_risk))
    plain = ClobClientV2(KEY, neg_risk=neg_risk).typed_data(fields)
    assert task.order_hash == "0x" + _digest_of(plain).hex()
    assert task.digest == _digest_of(UnifiedClient(KEY, neg_risk=neg_risk).typed_data(fields))
    assert (task.digest == _digest_of(plain)) is (fields.signature_type != 3)


@settings(max_examples=100, deadline=None)
@given(key=keys, fields=orders(), neg_risk=st.booleans())
def test_the_paper_exchange_recovers_the_key_that_signed(key: str, fields: OrderFields, neg_risk: bool) -> None:
    signer = signer_of(key)
    signature = bytes.fromhex(signer.sign_fields(fields, neg_risk=neg_risk)[1][2:])
    theirs = SignedFields(
        salt=fields.salt,
        maker=fields.maker,
        signer=fields.signer,
        token_id=fields.token_id,
        maker_amount=fields.maker_amount,
        taker_amount=fields.taker_amount,
        side=fields.side,
        signature_type=fields.signature_type,
        timestamp=fields.timestamp_ms,
        metadata=bytes.fromhex(fields.metadata[2:]),
        builder=bytes.fromhex(fields.builder[2:]),
    )
    wrapped = fields.signature_type == 3
    digest = (wrapped_order_digest if wrapped else order_digest)(theirs, neg_risk=neg_risk)
    assert recover(digest, signature[:65]) == signer.address.lower()
    assert signature[65:] == (wrapped_trailer(theirs, neg_risk=neg_risk) if wrapped else b"")


@settings(max_examples=200, deadline=None)
@given(key=keys, fields=orders())
def test_signatures_have_a_low_s_and_a_v_of_27_or_28(key: str, fields: OrderFields) -> None:
    signature = bytes.fromhex(signer_of(key).sign_fields(fields, neg_risk=False)[1][2:])
    assert 1 <= int.from_bytes(signature[32:64], "big") <= LOW_S
    assert signature[64] in {27, 28}


def test_both_values_of_v_occur_and_both_are_the_official_clients() -> None:
    signer, official = signer_of(KEY), ClobClientV2(KEY, neg_risk=False)
    found = {signer.sign_fields(an_order(0, salt=salt), neg_risk=False)[1][-2:] for salt in range(1, 30)}
    assert found == {"1b", "1c"}
    assert all(
        signer.sign_fields(an_order(0, salt=salt), neg_risk=False)[1] == official.signature(an_order(0, salt=salt)) for salt in range(1, 30)
    )


@settings(max_examples=100, deadline=None)
@given(key=keys)
def test_the_address_of_a_key_has_the_checksum_of_the_official_client(key: str) -> None:
    assert address_of(PrivateKey(bytes.fromhex(key[2:])).public_key.format(compressed=False)) == Account.from_key(key).address


@settings(max_examples=50, deadline=None)
@given(fields=orders(), other=addresses)
def test_another_wallet_never_has_the_same_signature(fields: OrderFields, other: str) -> None:
    moved = OrderFields(**({name: getattr(fields, name) for name in OrderFields.__struct_fields__} | {"maker": other}))
    signer = signer_of(KEY)
    assert (signer.sign_fields(moved, neg_risk=False) == signer.sign_fields(fields, neg_risk=False)) is (other == fields.maker)


def _digest_of(typed_data: dict[str, object]) -> bytes:
    from eth_utils.crypto import keccak

    message = encode_typed_data(full_message=typed_data)
    return bytes(keccak(b"\x19" + message.version + message.header + message.body))
