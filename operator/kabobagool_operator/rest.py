"""One request to the API server, with everything that must be true of every request: a bound on time, on rate and on how many at once.

`cluster.py` builds the requests, `leader.py` gets one of its own so that its renewals never wait behind a flood of writes. The official
client does the connection, TLS and credentials; what comes back is JSON or a ClusterError.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException

from kabobagool import __version__
from kabobagool.feed.backoff import MAX_ASKED_S
from kabobagool_operator.cluster_errors import ClusterError, Denial, Forbidden, Throttled, Unavailable, from_status
from kabobagool_operator.write_rate import WriteRate

USER_AGENT: Final = f"kabobagool-operator/{__version__}"
TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0
CONCURRENT: Final = 32

JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"

Body = dict[str, Any]
Fence = Callable[[], int]
"""The number of our leadership, or NotLeading; asked in the last moment before a write leaves."""


class RequestObserver(Protocol):
    """Told of every request, on the event loop; must not raise."""

    def requested(self, *, method: str, code: str) -> None:
        """A request ended with this status, or with `<error>` when no answer came."""


class Reply(NamedTuple):
    """What came back: the status, the pause that was asked for, and the JSON, empty when it was none."""

    status: int
    retry_after_s: float
    content: Body


def nobody_else_writes() -> int:
    """The fence of a process that needs no leadership, such as a command that somebody runs, or the election itself."""
    return 0


class Rest:
    """Requests to one API server. To be closed. `timeout_s` bounds a request from connecting to the last byte of its answer.

    The wait for the rate comes before it; only writes have one. `rate` None is no bound.
    """

    def __init__(
        self,
        configuration: Configuration,
        *,
        rate: WriteRate | None,
        observer: RequestObserver,
        fence: Fence = nobody_else_writes,
        timeout_s: float = TIMEOUT_S,
        concurrent: int = CONCURRENT,
    ) -> None:
        self.fence = fence
        self._client = ApiClient(configuration)
        self._client.user_agent = USER_AGENT
        self._rate = rate
        self._observer = observer
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._places = asyncio.Semaphore(concurrent)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    async def read(self, path: str, *, query: Sequence[tuple[str, str]] = ()) -> Body:
        """GET it. Raises a ClusterError."""
        async with self._places:
            return await self._answered("GET", path, query, None, JSON)

    async def write(self, method: str, path: str, body: object, *, content_type: str = JSON, query: Sequence[tuple[str, str]] = ()) -> Body:
        """Send a change and return what the API server made of it. Raises a ClusterError, NotLeading before anything is sent."""
        self.fence()
        if self._rate is not None:
            await self._rate.turn()
        async with self._places:
            self.fence()
            return await self._answered(method, path, query, body, content_type)

    async def _answered(self, method: str, path: str, query: Sequence[tuple[str, str]], body: object, content_type: str) -> Body:
        what = f"{method} {path}"
        try:
            reply = await self._exchange(method, path, query, body, content_type)
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            self._observer.requested(method=method, code="<error>")
            raise Unavailable(f"{what}: {_explained(e, self._timeout.total)}") from e
        except ConfigException as e:
            raise Forbidden(f"{what}: the credentials could not be read: {e}", denial=Denial.CREDENTIALS) from e
        self._observer.requested(method=method, code=str(reply.status))
        if 200 <= reply.status < 300:
            return reply.content
        raise self._refusal(reply, what)

    async def _exchange(self, method: str, path: str, query: Sequence[tuple[str, str]], body: object, content_type: str) -> Reply:
        headers = {"Accept": JSON, "Content-Type": content_type}
        _, url, headers, sent, _ = await self._client.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        request = self._client.rest_client.request
        response = await request(method, url, headers=headers, body=sent, _request_timeout=self._timeout)  # type: ignore[no-untyped-call]
        content = _content(await response.read(), response.status)
        return Reply(response.status, _retry_after_s(response.headers.get("Retry-After"), content), content)

    def _refusal(self, reply: Reply, what: str) -> ClusterError:
        error = from_status(reply.status, reply.content, what=what, retry_after_s=reply.retry_after_s)
        if isinstance(error, Throttled) and self._rate is not None:
            self._rate.pause(error.retry_after_s)
        return error


def _content(raw: bytes, status: int) -> Body:
    """The answer's JSON object. A refusal may be a proxy's page; a success that is no JSON came from something else than an API server."""
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return content
    if 200 <= status < 300:
        raise aiohttp.ClientPayloadError("the answer is not JSON: is this the address of an API server?")
    return {}


def _retry_after_s(header: str | None, content: Body) -> float:
    details = content.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    if header is not None and header.isascii() and header.isdigit():
        seconds = int(header)
    return min(max(float(seconds), 0.0), MAX_ASKED_S) if isinstance(seconds, int) else 0.0


def _explained(error: Exception, timeout_s: float | None) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
