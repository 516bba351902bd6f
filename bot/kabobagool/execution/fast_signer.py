"""Orders built and signed without the official client: the same bytes in a tenth of the time.

What never changes for a wallet is encoded once (`venue/signing.py` keeps it), the rest is two hashes and one signature over libsecp256k1.
The differential tests hold it against the official clients field by field, for every kind of wallet. `fast.py` makes one and calls `sign`.
"""

import random
from typing import Final

import msgspec
from coincurve import PrivateKey

from kabobagool.clock import Clock
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Market, Side
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.signing import DEPOSIT_WALLET, ZERO_BYTES32, OrderFields, address_of, exchange_of, signable

SALT_BITS: Final = 53
"""The venue reads the salt as a JSON number: beyond 53 bits it would not be the one that was signed."""
KEY_BYTES: Final = 32
LEGACY_V: Final = ("1b", "1c")
"""The last byte of a signature, 27 or 28, for which of the two points it recovers to."""


def fresh_salt(rng: random.Random) -> int:
    """What tells two orders apart that are otherwise the same."""
    return rng.getrandbits(SALT_BITS)


class WireOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A signed order as the venue reads it, in the order in which the official client writes it. Amounts are millionths as text."""

    salt: int
    maker: str
    signer: str
    tokenId: str  # noqa: N815 - the venue's name
    makerAmount: str  # noqa: N815
    takerAmount: str  # noqa: N815
    side: str
    expiration: str = "0"
    signatureType: int  # noqa: N815
    timestamp: str
    metadata: str = ZERO_BYTES32
    builder: str = ZERO_BYTES32
    signature: str


class FastSigner:
    """Builds and signs orders of one wallet in whole micros. ValueError, without the key in it, when the private key is none."""

    def __init__(self, *, wallet: Wallet, clock: Clock, rng: random.Random) -> None:
        self._key = _key_of(wallet.private_key)
        self._clock, self._rng = clock, rng
        self._chain_id, self._kind = wallet.chain_id, wallet.signature_type
        self.address = address_of(self._key.public_key.format(compressed=False))
        self.maker = wallet.funder or self.address
        self._signer = self.maker if self._kind == DEPOSIT_WALLET else self.address

    def sign(self, plan: OrderPlan, market: Market) -> tuple[WireOrder, str]:
        """Sign a plan and say its hash: a BUY gives dollars for shares, a SELL shares for dollars."""
        buying = plan.side is Side.BUY
        given, wanted = (plan.dollars, plan.shares) if buying else (plan.shares, plan.dollars)
        token = market.token(plan.outcome)
        salt, now_ms = fresh_salt(self._rng), self._clock.now_ms()
        fields = OrderFields(
            salt=salt,
            maker=self.maker,
            signer=self._signer,
            token_id=int(token),
            maker_amount=given,
            taker_amount=wanted,
            side=0 if buying else 1,
            signature_type=self._kind,
            timestamp_ms=now_ms,
        )
        order_hash, signature = self.sign_fields(fields, neg_risk=market.neg_risk)
        order = WireOrder(
            salt=salt,
            maker=self.maker,
            signer=self._signer,
            tokenId=token,
            makerAmount=str(given),
            takerAmount=str(wanted),
            side="BUY" if buying else "SELL",
            signatureType=self._kind,
            timestamp=str(now_ms),
            signature=signature,
        )
        return order, order_hash

    def sign_fields(self, fields: OrderFields, *, neg_risk: bool) -> tuple[str, str]:
        """Hash and signature of an order, as `0x` hex. ValueError when a field does not fit."""
        order_hash, digest, trailer = signable(fields, chain_id=self._chain_id, exchange=exchange_of(neg_risk=neg_risk))
        compact: bytes = self._key.sign_recoverable(digest, hasher=None)
        return order_hash, f"0x{compact[:64].hex()}{LEGACY_V[compact[64]]}{trailer}"


def _key_of(private_key: str) -> PrivateKey:
    try:
        secret = bytes.fromhex(private_key.removeprefix("0x"))
        if len(secret) == KEY_BYTES:  # the library fills a short one up: another key, another wallet
            return PrivateKey(secret)
    except ValueError:
        pass
    raise ValueError("the private key is not 32 bytes in hexadecimal that make a key")
