"""One order as the two official clients sign and post it: `py-clob-client-v2` and `polymarket-client`, both unmodified.

Each takes our eleven fields and answers in its own words; the tests compare those. Nothing here computes anything itself.
"""

from typing import Any

from eth_account import Account
from hypothesis import strategies as st
from polymarket._internal.actions.orders.orders import create_signed_order
from polymarket._internal.actions.orders.post import build_post_order_request
from polymarket._internal.actions.orders.typed_data import build_order_signature, build_order_typed_data
from polymarket._internal.actions.orders.types import UnsignedOrder
from py_clob_client_v2.order_utils.exchange_order_builder_v2 import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderV2, SignedOrderV2
from py_clob_client_v2.order_utils.model.side import Side as OfficialSide
from py_clob_client_v2.signer import Signer

from kabobagool.venue.signing import POLYGON_CHAIN_ID, OrderFields, exchange_of

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
UINT256_MAX = 2**256 - 1

keys = st.one_of(st.integers(1, CURVE_ORDER - 1), st.sampled_from([1, 2, CURVE_ORDER - 2, CURVE_ORDER - 1])).map(
    lambda key: f"0x{key:064x}"
)
uints = st.one_of(st.integers(0, UINT256_MAX), st.sampled_from([0, 1, 2**53 - 1, 2**255, UINT256_MAX]))
addresses = st.one_of(st.binary(min_size=20, max_size=20), st.sampled_from([bytes(20), b"\xff" * 20])).map(lambda raw: "0x" + raw.hex())
words = st.one_of(st.binary(min_size=32, max_size=32), st.sampled_from([bytes(32), b"\xff" * 32])).map(lambda raw: "0x" + raw.hex())


@st.composite
def orders(draw: st.DrawFn) -> OrderFields:
    """Any order that the types allow, of any kind of wallet."""
    kind, wallet = draw(st.sampled_from([0, 1, 2, 3])), draw(addresses)
    return OrderFields(
        salt=draw(uints),
        maker=wallet,
        signer=wallet if kind == 3 else draw(addresses),
        token_id=draw(uints),
        maker_amount=draw(uints),
        taker_amount=draw(uints),
        side=draw(st.sampled_from([0, 1])),
        signature_type=kind,
        timestamp_ms=draw(uints),
        metadata=draw(words),
        builder=draw(words),
    )


class ClobClientV2:
    """`py-clob-client-v2` with one key at one exchange."""

    def __init__(self, private_key: str, *, neg_risk: bool) -> None:
        exchange = exchange_of(neg_risk=neg_risk)
        self._builder = ExchangeOrderBuilderV2(exchange, POLYGON_CHAIN_ID, Signer(private_key, POLYGON_CHAIN_ID))

    def typed_data(self, fields: OrderFields) -> dict[str, Any]:
        return dict(self._builder.build_order_typed_data(_v2_order(fields)))

    def order_hash(self, fields: OrderFields) -> str:
        return str(self._builder.build_order_hash(self.typed_data(fields)))

    def signature(self, fields: OrderFields) -> str:
        return str(self._builder.build_order_signature(self.typed_data(fields)))

    def signed(self, fields: OrderFields) -> SignedOrderV2:
        return SignedOrderV2(**vars(_v2_order(fields)), signature=self.signature(fields))


class UnifiedClient:
    """`polymarket-client` with one key at one exchange."""

    def __init__(self, private_key: str, *, neg_risk: bool) -> None:
        self._account = Account.from_key(private_key)
        self._exchange = exchange_of(neg_risk=neg_risk)

    def typed_data(self, fields: OrderFields) -> dict[str, Any]:
        return build_order_typed_data(self._unsigned(fields))

    def signature(self, fields: OrderFields) -> str:
        signed = self._account.sign_typed_data(full_message=self.typed_data(fields))
        return str(build_order_signature(self._unsigned(fields), "0x" + signed.signature.hex()))  # type: ignore[arg-type]

    def body(self, fields: OrderFields, owner: str) -> tuple[str, dict[str, Any]]:
        signed = create_signed_order(self._unsigned(fields), self.signature(fields))  # type: ignore[arg-type]
        return build_post_order_request(signed, owner_api_key=owner)

    def _unsigned(self, fields: OrderFields) -> UnsignedOrder:
        return UnsignedOrder(
            chain_id=POLYGON_CHAIN_ID,
            builder=fields.builder,  # type: ignore[arg-type]
            exchange_address=self._exchange,  # type: ignore[arg-type]
            expiration=0,
            maker=fields.maker,  # type: ignore[arg-type]
            maker_amount=fields.maker_amount,
            metadata=fields.metadata,  # type: ignore[arg-type]
            order_type="FOK",
            salt=fields.salt,
            side="SELL" if fields.side else "BUY",
            signature_type=fields.signature_type,
            signer=fields.signer,  # type: ignore[arg-type]
            taker_amount=fields.taker_amount,
            timestamp=fields.timestamp_ms,
            token_id=str(fields.token_id),  # type: ignore[arg-type]
        )


def _v2_order(fields: OrderFields) -> OrderV2:
    return OrderV2(
        salt=str(fields.salt),
        maker=fields.maker,
        signer=fields.signer,
        tokenId=str(fields.token_id),
        makerAmount=str(fields.maker_amount),
        takerAmount=str(fields.taker_amount),
        side=OfficialSide.SELL if fields.side else OfficialSide.BUY,
        signatureType=fields.signature_type,
        timestamp=str(fields.timestamp_ms),
        metadata=fields.metadata,
        builder=fields.builder,
    )
