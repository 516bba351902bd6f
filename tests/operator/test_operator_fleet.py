"""Turns for the whole fleet: none before everything was looked at, none for a duplicate, and whoever gets one is looked at again."""

import random
from collections.abc import Collection
from typing import Any

import pytest
from tests.support.virtual_clock import VirtualClock

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.caches import Caches
from kabobagool_operator.directory import Directory
from kabobagool_operator.facts import Slots
from kabobagool_operator.fleet import Fleet
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.names import Wallets
from kabobagool_operator.policy import Policy
from kabobagool_operator.reconcile import Reconciler
from kabobagool_operator.rollout_rows import Row

FREE = Slots(may_create=True, may_roll=False)


class CountedDirectory(Directory):
    """Knows how often it was renewed: that takes as long as giving thousands of markets their turns."""

    renewals = 0

    def renew(self, markets: Collection[ArbMarket]) -> set[str]:
        self.renewals += 1
        return super().renew(markets)


class Rig:
    """A fleet whose markets are what the test puts into the caches."""

    def __init__(self, **policy: Any) -> None:
        self.clock = VirtualClock()
        self.woken: list[str] = []
        self.caches = Caches(self._changed)
        self.directory = CountedDirectory(lambda market: None, condition_id, wallets=Wallets())
        chosen = Policy(**{"creations_per_second": 2, **policy})
        self.fleet = Fleet(self.caches, self.directory, chosen, clock=self.clock, wake=self.woken.append)
        self._version = 0

    def _changed(self, name: str, *, by_us: bool) -> None:
        """Looks are the queue's business."""

    def put(self, name: str, market: str = "", *, phase: str | None = None, labels: dict[str, str] | None = None) -> None:
        self._version += 1
        metadata = {
            "name": name,
            "uid": f"uid-{name}",
            "resourceVersion": str(self._version),
            "creationTimestamp": f"2026-01-01T00:00:{self._version:02}Z",
            "labels": labels or {},
        }
        body = {"metadata": metadata, "spec": {"market": {"slug": market or name}}, "status": {"phase": phase} if phase else {}}
        self.caches.put(ARB_MARKET, {"apiVersion": ARB_MARKET.api_version, "kind": ARB_MARKET.name, **body})

    def drop(self, name: str) -> None:
        self._version += 1
        seen = self.caches.markets[name].seen.body
        seen["metadata"]["resourceVersion"] = str(self._version)
        self.caches.drop(ARB_MARKET, seen)

    async def second(self) -> list[str]:
        """A second passes; who was woken."""
        await self.clock.advance(1)
        self.woken.clear()
        self.fleet.tick()
        return sorted(self.woken)


def condition_id(market: ArbMarket) -> str | None:
    return market.spec.market.slug


def missing(name: str) -> Row:
    return Row(name=name, created_s=0.0, desired_hash="new")


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_nobody_gets_a_turn_before_all_that_was_there_has_been_looked_at(rig: Rig) -> None:
    for name in ("rain", "snow"):
        rig.put(name)
    rig.fleet.expect(["rain", "snow"])
    rig.fleet.looked_at("rain", missing("rain"))
    assert await rig.second() == []
    assert not rig.fleet.slots("rain").may_create
    rig.fleet.looked_at("snow", None)
    assert await rig.second() == ["rain"]
    assert rig.fleet.slots("rain") == FREE


async def test_one_that_went_before_it_was_looked_at_holds_nobody_up(rig: Rig) -> None:
    rig.put("rain")
    rig.fleet.expect(["rain", "gone"])
    rig.fleet.looked_at("rain", missing("rain"))
    rig.fleet.forget("gone")
    assert await rig.second() == ["rain"]


async def test_bots_are_made_at_a_pace_and_the_rest_gets_its_turn_as_time_passes(rig: Rig) -> None:
    names = [f"rain-{number}" for number in range(5)]
    for name in names:
        rig.put(name)
        rig.fleet.looked_at(name, missing(name))
    turns = [await rig.second() for _ in range(3)]
    assert turns == [["rain-0", "rain-1"], ["rain-2", "rain-3"], ["rain-4"]]


async def test_who_has_used_his_turn_is_not_looked_at_because_it_is_over(rig: Rig) -> None:
    rig.put("rain")
    rig.fleet.looked_at("rain", missing("rain"))
    assert await rig.second() == ["rain"]
    rig.fleet.looked_at("rain", Row(name="rain", created_s=0.0, desired_hash="new", running_hash="new", made_s=0.0))
    assert await rig.second() == []
    assert not rig.fleet.slots("rain").may_create


