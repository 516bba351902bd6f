"""A watch shows that it lives by events and by being begun again; one that does neither grows silent. With the framework's own watches."""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import kopf
from tests.operator.api_server_rig import Answer, BadDayServer
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import SystemClock
from kabobagool_operator.kinds import CONFIG_MAP, DEPLOYMENT
from kabobagool_operator.watch_activity import WatchActivity, notes_watches

PATIENCE_S = 60


async def test_silence_counts_from_the_beginning_and_from_every_sign_of_life() -> None:
    clock = VirtualClock()
    activity = WatchActivity([DEPLOYMENT, CONFIG_MAP], clock=clock)
    await clock.advance(10)
    assert activity.silence_s == {"deployments": 10.0, "configmaps": 10.0}
    activity.seen("deployments")
    await clock.advance(5)
    activity.begun("configmaps")
    assert activity.silence_s == {"deployments": 5.0, "configmaps": 0.0}
    assert activity.unlisted == ("deployments",)


async def test_what_nobody_watches_leaves_no_trace() -> None:
    activity = WatchActivity([DEPLOYMENT], clock=VirtualClock())
    activity.seen("pods")
    activity.begun("pods")
    assert activity.silence_s == {"deployments": 0.0}


async def test_only_a_watch_that_was_accepted_counts_as_begun() -> None:
    server = BadDayServer()
    await server.start()
    activity = WatchActivity([DEPLOYMENT], clock=VirtualClock())
    address = f"{server.url}/apis/apps/v1/deployments"
    async with aiohttp.ClientSession(middlewares=[notes_watches(activity)]) as session:
        await session.get(address)
        server.answers = [Answer(403)]
        await session.get(address, params={"watch": "true"})
        assert activity.unlisted == ("deployments",)
        server.answers = [Answer()]
        await session.get(address, params={"watch": "true"})
        assert activity.unlisted == ()
    await server.stop()


async def test_the_frameworks_watches_are_noted_when_they_begin_and_when_they_begin_again(
    control_plane: Any, namespace: str, kubectl: Any
) -> None:
    clock = SystemClock()
    activity = WatchActivity([CONFIG_MAP], clock=clock)
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.watching.server_timeout = 2
    connector = aiohttp.TCPConnector(ssl=False)
    own = {"Authorization": f"Bearer {control_plane.token}"}
    session = aiohttp.ClientSession(connector=connector, headers=own, middlewares=[notes_watches(activity)])
    names: list[str] = []

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=control_plane.url, aiohttp_session=session)

    @kopf.on.event("configmaps", registry=registry)
    async def note(name: str, **_: Any) -> None:
        activity.seen("configmaps")
        names.append(name)

    stop = asyncio.Event()
    running = asyncio.create_task(kopf.operator(registry=registry, settings=settings, namespaces=[namespace], stop_flag=stop))
    await until(lambda: activity.unlisted == ())
    kubectl("create", "configmap", "news")
    everything = {"news", *(["kube-root-ca.crt"] if control_plane.has_controllers else [])}
    await until(lambda: everything <= set(names))
    heard = len(names)
    quiet_s = clock.monotonic()
    await until(lambda: clock.monotonic() - activity.silence_s["configmaps"] > quiet_s + 1)
    assert len(names) == heard
    stop.set()
    await running
    await session.close()


async def until(holds: Callable[[], bool]) -> None:
    """Look until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.05)
