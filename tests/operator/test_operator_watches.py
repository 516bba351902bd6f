"""What is read along with the watches: whole lists, in chunks, what vanished between two of them, and the token of the moment."""

import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration
from tests.cluster.cluster_rig import deployment
from tests.gate.redis_servers import free_port

from kabobagool_operator.caches import Caches
from kabobagool_operator.kinds import DEPLOYMENT
from kabobagool_operator.labels import INSTANCE
from kabobagool_operator.watches import fills_from_lists, signs_in


class Told(list[str]):
    """Names that were called out."""

    def __call__(self, name: str, *, by_us: bool) -> None:
        self.append(name)


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


async def list_of(session: aiohttp.ClientSession, url: str, limit: int) -> None:
    """As kopf asks for it."""
    token = ""
    while True:
        query = {"limit": str(limit)} | ({"continue": token} if token else {})
        async with session.get(url, params=query) as reply:
            assert reply.status == 200
            token = (await reply.json())["metadata"].get("continue", "")
        if not token:
            return


async def test_a_list_fills_the_caches_chunk_by_chunk_and_the_next_one_takes_away_what_is_gone(
    control_plane: Any, namespace: str, kubectl: Any
) -> None:
    for name in ("rain", "snow", "hail"):
        kubectl.apply("apps/v1", "Deployment", name, **deployment(name))
        kubectl("label", "deployment", name, f"{INSTANCE}={name}")
    told = Told()
    caches = Caches(told)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        headers={"Authorization": f"Bearer {control_plane.token}"},
        middlewares=[fills_from_lists(caches)],
    )
    url = control_plane.url + DEPLOYMENT.path(namespace)
    async with session:
        await list_of(session, url, limit=2)
        assert [bool(caches.children(DEPLOYMENT, name)) for name in ("rain", "snow", "hail")] == [True] * 3
        assert set(told) == {"rain", "snow", "hail"}
        kubectl("delete", "deployment", "snow")
        told.clear()
        await list_of(session, url, limit=2)
        assert [bool(caches.children(DEPLOYMENT, name)) for name in ("rain", "snow", "hail")] == [True, False, True]
        assert "snow" in told
        async with session.get(url, params={"limit": "1"}):
            pass
        assert caches.children(DEPLOYMENT, "rain"), "the first chunk of a list is not all there is"


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
