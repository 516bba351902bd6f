"""Hashes and recovered signers agree with the official clients', for every wallet type and both exchanges."""

from eth_account import Account
from eth_utils.address import to_checksum_address
from hypothesis import given, settings
from hypothesis import strategies as st
from polymarket._internal.wallet import wrap_deposit_wallet_session_signer_signature
from polymarket.types import EvmAddress, HexString
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderDataV2, SignedOrderV2
from py_clob_client_v2.signer import Signer
from py_clob_client_v2.signing.eip712 import sign_clob_auth_message

from paper_exchange.server.eip712 import (
    CHAIN_ID,
    EXCHANGE,
    NEG_RISK_EXCHANGE,
    SignedFields,
    auth_digest,
    checksum_address,
    order_digest,
    recover,
    unwrap_session_signature,
    wrapped_order_digest,
    wrapped_trailer,
)

KEY = "0x" + "2a" * 32
OWNER = str(Account.from_key(KEY).address).lower()
WALLET = "0x" + "c3" * 20
amounts = st.integers(1, 10**15)
words = st.binary(min_size=32, max_size=32)


def fields_of(order: SignedOrderV2) -> SignedFields:
    return SignedFields(
        salt=int(order.salt),
        maker=order.maker,
        signer=order.signer,
        token_id=int(order.tokenId),
        maker_amount=int(order.makerAmount),
        taker_amount=int(order.takerAmount),
        side=int(order.side),
        signature_type=int(order.signatureType),
        timestamp=int(order.timestamp),
        metadata=bytes.fromhex(order.metadata.removeprefix("0x")),
        builder=bytes.fromhex(order.builder.removeprefix("0x")),
    )


def test_the_published_golden_order_has_its_published_hash() -> None:
    account = "0x" + "11" * 20
    golden = SignedFields(123, account, account, 7132, 24_500_000, 50_000_000, 0, 0, 1_795_305_600_123)
    assert order_digest(golden, neg_risk=False).hex() == "b62274aa14603deca5fe62684581e399b1f053c4bcba3963eabe57d12edfe541"


@settings(max_examples=25, deadline=None)
@given(
    token=st.integers(1, 2**256 - 1),
    give=amounts,
    take=amounts,
    side=st.sampled_from([0, 1]),
    kind=st.sampled_from([0, 1, 2, 3]),
    neg_risk=st.booleans(),
    builder_code=words,
)
def test_any_order_hashes_and_recovers_as_the_official_builder_signed_it(
    token: int, give: int, take: int, side: int, kind: int, neg_risk: bool, builder_code: bytes
) -> None:
    signer = Signer(KEY, CHAIN_ID)
    builder = ExchangeOrderBuilderV2(NEG_RISK_EXCHANGE if neg_risk else EXCHANGE, CHAIN_ID, signer)
    maker = signer.address() if kind == 0 else WALLET
    data = OrderDataV2(
        maker=maker,
        signer=WALLET if kind == 3 else signer.address(),
        tokenId=str(token),
        makerAmount=str(give),
        takerAmount=str(take),
        side=side,
        signatureType=kind,
        builder="0x" + builder_code.hex(),
    )
    signed = builder.build_signed_order(data)
    fields, signature = fields_of(signed), bytes.fromhex(signed.signature[2:])
    assert "0x" + order_digest(fields, neg_risk=neg_risk).hex() == builder.build_order_hash(builder.build_order_typed_data(signed))
    if kind == 3:
        assert recover(wrapped_order_digest(fields, neg_risk=neg_risk), signature[:65]) == OWNER
        assert signature[65:] == wrapped_trailer(fields, neg_risk=neg_risk)
    else:
        assert recover(order_digest(fields, neg_risk=neg_risk), signature) == OWNER


@given(timestamp=st.integers(0, 2**40), nonce=st.integers(0, 2**64))
@settings(max_examples=15, deadline=None)
def test_a_login_signed_by_the_official_client_recovers_to_its_owner(timestamp: int, nonce: int) -> None:
    signature = bytes.fromhex(sign_clob_auth_message(Signer(KEY, CHAIN_ID), timestamp, nonce)[2:])
    assert recover(auth_digest(address=OWNER, timestamp=str(timestamp), nonce=nonce), signature) == OWNER
    assert recover(auth_digest(address=OWNER, timestamp=str(timestamp + 1), nonce=nonce), signature) != OWNER


@given(inner=st.binary(min_size=65, max_size=400))
def test_a_session_key_signature_unwraps_to_what_was_wrapped(inner: bytes) -> None:
    wrapped = wrap_deposit_wallet_session_signer_signature(EvmAddress(OWNER), HexString("0x" + inner.hex()))
    assert unwrap_session_signature(bytes.fromhex(wrapped[2:])) == inner


@given(st.binary(min_size=20, max_size=20))
def test_addresses_are_printed_with_their_checksum(raw: bytes) -> None:
    assert checksum_address("0x" + raw.hex()) == to_checksum_address(raw)


@given(signature=st.binary(max_size=80), digest=words)
def test_bytes_that_are_no_signature_recover_to_nobody_or_to_some_address(signature: bytes, digest: bytes) -> None:
    found = recover(digest, signature)
    assert found is None or (len(signature) == 65 and len(found) == 42)
