"""What the operator knows of a market comes from the venue, without a storm of questions, and outlives the venue's bad hours."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from tests.operator.venue_rig import VenueRig, broken, pinned, running, scripted, venue_rig

from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.transport import HttpReply, Params
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.conditions import MEANINGS, Reason
from kabobagool_operator.facts import Resolution, Resolved, Unresolved
from kabobagool_operator.resolution import facts_of
from kabobagool_operator.resolver import BELIEVED_S, FIRST_PAUSE_S, LONGEST_PAUSE_S, RECHECK_S, WORKERS

TEN_MINUTES_S = 600.0


def reason(resolution: Resolution | None) -> Reason:
    assert isinstance(resolution, Unresolved), resolution
    return resolution.reason


def listing(rig: VenueRig, **changes: Any) -> Any:
    """Answers of the catalogue with some fields of the market changed; everything else is the venue's own answer."""

    def answer(url: str, params: Params) -> HttpReply | None:
        if "/markets" not in url or "clob-markets" in url:
            return None
        market = rig.paper.market
        entry: dict[str, Any] = {"conditionId": market.condition_id, "slug": market.slug, "question": market.question, "version": "v1"}
        entry |= {"outcomes": list(market.outcomes), "clobTokenIds": list(market.tokens), "orderMinSize": 5, **changes}
        body = entry if "/slug/" in url else {"markets": [entry]}
        return HttpReply(200, {}, msgspec.json.encode(body))

    return answer


def status_of(resolution: Resolution, *, truth: str, why: Reason) -> Mapping[str, Any]:
    """The status that an earlier operator wrote."""
    assert resolution.facts is not None
    condition = {"type": "Resolved", "status": truth, "reason": why.value, "message": "", "lastTransitionTime": "2026-11-01T00:00:00Z"}
    return {"market": resolution.facts.model_dump(mode="json", by_alias=True, exclude_none=True), "conditions": [condition]}


async def test_a_slug_a_condition_id_and_two_tokens_lead_to_the_same_facts() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        venue = rig.paper.market
        ways: list[dict[str, Any]] = [
            {"slug": "rain"},
            {"conditionId": venue.condition_id},
            {"tokens": {"yes": venue.tokens[0], "no": venue.tokens[1]}},
        ]
        markets = [pinned(f"way-{number}", way) for number, way in enumerate(ways)]
        assert [resolver.look(market) for market in markets] == [None, None, None]
        await rig.clock.advance(1)
        assert sorted(set(rig.news)) == ["way-0", "way-1", "way-2"]
        described = facts_of(await resolve_market(rig.reader, rig.clob, rig.gamma, slug="rain"))
        assert [resolver.look(market) for market in markets] == [Resolved(described)] * 3
        assert (described.tick_size, described.neg_risk, described.fees_enabled) == ("0.01", False, True)
        assert described.end_time is not None
        assert {resolver.condition_id(market) for market in markets} == {venue.condition_id}


async def test_many_arbmarkets_of_one_market_are_one_question_and_looking_asks_nothing() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        markets = [pinned(f"name-{number}", {"slug": "rain"}) for number in range(50)]
        for _ in range(20):
            for market in markets:
                resolver.look(market)
        await rig.clock.advance(5)
        assert sorted(path.partition("/0x")[0] for path in rig.asked()) == ["clob-markets", "gamma/markets/slug/rain"]
        assert len(set(rig.news)) == 50


