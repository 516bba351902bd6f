"""Which wallet addresses a key owns at the venue, so that a wrong SIGNATURE_TYPE is noticed before the first refused order.

The venue's factories deploy every wallet at an address that follows from the key's own (CREATE2), the same on every machine and without
asking anybody. Called by `account_checks.py`.
"""

from collections.abc import Mapping
from typing import Final

from kabobagool.venue.signing import keccak

EOA, PROXY, SAFE, DEPOSIT_WALLET = range(4)
KIND_NAMES: Final[Mapping[int, str]] = {
    EOA: "the key's own account",
    PROXY: "Polymarket proxy (e-mail login)",
    SAFE: "Safe (browser wallet)",
    DEPOSIT_WALLET: "deposit wallet (accounts opened since May 2026)",
}

_PROXY_FACTORY: Final = bytes.fromhex("aB45c5A4B0c941a2F231C04C3f49182e1A254052")
_PROXY_IMPLEMENTATION: Final = bytes.fromhex("44e999d5c2F66Ef0861317f9A4805AC2e90aEB4f")
_SAFE_FACTORY: Final = bytes.fromhex("aacFeEa03eb1561C4e67d661e40682Bd20E3541b")
_SAFE_CODE_HASH: Final = bytes.fromhex("2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf")
_DEPOSIT_FACTORY: Final = bytes.fromhex("00000000000Fb5C9ADea0298D729A0CB3823Cc07")
_DEPOSIT_IMPLEMENTATION: Final = bytes.fromhex("58CA52ebe0DadfdF531Cde7062e76746de4Db1eB")
_DEPOSIT_BEACON: Final = bytes.fromhex("7A18EDfe055488A3128f01F563e5B479D92ffc3a")

_UPGRADEABLE_HEAD: Final = 0x61003D3D8160233D3973
_UPGRADEABLE_TAIL: Final = bytes.fromhex(
    "60095155f3363d3d373d3d363d7f360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc545af43d6000803e6038573d6000fd5b3d6000f3"
)
_BEACON_HEAD: Final = 0x6100523D8160233D3973
_BEACON_TAIL: Final = bytes.fromhex(
    "60195155f3363d3d373d3d363d602036600436635c60da"
    "1b60e01b36527fa3f0ad74e5423aebfd80d3ef4346578335a9a72aeaee59ff6c"
    "b3582b35133d50545afa5036515af43d6000803e604d573d6000fd5b3d6000f3"
)
_ARGUMENTS_LENGTH_SHIFT: Final = 56


def wallet_kind(signer: str, wallet: str) -> int | None:
    """The signature type with which `signer` (0x address of the key) trades from `wallet`; None when it follows from no rule known here."""
    owned = owned_wallets(signer)
    return next((kind for kind, addresses in owned.items() if wallet.lower() in addresses), None)


def owned_wallets(signer: str) -> Mapping[int, tuple[str, ...]]:
    """Addresses (lower case) of the wallets that belong to a key, by signature type. ValueError when `signer` is no hex address."""
    own = bytes.fromhex(signer.removeprefix("0x"))
    return {
        EOA: ("0x" + own.hex(),),
        PROXY: (_create2(_PROXY_FACTORY, keccak(own), keccak(_proxy_code())),),
        SAFE: (_create2(_SAFE_FACTORY, keccak(_word(own)), _SAFE_CODE_HASH),),
        DEPOSIT_WALLET: _deposit_wallets(own),
    }


def _deposit_wallets(own: bytes) -> tuple[str, ...]:
    """The factory deployed two kinds of the same wallet, one after the other; both are in use."""
    arguments = _word(_DEPOSIT_FACTORY) + _word(own)
    codes = (
        _head(_BEACON_HEAD, arguments) + _DEPOSIT_BEACON + _BEACON_TAIL + arguments,
        _head(_UPGRADEABLE_HEAD, arguments) + _DEPOSIT_IMPLEMENTATION + _UPGRADEABLE_TAIL + arguments,
    )
    return tuple(_create2(_DEPOSIT_FACTORY, keccak(arguments), keccak(code)) for code in codes)


def _proxy_code() -> bytes:
    return (
        bytes.fromhex("3d3d606380380380913d393d73")
        + _PROXY_FACTORY
        + bytes.fromhex("5af4602a57600080fd5b602d8060366000396000f3363d3d373d3d3d363d73")
        + _PROXY_IMPLEMENTATION
        + bytes.fromhex("5af43d82803e903d91602b57fd5bf352e831dd")
        + (32).to_bytes(32, "big")
        + bytes(32)
    )


def _head(start: int, arguments: bytes) -> bytes:
    return (start + (len(arguments) << _ARGUMENTS_LENGTH_SHIFT)).to_bytes(10, "big")


def _word(address: bytes) -> bytes:
    return address.rjust(32, b"\0")


def _create2(factory: bytes, salt: bytes, code_hash: bytes) -> str:
    return "0x" + keccak(b"\xff" + factory + salt + code_hash)[12:].hex()
