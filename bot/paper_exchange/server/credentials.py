"""Who is calling: API keys bound to a wallet's owner, and the two kinds of signed headers that prove it.

L1 headers (an EIP-712 signature) create or derive a key, L2 headers (an HMAC) come with every private request. Keys are derived from the
exchange's seed, so a bot that stored its key can still log in after the exchange was restarted with the same seed.
"""

import base64
import binascii
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from paper_exchange.server.clock import VenueClock
from paper_exchange.server.eip712 import auth_digest, recover
from paper_exchange.server.errors import VenueError, bad_request, unauthorized

TIMESTAMP_TOLERANCE_S = 30
_BAD_LOGIN = "Invalid L1 Request headers"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Credentials of one owner address (lower case)."""

    address: str
    key: str
    secret: str
    passphrase: str

    def as_json(self) -> dict[str, str]:
        """The reply to create and derive."""
        return {"apiKey": self.key, "secret": self.secret, "passphrase": self.passphrase}


@dataclass(slots=True)
class ApiKeys:
    """All keys of this exchange, by key id."""

    seed: int
    _by_id: dict[str, ApiKey] = field(default_factory=dict)

    def create(self, address: str, nonce: int) -> ApiKey:
        """A new key. VenueError 400 when this address and nonce already have one: the venue says so too, clients then derive."""
        key = self._derive(address, nonce)
        if key.key in self._by_id:
            raise bad_request("Could not create api key")
        self._by_id[key.key] = key
        return key

    def derive(self, address: str, nonce: int) -> ApiKey:
        """The existing key of the address and nonce. VenueError 400 when there is none."""
        key = self._derive(address, nonce)
        if key.key not in self._by_id:
            raise bad_request("Could not derive api key!")
        return key

    def find(self, key_id: str, *, address: str) -> ApiKey | None:
        """A key by id; a first key of the address issued before a restart counts as known."""
        if key_id not in self._by_id:
            first = self._derive(address, 0)
            if first.key == key_id:
                self._by_id[key_id] = first
        found = self._by_id.get(key_id)
        return found if found is not None and found.address == address else None

    def by_id(self, key_id: str) -> ApiKey | None:
        """A key by id alone, for the user channel."""
        return self._by_id.get(key_id)

    def of(self, address: str) -> list[str]:
        """Ids of every key of the address."""
        return [key.key for key in self._by_id.values() if key.address == address]

    def delete(self, key: ApiKey) -> None:
        """Forget the key."""
        self._by_id.pop(key.key, None)

    def _derive(self, address: str, nonce: int) -> ApiKey:
        material = hashlib.sha512(f"{self.seed}|{address}|{nonce}".encode()).digest()
        secret = base64.urlsafe_b64encode(material[:32]).decode()
        return ApiKey(address, str(uuid.UUID(bytes=material[32:48])), secret, hashlib.sha256(material).hexdigest())


def verify_login(headers: Mapping[str, str], clock: VenueClock) -> tuple[str, int]:
    """Address (lower case) and nonce proven by L1 headers. VenueError 401 otherwise."""
    address = headers.get("POLY_ADDRESS", "").lower()
    timestamp, nonce = headers.get("POLY_TIMESTAMP", ""), headers.get("POLY_NONCE", "0")
    try:
        digest = auth_digest(address=address, timestamp=timestamp, nonce=int(nonce))
        signature = bytes.fromhex(headers.get("POLY_SIGNATURE", "").removeprefix("0x"))
        recent = clock.is_recent(int(timestamp), tolerance_s=TIMESTAMP_TOLERANCE_S)
    except (ValueError, OverflowError):
        raise VenueError(401, _BAD_LOGIN) from None
    if not recent or len(address) != len("0x") + 40 or recover(digest, signature) != address:
        raise VenueError(401, _BAD_LOGIN)
    return address, int(nonce)


def verify_request(headers: Mapping[str, str], keys: ApiKeys, clock: VenueClock, *, method: str, path: str, body: bytes) -> ApiKey:
    """The key proven by L2 headers over method, path without query and the exact body. VenueError 401 otherwise."""
    key = keys.find(headers.get("POLY_API_KEY", ""), address=headers.get("POLY_ADDRESS", "").lower())
    timestamp = headers.get("POLY_TIMESTAMP", "")
    if key is None or not hmac.compare_digest(headers.get("POLY_PASSPHRASE", "").encode(), key.passphrase.encode()):
        raise unauthorized()
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > len("9999999999999"):
        raise unauthorized()
    if not clock.is_recent(int(timestamp), tolerance_s=TIMESTAMP_TOLERANCE_S):
        raise unauthorized()
    signed, given = f"{timestamp}{method}{path}".encode(), headers.get("POLY_SIGNATURE", "").encode()
    # Older clients sign the body with single quotes turned into double ones; the venue accepts both spellings.
    accepted = [request_signature(key.secret, signed + spelling).encode() for spelling in (body, body.replace(b"'", b'"'))]
    if not any(hmac.compare_digest(signature, given) for signature in accepted):
        raise unauthorized()
    return key


def request_signature(secret: str, message: bytes) -> str:
    """URL-safe base64 HMAC-SHA256 of the message. ValueError when the secret is not base64."""
    try:
        raw_secret = base64.urlsafe_b64decode(secret)
    except binascii.Error:
        raise ValueError("the API secret is not url-safe base64") from None
    return base64.urlsafe_b64encode(hmac.new(raw_secret, message, hashlib.sha256).digest()).decode()
