"""From an error of the server in REDIS_URL to what it means and what to do.

Called by `redis_check.py`. Nothing here repeats a user or a password of the URL.
"""

import ssl
from typing import Final
from urllib.parse import urlsplit

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, ReadOnlyError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

PRIMARY: Final = "name the primary in REDIS_URL, or the address that always leads to it"
_PLAIN: Final = ", and that it speaks TLS (write redis:// if not)"


def place_of(url: str) -> str:
    """The server without what else the URL holds."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return parts.path
    if parts.scheme.endswith("+sentinel"):
        return f"{_service(url)} of Sentinel {parts.netloc.rpartition('@')[2]}"
    return f"{parts.hostname}:{parts.port or 6379}"


def trouble(error: Exception, url: str, *, keys: str) -> tuple[str, str]:
    """What an error means, and what to do; `keys` is the pattern of those the gate uses."""
    if _is_tls(error):
        return f"does not agree on TLS: {error}", (
            "check the server's certificate and name (a private CA: append ?ssl_ca_certs=/path/to/ca.pem to REDIS_URL), "
            "or write redis:// if it speaks no TLS"
        )
    match error:
        case AuthenticationError() if urlsplit(url).password is None:
            return f"asks for a password: {error}", "write it into REDIS_URL: redis://:PASSWORD@host:6379/0"
        case AuthenticationError():
            return f"refuses the user or password of REDIS_URL: {error}", (
                "correct user and password in REDIS_URL (percent-encoded where needed), or take them out if the server has none"
            )
        case NoPermissionError():
            return f"forbids this user what the gate needs: {error}", f"give it the rights of docs/order-gate.md, on the keys {keys}"
        case MasterNotFoundError():
            return f"has no primary that Sentinel would name: {error}", (
                f"check the hosts in REDIS_URL, that Sentinel watches {_service(url)}, and sentinel_password if it asks for one"
            )
        case RedisTimeoutError():
            return (
                f"is too slow: {error}",
                f"check firewall and load of the server{_PLAIN if _tls(url) else ''}, or raise REQUEST_TIMEOUT_S",
            )
        case BusyLoadingError():
            return "is still loading its data", "wait until it is done and run this again"
        case ReadOnlyError():
            return f"takes no writes: {error}", PRIMARY
        case ResponseError():
            return f"refuses: {error}", "look into the server's log; a full memory or disk makes it refuse writes"
        case _:
            return f"cannot be reached: {error}", f"check that REDIS_URL is right and the server runs{_or_tls(url)}"


def _service(url: str) -> str:
    return urlsplit(url).path.strip("/").partition("/")[0]


def _tls(url: str) -> bool:
    return url.startswith("rediss")


def _or_tls(url: str) -> str:
    if urlsplit(url).scheme == "unix":
        return ""
    return _PLAIN if _tls(url) else "; if it takes only TLS connections, write rediss://"


def _is_tls(error: BaseException | None) -> bool:
    """Whether TLS is at the bottom of it."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
