"""Whether the Redis of REDIS_URL could carry a wallet's order gate: it answers, soon, is recent enough, and takes writes.

Called by `examine.py`; without REDIS_URL there is nothing to say. Redis and Valkey are both fine. All that is written is one key that
lives for a second.
"""

import ssl
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from kabobagool.clock import Clock
from kabobagool.doctor.finding import Verdict, broken, doubtful, fine
from kabobagool.doctor.patient import Patient

LEAST_VERSION: Final = (6, 2)
SLOW_MS: Final = 100
"""The gate is asked before every order: a slower answer would cost more edges than the gate protects."""
LOOKS: Final = 3
PROBE: Final = "kabobagool:doctor"
_PRIMARY: Final = "name the primary in REDIS_URL, or the address that always leads to it"
_PLAIN: Final = ", and that it speaks TLS (write redis:// if not)"


async def check_redis(patient: Patient) -> Verdict | None:
    """The server of REDIS_URL answers in time, is recent enough, and takes a write."""
    if patient.settings.redis_url is None:
        return None
    url = patient.settings.redis_url.get_secret_value()
    try:
        client = _client(url, patient.timeout_s)
    except ValueError as e:
        return broken(str(e), "correct REDIS_URL: redis://user:password@host:6379/0, or rediss:// with TLS")
    try:
        return await _examined(client, _place(url), patient.clock)
    except (RedisError, OSError) as e:
        what, fix = _trouble(e, url)
        return broken(f"{_place(url)} {what}", fix)
    finally:
        await client.aclose()


def _client(url: str, timeout_s: float) -> Redis:
    once = Retry(NoBackoff(), 0)
    return Redis.from_url(url, protocol=2, decode_responses=True, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=once)


def _place(url: str) -> str:
    """The server without what else the URL holds."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 6379}"


async def _examined(client: Redis, place: str, clock: Clock) -> Verdict:
    took_ms = min([await _ping_ms(client, clock) for _ in range(LOOKS)])
    server = await client.info("server")
    name = server_name(server)
    if too_old(server):
        return broken(f"{place} is {name}: the gate needs {'.'.join(map(str, LEAST_VERSION))} or later", "update the server, or use Valkey")
    mode = server.get("server_mode") or server.get("redis_mode")
    if mode != "standalone":
        return broken(f"{place} is {name} in {mode} mode", f"use a server that stands alone; {_PRIMARY}")
    role = (await client.info("replication")).get("role", "unknown")
    if role != "master":
        return broken(f"{place} is {name}, a replica: nothing can be written there", _PRIMARY)
    await client.set(PROBE, "1", px=1000)
    if took_ms > SLOW_MS:
        return doubtful(f"{place} is {name} and takes {took_ms} ms to answer", "move it closer: the gate is asked before every order")
    return fine(f"{place} is {name}, takes writes and answers in {took_ms} ms")


async def _ping_ms(client: Redis, clock: Clock) -> int:
    began = clock.monotonic()
    await client.ping()
    return round((clock.monotonic() - began) * 1000)


def server_name(server: Mapping[str, Any]) -> str:
    """What the server says it is, of its `INFO server`."""
    return (
        f"Valkey {server['valkey_version']}" if "valkey_version" in server else f"Redis {server.get('redis_version', '(version unknown)')}"
    )


def too_old(server: Mapping[str, Any]) -> bool:
    """Whether `INFO server` names no version, or one the gate's commands are not in."""
    numbers = [int(part) for part in str(server.get("redis_version", "")).split(".") if part.isdecimal()]
    return tuple(numbers) < LEAST_VERSION


def _trouble(error: Exception, url: str) -> tuple[str, str]:
    """What an error means, and what to do."""
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
            return f"forbids this user what the gate needs: {error}", f"allow it PING, INFO, SET and scripts, and the keys {PROBE[:-6]}*"
        case RedisTimeoutError():
            return (
                f"is too slow: {error}",
                f"check firewall and load of the server{_PLAIN if _tls(url) else ''}, or raise REQUEST_TIMEOUT_S",
            )
        case BusyLoadingError():
            return "is still loading its data", "wait until it is done and run this again"
        case ReadOnlyError():
            return f"takes no writes: {error}", _PRIMARY
        case ResponseError():
            return f"refuses: {error}", "look into the server's log; a full memory or disk makes it refuse writes"
        case _:
            fix = "check that REDIS_URL is right and the server runs"
            return f"cannot be reached: {error}", f"{fix}{_PLAIN if _tls(url) else '; if it takes only TLS connections, write rediss://'}"


def _tls(url: str) -> bool:
    return url.startswith("rediss:")


def _is_tls(error: BaseException | None) -> bool:
    """Whether TLS is at the bottom of it."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__ or error.__context__
    return False
