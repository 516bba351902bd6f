"""An operator that is killed anywhere leaves nothing behind that the next one does not finish, and nothing is ever made twice."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.operator.operator_rig import OperatorProcess, World, arb_market, phase, world

from kabobagool_operator.labels import FINALIZER

MARKETS = 24
KILLS = 8
LOOKS = 200
SLUGS = tuple(f"rain-{number}" for number in range(MARKETS))
LOOKS_METRIC = re.compile(r"^controller_runtime_reconcile_total\{.*\} (\S+)$", re.MULTILINE)


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, controllers: None, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    async with world(tmp_path, control_plane, namespace, *SLUGS) as around:
        yield around


async def looks(operator: OperatorProcess) -> int:
    """How often it looked at a market so far."""
    return round(sum(float(count) for count in LOOKS_METRIC.findall((await operator.probe("/metrics"))[1])))


class Trader:
    """Applies, changes, suspends and deletes markets, and knows how they should be in the end."""

    def __init__(self, at: World, rng: random.Random) -> None:
        self._at = at
        self._rng = rng
        self._unused = list(SLUGS)
        self.wanted: dict[str, dict[str, Any]] = {}

    async def does_something(self) -> None:
        """One act of several markets."""
        new = [self._unused.pop() for _ in range(min(len(self._unused), 3))]
        known = list(self.wanted)
        changed = self._rng.sample(known, min(len(known), 3))
        for name in (*new, *changed):
            self.wanted[name] = {"strategy": {"maxPairCost": f"0.9{self._rng.randint(2, 7)}"}, "suspend": self._rng.random() < 0.2}
        await self._at.apply(*(arb_market(name, **self.wanted[name]) for name in (*new, *changed)))
        if known and self._rng.random() < 0.5:
            leaving = self._rng.choice(known)
            del self.wanted[leaving]
            await self._at.ask("delete", "arb", leaving, "--wait=false")


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
            used = env_from(bot)[0]["configMapRef"]["name"]
            cost = configurations.get(used, {"data": {}})["data"].get("MAX_PAIR_COST")
            found += [f"{name} pays {cost}, not {spec['strategy']}"] if cost != spec["strategy"]["maxPairCost"] else []
    return found


async def until_as_wanted(at: World, wanted: dict[str, dict[str, Any]], seed: int) -> None:
    found = [""]

    async def look() -> bool:
        found[:] = await differences(at, wanted)
        return not found

    await at.until(look, f"all is as wanted, seed {seed}", lambda: found)


def env_from(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]
    return found


async def test_killed_at_any_moment_of_two_hundred_looks_another_one_converges_and_makes_nothing_twice(
    at: World, control_plane: Any, request: pytest.FixtureRequest
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    rng, before, looked = random.Random(seed), control_plane.audit.mark(), 0
    trader = Trader(at, rng)
    for _ in range(KILLS):
        operator = await at.running()
        for _ in range(rng.randint(1, 3)):
            await trader.does_something()
            await asyncio.sleep(rng.uniform(0, 1.5))
        looked += await looks(operator)
        operator.kill()
    last = await at.running()
    await until_as_wanted(at, trader.wanted, seed)
    while looked + await looks(last) < LOOKS:
        await trader.does_something()
    await until_as_wanted(at, trader.wanted, seed)
    assert await last.stop() == 0
    made = Counter(
        each.name
        for each in control_plane.writes(before)
        if (each.resource, each.namespace, each.code) == ("deployments", at.namespace, 201)
    )
    assert max(made.values()) == 1, made
    markets = await at.objects("arbmarkets")
    assert all(markets[name]["metadata"]["finalizers"] == [FINALIZER] for name in await at.objects("deployments"))