async def test_five_hundred_unknown_markets_are_no_storm() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        markets = [pinned(f"never-{number}") for number in range(500)]
        for market in markets:
            resolver.look(market)
        await rig.clock.advance(1)
        assert len(rig.transport.asked) <= 60, "they are asked for one after the other"
        await rig.clock.advance(59)
        assert len(rig.transport.asked) == 500, "once each in the first minute"
        assert rig.transport.most_at_once <= WORKERS
        await rig.clock.advance(TEN_MINUTES_S - 60)
        assert len(rig.transport.asked) <= 500 * 4
        assert len(rig.news) == 500, "the same answer again is no news"
        assert {reason(resolver.look(market)) for market in markets} == {Reason.NOT_FOUND}
        rig.asked()
        rig.transport.answer = lambda url, params: HttpReply(404, {}, b"")
        await rig.clock.advance(2 * LONGEST_PAUSE_S)
        assert 500 * 2 <= len(rig.transport.asked) <= 500 * 5, "about every quarter of an hour in the end"


async def test_a_market_that_the_venue_lists_later_comes_alive_by_itself() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = lambda url, params: HttpReply(404, {}, b"") if "/slug/" in url else None
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(300)
        unknown = resolver.look(market)
        assert reason(unknown) is Reason.NOT_FOUND
        assert isinstance(unknown, Unresolved)
        assert "check the spelling" in unknown.message
        rig.transport.answer = lambda url, params: None
        await rig.clock.advance(LONGEST_PAUSE_S)
        assert isinstance(resolver.look(market), Resolved)
        assert rig.news == ["rain", "rain"]


@pytest.mark.parametrize(
    ("changes", "expected", "ended"),
    [
        ({"closed": True}, Reason.CLOSED, True),
        ({"archived": True}, Reason.CLOSED, True),
        ({"umaResolutionStatus": "proposed"}, Reason.CLOSED, True),
        ({"active": False}, Reason.NOT_TRADABLE, False),
        ({"enableOrderBook": False}, Reason.NOT_TRADABLE, False),
        ({"negRiskOther": True}, Reason.NOT_TRADABLE, False),
        ({"version": "v2"}, Reason.UNSUPPORTED, False),
        ({"outcomes": ["A", "B", "C"]}, Reason.UNSUPPORTED, False),
        ({"clobTokenIds": ["1", "2"]}, Reason.UNSUPPORTED, False),
    ],
)
async def test_a_market_that_cannot_be_traded_says_why_and_whether_that_is_for_ever(
    changes: dict[str, Any], expected: Reason, ended: bool
) -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = listing(rig, **changes)
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        found = resolver.look(market)
        assert isinstance(found, Unresolved)
        assert (found.reason, found.ended) == (expected, ended)
        assert "rain" in found.message
        assert found.reason in MEANINGS


async def test_two_tokens_that_are_not_one_market_are_ambiguous() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        yes, no = rig.paper.market.tokens
        market = pinned("rain", {"tokens": {"yes": no, "no": yes}})
        resolver.look(market)
        await rig.clock.advance(1)
        found = resolver.look(market)
        assert reason(found) is Reason.AMBIGUOUS
        assert isinstance(found, Unresolved)
        assert "the wrong way round" in found.message


async def test_a_market_that_takes_no_orders_for_a_while_keeps_its_facts_and_comes_back() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        known = resolver.look(market)
        assert isinstance(known, Resolved)
        described = await resolve_market(rig.reader, rig.clob, rig.gamma, slug="rain")
        resolver.learn(replace(described, accepting_orders=False))
        stopped = resolver.look(market)
        assert reason(stopped) is Reason.NOT_TRADABLE
        assert stopped is not None
        assert stopped.facts == known.facts
        await rig.clock.advance(2 * FIRST_PAUSE_S + 1 + RECHECK_S * 1.2)
        assert resolver.look(market) == known


async def test_an_installation_may_have_everything_asked_again_sooner() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver(recheck_s=6.0)) as resolver:
        known, unknown = pinned("rain"), pinned("snow")
        for market in (known, unknown):
            resolver.look(market)
        await rig.clock.advance(1)
        assert reason(resolver.look(unknown)) is Reason.NOT_FOUND
        rig.asked()
        await rig.clock.advance(60)
        assert sum("snow" in what for what in rig.asked()) >= 6, "ten times as often in the beginning, every nine seconds in the end"
        rig.transport.answer = listing(rig, closed=True)
        await rig.clock.advance(6.0 * 1.2)
        assert reason(resolver.look(known)) is Reason.CLOSED


