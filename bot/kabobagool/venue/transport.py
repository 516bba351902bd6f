"""One HTTP request at a time, by one of two libraries, with the same manners.

`clob.py` and `gamma.py` read through `Reader`, which may repeat a read; nothing here ever repeats anything else. Users behind a proxy or a
browser check choose the library by USE_BROWSER_IMPERSONATION, and `configure_official_client` gives the official client, which makes
credentials and may post orders, the same proxy and a time-out. `execution/fast.py` posts orders, over the plain library only: the other one
sends a request again when a connection that was open before dies under it. Errors name method, host and path: headers and proxy
passwords never appear in them.
"""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import aiohttp

from kabobagool.venue.errors import VenueError

USER_AGENT: Final = "kabobagool/0.1"
"""Sent by the plain transport: the venue's content network refuses some libraries' own."""
Params = Sequence[tuple[str, str]]


class TransportError(VenueError):
    """The network failed: no trustworthy reply came. `reason` is one word: timeout, connect, proxy, tls, url or network."""

    def __init__(self, reason: str, *, method: str, url: str) -> None:
        super().__init__(f"{method} {endpoint_of(url)}: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class HttpReply:
    """Any reply, whatever its status. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpTransport(Protocol):
    """What `Reader` needs of an HTTP library."""

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        """One request, redirects not followed. TransportError when no whole reply came within `timeout_s`."""
        ...

    async def close(self) -> None:
        """Give the connections back."""
        ...


def make_transport(*, browser_impersonation: bool, proxy_url: str | None = None) -> HttpTransport:
    """The transport the settings ask for. ValueError for a proxy the library cannot use."""
    return CurlTransport(proxy_url=proxy_url) if browser_impersonation else AiohttpTransport(proxy_url=proxy_url)


class AiohttpTransport:
    """The plain one. Proxies may be http or https."""

    def __init__(self, *, proxy_url: str | None = None, user_agent: str = USER_AGENT) -> None:
        check_proxy(proxy_url, schemes=("http", "https"), hint="set USE_BROWSER_IMPERSONATION=true to use a SOCKS proxy")
        self._proxy_url = proxy_url
        self._user_agent = user_agent
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        """See `HttpTransport.request`."""
        limits = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self._open().request(
                method, url, headers=headers, params=params, data=body, proxy=self._proxy_url, timeout=limits, allow_redirects=False
            ) as reply:
                return HttpReply(reply.status, _lower(reply.headers), await reply.read())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as e:
            raise TransportError(_aiohttp_reason(e), method=method, url=url) from None

    async def close(self) -> None:
        """See `HttpTransport.close`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        """Made on first use, because a session belongs to the event loop that is running then."""
        if self._session is None:
            self._session = aiohttp.ClientSession(headers={"User-Agent": self._user_agent}, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


class CurlTransport:
    """The one that looks like a browser to the content network. Proxies may be http, https or socks."""

    def __init__(self, *, proxy_url: str | None = None) -> None:
        check_proxy(proxy_url, schemes=("http", "https", "socks4", "socks4a", "socks5", "socks5h"))
        self._proxy_url = proxy_url
        self._session: Any = None

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], params: Params, body: bytes | None, timeout_s: float
    ) -> HttpReply:
        """See `HttpTransport.request`."""
        from curl_cffi import CurlError

        try:
            reply = await self._open().request(
                method, url, headers=dict(headers), params=list(params) or None, data=body, timeout=timeout_s, allow_redirects=False
            )
        except (CurlError, OSError, ValueError) as e:
            raise TransportError(_curl_reason(e), method=method, url=url) from None
        return HttpReply(int(reply.status_code), _lower(reply.headers), bytes(reply.content))

    async def close(self) -> None:
        """See `HttpTransport.close`."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> Any:
        from curl_cffi.requests import AsyncSession

        if self._session is None:
            self._session = AsyncSession(impersonate="chrome", proxy=self._proxy_url, trust_env=False, discard_cookies=True)
        return self._session


def configure_official_client(proxy_url: str | None, timeout_s: float) -> None:
    """Give the official client's one shared HTTP client a proxy and a time-out; call once, before its first request.

    ValueError for a proxy it cannot use.
    """
    import httpx
    from py_clob_client_v2.http_helpers import helpers

    check_proxy(proxy_url, schemes=("http", "https"), hint="the official client cannot use a SOCKS proxy: give an http one")
    former = helpers._http_client
    helpers._http_client = httpx.Client(http2=True, proxy=proxy_url, timeout=timeout_s, trust_env=False)
    former.close()


def check_proxy(proxy_url: str | None, *, schemes: tuple[str, ...], hint: str = "") -> None:
    """ValueError, without the proxy's password, when the URL is not one of `schemes` with a host."""
    if proxy_url is None:
        return
    parts = urlsplit(proxy_url)
    if parts.scheme not in schemes or not parts.hostname:
        wanted = ", ".join(schemes)
        raise ValueError(f"proxy {parts.scheme}://{parts.hostname or ''}: it must be one of {wanted}{'; ' if hint else ''}{hint}")


def endpoint_of(url: str) -> str:
    """Host and path of a URL, for messages: no credentials, no query."""
    parts = urlsplit(url)
    return f"{parts.hostname or ''}{parts.path}"


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _aiohttp_reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return "proxy"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls"
        case aiohttp.InvalidURL() | ValueError():
            return "url"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "connect"
        case _:
            return "network"


def _curl_reason(error: Exception) -> str:
    kind = type(error).__name__.lower()
    words = {"timeout": "timeout", "proxy": "proxy", "ssl": "tls", "certificate": "tls", "url": "url", "schema": "url", "dns": "connect"}
    known = next((reason for word, reason in words.items() if word in kind), None)
    return known or ("connect" if getattr(error, "code", None) == 7 else "network")
