"""Whoever watches shows who it is: with the token of the moment, for that of a Pod changes every hour."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration
from tests.gate.redis_servers import free_port

from kabobagool_operator.watches import signs_in


@pytest.fixture
async def token_server() -> AsyncIterator[tuple[str, list[str]]]:
    """Notes who asked."""
    tokens: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        tokens.append(request.headers.get("Authorization", ""))
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    runner, port = web.AppRunner(app), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/", tokens
    await runner.cleanup()


async def test_every_request_carries_the_token_that_is_good_now(token_server: tuple[str, list[str]]) -> None:
    url, tokens = token_server
    configuration = Configuration()
    async with aiohttp.ClientSession(middlewares=[signs_in(configuration)]) as session:
        for token in ("Bearer first", "Bearer second"):
            configuration.api_key["BearerToken"] = token
            await session.get(url)
    assert tokens == ["Bearer first", "Bearer second"]


async def test_without_a_token_nothing_is_made_up(token_server: tuple[str, list[str]]) -> None:
    url, tokens = token_server
    async with aiohttp.ClientSession(middlewares=[signs_in(Configuration())]) as session:
        await session.get(url)
    assert tokens == [""]