async def test_a_duplicate_gets_no_turn_until_the_other_one_is_gone(rig: Rig) -> None:
    rig.put("rain")
    rig.put("rain-again", "rain")
    for name in ("rain", "rain-again"):
        rig.fleet.looked_at(name, missing(name))
    assert await rig.second() == ["rain", "rain-again"]
    assert rig.directory.duplicate_of("rain-again") == "rain"
    assert not rig.fleet.slots("rain-again").may_create
    rig.drop("rain")
    rig.fleet.forget("rain")
    assert set(await rig.second()) == {"rain-again"}
    assert rig.fleet.slots("rain-again").may_create


async def test_one_that_comes_later_is_seen_to_be_a_duplicate(rig: Rig) -> None:
    rig.put("rain")
    rig.fleet.looked_at("rain", missing("rain"))
    await rig.second()
    rig.put("rain-again", "rain")
    assert "rain-again" in await rig.second()
    assert rig.directory.duplicate_of("rain-again") == "rain"


async def test_who_is_who_is_asked_when_an_arbmarket_changes_or_there_is_news_of_its_market_and_not_when_a_bot_does(rig: Rig) -> None:
    rig.put("rain")
    rig.fleet.looked_at("rain", missing("rain"))
    await rig.second()
    assert rig.directory.renewals == 1
    rig.fleet.looked_at("rain", Row(name="rain", created_s=0.0, desired_hash="new", running_hash="new", made_s=0.0))
    await rig.second()
    assert rig.directory.renewals == 1
    rig.put("rain", phase="Running")
    await rig.second()
    assert rig.directory.renewals == 2
    rig.fleet.touched()
    await rig.second()
    assert rig.directory.renewals == 3


async def test_while_nothing_changes_nobody_is_looked_at(rig: Rig) -> None:
    rig.put("rain")
    rig.fleet.looked_at("rain", Row(name="rain", created_s=0.0, desired_hash="new", running_hash="new", made_s=0.0, ready=True))
    await rig.second()
    assert [await rig.second() for _ in range(3)] == [[], [], []]


async def test_bots_that_start_are_counted_and_broken_ones_are_not(rig: Rig) -> None:
    made = {"created_s": 0.0, "desired_hash": "new", "running_hash": "new", "made_s": 0.0}
    rig.fleet.looked_at("rain", Row(name="rain", **made))
    rig.fleet.looked_at("snow", Row(name="snow", **made, ready=True))
    rig.fleet.looked_at("hail", Row(name="hail", **made, trouble="crash loop"))
    rig.fleet.looked_at("dew", missing("dew"))
    assert rig.fleet.starting == 1
    rig.fleet.looked_at("dew", Row(name="dew", **made))
    assert rig.fleet.starting == 2
    rig.fleet.looked_at("rain", Row(name="rain", **made, ready=True))
    rig.fleet.forget("dew")
    assert rig.fleet.starting == 0


async def test_markets_are_counted_by_phase_and_origin(rig: Rig) -> None:
    rig.put("rain", phase="Running")
    rig.put("snow", phase="Running", labels={"kabobagool.io/origin": "discovered"})
    rig.put("hail")
    assert rig.fleet.counts() == {("Running", "pinned"): 1, ("Running", "discovered"): 1, ("", "pinned"): 1}


async def test_five_thousand_markets_in_any_order_get_their_turns(rig: Rig) -> None:
    fleet = Rig(creations_per_second=1000, max_pending=1000)
    names = [f"rain-{number}" for number in range(5000)]
    random.Random(1).shuffle(names)
    for name in names:
        fleet.fleet.looked_at(name, missing(name))
    assert len(await fleet.second()) == 1000


class BrokenObserver:
    """Cannot make sense of anything."""

    def observe(self, market: ArbMarket, now: Any) -> Any:
        raise KeyError("spec")


async def test_a_market_that_breaks_a_look_does_not_hold_up_the_turns_of_the_others(rig: Rig) -> None:
    rig.put("strange")
    rig.put("rain")
    nobody: Any = None
    parts = dict.fromkeys(("hands", "writer", "resolver", "refusals"), nobody)
    broken: Any = BrokenObserver()
    policy = Policy()
    reconciler = Reconciler(
        caches=rig.caches, observer=broken, fleet=rig.fleet, policy=policy, clock=rig.clock, rng=random.Random(1), **parts
    )
    rig.fleet.expect(["strange", "rain"])
    rig.fleet.looked_at("rain", missing("rain"))
    with pytest.raises(KeyError):
        await reconciler.look("strange")
    assert await rig.second() == ["rain"]
