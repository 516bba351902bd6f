"""An operator that is killed anywhere leaves nothing behind that the next one does not finish, and nothing is ever made twice."""

import asyncio
import contextlib
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.operator.api_server_rig import RequestTally
from tests.operator.api_wire import DeadlyWire, Place, kubeconfig_over, wired
from tests.operator.crash_rig import MortalOperator, end_lease
from tests.operator.operator_rig import World, arb_market, phase, world_with

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.cluster_errors import NotFound
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.labels import FINALIZER, INSTANCE
from kabobagool_operator.rest import Rest

MARKETS = 24
FEWEST = 8
KILLS = 200
CONVERGES_EVERY = 40
WRITES = 7
LONGEST_LIFE_S = 8.0
"""Who has not come to its place by then has nothing left to write, and dies at rest."""
SLUGS = tuple(f"rain-{number}" for number in range(MARKETS))
WHAT = re.compile(r"(\w+ )/apis?/.*?/namespaces/[^/]+/(\w+)(?:/[^/? ]+)?(/\w+)?")
EVERY_WRITE = {"PATCH arbmarkets", "PATCH configmaps", "PATCH deployments", "PATCH arbmarkets/status", "POST events", "DELETE configmaps"}

at = world_with(*SLUGS)


@pytest.fixture
async def wire(control_plane: Any) -> AsyncIterator[DeadlyWire]:
    assert control_plane.audit is not None
    found = DeadlyWire(control_plane.port)
    async with wired(found):
        yield found


@pytest.fixture
async def operator(at: World, wire: DeadlyWire, control_plane: Any, tmp_path: Path) -> AsyncIterator[MortalOperator]:
    found = MortalOperator(at.operator(kubeconfig=kubeconfig_over(wire, control_plane, tmp_path)))
    yield found
    found.close()


@pytest.fixture
async def cluster(at: World) -> AsyncIterator[Cluster]:
    rest = Rest(await load_configuration(kubeconfig=at.kubeconfig), rate=None, observer=RequestTally())
    async with contextlib.AsyncExitStack() as ending:
        ending.push_async_callback(rest.close)
        yield Cluster(rest)


class Trader:
    """Applies, changes, suspends and deletes markets, and knows how they should be in the end. Nothing is asked for twice."""

    def __init__(self, at: World, cluster: Cluster, rng: random.Random) -> None:
        self._at = at
        self._cluster = cluster
        self._rng = rng
        self._unused = list(SLUGS)
        self._costs = iter(range(9_200, 9_800))
        self.wanted: dict[str, dict[str, Any]] = {}

    async def does_something(self) -> None:
        """Two markets become others than they were, or new ones."""
        known = list(self.wanted)
        if not self._unused and len(known) > FEWEST and self._rng.random() < 0.2:
            leaving = known.pop(self._rng.randrange(len(known)))
            del self.wanted[leaving]
            await self._cluster.delete(ARB_MARKET, self._at.namespace, leaving)
        new = [self._unused.pop() for _ in range(min(len(self._unused), 1))]
        for name in (*new, *self._rng.sample(known, min(len(known), 2 - len(new)))):
            cost = f"0.{next(self._costs)}".rstrip("0")
            self.wanted[name] = {"strategy": {"maxPairCost": cost}, "suspend": self._rng.random() < 0.2}
            body = arb_market(name, **self.wanted[name])
            await self._cluster.apply(ARB_MARKET, self._at.namespace, name, body, field_manager="trader")


async def differences(at: World, wanted: dict[str, dict[str, Any]]) -> list[str]:
    """What is not as the trader wants it."""
    markets, bots, configurations = [await at.objects(plural) for plural in ("arbmarkets", "deployments", "configmaps")]
    found = [f"{name} is {'not ' * (name in wanted)}there" for name in set(wanted) ^ set(markets)]
    found += [f"{name} has a bot" for name in set(bots) - set(wanted)]
    for name, spec in wanted.items():
        bot = bots.get(name)
        replicas = 0 if bot is None else bot["spec"]["replicas"]
        if replicas != int(not spec["suspend"]) or (phase(markets.get(name, {})) == "Suspended") != spec["suspend"]:
            found.append(f"{name} suspend={spec['suspend']}: {replicas} replicas, {phase(markets.get(name, {}))}")
        elif bot is not None and replicas:
            cost = configurations.get(configuration_of(bot), {"data": {}})["data"].get("MAX_PAIR_COST")
            found += [f"{name} pays {cost}, not {spec['strategy']}"] if cost != spec["strategy"]["maxPairCost"] else []
            old = {other for other, body in configurations.items() if of_market(body, name)} - {configuration_of(bot)}
            found += [f"{name} has still {old}"] if old else []
    return found


