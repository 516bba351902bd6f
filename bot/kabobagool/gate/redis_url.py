"""The client of the server in REDIS_URL: one server, one behind TLS, a unix socket, or whatever server Sentinel calls the master.

Called by whoever opens a `RedisGate`. Every call is bounded in time and none is ever repeated by the client: an `acquire` whose answer
was lost may have taken its slots, and a second one would take them twice.
"""

from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel
from redis.backoff import NoBackoff

TIMEOUT_S: Final = 0.05
CONNECTIONS: Final = 8
SENTINEL_PORT: Final = 26379
_SENTINEL_SCHEMES: Final = ("redis+sentinel", "rediss+sentinel")


def connect(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client that gives up after `timeout_s` (connecting, and each answer). Connects when it is first used.

    `redis://`, `rediss://` and `unix://` as redis-py reads them, and `redis+sentinel://user:password@host:26379,host:26379/service/0`
    (`rediss+sentinel` with TLS), with `sentinel_username` and `sentinel_password` in the query where Sentinel has its own. ValueError
    for anything else, which repeats no password.
    """
    options = _options(timeout_s)
    if urlsplit(url).scheme in _SENTINEL_SCHEMES:
        return _behind_sentinel(urlsplit(url), options)
    if urlsplit(url).scheme == "unix":
        del options["socket_keepalive"]  # there is no network in between to keep alive
    return Redis.from_url(url, **options)


def _options(timeout_s: float) -> dict[str, Any]:
    return {
        "protocol": 2,
        "decode_responses": True,
        "max_connections": CONNECTIONS,
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
    }


def _behind_sentinel(parts: SplitResult, options: dict[str, Any]) -> Redis:
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    service, _, database = parts.path.strip("/").partition("/")
    credentials, _, hosts = parts.netloc.rpartition("@")
    if "@" in parts.path:
        raise ValueError("a slash in user or password of a Sentinel URL is written %2F")
    if not service or not hosts:
        raise ValueError("a Sentinel URL names its hosts and the service: redis+sentinel://host:26379,host:26379/service")
    if not (database or "0").isdecimal():
        raise ValueError("after the service a Sentinel URL names the number of the database: redis+sentinel://host:26379/service/0")
    user, _, password = credentials.partition(":")
    timeouts = {name: value for name, value in options.items() if name.startswith("socket_")}
    own = {"username": query.get("sentinel_username"), "password": query.get("sentinel_password")}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [_address(host) for host in hosts.split(",")],
        sentinel_kwargs={**timeouts, **own},
        username=unquote(user) or None,
        password=unquote(password) or None,
        db=int(database or 0),
        ssl=parts.scheme.startswith("rediss"),
        **options,
    )
    master: Redis = sentinel.master_for(service)
    return master


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.rpartition(":")
    if name and not port.isdecimal():
        raise ValueError("the port of a Sentinel host is a number: redis+sentinel://host:26379,host:26379/service")
    return (name, int(port)) if name else (port, SENTINEL_PORT)
