"""What discovery and the resolver do is counted as it happens, and how the venue is can be read at any moment."""

import pytest
from tests.operator.discovery_rig import DiscoveryRig, discovery_rig
from tests.operator.scrape import Scrape
from tests.operator.venue_rig import broken, pinned, running, scripted, venue_rig

from kabobagool.venue.transport import HttpReply, Params
from kabobagool_operator.conditions import Reason
from kabobagool_operator.operator_metrics import OperatorMetrics, VenueNumbers

OURS = "kabobagool_operator_"
RETIREMENTS = f"{OURS}discovery_retirements_total"
ROUNDS = f"{OURS}discovery_rounds_total"


def creations(rig: DiscoveryRig) -> float | None:
    return Scrape(rig.metrics).value(f"{OURS}discovery_creations_total")


async def test_rounds_are_counted_by_how_they_ended_and_timed() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.round()
        rig.venue.transport.answer = broken
        await rig.round()
        await rig.round()
        scrape = Scrape(rig.metrics)
        assert scrape.counts(ROUNDS, "result") == {"success": 1, "error": 2}
        assert scrape.value(f"{OURS}discovery_round_seconds_count") == 3


async def test_an_arbmarket_that_was_created_counts_once_and_one_that_could_not_be_does_not() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800)) as rig:
        rig.store.objects["sun"] = {"metadata": {"name": "sun"}}
        rig.source._all_markets = list  # the watch shows nothing yet, and the name of the second is taken
        await rig.round()
        await rig.round()
        assert [name for verb, name in rig.store.writes if verb == "create"] == ["rain", "sun"]
        assert creations(rig) == 1


async def test_retirements_are_counted_by_a_word_that_names_nobody() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800), retire_after_s=0) as rig:
        await rig.round()
        rig.store.pin("somebodys-own-name", conditionId=rig.condition_id("rain"))
        await rig.round()
        assert Scrape(rig.metrics).counts(RETIREMENTS, "reason") == {"pinned": 1}
        rig.store.put("sun-too", {**rig.store.objects["sun"], "metadata": {"labels": rig.store.objects["sun"]["metadata"]["labels"]}})
        await rig.clock.advance(60)
        await rig.round()
        assert Scrape(rig.metrics).counts(RETIREMENTS, "reason") == {"pinned": 1, "surplus": 1}


async def test_the_age_of_what_discovery_knows_grows_until_a_round_is_good_again() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        assert rig.source.age_s is None
        rig.venue.transport.answer = broken
        await rig.source.look()
        assert rig.source.age_s is None, "a round that failed found nothing"
        rig.venue.transport.answer = nothing_changed
        await rig.source.look()
        await rig.clock.advance(100)
        assert rig.source.age_s == pytest.approx(100, abs=1)
        rig.venue.transport.answer = broken
        await rig.source.look()
        assert rig.source.age_s == pytest.approx(100, abs=1)
        rig.venue.transport.answer = nothing_changed
        await rig.source.look()
        assert rig.source.age_s == pytest.approx(0, abs=1)


def nothing_changed(url: str, params: Params) -> HttpReply | None:
    """The venue's own answer."""
    return None


async def test_every_question_to_the_venue_is_counted_by_its_answer() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        resolver.look(pinned("rain"))
        resolver.look(pinned("never"))
        await rig.clock.advance(5)
        assert sorted(rig.outcomes) == [Reason.FOUND, Reason.NOT_FOUND]
        rig.outcomes.clear()
        rig.transport.answer = broken
        resolver.look(pinned("later", {"conditionId": rig.paper.market.condition_id}))
        resolver.look(pinned("unheard"))
        await rig.clock.advance(5)
        assert set(rig.outcomes) == {Reason.VENUE_UNAVAILABLE}
        assert resolver.trouble is not None


def test_how_the_venue_is_is_read_at_the_scrape() -> None:
    metrics = OperatorMetrics()
    names = [f"{OURS}{name}" for name in ("discovery_qualifying_markets", "discovery_age_seconds", "discovery_stopped", "venue_unwell")]
    numbers = [VenueNumbers(qualifying=None, round_age_s=None, stopped=False, unwell=True)]
    assert [Scrape(metrics).value(name) for name in names] == [None] * 4, "a standby asks the venue for nothing"
    metrics.watch_venue(lambda: numbers[0])
    assert [Scrape(metrics).value(name) for name in names] == [None, None, 0, 1]
    numbers[0] = VenueNumbers(qualifying=7, round_age_s=12.5, stopped=True, unwell=False)
    assert [Scrape(metrics).value(name) for name in names] == [7, 12.5, 1, 0]
