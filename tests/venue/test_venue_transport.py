import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import httpx
import pytest
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.http_helpers import helpers
from tests.venue.venue_servers import Answer, scripted_server

from kabobagool.venue.transport import (
    USER_AGENT,
    AiohttpTransport,
    CurlTransport,
    HttpTransport,
    TransportError,
    configure_official_client,
    endpoint_of,
    make_transport,
)

MAKERS: list[Callable[..., HttpTransport]] = [AiohttpTransport, CurlTransport]
PASSWORD = "hunter2"


@contextlib.asynccontextmanager
async def opened(maker: Callable[..., HttpTransport], proxy_url: str | None = None) -> AsyncIterator[HttpTransport]:
    transport = maker(proxy_url=proxy_url)
    try:
        yield transport
    finally:
        await transport.close()


@contextlib.asynccontextmanager
async def raw_server(handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def http_proxy(seen: list[str]) -> AsyncIterator[int]:
    """Answers every request itself, so that a reply proves the proxy was used."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"version":2}')
        await writer.drain()

    async with raw_server(handle) as port:
        yield port


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def cut_short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nonly this")
    await writer.drain()


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


async def get(transport: HttpTransport, url: str, timeout_s: float = 5.0) -> bytes:
    return (await transport.request("GET", url, headers={}, params=(), body=None, timeout_s=timeout_s)).body


@pytest.mark.parametrize("maker", MAKERS)
async def test_both_libraries_send_the_same_request_and_give_the_same_reply(maker: Callable[..., HttpTransport]) -> None:
    async with (
        scripted_server({"/books": Answer(418, {"tea": True}, {"X-Kind": "Pot"})}) as server,
        opened(maker) as transport,
    ):
        reply = await transport.request(
            "POST",
            f"{server.url}/books",
            headers={"POLY_ADDRESS": "0xme", "Content-Type": "application/json"},
            params=[("token", "1"), ("token", "2")],
            body=b'[{"token_id": "1"}]',
            timeout_s=5,
        )
    assert (reply.status, reply.headers["x-kind"], reply.body) == (418, "Pot", b'{"tea": true}')
    (seen,) = server.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/books", [("token", "1"), ("token", "2")])
    assert seen.body == b'[{"token_id": "1"}]'
    assert seen.headers["POLY_ADDRESS"] == "0xme"


@pytest.mark.parametrize(("browser", "agent"), [(False, USER_AGENT), (True, "Chrome/")])
async def test_the_settings_choose_how_we_look(browser: bool, agent: str) -> None:
    async with scripted_server({"/time": Answer(200, "1")}) as server:
        transport = make_transport(browser_impersonation=browser)
        await get(transport, f"{server.url}/time")
        await transport.close()
    assert agent in server.requests[0].headers["User-Agent"]


@pytest.mark.parametrize("maker", MAKERS)
async def test_a_redirect_is_a_reply_and_not_followed(maker: Callable[..., HttpTransport]) -> None:
    script = {"/here": Answer(302, "", {"Location": "/there"}), "/there": Answer(200, "gone")}
    async with scripted_server(script) as server, opened(maker) as transport:
        reply = await transport.request("GET", f"{server.url}/here", headers={}, params=(), body=None, timeout_s=5)
    assert reply.status == 302
    assert len(server.requests) == 1


@pytest.mark.parametrize("maker", MAKERS)
async def test_cookies_are_not_kept(maker: Callable[..., HttpTransport]) -> None:
    async with scripted_server({"/time": Answer(200, "1", {"Set-Cookie": "a=b"})}) as server, opened(maker) as transport:
        await get(transport, f"{server.url}/time")
        await get(transport, f"{server.url}/time")
    assert "Cookie" not in server.requests[1].headers


@pytest.mark.parametrize("maker", MAKERS)
async def test_a_venue_that_does_not_answer_is_a_timeout(maker: Callable[..., HttpTransport]) -> None:
    async with raw_server(silent) as port, opened(maker) as transport:
        with pytest.raises(TransportError, match=r"GET 127\.0\.0\.1/time: timeout") as caught:
            await get(transport, f"http://127.0.0.1:{port}/time?secret=1", 0.2)
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize("maker", MAKERS)
async def test_a_reply_cut_short_is_no_reply(maker: Callable[..., HttpTransport]) -> None:
    async with raw_server(cut_short) as port, opened(maker) as transport:
        with pytest.raises(TransportError):
            await get(transport, f"http://127.0.0.1:{port}/time")


@pytest.mark.parametrize("maker", MAKERS)
async def test_nobody_listening_is_said_in_a_word(maker: Callable[..., HttpTransport]) -> None:
    async with opened(maker) as transport:
        with pytest.raises(TransportError) as caught:
            await get(transport, f"http://127.0.0.1:{closed_port()}/time")
    assert caught.value.reason == "connect"


@pytest.mark.parametrize("maker", MAKERS)
async def test_an_address_that_is_none_is_a_transport_error_too(maker: Callable[..., HttpTransport]) -> None:
    async with opened(maker) as transport:
        with pytest.raises(TransportError):
            await get(transport, "nonsense://nowhere")


@pytest.mark.parametrize("maker", MAKERS)
async def test_requests_go_through_the_proxy(maker: Callable[..., HttpTransport]) -> None:
    seen: list[str] = []
    async with http_proxy(seen) as port, opened(maker, f"http://me:{PASSWORD}@127.0.0.1:{port}") as transport:
        assert await get(transport, "http://clob.example/version") == b'{"version":2}'
    assert seen[0].startswith("GET http://clob.example/version ")
    assert base64.b64encode(f"me:{PASSWORD}".encode()).decode() in seen[0]


@pytest.mark.parametrize("maker", MAKERS)
async def test_a_dead_proxy_is_reported_without_its_password(maker: Callable[..., HttpTransport]) -> None:
    async with opened(maker, f"http://me:{PASSWORD}@127.0.0.1:{closed_port()}") as transport:
        with pytest.raises(TransportError) as caught:
            await get(transport, "http://clob.example/version")
    error: BaseException | None = caught.value
    assert PASSWORD not in str(error)
    assert error is not None
    assert error.__cause__ is None
    assert error.__suppress_context__


async def test_the_browser_library_speaks_socks() -> None:
    greeting: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting.append(await reader.read(3))

    async with raw_server(refuse) as port, opened(CurlTransport, f"socks5h://127.0.0.1:{port}") as transport:
        with pytest.raises(TransportError):
            await get(transport, "http://clob.example/version")
    assert greeting[0][:1] == b"\x05"


@pytest.mark.parametrize(
    ("make", "proxy_url"),
    [
        (AiohttpTransport, f"socks5://me:{PASSWORD}@localhost:9"),
        (CurlTransport, f"ftp://me:{PASSWORD}@localhost"),
        (CurlTransport, "http://"),
        (AiohttpTransport, "localhost:3128"),
    ],
)
def test_a_proxy_a_library_cannot_use_is_refused_at_once_without_its_password(make: Callable[..., object], proxy_url: str) -> None:
    with pytest.raises(ValueError, match="proxy") as caught:
        make(proxy_url=proxy_url)
    assert PASSWORD not in str(caught.value)


@pytest.fixture
def official_client() -> Iterator[None]:
    before = helpers._http_client
    yield
    if helpers._http_client is not before:
        helpers._http_client.close()
    helpers._http_client = httpx.Client(http2=True)


@pytest.mark.usefixtures("official_client")
async def test_the_official_client_honours_the_proxy() -> None:
    seen: list[str] = []
    async with http_proxy(seen) as port:
        configure_official_client(f"http://127.0.0.1:{port}", 5.0)
        client = ClobClient("http://clob.example", 137)
        assert await asyncio.to_thread(client.get_version) == 2
    assert seen[0].startswith("GET http://clob.example/version ")


@pytest.mark.usefixtures("official_client")
async def test_the_official_client_honours_the_time_out() -> None:
    async with raw_server(silent) as port:
        configure_official_client(None, 0.1)
        client = ClobClient(f"http://127.0.0.1:{port}", 137)
        with pytest.raises(Exception, match="Request exception"):
            await asyncio.wait_for(asyncio.to_thread(client.get_server_time), 3)


@pytest.mark.usefixtures("official_client")
def test_a_proxy_the_official_client_cannot_use_leaves_it_as_it_was() -> None:
    before = helpers._http_client
    with pytest.raises(ValueError, match="SOCKS"):
        configure_official_client("socks5://localhost:9", 1.0)
    assert helpers._http_client is before
    assert not before.is_closed


def test_an_endpoint_is_host_and_path_only() -> None:
    assert endpoint_of(f"https://me:{PASSWORD}@clob.example:8443/data/trades?key=1") == "clob.example/data/trades"
