"""What the venue will call an order, known before it is sent, what a key has to sign of it, and the proof that a request is ours.

Execution journals `order_hash` before a POST, so that an order whose reply was lost can be looked up; `execution/fast_signer.py` signs
what `signable` says; `clob.py` and `execution/fast.py` prove their requests with `l2_headers`. Private keys never come here.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
from sha3 import keccak_256

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
DEPOSIT_WALLET: Final = 3
"""Signature type of a wallet that is a contract and checks a nested signature."""

_DOMAIN_TYPE: Final = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_ORDER_TYPE: Final = (
    b"Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    b"uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_NESTED_TYPE: Final = (
    b"TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)" + _ORDER_TYPE
)


def keccak(data: bytes) -> bytes:
    """The chain's hash: 32 bytes. In C, for there are four of them before every pair of orders."""
    digest: bytes = keccak_256(data).digest()
    return digest


_ORDER_TYPE_HASH: Final = keccak(_ORDER_TYPE)
_NESTED_TYPE_HASH: Final = keccak(_NESTED_TYPE)
_CONTENTS_TYPE: Final = _ORDER_TYPE.hex() + len(_ORDER_TYPE).to_bytes(2, "big").hex()
_ZERO_31: Final = bytes(31)
_DOMAIN_PREFIX: Final = keccak(_DOMAIN_TYPE) + keccak(b"Polymarket CTF Exchange") + keccak(b"2")
_WALLET_PREFIX: Final = keccak(b"DepositWallet") + keccak(b"1")


def exchange_of(*, neg_risk: bool) -> str:
    """Address of the contract that settles such a market, as a checksummed hex string."""
    return NEG_RISK_EXCHANGE if neg_risk else EXCHANGE


def address_of(public_key: bytes) -> str:
    """Address of an uncompressed public key (65 bytes), with the upper-case letters that are its checksum."""
    digits = keccak(public_key[1:])[-20:].hex()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False))


class OrderFields(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    return "0x" + _digest(_domain_separator(chain_id, exchange), _struct_hash(fields)).hex()


class Signable(NamedTuple):
    """What a key is to sign so that the venue accepts an order, and the order's hash.

    `trailer` is the hex text that follows the 65 bytes of the signature; it is empty but for deposit wallets.
    """

    order_hash: str
    digest: bytes
    trailer: str


def signable(fields: OrderFields, *, chain_id: int, exchange: str) -> Signable:
    """The digest behind an order's signature. ValueError when a field does not fit.

    A deposit wallet signs the order nested in the wallet's own domain (ERC-7739) and hands over what the nesting is made of; its order is
    still called by the hash of the order alone.
    """
    domain, contents = _domain_separator(chain_id, exchange), _struct_hash(fields)
    digest = _digest(domain, contents)
    if fields.signature_type != DEPOSIT_WALLET:
        return Signable("0x" + digest.hex(), digest, "")
    nested = keccak(_NESTED_TYPE_HASH + contents + _wallet_domain(chain_id, fields.signer))
    return Signable("0x" + digest.hex(), _digest(domain, nested), domain.hex() + contents.hex() + _CONTENTS_TYPE)


def _digest(domain: bytes, struct: bytes) -> bytes:
    return keccak(b"\x19\x01" + domain + struct)


def _struct_hash(fields: OrderFields) -> bytes:
    try:
        return keccak(
            _ORDER_TYPE_HASH
            + fields.salt.to_bytes(32, "big")
            + _address(fields.maker, "maker")
            + _address(fields.signer, "signer")
            + fields.token_id.to_bytes(32, "big")
            + fields.maker_amount.to_bytes(32, "big")
            + fields.taker_amount.to_bytes(32, "big")
            + _ZERO_31
            + fields.side.to_bytes(1, "big")
            + _ZERO_31
            + fields.signature_type.to_bytes(1, "big")
            + fields.timestamp_ms.to_bytes(32, "big")
            + _word(fields.metadata, "metadata")
            + _word(fields.builder, "builder")
        )
    except OverflowError:
        raise ValueError(_misfit(fields)) from None


def _misfit(fields: OrderFields) -> str:
    """Which number of an order is negative or too long for its type."""
    widths = {"side": 8, "signature_type": 8}
    numbers = ((name, value, widths.get(name, 256)) for name, value in msgspec.structs.asdict(fields).items() if isinstance(value, int))
    return ", ".join(f"{name} {value} does not fit {bits} bits" for name, value, bits in numbers if not 0 <= value < 1 << bits)


@lru_cache(maxsize=16)
def _domain_separator(chain_id: int, exchange: str) -> bytes:
    return keccak(_DOMAIN_PREFIX + chain_id.to_bytes(32, "big") + _address(exchange, "exchange"))


@lru_cache(maxsize=16)
def _wallet_domain(chain_id: int, wallet: str) -> bytes:
    """The deposit wallet's own domain as it is written into the nested message: name, version, chain, wallet, no salt."""
    return _WALLET_PREFIX + chain_id.to_bytes(32, "big") + _address(wallet, "signer") + bytes(32)


@lru_cache(maxsize=64)
def _address(text: str, name: str) -> bytes:
    return _hex_word(text, name, length=20)


@lru_cache(maxsize=64)
def _word(text: str, name: str) -> bytes:
    return _hex_word(text, name, length=32)


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
    mac = _keyed(credentials.secret).copy()
    mac.update(f"{timestamp_s}{method}{path}".encode() + (body or b""))
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": base64.urlsafe_b64encode(mac.digest()).decode(),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }


@lru_cache(maxsize=16)
def _keyed(secret: str) -> hmac.HMAC:
    """What every proof with this secret begins with: half of the work, done once."""
    return hmac.new(_secret_bytes(secret), digestmod="sha256")


def _secret_bytes(secret: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(secret)
    except (binascii.Error, ValueError):
        raise ValueError("the API secret is not base64: copy it again exactly as the venue issued it") from None
