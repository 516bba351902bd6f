"""Discovery on a real API server: what it creates is accepted, what people did in between counts, and a steady fleet costs no write."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from tests.operator.api_server_rig import RequestTally
from tests.operator.venue_rig import VenueRig, scripted, venue_rig

from kabobagool.clock import SystemClock
from kabobagool.discovery.criteria import Criteria
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.facts import Resolved
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.labels import FENCE, FINALIZER, ORIGIN, QUALIFIED, RETIRED
from kabobagool_operator.market_source import NOTE_EVERY_S, UNSEEN_S, MarketSource
from kabobagool_operator.operator_metrics import OperatorMetrics
from kabobagool_operator.policy import Policy
from kabobagool_operator.resolver import Resolver
from kabobagool_operator.rest import Rest
from kabobagool_operator.write_rate import WriteRate

FENCING_NUMBER = 7
SLUGS = ("rain-in-may", "Sun_2026.late", "snow")


@dataclass
class RealRig:
    """A source between a paper exchange and a namespace; `seen` is what the watch has shown it."""

    venue: VenueRig
    cluster: Cluster
    namespace: str
    policy: Policy
    resolver: Resolver
    seen: list[ArbMarket] = field(default_factory=list)
    source: MarketSource = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    def start(self, **policy: Any) -> None:
        """As a new leader, perhaps installed otherwise."""
        self.policy = self.policy.model_copy(update=policy)
        self.source = MarketSource(
            self.cluster,
            self.policy,
            reader=self.venue.reader,
            clob=self.venue.clob,
            criteria=Criteria(max_markets=self.policy.max_markets, max_duration_ms=10**14),
            clock=self.venue.clock,
            wall_ms=SystemClock().now_ms,
            markets=lambda: self.seen,
            gate_answers=lambda: True,
            starting=lambda: 0,
            learned=self.resolver.learn,
            observer=OperatorMetrics(),
        )

    async def watch(self) -> dict[str, dict[str, Any]]:
        """See what there is; the objects by name."""
        bodies = await self.cluster.list(ARB_MARKET, self.namespace)
        self.seen = [ArbMarket.parse(body) for body in bodies]
        return {body["metadata"]["name"]: body for body in bodies}

    async def round(self) -> dict[str, dict[str, Any]]:
        """One round with all its passes; what there is afterwards."""
        await self.watch()
        await self.source.look()
        for _ in range(5):
            await self.source.carry_out()
            await self.venue.clock.advance(1)
            await self.watch()
        return await self.watch()

    def criteria_are(self, **changes: Any) -> None:
        self.source._criteria = replace(self.source._criteria, **changes)


@pytest.fixture
async def rig(control_plane: Any, namespace: str, installed_crds: None) -> AsyncIterator[RealRig]:
    async with (
        venue_rig(*(scripted(slug, 900 - number) for number, slug in enumerate(SLUGS))) as venue,
        contextlib.AsyncExitStack() as ending,
    ):
        rate = WriteRate(clock=SystemClock(), per_second=500, burst=500)
        configuration = await load_configuration(kubeconfig=control_plane.kubeconfig)
        rest = Rest(configuration, rate=rate, observer=RequestTally(), fence=lambda: FENCING_NUMBER)
        ending.push_async_callback(rest.close)
        policy = Policy(namespace=namespace, gamma_url=venue.gamma, max_markets=10, retire_after_s=0)
        yield RealRig(venue, Cluster(rest), namespace, policy, venue.resolver())


async def test_the_api_server_accepts_what_discovery_creates_and_the_resolver_knows_it_without_asking(rig: RealRig) -> None:
    there = await rig.round()
    listed = {market.slug: market for market in rig.venue.paper.exchange.markets}
    strange = f"sun-2026-late-{listed['Sun_2026.late'].condition_id[2:10]}"
    assert sorted(there) == ["rain-in-may", "snow", strange]
    assert {body["metadata"]["labels"][ORIGIN] for body in there.values()} == {"discovered"}
    assert {body["spec"]["mode"] for body in there.values()} == {"DryRun"}
    assert there[strange]["spec"]["market"] == {"conditionId": listed["Sun_2026.late"].condition_id}
    for market in rig.seen:
        rig.resolver.look(market)
    rig.venue.asked()
    await rig.source.look()
    asked = rig.venue.asked()
    found = [rig.resolver.look(market) for market in rig.seen]
    assert all(isinstance(resolution, Resolved) for resolution in found)
    assert not [path for path in asked if "slug" in path]


async def test_a_steady_fleet_is_not_written_to(rig: RealRig, control_plane: Any) -> None:
    await rig.round()
    before = control_plane.mark()
    for _ in range(5):
        await rig.venue.clock.advance(NOTE_EVERY_S)
        await rig.round()
    assert [request for request in control_plane.writes(before) if request.namespace == rig.namespace] == []


async def test_a_retired_market_says_why_and_waits_for_its_drain(rig: RealRig, kubectl: Any) -> None:
    await rig.round()
    kubectl("patch", "arbmarket", "snow", "--type=merge", "--patch", f'{{"metadata": {{"finalizers": ["{FINALIZER}"]}}}}')
    rig.criteria_are(patterns=("rain*", "Sun*"))
    there = await rig.round()
    assert len(there) == 3
    assert there["snow"]["metadata"]["deletionTimestamp"]
    assert there["snow"]["metadata"]["annotations"] == {RETIRED: "slug_not_wanted", FENCE: str(FENCING_NUMBER)}
    assert there["snow"]["metadata"]["finalizers"] == [FINALIZER], "what another manager set is left alone"
    kubectl("patch", "arbmarket", "snow", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
    assert "snow" not in await rig.round()


async def test_a_note_comes_and_goes_and_touches_nothing_else(rig: RealRig) -> None:
    rig.start(retire_after_s=10_000.0)
    await rig.round()
    rig.criteria_are(patterns=("rain*", "Sun*"))
    there = await rig.round()
    assert QUALIFIED in there["snow"]["metadata"]["annotations"]
    assert QUALIFIED not in there["rain-in-may"]["metadata"].get("annotations", {})
    rig.criteria_are(patterns=("*",))
    await rig.venue.clock.advance(NOTE_EVERY_S)
    after = (await rig.round())["snow"]
    assert QUALIFIED not in after["metadata"].get("annotations", {})
    assert after["spec"] == there["snow"]["spec"]
    assert after["metadata"]["labels"] == there["snow"]["metadata"]["labels"]


async def test_what_a_person_did_since_the_watch_last_saw_it_wins(rig: RealRig, kubectl: Any) -> None:
    await rig.round()
    kubectl("label", "arbmarket", "snow", f"{ORIGIN}-")
    rig.criteria_are(patterns=("rain*",))
    await rig.source.look()
    await rig.source.carry_out()
    there = await rig.watch()
    assert "deletionTimestamp" not in there["snow"]["metadata"]
    assert ORIGIN not in there["snow"]["metadata"]["labels"]
    assert RETIRED not in there["snow"]["metadata"].get("annotations", {})
    assert sorted(await rig.round()) == ["rain-in-may", "snow"]


async def test_a_person_who_pins_a_market_gets_it_and_keeps_the_name(rig: RealRig, kubectl: Any) -> None:
    spec = {"market": {"slug": "rain-in-may"}, "profile": "crypto"}
    kubectl.apply("kabobagool.io/v1alpha1", "ArbMarket", "snow", spec=spec)
    there = await rig.round()
    assert there["snow"]["spec"]["profile"] == "crypto"
    assert ORIGIN not in there["snow"]["metadata"].get("labels", {})
    assert "rain-in-may" not in there
    assert len([name for name in there if name.startswith("snow-")]) == 1


async def test_live_comes_and_goes_with_the_installation(rig: RealRig) -> None:
    await rig.round()
    rig.start(discovery_mode=Mode.LIVE, discovery_credentials_secret="wallet")
    live = await rig.round()
    assert {(body["spec"]["mode"], body["spec"]["credentials"]["secretName"]) for body in live.values()} == {("Live", "wallet")}
    rig.start(discovery_mode=Mode.DRY_RUN, discovery_credentials_secret=None)
    assert {body["spec"]["mode"] for body in (await rig.round()).values()} == {"DryRun"}


async def test_two_leaders_that_discover_at_once_create_each_market_once(rig: RealRig) -> None:
    await rig.source.look()
    first = rig.source
    rig.start()
    await rig.source.look()
    for source in (first, rig.source):
        await source.carry_out()
    assert len(await rig.watch()) == 3
    await rig.venue.clock.advance(UNSEEN_S + 1)
    assert len(await rig.round()) == 3
