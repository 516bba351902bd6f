"""From the JSON body of POST /order to a verified order, or to the venue's refusal.

Everything about versions, owners, wallets and signatures is decided here, before matching hears of the order.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, cast

from paper_exchange.server.credentials import ApiKey
from paper_exchange.server.eip712 import (
    SIGNATURE_BYTES,
    SignedFields,
    order_digest,
    recover,
    unwrap_session_signature,
    wrapped_order_digest,
    wrapped_trailer,
)
from paper_exchange.server.errors import VenueError, bad_request
from paper_exchange.types import OrderRequest, PaperMarket, Side

INVALID_PAYLOAD = "Invalid order payload"
INVALID_SIGNATURE = "invalid signature"
VERSION_MISMATCH = "order_version_mismatch"
WRONG_OWNER = "the owner has to be the owner of the API KEY"
WRONG_SIGNER = "the order signer address has to be the address of the API KEY"
WRONG_MAKER = "maker address not allowed, please use the deposit wallet flow"

DEPOSIT_WALLET = 3
_ORDER_TYPES = ("FOK", "FAK", "GTC", "GTD")
_UINT256 = 2**256
_MAX_AMOUNT = 2**63
_SIDES = {"BUY": 0, "SELL": 1}

OrderType = Literal["FOK", "FAK", "GTC", "GTD"]


@dataclass(frozen=True, slots=True)
class WireOrder:
    """One entry of POST /order(s), parsed but not yet verified."""

    fields: SignedFields
    signature: bytes
    owner: str
    order_type: OrderType

    @property
    def token(self) -> str:
        """The token id as text."""
        return str(self.fields.token_id)


@dataclass(slots=True)
class Wallets:
    """Which wallet trades for which owner: learned from verified orders, so that reads know whose balance is meant."""

    _wallets: dict[tuple[str, int], str] = field(default_factory=dict)
    _owner: dict[str, str] = field(default_factory=dict)

    def bind(self, *, owner: str, wallet: str, signature_type: int, by_session_key: bool = False) -> None:
        """Remember the wallet. VenueError 400 when another owner's wallet is used; a session key may share its owner's wallet."""
        if self._owner.setdefault(wallet, owner) != owner and not by_session_key:
            raise bad_request(WRONG_MAKER)
        self._wallets[owner, signature_type] = wallet

    def wallet_of(self, owner: str, signature_type: int) -> str:
        """The wallet whose balance a request of this owner means: the owner itself until another one is known."""
        return self._wallets.get((owner, signature_type), owner)

    def all_of(self, owner: str) -> set[str]:
        """Every wallet known to trade for the owner, itself included."""
        return {owner} | {wallet for (address, _), wallet in self._wallets.items() if address == owner}

    def owner_of(self, wallet: str) -> str:
        """The owner of a wallet; a wallet nobody bound is its own owner."""
        return self._owner.get(wallet, wallet)


def parse_order(entry: object) -> WireOrder:
    """The order in one posted entry. VenueError 400 when it is malformed or of an older version."""
    if not isinstance(entry, dict) or not isinstance(entry.get("order"), dict):
        raise bad_request(INVALID_PAYLOAD)
    order = cast(dict[str, Any], entry["order"])
    if "timestamp" not in order and ("nonce" in order or "feeRateBps" in order):
        raise bad_request(VERSION_MISMATCH)
    try:
        return _parse_fields(cast(dict[str, Any], entry), order)
    except (KeyError, TypeError, ValueError):
        raise bad_request(INVALID_PAYLOAD) from None


def _parse_fields(entry: dict[str, Any], order: dict[str, Any]) -> WireOrder:
    fields = SignedFields(
        salt=_integer(order["salt"], _UINT256),
        maker=_address(order["maker"]),
        signer=_address(order["signer"]),
        token_id=_integer(order["tokenId"], _UINT256),
        maker_amount=_integer(order["makerAmount"], _MAX_AMOUNT),
        taker_amount=_integer(order["takerAmount"], _MAX_AMOUNT),
        side=_SIDES[order["side"]],
        signature_type=_integer(order["signatureType"], DEPOSIT_WALLET + 1),
        timestamp=_integer(order["timestamp"], _UINT256),
        metadata=_bytes32(order.get("metadata", "0x")),
        builder=_bytes32(order.get("builder", "0x")),
    )
    order_type = entry.get("orderType", "GTC")
    owner = entry.get("owner", "")
    if order_type not in _ORDER_TYPES or not isinstance(owner, str):
        raise ValueError(order_type)
    return WireOrder(fields, _hex(order["signature"]), owner, order_type)


def _integer(value: object, limit: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, str) and len(value) > len(str(limit))):
        raise TypeError("not an integer")
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise ValueError("not an unsigned integer")
    number = int(value)
    if not 0 <= number < limit:
        raise ValueError("out of range")
    return number


def _hex(value: object) -> bytes:
    if not isinstance(value, str):
        raise TypeError("not hex text")
    return bytes.fromhex(value.removeprefix("0x"))


def _address(value: object) -> str:
    if len(raw := _hex(value)) != 20:
        raise ValueError("not an address")
    return "0x" + raw.hex()


def _bytes32(value: object) -> bytes:
    if len(raw := _hex(value)) > 32:
        raise ValueError("not bytes32")
    return raw.rjust(32, b"\0")


def verify_order(order: WireOrder, key: ApiKey, market: PaperMarket, wallets: Wallets) -> OrderRequest:
    """The order as matching wants it. VenueError 400 with the venue's text when owner, signer, wallet or signature is wrong."""
    fields, neg_risk = order.fields, market.neg_risk
    order_hash = "0x" + order_digest(fields, neg_risk=neg_risk).hex()
    try:
        if order.owner != key.key:
            raise bad_request(WRONG_OWNER)
        _verify_signature(order, key, neg_risk=neg_risk)
        session = unwrap_session_signature(order.signature) != order.signature
        wallets.bind(owner=key.address, wallet=fields.maker, signature_type=fields.signature_type, by_session_key=session)
    except VenueError as refusal:
        refusal.order_id = order_hash
        raise
    return OrderRequest(
        order_hash=order_hash,
        signer=key.address,
        maker=fields.maker,
        token=order.token,
        side=Side.BUY if fields.side == 0 else Side.SELL,
        maker_amount=fields.maker_amount,
        taker_amount=fields.taker_amount,
        order_type=order.order_type,
    )


def _verify_signature(order: WireOrder, key: ApiKey, *, neg_risk: bool) -> None:
    fields = order.fields
    if fields.signature_type == DEPOSIT_WALLET:
        if fields.maker != fields.signer or fields.maker == key.address:
            raise bad_request(INVALID_SIGNATURE)
        inner = unwrap_session_signature(order.signature)
        trailer_matches = inner[SIGNATURE_BYTES:] == wrapped_trailer(fields, neg_risk=neg_risk)
        recovered = recover(wrapped_order_digest(fields, neg_risk=neg_risk), inner[:SIGNATURE_BYTES])
        if not trailer_matches or recovered != key.address:
            raise bad_request(INVALID_SIGNATURE)
        return
    if fields.signer != key.address:
        raise bad_request(WRONG_SIGNER)
    if fields.signature_type == 0 and fields.maker != fields.signer:
        raise bad_request(INVALID_SIGNATURE)
    if recover(order_digest(fields, neg_risk=neg_risk), order.signature) != fields.signer:
        raise bad_request(INVALID_SIGNATURE)