async def test_what_ends_is_seen_at_the_next_look_and_its_facts_are_kept() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        known = resolver.look(market)
        rig.transport.answer = listing(rig, closed=True)
        await rig.clock.advance(RECHECK_S * 1.2)
        ended = resolver.look(market)
        assert isinstance(ended, Unresolved)
        assert (ended.reason, ended.ended) == (Reason.CLOSED, True)
        assert known is not None
        assert ended.facts == known.facts


async def test_one_empty_page_takes_no_market_away_but_a_second_one_does() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        known = resolver.look(market)
        empty = HttpReply(200, {}, b'{"markets": []}')
        rig.asked()
        rig.transport.answer = lambda url, params: empty
        await rig.clock.advance(RECHECK_S * 1.2 - FIRST_PAUSE_S)
        while not rig.transport.asked:
            await rig.clock.advance(1)
        assert resolver.look(market) == known
        await rig.clock.advance(FIRST_PAUSE_S + 1)
        gone = resolver.look(market)
        assert reason(gone) is Reason.NOT_FOUND
        assert gone is not None
        assert known is not None
        assert gone.facts == known.facts


async def test_a_slug_that_is_given_to_another_market_does_not_move_the_bot_there() -> None:
    async with venue_rig(scripted("rain"), scripted("sun")) as rig, running(rig.resolver()) as resolver:
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        known = resolver.look(market)
        rig.asked()
        await rig.clock.advance(RECHECK_S * 1.2)
        assert resolver.look(market) == known
        assert not [path for path in rig.asked() if "slug" in path], "once found it is asked for by its condition id"


async def test_while_the_venue_is_away_one_asks_now_and_then_for_all() -> None:
    books = [scripted(f"m-{number}") for number in range(40)]
    async with venue_rig(*books) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = broken
        markets = [pinned(f"m-{number}") for number in range(40)]
        for market in markets:
            resolver.look(market)
        await rig.clock.advance(TEN_MINUTES_S)
        assert len(rig.transport.asked) <= WORKERS + 30
        assert resolver.trouble is not None
        tried = [found for found in map(resolver.look, markets) if found is not None]
        assert tried
        assert {reason(found) for found in tried} == {Reason.VENUE_UNAVAILABLE}
        rig.transport.answer = lambda url, params: None
        await rig.clock.advance(2 * FIRST_PAUSE_S)
        assert all(isinstance(resolver.look(market), Resolved) for market in markets)
        assert resolver.trouble is None


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_a_venue_that_asks_for_silence_is_left_alone_by_everybody(status: int) -> None:
    async with venue_rig(scripted("rain"), scripted("sun")) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = lambda url, params: HttpReply(status, {"retry-after": "30"}, b"")
        resolver.look(pinned("rain"))
        await rig.clock.advance(1)
        asked = len(rig.transport.asked)
        resolver.look(pinned("sun"))
        await rig.clock.advance(28)
        assert len(rig.transport.asked) == asked == 1
        rig.transport.answer = lambda url, params: None
        await rig.clock.advance(5)
        assert isinstance(resolver.look(pinned("sun")), Resolved)
        assert isinstance(resolver.look(pinned("rain")), Resolved)


async def test_an_outage_leaves_what_is_known_as_it_is_until_it_is_too_old_to_be_believed() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        known = resolver.look(market)
        rig.transport.answer = broken
        await rig.clock.advance(BELIEVED_S - 10)
        assert resolver.look(market) == known
        assert rig.news == ["rain"]
        await rig.clock.advance(120)
        lost = resolver.look(market)
        assert reason(lost) is Reason.VENUE_UNAVAILABLE
        assert lost is not None
        assert known is not None
        assert lost.facts == known.facts


