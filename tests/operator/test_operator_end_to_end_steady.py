"""A fleet to which nothing happens costs the API server no write, through many rounds of everything that the operator does by itself."""

import re
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient, CoreV1Api
from tests.operator.operator_rig import PAIRS, OperatorProcess, World, arb_market, conditions, phase, world

PINNED = tuple(f"rain-{number}" for number in range(48))
DISCOVERED = tuple(f"snow-{number}" for number in range(12))
NAMES = {*PINNED, *DISCOVERED}
RESYNCS = 5
OFTEN = {
    "RESYNC_S": "4",
    "STATUS_INTERVAL_S": "1",
    "VENUE_RECHECK_S": "4",
    "VENUE_LOOKUPS_PER_SECOND": "30",
    "WATCH_S": "3",
    "DISCOVERY": "true",
    "DISCOVERY_PROFILE": "snow",
    "DISCOVERY_INTERVAL_S": "2",
    "RETIRE_AFTER_S": "600",
}
"""Everything that comes again by itself comes so often that many rounds of it take seconds."""
PROFILE = "MIN_VOLUME=0\nMIN_DURATION_HOURS=0.01\nMARKET_PATTERNS=snow-*\nENABLE_BOOK_SCREEN=false\n"
LOOKS = re.compile(r"^controller_runtime_reconcile_total\{.*\} (\S+)$", re.MULTILINE)
INSTANCE = "app.kubernetes.io/instance"


@pytest.fixture
async def at(tmp_path: Path, control_plane: Any, controllers: None, namespace: str, installed_crds: None) -> AsyncIterator[World]:
    (tmp_path / "snow.env").write_text(PROFILE)
    async with world(tmp_path, control_plane, namespace, *PINNED, *DISCOVERED) as around:
        yield around


async def looks(operator: OperatorProcess) -> int:
    """How often it looked at a market so far."""
    return round(sum(float(count) for count in LOOKS.findall((await operator.probe("/metrics"))[1])))


async def all_have_pods(at: World) -> bool:
    return {pod["metadata"]["labels"][INSTANCE] for pod in (await at.objects("pods")).values()} == NAMES


async def bots_run(at: World, core: CoreV1Api) -> None:
    """What the kubelets and the bots would say, of all of them."""
    ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    for name, pod in (await at.objects("pods")).items():
        await core.patch_namespaced_pod_status(name, at.namespace, ready)
        await at.goes_on_reporting(pod["metadata"]["labels"][INSTANCE], f"kabobagool@{name}/1/abc", **PAIRS)


def runs(market: dict[str, Any]) -> bool:
    return phase(market) == "Running" and conditions(market)["MarketDataFresh"] == "True/Fresh" and "position" in market["status"]


async def all_run(at: World) -> bool:
    markets = await at.objects("arbmarkets")
    return set(markets) == NAMES and all(map(runs, markets.values()))


class Stretch:
    """What happened since it was begun."""

    def __init__(self, at: World, operator: OperatorProcess, control_plane: Any) -> None:
        self._at = at
        self._operator = operator
        self._control_plane = control_plane
        self._mark = control_plane.mark()
        self._rounds = len(operator.said("discovery looked"))
        self._looks = 0

    async def begin(self) -> "Stretch":
        self._looks = await looks(self._operator)
        return self

    async def is_over(self) -> bool:
        """Whether it held so many whole resyncs and rounds."""
        rounds = len(self._operator.said("discovery looked")) - self._rounds
        return rounds > RESYNCS and await looks(self._operator) - self._looks >= RESYNCS * len(NAMES)

    def writes(self) -> Counter[str]:
        """What was written in the namespace but for the Lease."""
        everything = self._control_plane.writes(self._mark)
        ours = (each for each in everything if each.namespace == self._at.namespace and each.resource != "leases")
        return Counter(f"{each.verb} {each.resource}/{each.subresource}" for each in ours)

    def watches(self) -> int:
        """How many watches of ArbMarkets were begun anew."""
        everything = self._control_plane.requests(self._mark)
        return sum((each.verb, each.resource, each.namespace) == ("watch", "arbmarkets", self._at.namespace) for each in everything)


async def quiet_stretch(at: World, operator: OperatorProcess, control_plane: Any) -> Stretch:
    stretch = await Stretch(at, operator, control_plane).begin()
    await at.until(stretch.is_over, f"{RESYNCS} resyncs of all")
    return stretch


async def test_a_fleet_to_which_nothing_happens_is_looked_at_again_and_again_and_nothing_is_written(
    at: World, control_plane: Any, kubernetes_client: ApiClient, tmp_path: Path
) -> None:
    operator = await at.running(PROFILES_DIR=str(tmp_path), MAX_MARKETS=str(len(NAMES)), **OFTEN)
    await at.apply(*(arb_market(name) for name in PINNED))
    await at.until(lambda: all_have_pods(at), "all have bots")
    await bots_run(at, CoreV1Api(kubernetes_client))
    await at.until(lambda: all_run(at), "all run")
    await quiet_stretch(at, operator, control_plane)  # what was just made settles
    stretch = await quiet_stretch(at, operator, control_plane)
    assert stretch.writes() == {}
    assert stretch.watches() >= 2
    await at.until(lambda: is_well(operator), "its watches live", operator)


async def is_well(operator: OperatorProcess) -> bool:
    return await operator.probe("/healthz") == (200, '{"status": "ok", "complaints": []}')