def of_market(body: dict[str, Any], name: str) -> bool:
    return str(body["metadata"].get("labels", {}).get(INSTANCE)) == name


async def until_as_wanted(at: World, wanted: dict[str, dict[str, Any]], about: str) -> None:
    found = [""]

    async def look() -> bool:
        found[:] = await differences(at, wanted)
        return not found

    await at.until(look, f"all is as wanted, {about}", lambda: found)


def configuration_of(bot: dict[str, Any]) -> str:
    """The name of the ConfigMap with which a bot runs."""
    return str(bot["spec"]["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"])


async def lives_until(operator: MortalOperator, wire: DeadlyWire, place: Place) -> str:
    """An operator is started and killed at its place, or at rest. What it was writing."""
    wire.stop_at(place)
    operator.start()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(wire.reached.wait(), LONGEST_LIFE_S)
    operator.kill()
    found = WHAT.match(wire.at.decode())
    return "nothing" if found is None else "".join(part or "" for part in found.groups())


@pytest.mark.timeout(1200)
async def test_killed_at_two_hundred_random_places_another_one_converges_and_nothing_is_made_twice(
    at: World, wire: DeadlyWire, operator: MortalOperator, cluster: Cluster, control_plane: Any
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng, before, died_at = random.Random(seed), control_plane.audit.mark(), Counter[str]()
    trader = Trader(at, cluster, rng)
    for number in range(1, KILLS + 1):
        await trader.does_something()
        place = Place(rng.randint(1, WRITES), sent=rng.random() < 0.5)
        died_at[await lives_until(operator, wire, place)] += 1
        with contextlib.suppress(NotFound):  # the first may have died before it was elected
            await end_lease(cluster, at.namespace)
        if number % CONVERGES_EVERY == 0:
            wire.stop_at(None)
            operator.start()
            await until_as_wanted(at, trader.wanted, f"seed {seed}, {number} kills at {died_at}")
            operator.kill()
            await end_lease(cluster, at.namespace)
    last = await at.running()
    await until_as_wanted(at, trader.wanted, f"seed {seed}")
    assert await last.stop() == 0
    print(died_at)
    assert set(died_at) >= EVERY_WRITE
    made = Counter(
        (each.resource, each.name)
        for each in control_plane.writes(before)
        if (each.namespace, each.code) == (at.namespace, 201) and each.resource in ("deployments", "configmaps")
    )
    assert max(made.values()) == 1, made.most_common(3)
    markets = await at.objects("arbmarkets")
    assert all(markets[name]["metadata"]["finalizers"] == [FINALIZER] for name in await at.objects("deployments"))


async def configurations(at: World, name: str) -> list[str]:
    """What is written in those of a market."""
    found = (await at.objects("configmaps")).values()
    return [body["data"]["MAX_PAIR_COST"] for body in found if of_market(body, name)]


async def has_only(at: World, name: str, cost: str) -> bool:
    return await configurations(at, name) == [cost]


async def test_killed_before_an_old_configuration_was_removed_the_next_one_removes_it(
    at: World, wire: DeadlyWire, operator: MortalOperator, cluster: Cluster
) -> None:
    operator.start()
    await at.apply(arb_market("rain-0", strategy={"maxPairCost": "0.95"}))
    await at.until_market("rain-0", lambda body: "deployment" in body.get("status", {}), "has a bot")
    wire.stop_at(Place(1, sent=False, of=b"DELETE /api/v1/"))
    await at.patch("arb", "rain-0", spec={"strategy": {"maxPairCost": "0.96"}})
    await at.until(wire.reached.is_set, "it is about to remove the old one")
    operator.kill()
    assert sorted(await configurations(at, "rain-0")) == ["0.95", "0.96"]
    await end_lease(cluster, at.namespace)
    wire.stop_at(None)
    operator.start()
    await at.until(lambda: has_only(at, "rain-0", "0.96"), "it is removed")
