"""Markets worth trading become ArbMarkets and leave again: at a pace, within limits, and never against a person."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.operator.discovery_rig import DiscoveryRig, discovery_rig
from tests.operator.venue_rig import broken, scripted

from kabobagool.discovery.criteria import Criteria
from kabobagool.settings import SettingsError
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.cluster_errors import Denial, Forbidden, Unavailable
from kabobagool_operator.discovered import discovery_criteria
from kabobagool_operator.labels import DISCOVERED, ORIGIN, QUALIFIED, RETIRED
from kabobagool_operator.market_source import NOTE_EVERY_S, UNSEEN_S
from kabobagool_operator.policy import Policy

BY_VOLUME = Criteria(max_markets=20, max_duration_ms=10**14, min_volume=100_000_000)
PLAY_WALLET = {"paper_wallet": "0x" + "9e" * 20, "paper_wallet_secret": "play"}
PAIR = {"yesShares": "10", "noShares": "10", "summary": "10/10"}


def ask_for_more(rig: DiscoveryRig) -> None:
    """From the next round on nothing that this exchange lists is traded enough."""
    rig.criteria = replace(rig.criteria, min_volume=10**15)
    rig.source._criteria = rig.criteria


def is_content(rig: DiscoveryRig) -> None:
    """The criteria are what they were."""
    rig.source._criteria = rig.criteria = replace(rig.criteria, min_volume=0)


async def test_what_qualifies_becomes_an_arbmarket_named_after_its_page() -> None:
    async with discovery_rig(scripted("rain-in-may", 900), scripted("quiet", 1), criteria=BY_VOLUME) as rig:
        assert await rig.round() == ["rain-in-may"]
        body = rig.store.objects["rain-in-may"]
        assert body["metadata"]["labels"][ORIGIN] == DISCOVERED
        assert body["spec"] == {
            "market": {"conditionId": rig.condition_id("rain-in-may")},
            "profile": rig.policy.discovery_profile,
            "mode": "DryRun",
        }
        assert [market.slug for market in rig.learned] == ["rain-in-may"]


async def test_a_fleet_that_agrees_with_the_venue_is_not_written_to() -> None:
    async with discovery_rig(*(scripted(f"m-{number}", 900) for number in range(10))) as rig:
        await rig.round()
        rig.store.writes.clear()
        for _ in range(30):
            await rig.round()
            await rig.clock.advance(60)
        assert rig.store.writes == []


async def test_a_name_that_a_person_took_for_another_market_stays_theirs() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800)) as rig:
        rig.store.pin("rain", slug="something-else")
        found = await rig.round()
        assert found == [f"rain-{rig.condition_id('rain')[2:10]}", "sun"]
        assert rig.store.objects["rain"]["spec"] == {"market": {"slug": "something-else"}}


async def test_a_name_that_is_taken_by_what_nobody_can_read_is_given_up_after_a_while() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        rig.store.objects["rain"] = {"metadata": {"name": "rain"}}
        rig.source._all_markets = lambda: [ArbMarket.parse(body) for name, body in rig.store.objects.items() if name != "rain"]
        await rig.round()
        await rig.clock.advance(UNSEEN_S + 1)
        await rig.round()
        assert sorted(rig.store.objects) == ["rain", f"rain-{rig.condition_id('rain')[2:10]}"]
        assert rig.store.objects["rain"] == {"metadata": {"name": "rain"}}


async def test_an_arbmarket_that_the_watch_has_not_shown_yet_is_not_created_twice() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        rig.source._all_markets = list
        for _ in range(5):
            await rig.round()
            await rig.clock.advance(1)
        assert rig.store.writes == [("create", "rain")]


@pytest.mark.parametrize("way", ["slug", "conditionId", "tokens", "status"])
async def test_a_market_that_a_person_pinned_is_left_to_them_however_they_named_it(way: str) -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800)) as rig:
        listed = rig.venue.paper.exchange.market("rain")
        assert listed is not None
        tokens = {"yes": listed.tokens[0], "no": listed.tokens[1]}
        ways: dict[str, Any] = {"slug": "rain", "conditionId": listed.condition_id, "tokens": tokens, "status": "renamed"}
        rig.store.pin("mine", **{"slug" if way == "status" else way: ways[way]})
        if way == "status":
            market = {"slug": "rain", "question": "", "conditionId": listed.condition_id, "tokens": tokens}
            rig.store.tell("mine", market=market)
        before = rig.store.objects["mine"]["metadata"]["resourceVersion"]
        assert await rig.round() == ["sun"]
        assert rig.store.objects["mine"]["metadata"]["resourceVersion"] == before


async def test_a_pin_takes_the_place_of_a_discovered_market() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800)) as rig:
        assert await rig.round() == ["rain", "sun"]
        rig.store.pin("mine", conditionId=rig.condition_id("rain"))
        rig.store.finalizers = True
        assert await rig.round() == ["sun"]
        assert rig.store.objects["rain"]["metadata"]["annotations"][RETIRED] == "pinned by mine"
        del rig.store.objects["rain"]
        assert await rig.round() == ["sun"]


async def test_one_whose_label_a_person_takes_away_is_theirs_from_then_on() -> None:
    async with discovery_rig(scripted("rain", 900), retire_after_s=0) as rig:
        await rig.round()
        ask_for_more(rig)
        await rig.source.look()
        seen = rig.store.all()
        rig.source._all_markets = lambda: seen  # the watch has not shown it yet
        rig.store.objects["rain"]["metadata"]["labels"].pop(ORIGIN)
        await rig.source.carry_out()
        assert "rain" in rig.store.objects
        rig.source._all_markets = rig.store.all
        await rig.round()
        assert [write for write in rig.store.writes if write[0] == "delete"] == []


async def test_a_market_is_retired_when_it_missed_the_criteria_for_long_enough_and_says_since_when() -> None:
    async with discovery_rig(scripted("rain", 900), retire_after_s=900) as rig:
        await rig.round()
        await rig.clock.advance(NOTE_EVERY_S)
        ask_for_more(rig)
        assert await rig.round() == ["rain"]
        noted = rig.store.objects["rain"]["metadata"]["annotations"]
        assert set(noted) == {QUALIFIED}
        rig.store.writes.clear()
        for _ in range(14):
            await rig.clock.advance(60)
            assert await rig.round() == ["rain"]
        assert rig.store.writes == [], "it is said once"
        rig.store.finalizers = True
        await rig.clock.advance(60)
        assert await rig.round() == []
        assert rig.store.objects["rain"]["metadata"]["annotations"] == {RETIRED: "volume_too_low"}


async def test_a_market_that_qualifies_again_in_time_stays_and_says_so_without_haste() -> None:
    async with discovery_rig(scripted("rain", 900), retire_after_s=900) as rig:
        await rig.round()
        for _ in range(10):
            ask_for_more(rig)
            await rig.round()
            is_content(rig)
            await rig.round()
            await rig.clock.advance(30)
        assert len(rig.store.writes) <= 1 + 2, "one note in five minutes, whatever it does"
        await rig.clock.advance(NOTE_EVERY_S)
        assert await rig.round() == ["rain"]
        assert rig.store.objects["rain"]["metadata"]["annotations"] == {}


async def test_what_holds_a_position_stays_until_its_market_has_ended() -> None:
    async with discovery_rig(scripted("rain", 900), retire_after_s=0) as rig:
        await rig.round()
        rig.store.tell("rain", position=PAIR, phase="Running")
        ask_for_more(rig)
        for _ in range(3):
            await rig.clock.advance(3600)
            assert await rig.round() == ["rain"]
        rig.store.tell("rain", phase="Closed")
        assert await rig.round() == []


async def test_an_outage_of_the_catalogue_retires_nobody_and_creates_nothing() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800), retire_after_s=0) as rig:
        await rig.round()
        del rig.store.objects["sun"]
        rig.venue.transport.answer = broken
        for _ in range(3):
            await rig.clock.advance(3600)
            assert await rig.round() == ["rain"]
        assert rig.source.trouble is not None
        assert "the venue is unwell" in str(rig.source.stopped)
        rig.venue.transport.answer = lambda url, params: None
        assert await rig.round() == ["rain", "sun"]
        assert [rig.source.trouble, rig.source.stopped] == [None, None]


async def test_a_gate_that_is_away_stops_creating_and_nothing_else() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800), retire_after_s=0) as rig:
        await rig.round()
        await rig.clock.advance(UNSEEN_S)
        del rig.store.objects["sun"]
        rig.gate_answers = False
        assert await rig.round() == ["rain"]
        assert rig.source.stopped == "the order gate does not answer"
        rig.gate_answers = True
        assert await rig.round() == ["rain", "sun"]


async def test_bots_that_cannot_start_stop_creating() -> None:
    async with discovery_rig(*(scripted(f"m-{number}", 900) for number in range(4)), max_pending=3) as rig:
        rig.starting = 3
        assert await rig.round() == []
        assert rig.source.stopped == "3 bots are starting already"
        rig.starting = 2
        assert len(await rig.round()) == 4


@pytest.mark.parametrize(("per_second", "expected"), [("5", [(5, 1), (10, 1), (12, 0)]), ("0.5", [(1, 2), (2, 2), (3, 2)])])
async def test_creation_is_paced(per_second: str, expected: list[tuple[int, float]]) -> None:
    books = [scripted(f"m-{number}", 900) for number in range(12)]
    async with discovery_rig(*books, creations_per_second=Decimal(per_second)) as rig:
        await rig.source.look()
        made = []
        for _ in expected:
            pause_s = await rig.source.carry_out() or 0
            made.append((len(rig.store.objects), pause_s))
            await rig.clock.advance(pause_s)
        assert made == expected


async def test_the_fleet_is_capped_with_pinned_ones_counted() -> None:
    async with discovery_rig(*(scripted(f"m-{number}", 900 - number) for number in range(8)), max_markets=5) as rig:
        for number in range(3):
            rig.store.pin(f"pin-{number}")
        assert await rig.round() == ["m-0", "m-1"], "the best first"
        assert rig.source.stopped is None, "that is no trouble"
        del rig.store.objects["pin-0"]
        assert await rig.round() == ["m-0", "m-1", "m-2"]


async def test_a_fleet_of_none_is_possible() -> None:
    async with discovery_rig(scripted("rain", 900), max_markets=0) as rig:
        assert await rig.round() == []


async def test_a_restarted_operator_takes_over_what_the_last_one_discovered() -> None:
    async with discovery_rig(scripted("rain", 900), scripted("sun", 800), retire_after_s=60) as rig:
        await rig.round()
        rig.store.writes.clear()
        rig.restart()
        assert await rig.round() == ["rain", "sun"]
        assert rig.store.writes == []
        rig.criteria = replace(rig.criteria, patterns=("sun",))
        rig.restart()
        assert await rig.round() == ["rain", "sun"]
        await rig.clock.advance(61)
        assert await rig.round() == ["sun"], "what does not qualify any more leaves, as it always does"


async def test_two_of_one_market_become_one_again() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.round()
        await rig.clock.advance(5)
        rig.store.put("rain-again", {"metadata": {"labels": {ORIGIN: DISCOVERED}}, "spec": rig.store.objects["rain"]["spec"]})
        assert await rig.round() == ["rain"]


async def test_one_that_is_still_being_deleted_is_waited_for() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.round()
        rig.store.objects["rain"]["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
        assert await rig.round() == []
        assert len(rig.store.objects) == 1
        del rig.store.objects["rain"]
        assert await rig.round() == ["rain"]


async def test_discovered_markets_are_live_only_as_long_as_the_operator_was_told_so() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.round()
        rig.restart(discovery_mode=Mode.LIVE, discovery_credentials_secret="wallet", discovery_profile="crypto")
        await rig.round()
        spec = rig.store.objects["rain"]["spec"]
        assert (spec["mode"], spec["credentials"], spec["profile"]) == ("Live", {"secretName": "wallet"}, "crypto")
        rig.store.writes.clear()
        await rig.round()
        assert rig.store.writes == []
        rig.restart(discovery_mode=Mode.DRY_RUN)
        await rig.round()
        assert rig.store.objects["rain"]["spec"]["mode"] == "DryRun"


async def test_discovered_markets_of_a_paper_exchange_are_paper_and_name_no_key() -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.round()
        rig.restart(discovery_mode=Mode.PAPER, discovery_credentials_secret="wallet", **PLAY_WALLET)
        await rig.round()
        spec = rig.store.objects["rain"]["spec"]
        assert spec["mode"] == "Paper"
        assert "credentials" not in spec
        rig.store.writes.clear()
        await rig.round()
        assert rig.store.writes == []


def test_an_installation_whose_wallet_is_no_address_is_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match=r"KABOBAGOOL_LIVE_WALLET=0x12: .* 40 hexadecimal digits"):
        Policy(live_wallet="0x12")
    assert Policy(live_wallet="").live_wallet is None
    assert Policy(live_wallet="0x" + "AB" * 20).live_wallet == "0x" + "ab" * 20


def test_live_discovery_without_a_key_is_refused_with_the_fix() -> None:
    with pytest.raises(ValueError, match="KABOBAGOOL_DISCOVERY_CREDENTIALS_SECRET"):
        Policy(discovery_mode=Mode.LIVE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"paper_wallet": "0x12", "paper_wallet_secret": "play"}, "KABOBAGOOL_PAPER_WALLET=0x12: .* 40 hexadecimal digits"),
        (
            {"paper_wallet": PLAY_WALLET["paper_wallet"]},
            "KABOBAGOOL_PAPER_WALLET and KABOBAGOOL_PAPER_WALLET_SECRET .* set both, or neither",
        ),
        ({"paper_wallet": "", "paper_wallet_secret": "play"}, "set both, or neither"),
        ({"discovery_mode": Mode.PAPER}, "KABOBAGOOL_DISCOVERY_MODE=Paper: .* without a paper exchange"),
        (
            {"discovery_mode": Mode.LIVE, "discovery_credentials_secret": "wallet", **PLAY_WALLET},
            "KABOBAGOOL_DISCOVERY_MODE=Live: .* with a paper exchange",
        ),
    ],
)
def test_an_installation_that_is_half_paper_is_refused_with_the_fix(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Policy(**given)


@pytest.mark.parametrize(
    "error", [Unavailable("no answer"), Forbidden("quota", denial=Denial.QUOTA), Unavailable("busy", retry_after_s=7.0)]
)
async def test_an_api_server_that_refuses_is_waited_out(error: Any) -> None:
    async with discovery_rig(scripted("rain", 900)) as rig:
        await rig.source.look()
        rig.store.fail = error
        again_s = await rig.source.carry_out()
        assert again_s is not None
        assert again_s >= max(error.retry_after_s, 1.0)
        rig.store.fail = None
        await rig.clock.advance(UNSEEN_S)
        assert await rig.round() == ["rain"]


async def test_it_runs_by_itself_and_looks_sooner_after_a_failure() -> None:
    async with discovery_rig(scripted("rain", 900), discovery_interval_s=60.0) as rig:
        rig.venue.transport.answer = broken
        running = asyncio.create_task(rig.source.run())
        await rig.clock.advance(1)
        rig.venue.transport.answer = lambda url, params: None
        await rig.clock.advance(16)
        assert list(rig.store.objects) == ["rain"]
        rounds = len(rig.learned)
        await rig.clock.advance(120)
        assert len(rig.learned) == rounds + 2
        running.cancel()


def test_the_profile_says_what_is_looked_for_and_the_installation_may_say_otherwise(tmp_path: Path) -> None:
    found = discovery_criteria(Policy(max_markets=7, bot_environment={"MIN_VOLUME": "1234"}), Profiles())
    assert (found.max_markets, found.min_volume) == (7, 1_234_000_000)
    (tmp_path / "mine.env").write_text("MIN_VOLUME=77\n")
    assert discovery_criteria(Policy(discovery_profile="mine"), Profiles(tmp_path)).min_volume == 77_000_000
    with pytest.raises(SettingsError, match="no such profile"):
        discovery_criteria(Policy(discovery_profile="nowhere"), Profiles(tmp_path))
