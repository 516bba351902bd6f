"""What the venue will call an order, known before it is sent, and the proof that a read is ours.

Execution journals `order_hash` before a POST, so that an order whose reply was lost can be looked up; `clob.py` signs its reads with
`l2_headers`. Private keys never come here: signing an order is the official client's work.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

POLYGON_CHAIN_ID: Final = 137
EXCHANGE: Final = "0xE111180000d2663C0091e4f400237545B87B996B"
"""Exchange contract of ordinary markets."""
NEG_RISK_EXCHANGE: Final = "0xe2222d279d744050d28e00520010520000310F59"
"""Exchange contract of markets that share one negative-risk event."""
COLLATERAL: Final = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
"""pUSD, 6 decimals."""
CONDITIONAL_TOKENS: Final = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
COLLATERAL_ADAPTER: Final = "0xAdA100Db00Ca00073811820692005400218FcE1f"
NEG_RISK_COLLATERAL_ADAPTER: Final = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"

ZERO_BYTES32: Final = "0x" + "00" * 32

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_ORDER_TYPE_HASH: Final = keccak(_ORDER_TYPE)
_DOMAIN_PREFIX: Final = keccak(_DOMAIN_TYPE) + keccak(b"Polymarket CTF Exchange") + keccak(b"2")


def exchange_of(*, neg_risk: bool) -> str:
    """Address of the contract that settles such a market, as a checksummed hex string."""
    return NEG_RISK_EXCHANGE if neg_risk else EXCHANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFields:
    """The eleven signed fields. Amounts are millionths; `side` 0 buys and 1 sells; `timestamp_ms` is epoch milliseconds.

    `signature_type` is 0 for a plain key, 1 for a proxy, 2 for a safe, 3 for a deposit wallet (then maker and signer are both the wallet).
    """

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp_ms: int
    metadata: str = ZERO_BYTES32
    builder: str = ZERO_BYTES32


def order_hash(fields: OrderFields, *, chain_id: int, exchange: str) -> str:
    """EIP-712 hash of an order as lower-case `0x` hex, which is the id the venue gives it. ValueError when a field does not fit."""
    encoded = b"".join(
        (
            _ORDER_TYPE_HASH,
            _uint(fields.salt, "salt"),
            _address(fields.maker, "maker"),
            _address(fields.signer, "signer"),
            _uint(fields.token_id, "token_id"),
            _uint(fields.maker_amount, "maker_amount"),
            _uint(fields.taker_amount, "taker_amount"),
            _uint(fields.side, "side", bits=8),
            _uint(fields.signature_type, "signature_type", bits=8),
            _uint(fields.timestamp_ms, "timestamp_ms"),
            _hex_word(fields.metadata, "metadata", length=32),
            _hex_word(fields.builder, "builder", length=32),
        )
    )
    return "0x" + keccak(b"\x19\x01" + _domain_separator(chain_id, exchange.lower()) + keccak(encoded)).hex()


@lru_cache(maxsize=16)
def _domain_separator(chain_id: int, exchange: str) -> bytes:
    return keccak(_DOMAIN_PREFIX + _uint(chain_id, "chain_id") + _address(exchange, "exchange"))


@lru_cache(maxsize=64)
def _address(text: str, name: str) -> bytes:
    return _hex_word(text, name, length=20)


def _uint(value: int, name: str, *, bits: int = 256) -> bytes:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{name} {value} does not fit {bits} bits")
    return value.to_bytes(32, "big")


def _hex_word(text: str, name: str, *, length: int) -> bytes:
    digits = text.removeprefix("0x")
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = b""
    if len(value) != length or len(digits) != 2 * length:
        raise ValueError(f"{name} {text!r} is not 0x and {2 * length} hex digits")
    return value.rjust(32, b"\0")


@dataclass(frozen=True, slots=True)
class ApiCredentials:
    """Key, secret and passphrase the venue issued to the signer. Only the key is ever shown."""

    key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)


def l2_headers(
    credentials: ApiCredentials, address: str, method: str, path: str, body: bytes | None, timestamp_s: int
) -> Mapping[str, str]:
    """Headers that prove a request is the signer's. `path` is without the query; `body` is byte for byte what is sent.

    ValueError, without the secret in it, when the secret is not the base64 text the venue issued.
    """
    message = f"{timestamp_s}{method}{path}".encode() + (body or b"")
    digest = hmac.new(_secret_bytes(credentials.secret), message, hashlib.sha256).digest()
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": base64.urlsafe_b64encode(digest).decode(),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }


def _secret_bytes(secret: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(secret)
    except (binascii.Error, ValueError):
        raise ValueError("the API secret is not base64: copy it again exactly as the venue issued it") from None
