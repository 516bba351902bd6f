"""A process of its own that writes to the API server as fast as the bare asynchronous client can: started by `operator.py`.

Its arguments are what to write, a kubeconfig, a namespace and how many markets. `markets` creates ArbMarkets. `bots` is the reference: for
each ArbMarket the finalizer, ConfigMap, Deployment and status that the operator would write, one after the other, so many markets at the
same time. Nothing is watched, decided, repeated or remembered. In one line of JSON it says how long that took.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from kubernetes.aio.client import ApiClient

from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT
from kabobagool_operator.rest import APPLY, JSON, JSON_PATCH
from tests.bench.operator_markets import Bots, arb_market, finalizer_patch, status
from tests.cluster.clients import client_of

AT_ONCE = 32
CHUNK = 500
APPLIED = (("fieldManager", "bare"), ("force", "true"))
Body = dict[str, Any]
Job = Callable[[], Awaitable[None]]


class Bare:
    """Requests without anything around them; answers are read and not looked at."""

    def __init__(self, client: ApiClient, namespace: str) -> None:
        self._client = client
        self.namespace = namespace

    async def send(self, method: str, path: str, body: Any = None, content_type: str = JSON, query: Iterable[Any] = ()) -> bytes:
        """One request, and the whole of its answer."""
        headers = {"Accept": JSON, "Content-Type": content_type}
        _, url, headers, sent, _ = await self._client.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        answer = await self._client.rest_client.request(method, url, headers=headers, body=sent)  # type: ignore[no-untyped-call]
        content: bytes = await answer.read()
        assert answer.status < 300, content
        return content

    async def create(self, body: Body) -> None:
        """An ArbMarket."""
        await self.send("POST", ARB_MARKET.path(self.namespace), body)

    async def write_bot(self, name: str, objects: tuple[Body, Body, Body]) -> None:
        """All that an ArbMarket becomes."""
        config_map, deployment, said = objects
        market, patch = ARB_MARKET.path(self.namespace, name), finalizer_patch()
        await self.send("PATCH", market, patch, JSON_PATCH)
        await self.send("PATCH", CONFIG_MAP.path(self.namespace, config_map["metadata"]["name"]), config_map, APPLY, APPLIED)
        await self.send("PATCH", DEPLOYMENT.path(self.namespace, name), deployment, APPLY, APPLIED)
        await self.send("PATCH", ARB_MARKET.path(self.namespace, name, subresource="status"), said, APPLY, APPLIED)

    async def markets(self) -> list[Body]:
        """All ArbMarkets there are."""
        found: list[Body] = []
        more = ""
        while True:
            page = json.loads(await self.send("GET", ARB_MARKET.path(self.namespace), query=(("limit", str(CHUNK)), ("continue", more))))
            found += page["items"]
            if not (more := page["metadata"].get("continue", "")):
                return found


async def at_once(jobs: Iterable[Job]) -> float:
    """Do all of them, so many at the same time; the seconds that took."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            await job()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(work())
    return time.perf_counter() - began


async def make_markets(bare: Bare, count: int) -> float:
    """Create the ArbMarkets."""
    return await at_once([partial(bare.create, arb_market(number)) for number in range(count)])


async def make_bots(bare: Bare, count: int) -> float:
    """Write what all ArbMarkets become; everything is prepared before the time counts."""
    bots = Bots()
    bodies = {body["metadata"]["name"]: body for body in await bare.markets()}
    jobs = []
    for number in range(count):
        name = arb_market(number)["metadata"]["name"]
        wanted = bots.objects(ARB_MARKET_FIELDS | bodies[name], number)
        said = {**arb_market(number), **status(number, wanted)}
        del said["spec"]
        jobs.append(partial(bare.write_bot, name, (wanted.config_map, wanted.deployment, said)))
    return await at_once(jobs)


ARB_MARKET_FIELDS = {"apiVersion": ARB_MARKET.api_version, "kind": ARB_MARKET.name}
"""Lists leave these out of their items."""
WORK = {"markets": make_markets, "bots": make_bots}


async def main(kind: str, kubeconfig: str, namespace: str, count: int) -> None:
    """Write, and say how long it took."""
    async with client_of(Path(kubeconfig)) as client:
        took_s = await WORK[kind](Bare(client, namespace), count)
    sys.stdout.write(json.dumps({"took_s": took_s}) + "\n")


if __name__ == "__main__":
    kind, kubeconfig, namespace, count = sys.argv[1:]
    asyncio.run(main(kind, kubeconfig, namespace, int(count)))
