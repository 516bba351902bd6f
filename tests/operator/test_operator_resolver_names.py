"""Which markets the venue is asked about follows which ArbMarkets there are, and what they name now."""

from tests.operator.venue_rig import pinned, running, scripted, venue_rig

from kabobagool_operator.facts import Resolved
from kabobagool_operator.resolver import RECHECK_S


async def test_a_market_that_nobody_names_any_more_is_not_asked_for() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        for name in ("one", "other"):
            resolver.look(pinned(name, {"slug": "rain"}))
        resolver.forget("one")
        await rig.clock.advance(1)
        assert rig.news == ["other"]
        resolver.forget("other")
        resolver.forget("never seen")
        rig.asked()
        await rig.clock.advance(3 * RECHECK_S)
        assert rig.asked() == []


async def test_an_arbmarket_that_is_applied_anew_for_another_market_is_about_that_one() -> None:
    async with venue_rig(scripted("rain"), scripted("sun")) as rig, running(rig.resolver()) as resolver:
        resolver.look(pinned("mine", {"slug": "rain"}))
        await rig.clock.advance(1)
        assert resolver.look(pinned("mine", {"slug": "sun"})) is None
        await rig.clock.advance(1)
        found = resolver.look(pinned("mine", {"slug": "sun"}))
        assert isinstance(found, Resolved)
        assert found.facts.slug == "sun"
