"""The typed-data hashes behind every signature the venue accepts, and the address that made one.

`credentials.py` verifies logins with it, `order_wire.py` verifies orders and names them: the order id is the EIP-712 hash.
"""

from dataclasses import dataclass
from functools import lru_cache

from coincurve import PublicKey
from eth_hash.auto import keccak

CHAIN_ID = 137
EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310F59"
EXCHANGE_NAME = "Polymarket CTF Exchange"
ORDER_VERSION = "2"
AUTH_MESSAGE = "This message attests that I control the given wallet"

ORDER_TYPE = (
    "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
    "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
)
_WRAPPED_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)" + ORDER_TYPE
)
_AUTH_TYPE = "ClobAuth(address address,string timestamp,uint256 nonce,string message)"
_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AUTH_DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId)"
_SESSION_MAGIC = bytes.fromhex("6492" * 16)
_ZERO_WORD = bytes(32)
SIGNATURE_BYTES = 65


def _text_hash(text: str) -> bytes:
    return keccak(text.encode())


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


def _address_word(address: str) -> bytes:
    return bytes.fromhex(address.removeprefix("0x")).rjust(32, b"\0")


_ORDER_TYPE_HASH = _text_hash(ORDER_TYPE)
_WRAPPED_TYPE_HASH = _text_hash(_WRAPPED_TYPE)
_AUTH_TYPE_HASH = _text_hash(_AUTH_TYPE)
_WALLET_NAME_HASH = _text_hash("DepositWallet")
_WALLET_VERSION_HASH = _text_hash("1")


def domain_separator(*, name: str, version: str, contract: str) -> bytes:
    """Separator of a domain with a verifying contract on the venue's chain."""
    parts = (_text_hash(_DOMAIN_TYPE), _text_hash(name), _text_hash(version), _word(CHAIN_ID), _address_word(contract))
    return keccak(b"".join(parts))


_EXCHANGE_DOMAINS = {
    False: domain_separator(name=EXCHANGE_NAME, version=ORDER_VERSION, contract=EXCHANGE),
    True: domain_separator(name=EXCHANGE_NAME, version=ORDER_VERSION, contract=NEG_RISK_EXCHANGE),
}
_AUTH_DOMAIN = keccak(_text_hash(_AUTH_DOMAIN_TYPE) + _text_hash("ClobAuthDomain") + _text_hash("1") + _word(CHAIN_ID))


@dataclass(frozen=True, slots=True)
class SignedFields:
    """The eleven fields an order's signature covers; amounts in millionths, `timestamp` in milliseconds, bytes32 as 32 bytes."""

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: int
    signature_type: int
    timestamp: int
    metadata: bytes = _ZERO_WORD
    builder: bytes = _ZERO_WORD


def order_struct_hash(fields: SignedFields) -> bytes:
    """Hash of the order alone, before the domain."""
    amounts = (fields.token_id, fields.maker_amount, fields.taker_amount, fields.side, fields.signature_type, fields.timestamp)
    words = [_ORDER_TYPE_HASH, _word(fields.salt), _address_word(fields.maker), _address_word(fields.signer)]
    return keccak(b"".join([*words, *map(_word, amounts), fields.metadata, fields.builder]))


def order_digest(fields: SignedFields, *, neg_risk: bool) -> bytes:
    """What an owner signs for wallet types 0 to 2, and the order's id for every type."""
    return keccak(b"\x19\x01" + _EXCHANGE_DOMAINS[neg_risk] + order_struct_hash(fields))


def wrapped_order_digest(fields: SignedFields, *, neg_risk: bool) -> bytes:
    """What the owner of a deposit wallet (type 3) signs: the order nested in the wallet's own domain (ERC-7739)."""
    nested = (
        _WRAPPED_TYPE_HASH,
        order_struct_hash(fields),
        _WALLET_NAME_HASH,
        _WALLET_VERSION_HASH,
        _word(CHAIN_ID),
        _address_word(fields.signer),
        _ZERO_WORD,
    )
    return keccak(b"\x19\x01" + _EXCHANGE_DOMAINS[neg_risk] + keccak(b"".join(nested)))


def wrapped_trailer(fields: SignedFields, *, neg_risk: bool) -> bytes:
    """The bytes which follow the inner signature of a type 3 order."""
    contents = ORDER_TYPE.encode()
    return _EXCHANGE_DOMAINS[neg_risk] + order_struct_hash(fields) + contents + len(contents).to_bytes(2, "big")


def auth_digest(*, address: str, timestamp: str, nonce: int) -> bytes:
    """What a wallet signs to create or derive its API key."""
    parts = (_AUTH_TYPE_HASH, _address_word(address), _text_hash(timestamp), _word(nonce), _text_hash(AUTH_MESSAGE))
    return keccak(b"\x19\x01" + _AUTH_DOMAIN + keccak(b"".join(parts)))


def recover(digest: bytes, signature: bytes) -> str | None:
    """Lower-case address that signed `digest`, or None when the 65 bytes are not a signature."""
    if len(signature) != SIGNATURE_BYTES or signature[64] not in (0, 1, 27, 28):
        return None
    recoverable = signature[:64] + bytes([signature[64] % 27])
    try:
        public_key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # the library raises bare Exception for points off the curve
        return None
    return "0x" + keccak(public_key.format(compressed=False)[1:])[-20:].hex()


@lru_cache(maxsize=1_024)
def checksum_address(address: str) -> str:
    """The address with the upper-case letters of EIP-55, as the venue prints addresses."""
    digits = address.removeprefix("0x").lower()
    marks = keccak(digits.encode()).hex()
    return "0x" + "".join(digit.upper() if mark >= "8" else digit for digit, mark in zip(digits, marks, strict=False))


def unwrap_session_signature(signature: bytes) -> bytes:
    """The inner bytes of a session-key signature; any other signature is returned as it is."""
    if not signature.endswith(_SESSION_MAGIC):
        return signature
    payload = signature[: -len(_SESSION_MAGIC)]
    offset = int.from_bytes(payload[64:96], "big")
    length = int.from_bytes(payload[offset : offset + 32], "big")
    return payload[offset + 32 : offset + 32 + length]
