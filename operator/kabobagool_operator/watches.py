"""The watches: kopf's, which do nothing but fill the caches and say so. Everything that is decided is decided elsewhere.

`main.py` runs them on the leader. kopf lists and watches, begins again what ends, and dies aloud when it may not. Three things it does
not tell are taken from its connection: that a list is complete, what vanished while nobody watched (`lists.py`), and that a watch lives
(`watch_activity.py`). It writes nothing: no finalizer, no annotation, no Event.
"""

import asyncio
import logging
import ssl
from collections.abc import Collection, Iterable
from typing import Any, Final, cast

import aiohttp
import kopf
from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from kubernetes.aio.client.configuration import Configuration

from kabobagool_operator.caches import CHILDREN, WATCHED, Body, Caches
from kabobagool_operator.kinds import Kind
from kabobagool_operator.labels import GROUP, MANAGED_BY, MANAGER
from kabobagool_operator.lists import listing_into
from kabobagool_operator.rest import USER_AGENT
from kabobagool_operator.watch_activity import WatchActivity, inactivity_s, notes_watches

CHUNK: Final = 500
REQUEST_TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0
BACKOFFS_S: Final = (1, 1, 2, 3, 5, 8)
"""An API server that starts refuses for a moment; one that refuses for longer does not mean it for a moment."""
IDLE_S: Final = 0.5
EXIT_S: Final = 25.0
LOGGER: Final = "kopf"


class RemembersNothing(kopf.DiffBaseStorage):
    """kopf compares every object with what it wrote into it earlier. Ours are judged as a whole, elsewhere."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:
        """Nothing is worth comparing."""
        return cast(kopf.BodyEssence, {})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was remembered."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Nothing is."""


class Watches:
    """The watches of one namespace. `run` returns when it is told to stop and raises when a watch cannot go on.

    Each is ended by the API server after `watch_s` seconds and goes on from there: that costs a request, and shows that it lives.
    """

    def __init__(self, configuration: Configuration, caches: Caches, activity: WatchActivity, *, namespace: str, watch_s: int) -> None:
        self._configuration = configuration
        self._caches = caches
        self._activity = activity
        self._namespace = namespace
        self._watch_s = watch_s
        self.begun = asyncio.Event()
        """Set when kopf has taken over the process's signal handlers, which it always does."""

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`."""
        logging.getLogger(LOGGER).setLevel(logging.WARNING)
        others = asyncio.all_tasks()
        parts = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(self._watch_s),
            namespaces=[self._namespace],
            stop_flag=stop,
            ready_flag=self.begun,
        )
        whole = asyncio.create_task(kopf.run_tasks(parts, ignored=others), name="kopf")
        await _unless_one_fails(whole, parts)

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: Any) -> kopf.AiohttpSession:
            return kopf.AiohttpSession(server=self._configuration.host, aiohttp_session=self._session())

        for kind in WATCHED:
            self._listen(kind, registry)
        return registry

    def _listen(self, kind: Kind, registry: kopf.OperatorRegistry) -> None:
        group, _, version = kind.api_version.rpartition("/")

        @kopf.on.event(group, version, kind.plural, registry=registry)
        async def heard(event: kopf.RawEvent, **_: Any) -> None:
            self._activity.seen(kind.plural)
            body = cast(Body, event["object"])
            if event["type"] == "DELETED":
                self._caches.drop(kind, body)
            else:
                self._caches.put(kind, body)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=_tls(self._configuration)),
            headers={"User-Agent": USER_AGENT},
            middlewares=[signs_in(self._configuration), notes_watches(self._activity)],
            response_class=listing_into(self._caches),
        )


async def _unless_one_fails(whole: asyncio.Task[None], parts: Collection[asyncio.Task[Any]]) -> None:
    """Wait for kopf to end in order. When a part of it fails it may never end: that is not waited for."""
    try:
        done, _ = await asyncio.wait({whole, *parts}, return_when=asyncio.FIRST_COMPLETED)
        for part in done:
            part.result()
        await whole
    finally:
        whole.cancel()


def signs_in(configuration: Configuration) -> ClientMiddlewareType:
    """Middleware that gives every request the token as it is now: that of a Pod changes every hour."""

    async def sign_in(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        if token:
            request.headers["Authorization"] = token
        return await handler(request)

    return sign_in


def _settings(watch_s: int) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.posting.enabled = False
    settings.persistence.finalizer = f"{GROUP}/not-used"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = RemembersNothing()
    settings.networking.request_timeout = REQUEST_TIMEOUT_S
    settings.networking.connect_timeout = CONNECT_TIMEOUT_S
    settings.networking.error_backoffs = BACKOFFS_S
    settings.watching.server_timeout = watch_s
    settings.watching.inactivity_timeout = inactivity_s(watch_s)
    settings.watching.chunk_size = CHUNK
    settings.queueing.idle_timeout = IDLE_S
    settings.process.ultimate_exiting_timeout = EXIT_S
    for kind in CHILDREN:
        group, _, version = kind.api_version.rpartition("/")
        settings.watching.label_selectors[group, version, kind.plural] = f"{MANAGED_BY}={MANAGER}"
    return settings


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
