"""Lists fill the caches on their way to kopf, chunk by chunk, what vanished between two of them is gone, and kopf keeps none of it."""

import asyncio
import json
import ssl
from collections.abc import Iterable
from typing import Any

import aiohttp
import pytest
from tests.cluster.cluster_rig import deployment
from tests.operator.operator_rig import arb_market

from kabobagool.clock import SystemClock
from kabobagool_operator.caches import WATCHED, Caches
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.kinds import ARB_MARKET, DEPLOYMENT, Kind
from kabobagool_operator.labels import INSTANCE
from kabobagool_operator.lists import listing_into
from kabobagool_operator.watch_activity import WatchActivity
from kabobagool_operator.watches import Watches

NAMES = ("rain", "snow", "hail")
PATIENCE_S = 60.0
LOOK_S = 0.05


class Told(list[str]):
    """Names that were called out."""

    def __call__(self, name: str, *, by_us: bool) -> None:
        self.append(name)


class Heard(WatchActivity):
    """Notes of which kinds kopf was told an object."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        super().__init__(kinds, clock=SystemClock())
        self.of: list[str] = []

    def seen(self, plural: str) -> None:
        super().seen(plural)
        self.of.append(plural)

    def begun(self, plural: str) -> None:
        super().begun(plural)
        self.of.remove(plural)


@pytest.fixture
def three(kubectl: Any) -> None:
    """Three Deployments that say to whom they belong."""
    for name in NAMES:
        kubectl.apply("apps/v1", "Deployment", name, **deployment(name))
        kubectl("label", "deployment", name, f"{INSTANCE}={name}")


def session_into(caches: Caches, token: str) -> aiohttp.ClientSession:
    """A session as kopf gets it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        headers={"Authorization": f"Bearer {token}"},
        response_class=listing_into(caches),
    )


async def listed(session: aiohttp.ClientSession, url: str, limit: int) -> list[Any]:
    """As kopf asks for it; the objects that it is shown."""
    token, shown = "", []
    while True:
        query = {"limit": str(limit)} | ({"continue": token} if token else {})
        async with session.get(url, params=query) as reply:
            assert reply.status == 200
            chunk = await reply.json()
        shown += chunk["items"]
        if not (token := chunk["metadata"].get("continue", "")):
            return shown


def there(caches: Caches) -> list[str]:
    """Which of the three are in the caches."""
    return [name for name in NAMES if caches.children(DEPLOYMENT, name)]


async def test_a_list_fills_the_caches_chunk_by_chunk_and_the_next_one_takes_away_what_is_gone(
    control_plane: Any, namespace: str, kubectl: Any, three: None
) -> None:
    told = Told()
    caches = Caches(told)
    url = control_plane.url + DEPLOYMENT.path(namespace)
    async with session_into(caches, control_plane.token) as session:
        assert await listed(session, url, limit=2) == []
        assert there(caches) == ["rain", "snow", "hail"]
        assert set(told) == set(NAMES)
        kubectl("delete", "deployment", "snow")
        told.clear()
        await listed(session, url, limit=2)
        assert there(caches) == ["rain", "hail"]
        assert "snow" in told
        async with session.get(url, params={"limit": "1"}) as reply:
            await reply.json()
        assert there(caches) == ["rain", "hail"], "the first chunk of a list is not all there is"


async def test_what_is_no_list_of_ours_is_shown_as_it_is(control_plane: Any, namespace: str, three: None) -> None:
    caches = Caches(Told())
    async with session_into(caches, control_plane.token) as session:
        asked = control_plane.url + DEPLOYMENT.path(namespace)
        async with session.get(f"{asked}/rain") as reply:
            assert (await reply.json())["metadata"]["name"] == "rain"
        async with session.get(asked, params={"continue": "no token"}) as reply:
            assert (await reply.json())["kind"] == "Status"
        async with session.get(control_plane.url + "/version") as reply:
            assert (await reply.json())["major"]
    assert there(caches) == []


async def test_the_caches_are_complete_before_a_watch_begins_and_kopf_is_told_of_nothing_that_was_listed(
    control_plane: Any, namespace: str, kubectl: Any, installed_crds: None
) -> None:
    for name in NAMES:
        kubectl("apply", "--filename", "-", stdin=json.dumps(arb_market(name)))
    caches, heard, stop = Caches(Told()), Heard(WATCHED), asyncio.Event()
    configuration = await load_configuration(kubeconfig=control_plane.kubeconfig, environ={})
    watches = Watches(configuration, caches, heard, namespace=namespace, watch_s=60)
    watching = asyncio.create_task(watches.run(stop))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while heard.unlisted:
                await asyncio.sleep(LOOK_S)
            assert set(caches.markets) == set(NAMES)
            assert heard.of == []
            await asyncio.to_thread(lambda: kubectl("delete", "arb", "snow"))
            while set(caches.markets) == set(NAMES):
                await asyncio.sleep(LOOK_S)
    finally:
        stop.set()
        await watching
    assert heard.of == [ARB_MARKET.plural], "what happens later it is told"