async def test_rubbish_about_one_market_keeps_nobody_else_waiting() -> None:
    async with venue_rig(scripted("rain"), scripted("sun")) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = lambda url, params: HttpReply(200, {}, b"{") if url.endswith("/rain") else None
        rain, sun = pinned("rain"), pinned("sun")
        resolver.look(rain)
        resolver.look(sun)
        await rig.clock.advance(1)
        assert reason(resolver.look(rain)) is Reason.VENUE_UNAVAILABLE
        assert isinstance(resolver.look(sun), Resolved)
        assert resolver.trouble is None


async def test_a_market_that_the_exchange_does_not_know_yet_waits_and_is_no_outage() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        rig.transport.answer = lambda url, params: HttpReply(404, {}, b"{}") if "clob-markets" in url else None
        market = pinned("rain")
        resolver.look(market)
        await rig.clock.advance(1)
        assert reason(resolver.look(market)) is Reason.NOT_TRADABLE
        assert resolver.trouble is None


async def test_a_restarted_operator_believes_the_status_and_asks_for_everything_in_its_own_time() -> None:
    books = [scripted(f"m-{number}") for number in range(60)]
    async with venue_rig(*books) as rig:
        async with running(rig.resolver()) as first:
            for number in range(60):
                first.look(pinned(f"m-{number}"))
            await rig.clock.advance(10)
            known = {f"m-{number}": first.look(pinned(f"m-{number}")) for number in range(60)}
        rig.asked()
        rig.news.clear()
        async with running(rig.resolver()) as second:
            again = [_with_status(name, found) for name, found in known.items()]
            assert [second.look(market) for market in again] == list(known.values())
            await rig.clock.advance(30)
            assert len(rig.transport.asked) <= 2 * 15, "spread over the time between two looks"
            await rig.clock.advance(RECHECK_S)
            assert len({path for path in rig.asked() if path.startswith("clob-markets")}) == 60
            assert rig.news == []


async def test_who_only_wants_to_know_has_nothing_asked_for() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        assert resolver.known(pinned("rain")) is None
        await rig.clock.advance(1)
        assert rig.asked() == []
        resolver.look(pinned("rain"))
        await rig.clock.advance(1)
        assert isinstance(resolver.known(pinned("rain")), Resolved)


async def test_a_market_that_had_ended_is_still_over_after_a_restart() -> None:
    async with venue_rig(scripted("rain")) as rig:
        async with running(rig.resolver()) as first:
            first.look(pinned("rain"))
            await rig.clock.advance(1)
            known = first.look(pinned("rain"))
        assert known is not None
        status = status_of(known, truth="False", why=Reason.CLOSED)
        found = rig.resolver().look(pinned("rain", status=status))
        assert isinstance(found, Unresolved)
        assert (found.reason, found.ended, found.facts) == (Reason.CLOSED, True, known.facts)


async def test_a_status_about_another_market_is_not_believed() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        resolver.look(pinned("rain"))
        await rig.clock.advance(1)
        known = resolver.look(pinned("rain"))
        assert known is not None
        status = status_of(known, truth="True", why=Reason.FOUND)
        assert resolver.look(pinned("sun", {"slug": "sun"}, status=status)) is None


async def test_what_discovery_confirmed_is_not_asked_for_again() -> None:
    async with venue_rig(scripted("rain")) as rig, running(rig.resolver()) as resolver:
        described = await resolve_market(rig.reader, rig.clob, rig.gamma, slug="rain")
        market = pinned("rain", {"conditionId": described.condition_id})
        resolver.look(market)
        rig.asked()
        for _ in range(4):
            resolver.learn(described)
            await rig.clock.advance(RECHECK_S / 2)
        assert rig.asked() == []
        assert resolver.look(market) == Resolved(facts_of(described))
        assert rig.news == ["rain"]


def _with_status(name: str, found: Resolution | None) -> ArbMarket:
    assert found is not None
    return pinned(name, status=status_of(found, truth="True", why=Reason.FOUND))
