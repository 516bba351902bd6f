"""Who may do what on the fleet's page: only this page's own scripts may act, and only with the token.

Asked by `task_health.py` and by the operator's page before they answer. A browser lets every page of the internet send requests to this
machine, with whatever address it likes; what it cannot choose is the Host, Origin and Content-Type headers, so those are judged here.
Guessing a token is slowed down per address, so that somebody else's guesses never keep the trader from halting.
"""

import hmac
from collections import OrderedDict, deque
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec

from kabobagool.clock import Clock

WRONG_TRIES: Final = 5
WINDOW_S: Final = 60.0
REMEMBERED_ADDRESSES: Final = 256
WHEREABOUTS: Final = "printed at start (or CONTROL_TOKEN)"


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """No, and why: an HTTP status, and a sentence for whoever asked."""

    status: int
    error: str
    retry_after_s: int | None = None


def is_loopback(host: str) -> bool:
    """Whether this is a name or an address of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def foreign_host(host_header: str, *, bound: str) -> Denied | None:
    """A request that came to this machine under another name was sent by a page that had its own name point here."""
    if not is_loopback(bound) or is_loopback(_host_name(host_header)):
        return None
    return Denied(
        status=403, error=f"Host {host_header[:80]!r} is not this machine: open the page as http://127.0.0.1, or set HEALTH_CHECK_HOST"
    )


def foreign_request(headers: Mapping[str, str], *, host: str) -> Denied | None:
    """A request to act that another page's script may have sent."""
    origin = headers.get("Origin")
    if origin is not None and _network_location(origin) != host.lower():
        return Denied(status=403, error=f"Origin {origin[:80]!r} is another page: only the fleet's own page may halt and resume")
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return Denied(status=403, error="another site sent this: only the fleet's own page may halt and resume")
    kind = headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "application/json":
        return Denied(status=415, error=f"Content-Type {kind[:80]!r}: must be application/json")
    return None


class TokenGuard:
    """Knows the token, and which addresses have lately been wrong about it. `whereabouts` says where people find the token."""

    def __init__(self, token: str, clock: Clock, *, whereabouts: str = WHEREABOUTS) -> None:
        if not token:
            raise ValueError("CONTROL_TOKEN='': anybody would know it; give one, or leave it away to have one made")
        self._expected = f"Bearer {token}".encode()
        self._clock = clock
        self._whereabouts = whereabouts
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def objection(self, authorization: str | None, *, address: str) -> Denied | None:
        """Why this header does not let anybody halt, None when it does. The comparison takes the same time for every wrong token."""
        if wait_s := self._wait_s(address):
            return Denied(status=429, error=f"too many wrong tokens: wait {wait_s} s", retry_after_s=wait_s)
        if authorization is None:
            return Denied(status=401, error=f"halting needs the token: it is the one {self._whereabouts}")
        if hmac.compare_digest(authorization.encode("utf-8", "surrogateescape"), self._expected):
            self._wrong.pop(address, None)
            return None
        self._remember(address)
        return Denied(status=401, error=f"wrong token: it is the one {self._whereabouts}")

    def _wait_s(self, address: str) -> int:
        tries = self._wrong.get(address)
        if tries is None or len(tries) < WRONG_TRIES:
            return 0
        left_s = tries[0] + WINDOW_S - self._clock.monotonic()
        return int(left_s) + 1 if left_s > 0 else 0

    def _remember(self, address: str) -> None:
        self._wrong.setdefault(address, deque(maxlen=WRONG_TRIES)).append(self._clock.monotonic())
        self._wrong.move_to_end(address)
        while len(self._wrong) > REMEMBERED_ADDRESSES:
            self._wrong.popitem(last=False)


def _host_name(host_header: str) -> str:
    try:
        return urlsplit(f"//{host_header}").hostname or ""
    except ValueError:
        return ""


def _network_location(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
